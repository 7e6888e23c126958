#!/bin/bash
# Runs systemd_check.sh under systemd as PID 1, on pure cgroup v2: in a virtual machine with Debian's
# cloud kernel and this machine's systemd and dbus-daemon, and nothing else that would take time to start.
#
#   tests/vm/systemd.sh BUILD-FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
(($# == 1)) || { sed -n '5s/^# *//p' "$0" >&2; exit 2; }
build=$(cd "$1" && pwd)
limit=480

[[ -x $build/bin/covey-systemd ]] || { echo "SKIP: this build has no covey-systemd (no libsystemd)"; exit 77; }
for program in /usr/lib/systemd/systemd /usr/bin/dbus-daemon; do
    [[ -x $program ]] || { echo "vm: $program is missing: cmake/install-deps.sh test" >&2; exit 1; }
done
. "$here/machine.sh"

mkdir -p "$root"/{dev,proc,sys,run,tmp,root,etc/systemd/system,usr/{bin,sbin,lib64,lib/systemd/{system,user}},var/lib} \
    "$root"/covey/{bin,rootfs/bin}
for link in bin sbin lib lib64; do ln -s "usr/$link" "$root/$link"; done
add "$(command -v busybox)" /usr/bin/busybox
for name in $(busybox --list); do
    [[ $name == busybox ]] || ln -s busybox "$root/usr/bin/$name"
done
add /usr/lib/systemd/systemd /usr/lib/systemd/systemd
for program in systemctl dbus-daemon; do
    rm -f "$root/usr/bin/$program"
    add "/usr/bin/$program" "/usr/bin/$program"
done
for program in covey-runtime covey-systemd; do add "$build/bin/$program" "/covey/bin/$program"; done
install -m 755 "$here/systemd_init.sh" "$root/init"
install -m 755 "$here/systemd_check.sh" "$root/covey/check.sh"
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

boot "systemd.unified_cgroup_hierarchy=1 systemd.show_status=0 systemd.log_target=console systemd.log_level=notice"
if ! grep -qa '^COVEY-VM done: 0 failed of [1-9]' "$console"; then
    echo "vm: the end of the console:"
    tail -n 150 "$console"
    exit 1
fi
