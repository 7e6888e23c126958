#!/bin/bash
# Fetches Debian's cloud kernel into a folder and prints the path of its image. Nothing is installed:
# the package is downloaded and unpacked. Usage: kernel.sh CACHE-FOLDER
set -euo pipefail
cache=$1
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [[ ! -s $cache/vmlinuz ]]; then
    # The meta package depends on the one with the image; its name carries the version.
    package_name() {
        apt-cache depends linux-image-cloud-amd64 2>/dev/null |
            sed -n 's/^ *Depends: \(linux-image-.*-cloud-amd64\)$/\1/p' | head -n 1
    }
    fetch() {
        local name
        name=$(package_name)
        [[ -n $name ]] && (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "$name" >&2)
    }
    work=$(mktemp -d "$cache/unpack.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    if ! fetch; then
        echo "vm: refreshing the package lists" >&2
        apt-get -q -o DPkg::Lock::Timeout=300 update >&2
        fetch
    fi
    dpkg-deb -x "$work"/*.deb "$work/root"
    mv "$work"/root/boot/vmlinuz-* "$cache/vmlinuz"
fi
echo "$cache/vmlinuz"
