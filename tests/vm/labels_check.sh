#!/bin/sh
# covey-runtime on a kernel with AppArmor or SELinux: a label acts on a container's program and on its execs, in every
# way that a process is made; one that the loaded policy lacks is refused by name. One of run.sh's tests: which module
# the machine has is the kernel's command line.
export PATH=/bin:/covey/bin:/usr/bin:/usr/sbin
failed=0 checks=0 bundle=/run/bundle
bad() { failed=$((failed + 1)); echo "FAILED: $*"; }
is() { checks=$((checks + 1)); [ "$2" = "$3" ] || bad "$1: expected '$2', got '$3'"; }
has() { checks=$((checks + 1)); case $3 in *"$2"*) ;; *) bad "$1: no '$2' in: $3" ;; esac; }
ok() { checks=$((checks + 1)); covey-runtime "$@" >/run/out 2>/run/err </dev/null || bad "$*: status $?: $(cat /run/err)"; }
refused() { # TEXT WORDS…
    checks=$((checks + 1)) text=$1
    shift
    covey-runtime "$@" >/run/out 2>/run/err </dev/null && bad "$* succeeded"
    has "$*" "$text" "$(cat /run/err)"
}

# A bundle. $1: a member of `process`, the label; $2: annotations; $3: namespaces; $4: more of the linux part. $ipc: the
# IPC namespace's.
ipc='{"type": "ipc"}'
look='cat /proc/self/attr/current; cat /etc/public; cat '
bundle() {
    mkdir -p $bundle/rootfs/bin $bundle/rootfs/etc $bundle/rootfs/proc $bundle/rootfs/label
    [ -e $bundle/rootfs/bin/busybox ] || cp /bin/busybox $bundle/rootfs/bin/
    echo public >$bundle/rootfs/etc/public
    echo secret >$bundle/rootfs/etc/secret
    caps='["CAP_KILL", "CAP_DAC_OVERRIDE"]'
    cat >$bundle/config.json <<END
{"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "annotations": {$2},
 "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"], $1,
  "args": ["/bin/busybox", "sh", "-c", "echo x >/label/file; $look$secret; sleep 1000"],
  "capabilities": {"bounding": $caps, "effective": $caps, "permitted": $caps}},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
  {"destination": "/label", "type": "tmpfs", "source": "tmpfs"}],
 "linux": {"namespaces": [$3{"type": "mount"}, $ipc]$4}}
END
}
pid_of() { covey-runtime state "$1" | sed -n 's/^ *"pid": \([0-9]*\),*$/\1/p'; }
current() { tr -d '\0' <"/proc/$(pid_of one)/attr/current"; }
# A container of the bundle and an exec in it. The program's words go to a file of their own, as it runs on.
confines() { # NAME
    checks=$((checks + 1))
    covey-runtime create --bundle $bundle one </dev/null >/run/said 2>&1 || bad "$1: create: $(cat /run/said)"
    ok start one
    turns=0
    until grep -q "$secret" /run/said || [ $turns -gt 200 ]; do turns=$((turns + 1)); usleep 50000; done
    is "$1: program" "$confined" "$(tr -d '\0' </run/said)"
    covey-runtime exec one /bin/busybox sh -c "$look$secret" >/run/out 2>&1 </dev/null
    is "$1: exec" "$confined" "$(tr -d '\0' </run/out)"
    is "$1: init, from outside" "$shown" "$(current)"
    ok delete --force one
}
# $label on every path: what is between the launcher and init differs. $1: more of the linux part.
confines_everywhere() {
    pid='{"type": "pid"}, '
    bundle "$label" "" "$pid" "$1"
    confines "a PID namespace of its own"
    bundle "$label, \"noNewPrivileges\": true" "" "$pid" "$1"
    confines "no new privileges"
    bundle "$label" "" "" "$1"
    confines "the host's PID namespace"
    maps='[{"containerID": 0, "hostID": 100000, "size": 65536}]'
    bundle "$label" "" "$pid"'{"type": "user"}, ' "$1, \"uidMappings\": $maps, \"gidMappings\": $maps"
    chmod 755 /run $bundle
    chown -R 100000:100000 $bundle/rootfs
    confines "a user namespace"
    chown -R 0:0 $bundle/rootfs
    # In a pod: joined, nested, and with restricted access, where a spawner starts the execs.
    of_pod='"io.kubernetes.cri.sandbox-id": "pod"'
    bundle '"terminal": false' "$of_pod" "$pid" ""
    covey-runtime run -d --bundle $bundle pod </dev/null >/run/pod 2>&1 || bad "pod: $(cat /run/pod)"
    ipc="{\"type\": \"ipc\", \"path\": \"/proc/$(pid_of pod)/ns/ipc\"}" # as engines do: what says of which pod it is
    for mode in pod nested; do
        bundle "$label" "$of_pod, \"covey.dev/pid\": \"$mode\"" "$pid" "$1"
        confines "mode $mode"
    done
    bundle "$label, \"noNewPrivileges\": true" "$of_pod, \"covey.dev/access\": \"private\"" "$pid" "$1"
    confines "restricted access"
    ipc='{"type": "ipc"}'
    is "one without a label" "$unlabelled" "$(covey-runtime exec pod /bin/busybox cat /proc/self/attr/current </dev/null | tr -d '\0')"
    ok delete --force pod
}

