"""Container images made here, of Debian's static busybox: no registry. nginx and envoy are stand-ins with the real
ones' process trees: a master that replaces its worker on SIGHUP, and a program that stays."""
import hashlib
import io
import json
import pathlib
import tarfile

APPLETS = ("sh", "cat", "echo", "sleep", "ps", "kill", "true", "false", "id", "env", "ls", "pwd", "stty", "tty", "dd", "head", "yes",
           "wc", "mount", "umount", "hostname", "readlink", "test", "touch", "mkdir", "rm", "grep", "ip", "date", "httpd", "df", "stat",
           "chmod", "mknod", "tail", "seq", "nproc", "ulimit", "sync", "awk", "sed", "printf", "pidof", "ln", "cp")
NGINX = b"""#!/bin/sh
trap 'kill $worker' HUP
trap 'kill $worker; exit 0' TERM QUIT
while true; do
    httpd -f -p 127.0.0.1:8080 -h /usr/share/nginx/html &
    worker=$!
    wait $worker
done
"""
ENVOY = b"#!/bin/sh\ntrap 'exit 0' TERM INT\necho starting main dispatch loop\nwhile true; do sleep 1; done\n"
PAUSE = b"#!/bin/sh\ntrap 'exit 0' TERM INT\nwhile true; do sleep 1; done\n"


def _add(tar, name, data=None, mode=0o755, link=None, owner=0):
    info = tarfile.TarInfo(name)
    info.mode = mode
    info.uid = info.gid = owner
    if link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, link
    elif data is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = len(data)
    tar.addfile(info, io.BytesIO(data) if data is not None else None)


def _layer():
    """One layer for all images."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("bin", "etc", "proc", "sys", "dev", "root", "home", "usr", "usr/bin", "usr/sbin", "usr/local", "usr/local/bin",
                     "usr/share", "usr/share/nginx", "usr/share/nginx/html", "etc/nginx", "var", "run"):
            _add(tar, name)
        _add(tar, "tmp", mode=0o1777)
        # As real images have them: a home that is closed to others, and what systemd leaves in place of resolv.conf.
        _add(tar, "home/app", mode=0o700, owner=1000)
        _add(tar, "etc/resolv.conf", link="../run/systemd/resolve/stub-resolv.conf")
        _add(tar, "bin/busybox", pathlib.Path("/bin/busybox").read_bytes())
        for applet in APPLETS:
            _add(tar, "bin/" + applet, link="busybox")
        _add(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnginx:x:101:101::/:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n", 0o644)
        _add(tar, "etc/group", b"root:x:0:\nnginx:x:101:\n", 0o644)
        _add(tar, "etc/nginx/nginx.conf", b"user  nginx;\nworker_processes  1;\n", 0o644)
        _add(tar, "usr/share/nginx/html/index.html", b"Welcome to nginx!\n", 0o644)
        _add(tar, "usr/sbin/nginx", NGINX)
        _add(tar, "usr/local/bin/envoy", ENVOY)
        _add(tar, "usr/local/bin/pause", PAUSE)
    return out.getvalue()


def make_archive(path):
    """An archive as `docker save` writes it, which podman, buildah, ctr, CRI and dockerd all load."""
    layer = _layer()
    digest = hashlib.sha256(layer).hexdigest()
    commands = {"docker.io/library/busybox:latest": ["sh"], "docker.io/library/nginx:latest": ["nginx"],
                "docker.io/envoyproxy/envoy:v1.19-latest": ["envoy"], "localhost/pause:latest": ["pause"]}
    with tarfile.open(path, "w") as tar:
        _add(tar, f"{digest}/layer.tar", layer, 0o644)
        manifest = []
        for name, command in commands.items():
            config = json.dumps({
                "architecture": "amd64", "os": "linux", "created": "2020-01-01T00:00:00Z",
                "config": {"Cmd": command, "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
                "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]},
                "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "tests/engines"}]}).encode()
            file = hashlib.sha256(config).hexdigest() + ".json"
            _add(tar, file, config, 0o644)
            manifest.append({"Config": file, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]})
        _add(tar, "manifest.json", json.dumps(manifest).encode(), 0o644)
    return path
