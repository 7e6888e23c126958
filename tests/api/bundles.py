"""OCI bundles for the tests, from Debian's static busybox: no image, no network."""
import json
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import helpers  # noqa: E402

BUSYBOX = "/bin/busybox"
APPLETS = ("sh", "cat", "echo", "sleep", "ps", "kill", "true", "false", "id", "env", "ls", "pwd", "stty", "tty",
           "dd", "head", "yes", "wc", "mount", "hostname", "readlink", "trap", "test")
CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
                "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"]


def make_rootfs(folder):
    root = pathlib.Path(folder)
    for name in ("bin", "proc", "sys", "dev", "tmp", "etc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy2(BUSYBOX, root / "bin/busybox")
    for applet in APPLETS:
        link = root / "bin" / applet
        if not link.is_symlink():
            link.symlink_to("busybox")
    return root


def spec(args, **process):
    return helpers.spec(args, CAPABILITIES, **process)


def make_bundle(folder, args, change=None, **process):
    """The bundle's path. `change` is called with the spec before it is written."""
    bundle = pathlib.Path(folder)
    make_rootfs(bundle / "rootfs")
    config = spec(args, **process)
    if change:
        change(config)
    with open(bundle / "config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)
    os.chmod(bundle, 0o755)
    return str(bundle)
