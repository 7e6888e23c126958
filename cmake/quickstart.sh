#!/bin/bash
# Shows what Covey is for: builds it, and runs a pod whose containers share one process namespace.
#
#   ./cmake/quickstart.sh
#
# Runs as root; as another user it builds and fetches as that user and asks sudo for the pod. What it
# downloads and builds stays below build/, so a second run is quick and needs no network. The pod has
# a coveyd of its own, with a socket and state folder of its own; all of it is gone at the end.
# The same pod for kubectl: docs/examples/share-process-namespace.yaml.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
"" | --pod) ;;
-h | --help)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*)
    echo "quickstart: unknown argument '$1' (there are none)" >&2
    exit 2
    ;;
esac

bin=$PWD/build/release/bin
cache=$PWD/build/quickstart
nginx_rootfs=$cache/nginx-rootfs
shell_rootfs=$cache/shell-rootfs

say() { printf '== %3d s  %s\n' "$SECONDS" "$*"; }
fail() {
    echo "quickstart: $*" >&2
    exit 1
}

# Of what ninja says, how far it is: on a terminal one line, else one for each fifth.
show_progress() {
    local line part=0
    while IFS= read -r line; do
        [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
        local built=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
        if [[ -t 1 ]]; then
            printf '\r== %3d s  built %d of %d' "$SECONDS" "$built" "$all"
        elif ((built * 5 / all > part)); then
            part=$((built * 5 / all))
            say "built $built of $all"
        fi
    done
    [[ ! -t 1 ]] || echo
}

build() {
    say "installing what is missing to build"
    cmake/install-deps.sh build
    say "building the programs (preset release); the first time takes some minutes"
    # A template-heavy file takes up to 1.2 GB in an optimising compiler.
    local by_memory
    by_memory=$(awk '/^MemAvailable:/ { print int($2 / 1024 / 1200) + 1 }' /proc/meminfo)
    local jobs
    jobs=$(nproc)
    ((jobs > by_memory)) && jobs=$by_memory
    cmake --preset release >"$cache/cmake.log" </dev/null || {
        cat "$cache/cmake.log" >&2
        fail "cmake found something missing, see above"
    }
    NINJA_STATUS='[%f/%t] ' cmake --build --preset release --parallel "$jobs" </dev/null 2>&1 |
        tee "$cache/build.log" | show_progress || {
        tail -n 40 "$cache/build.log" >&2
        fail "the build failed, see above ($cache/build.log has all of it)"
    }
}

# apt-get download needs package lists, which a bare system may not have yet.
refresh_lists() {
    say "refreshing the package lists"
    if [[ $(id -u) == 0 ]]; then apt-get -q update; else sudo apt-get -q update; fi </dev/null
}

download() {
    local options=(-q -o Acquire::Retries=3)
    # As root apt would drop to its own user, who may not write here.
    [[ $(id -u) == 0 ]] && options+=(-o APT::Sandbox::User=root)
    (cd "$cache/debs" && apt-get "${options[@]}" download "$@" </dev/null)
}

# fetch FOLDER PACKAGE…: the packages and the shared libraries they depend on, unpacked, not installed.
fetch() {
    local folder=$1 level=("${@:2}") seen=" " package deb name next
    rm -rf "$folder.new" && mkdir -p "$folder.new"
    while ((${#level[@]} > 0)); do
        for package in "${level[@]}"; do
            seen+="$package "
            rm -f "$cache/debs/${package}"_*.deb
        done
        say "downloading ${level[*]}"
        download "${level[@]}" >"$cache/apt.log" 2>&1 || {
            refresh_lists && download "${level[@]}" >"$cache/apt.log" 2>&1
        } || {
            cat "$cache/apt.log" >&2
            fail "cannot download ${level[*]}, see above"
        }
        next=()
        for package in "${level[@]}"; do
            deb=$(echo "$cache/debs/${package}"_*.deb)
            dpkg -x "$deb" "$folder.new"
            # Of what a package wants at run time only the libraries matter for one program of it.
            for name in $(dpkg -f "$deb" Pre-Depends Depends | sed 's/^[A-Za-z-]*: //' | tr ',' '\n' |
                sed 's/|.*//; s/(.*//; s/:any//; s/ //g'); do
                [[ $name == lib* || $name == zlib* ]] || continue
                [[ $seen == *" $name "* || " ${next[*]-} " == *" $name "* ]] || next+=("$name")
            done
        done
        level=("${next[@]}")
    done
}

# Root filesystems appear under their names only when they are complete.
fetch_nginx() {
    [[ -d $nginx_rootfs ]] && return
    say "fetching nginx"
    fetch "$nginx_rootfs" nginx nginx-common
    local root=$nginx_rootfs.new
    mkdir -p "$root"/{proc,sys,dev,run,tmp,var/log/nginx,var/lib/nginx,etc/nginx/sites-enabled}
    # What the package's installation script would do: users, and the default site (over IPv4, which
    # every kernel has).
    echo 'root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin' >"$root/etc/passwd"
    echo 'root:x:0:
adm:x:4:
tty:x:5:
www-data:x:33:' >"$root/etc/group"
    sed '/listen \[::\]/d' "$root/etc/nginx/sites-available/default" >"$root/etc/nginx/sites-enabled/default"
    sed -i 's/^worker_processes .*/worker_processes 1;/' "$root/etc/nginx/nginx.conf"
    mv "$root" "$nginx_rootfs"
}

fetch_shell() {
    [[ -d $shell_rootfs ]] && return
    say "fetching a shell (busybox)"
    fetch "$shell_rootfs" busybox-static
    local root=$shell_rootfs.new applet
    mkdir -p "$root"/{proc,sys,dev,run,tmp,etc,bin}
    for applet in $("$root/bin/busybox" --list); do
        [[ $applet == busybox ]] || ln -sf busybox "$root/bin/$applet"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
    echo 'root:x:0:' >"$root/etc/group"
    mv "$root" "$shell_rootfs"
}

prepare() {
    mkdir -p "$cache/debs"
    build
    fetch_nginx
    fetch_shell
}

# ---- the pod; as root from here on -----------------------------------------------------------------

work=
daemon=
clean_up() {
    local status=$?
    trap - EXIT INT TERM HUP
    if [[ -n $daemon ]]; then
        if [[ $status != 0 ]]; then
            "$bin/covey" ps -a >&2 || true
            tail -n 20 "$work/coveyd.log" >&2 || true
        fi
        "$bin/covey" -q sandbox rm -f nginx || true
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    [[ -z $work ]] || rm -rf "$work"
    exit "$status"
}

start_daemon() {
    work=$(mktemp -d /tmp/covey-quickstart.XXXXXX)
    trap clean_up EXIT
    trap 'exit 130' INT TERM HUP
    export COVEY_SOCKET=$work/covey.sock
    "$bin/coveyd" --socket "$COVEY_SOCKET" --root "$work/state" >"$work/coveyd.log" 2>&1 &
    daemon=$!
    local tries
    for ((tries = 0; tries < 100; ++tries)); do
        "$bin/covey" -q version >/dev/null 2>&1 && return
        kill -0 "$daemon" 2>/dev/null || fail "coveyd did not start"
        sleep 0.1
    done
    fail "coveyd does not answer"
}

heading() { printf '\n\n%s\n' "$*"; }

# Shows the command as one would type it, and runs it.
show() {
    printf '\n  # covey'
    printf ' %s' "${@@Q}" | sed "s/'\([A-Za-z0-9_.,:\/=+-]*\)'/\1/g; s|$PWD/||g"
    printf '\n\n'
    "$bin/covey" "$@" | sed 's/^/  /'
}

in_shell() { "$bin/covey" exec shell -- "$@"; }
pids_of() { in_shell ps ax | awk -v what="nginx: $1 process" 'index($0, what) { printf "%s ", $1 }'; }

wait_for_worker() { # that is none of $1
    local tries workers
    for ((tries = 0; tries < 100; ++tries)); do
        workers=$(pids_of worker)
        [[ -n $workers && $workers != "$1" && $workers != *" "*" "* ]] && return
        sleep 0.1
    done
    fail "nginx has no new worker after 10 s (before: ${1:-none}, now: ${workers:-none})"
}

run_pod() {
    start_daemon
    heading "1. A sandbox: the namespaces of a pod, held by /pause. Two containers whose processes live in its PID
   namespace: nginx, and a shell that may trace. Its input never ends, so it stays."
    show sandbox create nginx --pid pod
    show run nginx --name nginx --pid pod -d --rootfs "$nginx_rootfs" -- nginx -g 'daemon off;'
    show run nginx --name shell --pid pod -d -i --cap-add SYS_PTRACE --rootfs "$shell_rootfs" -- sh
    wait_for_worker ""

    heading "2. The shell sees every process of the pod. PID 1 is /pause, and nginx is not PID 1."
    show exec shell -- ps ax

    local master workers
    master=$(pids_of master)
    master=${master% }
    workers=$(pids_of worker)
    heading "3. A signal from one container to the other: nginx's master restarts its worker."
    show exec shell -- kill -HUP "$master"
    wait_for_worker "$workers"
    show exec shell -- ps ax

    heading "4. The other container's files, through /proc/<pid>/root. This is what SYS_PTRACE is for."
    show exec shell -- head "/proc/$master/root/etc/nginx/nginx.conf"

    heading "5. The same pod from outside: whose process is it, and which numbers does it have."
    show tree nginx

    heading "6. And all of it is gone."
    show sandbox rm -f nginx
}

if [[ ${1:-} != --pod ]]; then
    prepare
    if [[ $(id -u) != 0 ]]; then
        command -v sudo >/dev/null || fail "a pod needs root, and there is no sudo: run this as root"
        say "running the pod (with sudo)"
        exec sudo -- "$PWD/cmake/quickstart.sh" --pod
    fi
    say "running the pod"
fi
run_pod
