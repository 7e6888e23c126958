#!/bin/bash
# Runs checks under systemd as PID 1: in a virtual machine with Debian's cloud kernel and this machine's
# systemd and dbus-daemon, and nothing else that would take time to start.
#
#   tests/vm/systemd.sh [--podman] BUILD-FOLDER [v2 | hybrid | v1]
#
# v2 runs systemd_check.sh on cgroup v2 alone, hybrid and v1 run systemd_v1_check.sh: v1's hierarchies
# with a v2 tree that has no controllers, and without one. --podman: systemd_podman_check.sh instead, with
# this machine's Podman and conmon and the configuration of docs/engines/podman.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
podman=
[[ ${1:-} == --podman ]] && podman=yes && shift
(($# >= 1)) || { sed -n '5s/^# *//p' "$0" >&2; exit 2; }
build=$(cd "$1" && pwd)
hierarchy=${2:-v2} check=systemd_check.sh limit=480
case $hierarchy in
v2) words="systemd.unified_cgroup_hierarchy=1" ;;
hybrid) words="systemd.unified_cgroup_hierarchy=0" check=systemd_v1_check.sh ;;
v1)
    words="systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1"
    check=systemd_v1_check.sh
    ;;
*) echo "vm: unknown hierarchy $hierarchy" >&2 && exit 2 ;;
esac

[[ -z $podman ]] || check=systemd_podman_check.sh limit=400
[[ -x $build/bin/covey-systemd ]] || { echo "SKIP: this build has no covey-systemd (no libsystemd)"; exit 77; }
for program in /usr/lib/systemd/systemd /usr/bin/dbus-daemon; do
    [[ -x $program ]] || { echo "vm: $program is missing: cmake/install-deps.sh test" >&2; exit 1; }
done
if [[ -n $podman ]]; then
    for program in podman conmon catatonit; do
        command -v $program >/dev/null || { echo "SKIP: $program is not installed (Debian: podman)"; exit 77; }
    done
fi
. "$here/machine.sh"

mkdir -p "$root"/{dev,proc,sys,run,tmp,root,etc/systemd/system,usr/{bin,sbin,lib64,lib/systemd/{system,user}},var/lib} \
    "$root"/covey/{bin,rootfs/bin}
for link in bin sbin lib lib64; do ln -s "usr/$link" "$root/$link"; done
add "$(command -v busybox)" /usr/bin/busybox
for name in $(busybox --list); do
    [[ $name == busybox ]] || ln -s busybox "$root/usr/bin/$name"
done
add /usr/lib/systemd/systemd /usr/lib/systemd/systemd
# v1 alone: the kernel executes it when a group becomes empty.
add /usr/lib/systemd/systemd-cgroups-agent /usr/lib/systemd/systemd-cgroups-agent
for program in systemctl dbus-daemon; do
    rm -f "$root/usr/bin/$program"
    add "/usr/bin/$program" "/usr/bin/$program"
done
for program in covey-runtime covey-systemd; do add "$build/bin/$program" "/covey/bin/$program"; done
install -m 755 "$here/systemd_init.sh" "$root/init"
install -m 755 "$here/$check" "$root/covey/check.sh"
install -m 644 "$here/systemd_checks.sh" "$root/covey/checks.sh"
echo "hierarchy=$hierarchy" >"$root/covey/settings"
cp "$(command -v busybox)" "$root/covey/rootfs/bin/busybox"

cp /usr/lib/systemd/system/{dbus.service,dbus.socket,user.slice} "$root/usr/lib/systemd/system/"
cp -r --parents /usr/share/dbus-1/system.conf /usr/share/dbus-1/system.d/org.freedesktop.systemd1.conf \
    /usr/share/dbus-1/system-services/org.freedesktop.systemd1.service "$root"
printf 'root:x:0:0::/root:/bin/sh\nmessagebus:x:101:101::/:/bin/false\nuser:x:1000:1000::/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nmessagebus:x:101:\nuser:x:1000:\n' >"$root/etc/group"
echo 00000000000000000000000000000001 >"$root/etc/machine-id"
echo covey-vm >"$root/etc/hostname"
# What every service and socket waits for; here there is nothing to wait for.
for target in sysinit basic sockets shutdown; do
    printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' $target >"$root/usr/lib/systemd/system/$target.target"
done
cat >"$root/usr/lib/systemd/system/default.target" <<'END'
[Unit]
Requires=dbus.socket check.service
END
cat >"$root/usr/lib/systemd/system/check.service" <<'END'
[Unit]
After=dbus.socket
[Service]
Type=oneshot
ExecStart=/covey/check.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
TimeoutStartSec=infinity
Environment=PATH=/bin HOME=/root
END
# A user's manager, without PAM and logind.
cat >"$root/usr/lib/systemd/system/user@.service" <<'END'
[Service]
User=%i
Type=notify
ExecStart=/usr/lib/systemd/systemd --user
Environment=XDG_RUNTIME_DIR=/run/user/%i
Delegate=pids memory cpu
Slice=user-%i.slice
KillSignal=SIGKILL
SuccessExitStatus=SIGKILL
END
printf '[Unit]\nDefaultDependencies=no\n' >"$root/usr/lib/systemd/user/default.target"

if [[ -n $podman ]]; then
    # Where the configuration has it.
    mv "$root"/covey/bin/covey-* "$root/usr/bin/"
    for program in podman conmon; do add /usr/bin/$program /usr/bin/$program; done
    add "$(command -v catatonit)" /usr/libexec/podman/catatonit
    cp --parents /etc/containers/policy.json /usr/share/containers/{containers.conf,seccomp.json} "$root"
    mkdir -p "$root/var/tmp"
    toml() { awk -v wanted="$1" '/^ *```toml/ {n++; on = 1; next} /^ *```/ {on = 0} on && n == wanted' \
        "$here/../../docs/engines/podman.md"; }
    # The second block is lines for the first one's [engine]. No journal runs here.
    { toml 2; echo 'events_logger = "file"'; toml 1 | grep -vx '\[engine\]'; } >"$root/etc/containers/containers.conf"
fi

boot "$words systemd.show_status=0 systemd.log_target=console systemd.log_level=notice"
if ! grep -qa '^COVEY-VM done: 0 failed of [1-9]' "$console"; then
    echo "vm: the end of the console:"
    tail -n 150 "$console"
    exit 1
fi
