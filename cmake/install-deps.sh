#!/bin/bash
# Installs the Debian packages that Covey needs and that are not there yet.
#
#   cmake/install-deps.sh [build|demo|test]
#
# build: what compiles the programs. demo: that and what cmake/quickstart.sh uses.
# test (the default): everything. Instant, and needs no rights, when nothing is missing.
set -euo pipefail

build=(g++ cmake ninja-build pkg-config libboost1.81-dev nlohmann-json3-dev libseccomp-dev
    libcap-dev libcli11-dev libfmt-dev libsystemd-dev python3 python3-yaml)
demo=(busybox-static curl)
test=(catch2 python3-jsonschema python3-prometheus-client runc clang-format clang-tidy lld cpio
    qemu-system-x86 ccache jq make systemd dbus apparmor secilc
    # tests/model
    spin
    # tests/engines
    podman conmon golang-github-containers-common catatonit buildah containerd python3-grpcio python3-grpc-tools python3-pkg-resources docker.io uidmap
    # tests/engines/validation
    xz-utils golang-go golang-github-opencontainers-runtime-tools-dev golang-github-google-uuid-dev)

case "${1:-test}" in
build) wanted=("${build[@]}") ;;
demo) wanted=("${build[@]}" "${demo[@]}") ;;
test) wanted=("${build[@]}" "${demo[@]}" "${test[@]}") ;;
-h | --help)
    sed -n '2,7s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*)
    echo "install-deps: unknown set '$1' (known: build, demo, test)" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "install-deps: this is not a Debian system; install by hand: ${wanted[*]}" >&2
    exit 1
fi

# One query for all. A package that was removed but not purged is known, and not installed.
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
    grep -qxF "$package installed" <<<"$installed" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    echo "install-deps: all ${#wanted[@]} packages are there"
    exit 0
fi

as_root=()
if [[ $(id -u) != 0 ]]; then
    if ! command -v sudo >/dev/null; then
        echo "install-deps: missing: ${missing[*]}" >&2
        echo "install-deps: run this as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y
    -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)

echo "install-deps: missing: ${missing[*]}"
echo "install-deps: refreshing the package lists"
"${apt[@]}" update </dev/null
echo "install-deps: installing"
"${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null
echo "install-deps: installed ${#missing[@]} packages"
