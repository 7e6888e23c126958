#!/bin/bash
# Builds the validation suite of the OCI runtime-tools, once: a later call with the same sources is instant.
#
#   build.sh FOLDER
#
# Debian's library packages leave the suite out, so its source is taken from Debian's source package,
# whose digest apt checks against the signed list; libraries come from Debian's -dev packages. The
# programs, runtimetest and the root file system are then in FOLDER/out.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)

package=golang-github-opencontainers-runtime-tools
version=0.9.0.109.ge931285-1
suite=trixie
tarball=$folder/${package}_${version%-*}.orig.tar.xz
stamp=$folder/stamp

fetch() {
    local site apt=$folder/apt
    site=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
    if [[ -z $site ]]; then
        echo "validation: apt knows no list of Debian's main archive: run apt-get update" >&2
        return 1
    fi
    rm -rf "$apt" && mkdir -p "$apt/lists/partial" "$apt/archives/partial"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $suite main" >"$apt/sources.list"
    local options=(-q -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=-
        -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt" -o APT::Sandbox::User= -o Acquire::Retries=3)
    apt-get "${options[@]}" update
    # Without --tar-only's restraint apt would also want the packaging, which nothing here needs.
    (cd "$folder" && apt-get "${options[@]}" source --download-only --tar-only "$package=$version")
    rm -rf "$apt"
}

wanted="$version $(cat "$here/build.sh" "$here/tap/tap.go" | sha256sum | cut -d' ' -f1) $(go version)"
if [[ -f $stamp && $(cat "$stamp") == "$wanted" ]]; then
    exit 0
fi
rm -f "$stamp"
if [[ ! -f $tarball ]] && ! fetch >"$folder/fetch.log" 2>&1; then
    cat "$folder/fetch.log" >&2
    echo "SKIP: $package $version could not be fetched from Debian's archive" >&2
    exit 77
fi

export GO111MODULE=off GOPATH=$folder/go:/usr/share/gocode GOCACHE=$folder/cache CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN=local
tools=$folder/go/src/github.com/opencontainers/runtime-tools
rm -rf "$folder/go" "$folder/out"
mkdir -p "$tools" "$folder/go/src/github.com/mndrix" "$folder/out"
tar -xf "$tarball" -C "$tools" --strip-components=1
cp -r "$here/tap" "$folder/go/src/github.com/mndrix/tap-go"
(cd "$tools" && go build -ldflags '-s -w' -o "$folder/out/" ./cmd/runtimetest ./validation/...)
cp "$tools"/rootfs-*.tar.gz "$folder/out/"
rm -rf "$folder/go" "$folder/cache"
echo "$wanted" >"$stamp"