apparmor() {
    parser="apparmor_parser --config-file /dev/null"
    is "AppArmor is on" Y "$(cat /sys/module/apparmor/parameters/enabled)"
    cat >/run/profile <<'END'
abi <kernel>,
profile covey-test flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  signal,
  ptrace,
  unix,
  deny /etc/secret rw,
}
END
    $parser -K -a /run/profile || bad "the profile could not be loaded"
    has "features" '"dev.covey.kernel.apparmor": "true"' "$(covey-runtime features)"
    label='"apparmorProfile": "covey-test"' shown='covey-test (enforce)' unlabelled=unconfined secret=/etc/secret
    confined="$shown
public
cat: can't open '/etc/secret': Permission denied"
    confines_everywhere ""

    bundle '"apparmorProfile": "unconfined"' "" "$pid" ""
    covey-runtime run -d --bundle $bundle one </dev/null >/run/said 2>&1 || bad "unconfined: $(cat /run/said)"
    is "by name" unconfined "$(current)"
    ok delete --force one
    # One that is not loaded, at create and, gone meanwhile, at exec.
    bundle '"apparmorProfile": "covey-none"' "" "$pid" ""
    refused "AppArmor profile covey-none is not loaded" create --bundle $bundle none
    has "the remedy" "apparmor_parser" "$(cat /run/err)"
    bundle "$label" "" "$pid" ""
    covey-runtime run -d --bundle $bundle one </dev/null >/run/said 2>&1 || bad "to lose its profile: $(cat /run/said)"
    $parser -R /run/profile
    refused "AppArmor profile covey-test is not loaded" exec one /bin/busybox true
    ok delete --force one
    bundle '"selinuxLabel": "u:r:container_t:s0"' "" "$pid" ""
    refused "selinux is disabled or not supported" create --bundle $bundle none
}

selinux() {
    mount -t selinuxfs selinuxfs /sys/fs/selinux
    # Everything is allowed but what container_t would read of secret_t: unknown classes and permissions are allowed.
    cat >/run/policy.cil <<'END'
(handleunknown allow)
(mls true)
(policycap nnp_nosuid_transition)
(class process (transition dyntransition))
(class file (read))
(classorder (process file))
(sid kernel) (sid security) (sid unlabeled)
(sidorder (kernel security unlabeled))
(sensitivity s0) (sensitivityorder (s0))
(category c0) (categoryorder (c0))
(sensitivitycategory s0 (c0))
(type system_t) (type container_t) (type container_file_t) (type secret_t)
(role r) (roletype r system_t) (roletype r container_t) (roletype r container_file_t) (roletype r secret_t)
(user u) (userrole u r) (userlevel u (s0)) (userrange u ((s0) (s0 (c0))))
(sidcontext kernel (u r system_t ((s0) (s0))))
(sidcontext security (u r system_t ((s0) (s0))))
(sidcontext unlabeled (u r system_t ((s0) (s0))))
(typeattribute all_t) (typeattributeset all_t (system_t container_t container_file_t secret_t))
(typeattribute readable_t) (typeattributeset readable_t (system_t container_t container_file_t))
(allow system_t all_t (file (read)))
(allow all_t all_t (process (transition dyntransition)))
(allow container_t readable_t (file (read)))
END
    secilc -c 31 -o /run/policy -f /dev/null /run/policy.cil || bad "the policy could not be compiled"
    dd if=/run/policy of=/sys/fs/selinux/load bs=1M 2>/dev/null || bad "the policy could not be loaded"
    echo 1 >/sys/fs/selinux/enforce
    is "enforcing" 1 "$(cat /sys/fs/selinux/enforce)"
    has "features" '"dev.covey.kernel.selinux": "true"' "$(covey-runtime features)"
    shown=u:r:container_t:s0 unlabelled=u:r:system_t:s0 secret=/label/file
    label="\"selinuxLabel\": \"$shown\""
    confined="${shown}public
cat: can't open '/label/file': Permission denied"
    confines_everywhere ', "mountLabel": "u:r:secret_t:s0"'

    bundle "$label" "" "$pid" ', "mountLabel": "u:r:container_file_t:s0"'
    covey-runtime run -d --bundle $bundle one </dev/null >/run/said 2>&1 || bad "readable: $(cat /run/said)"
    ok exec one /bin/busybox cat /label/file
    is "a mount with another label" x "$(cat /run/out)"
    has "its options" 'context=u:r:container_file_t:s0' "$(covey-runtime exec one /bin/busybox grep /label /proc/mounts </dev/null)"
    ok delete --force one
    # A label that the policy lacks: of the process, of mounts.
    bundle '"selinuxLabel": "u:r:none_t:s0"' "" "$pid" ""
    refused "security label u:r:none_t:s0" create --bundle $bundle none
    has "the remedy" "the policy that the kernel has loaded" "$(cat /run/err)"
    bundle "$label" "" "$pid" ', "mountLabel": "u:r:none_t:s0"'
    refused "u:r:none_t:s0" create --bundle $bundle none
    bundle '"apparmorProfile": "covey-test"' "" "$pid" ""
    refused "apparmor not supported" create --bundle $bundle none
}

mount -t securityfs securityfs /sys/kernel/security
modules=$(cat /sys/kernel/security/lsm)
echo "security modules: $modules"
case $modules in
*apparmor*) apparmor ;;
*selinux*) selinux ;;
*) bad "neither AppArmor nor SELinux" ;;
esac
is "state" "" "$(ls /run/covey/runtime 2>/dev/null)"
is "groups" "" "$(find /sys/fs/cgroup -mindepth 1 -type d)"
umount /sys/kernel/security
echo "$failed failed of $checks checks"
[ $failed = 0 ]
