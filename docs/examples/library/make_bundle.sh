#!/bin/sh
# make_bundle.sh FOLDER: an OCI bundle of busybox-static whose main process sleeps.
set -eu
folder=$1
mkdir -p "$folder/rootfs/bin" "$folder/rootfs/proc" "$folder/rootfs/dev"
cp "$(command -v busybox)" "$folder/rootfs/bin/busybox"
cat > "$folder/config.json" <<'JSON'
{
  "ociVersion": "1.2.0",
  "process": {
    "user": {"uid": 0, "gid": 0},
    "args": ["/bin/busybox", "sleep", "1000"],
    "env": ["PATH=/bin"],
    "cwd": "/",
    "noNewPrivileges": true
  },
  "root": {"path": "rootfs", "readonly": true},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}
  ],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}
}
JSON
