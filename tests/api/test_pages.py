"""The pods of the two pages that explain shareProcessNamespace (docs/sharing.md shows the listings), in modes pod and nested.
nginx and envoy are stand-ins that behave as the pages' do: a worker of another user that HUP replaces; a user of its own."""
import pathlib
import time

from covey_client import CoveyTest, main

NGINX = """#!/bin/sh
trap 'kill $worker' HUP
while :; do busybox httpd -f -p 127.0.0.1:8080 -u 101 -h /tmp & worker=$!; wait $worker; done
"""
ENVOY = "#!/bin/sh\nwhile :; do sleep 1000; done\n"


class Pages(CoveyTest):
    def add(self, config, name, text):
        """A program, in a container's root."""
        path = pathlib.Path(config["root"]["path"])
        root = path if path.is_absolute() else self.folder / name / path
        (root / "bin" / name).write_text(text, encoding="ascii")
        (root / "bin" / name).chmod(0o755)
        (root / "etc/nginx").mkdir(exist_ok=True)
        (root / "etc/nginx/nginx.conf").write_text("user  nginx;\nworker_processes  1;\n", encoding="ascii")

    def run_in(self, container, *words, **query):
        status, body, code = self.client.exec(container, *words, **query)
        self.assertEqual(status, 200, body)
        return code, body.decode()

    def processes(self, container):
        """number → (user, command), as `ps` in the container shows them."""
        lines = self.run_in(container, "ps", "-o", "pid,user,args")[1].splitlines()[1:]
        return {int(pid): (user, args) for pid, user, args in (line.split(None, 2) for line in lines)}

    def workers(self, container):
        return {pid for pid, (user, args) in self.processes(container).items() if user == "101" and "httpd" in args}

    def wait_for_worker(self, container, besides=frozenset()):
        end = time.monotonic() + 5
        while not self.workers(container) - besides and time.monotonic() < end:
            time.sleep(0.02)
        found = self.workers(container) - besides
        self.assertEqual(len(found), 1, self.processes(container))
        return found

    def kubernetes_page(self, mode):
        sandbox = self.sandbox(pidMode="pod")
        self.container(sandbox, ["nginx"], name="nginx", pidMode=mode, change=lambda c: self.add(c, "nginx", NGINX))
        self.container(sandbox, ["sleep", "3600"], name="shell", capabilities={"add": ["SYS_PTRACE"]})
        master = self.client.get("/v1/containers/nginx").json["podPid"]
        worker = self.wait_for_worker("shell")
        seen = self.processes("shell")
        self.assertEqual(seen[1], ("65535", "/pause"))
        self.assertRegex(seen[master][1], r"nginx$")
        self.assertEqual(self.run_in("shell", "kill", "-HUP", str(master)), (0, ""))
        self.assertNotEqual(self.wait_for_worker("shell", worker), worker)
        self.assertEqual(self.processes("shell")[master], seen[master])
        self.assertEqual(self.run_in("shell", "head", "-n", "1", f"/proc/{master}/root/etc/nginx/nginx.conf"), (0, "user  nginx;\n"))
        return sandbox

    def test_the_kubernetes_page_in_mode_pod(self):
        self.kubernetes_page("pod")
        self.assertEqual(self.processes("nginx")[1], ("65535", "/pause"))
        # What the page says needs SYS_PTRACE, and does not: uid 0 signals uid 0.
        self.assertEqual(self.run_in("nginx", "kill", "-0", str(self.client.get("/v1/containers/shell").json["podPid"])), (0, ""))

    def test_the_kubernetes_page_in_mode_nested(self):
        self.kubernetes_page("nested")
        seen = self.processes("nginx")
        self.assertRegex(seen[1][1], r"nginx$")
        self.assertEqual([args for _, args in seen.values() if "pause" in args or "3600" in args], [])

    def blog(self, mode):
        sandbox = self.sandbox(pidMode="pod")
        self.container(sandbox, ["envoy", "-c", "/etc/envoy/envoy.yaml"], name="envoy", pidMode=mode,
                       change=lambda c: self.add(c, "envoy", ENVOY), process={"user": {"uid": 101, "gid": 101}})
        self.container(sandbox, ["sh", "-c", "echo hello;sleep 3600"], name="container2")
        envoy = self.client.get("/v1/containers/envoy").json["podPid"]
        seen = self.processes("container2")
        self.assertEqual(seen[envoy][0], "101")
        self.assertIn("envoy -c /etc/envoy/envoy.yaml", seen[envoy][1])
        # Everything is listed, and the root is denied: uid 0, but without SYS_PTRACE.
        self.assertIn("environ", self.run_in("container2", "ls", f"/proc/{envoy}")[1])
        self.assertEqual(self.run_in("container2", "ls", f"/proc/{envoy}/root"),
                         (1, f"ls: /proc/{envoy}/root: Permission denied\n"))
        self.assertEqual(self.run_in("container2", "ls", f"/proc/{envoy}/root", cap="SYS_PTRACE")[0], 0)

    def test_the_blog_in_mode_pod(self):
        self.blog("pod")
        self.assertEqual(self.processes("container2")[1][1], "/pause")

    def test_the_blog_in_mode_nested(self):
        self.blog("nested")
        self.assertIn("envoy -c", self.processes("envoy")[1][1])
        self.assertEqual([args for _, args in self.processes("envoy").values() if "3600" in args], [])


if __name__ == "__main__":
    main()
