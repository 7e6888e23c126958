#!/usr/bin/python3
"""containerd's CRI service, as the kubelet calls it: pods of each pid mode. docs/engines/containerd.md."""
import pathlib
import sys

import grpc
from grpc_tools import protoc

import engine_test
import private
from containerd import ContainerdTest

MODES = {"POD": 0, "CONTAINER": 1, "NODE": 2, "TARGET": 3}
HERE = pathlib.Path(__file__).resolve().parent


class Cri(ContainerdTest):
    namespace = "k8s.io"
    keeps = ("/covey-cri",)

    @classmethod
    def start_engine(cls):
        super().start_engine()
        protoc.main(["protoc", f"-I{HERE}", f"--python_out={cls.folder}", f"--grpc_python_out={cls.folder}", "cri.proto"])
        sys.path.insert(0, str(cls.folder))
        import cri_pb2
        import cri_pb2_grpc
        cls.pb = cri_pb2
        cls.channel = grpc.insecure_channel(f"unix://{cls.socket}")
        cls.addClassCleanup(cls.channel.close)
        cls.cri = cri_pb2_grpc.RuntimeServiceStub(cls.channel)

        def is_up():
            try:
                return cls.cri.Version(cls.pb.VersionRequest(), timeout=5).runtime_name
            except grpc.RpcError:
                return None
        private.wait_for(is_up, 20, "the CRI service")

    def setUp(self):
        super().setUp()
        self.pods = []

    def remove_containers(self):
        for pod in self.pods:
            self.cri.StopPodSandbox(self.pb.StopPodSandboxRequest(pod_sandbox_id=pod), timeout=60)
            self.cri.RemovePodSandbox(self.pb.RemovePodSandboxRequest(pod_sandbox_id=pod), timeout=60)

    def pod(self, name, pid, annotations=None):
        """A host-network pod: nothing here sets up networks. (its id, its configuration)"""
        options = self.pb.NamespaceOption(network=MODES["NODE"], pid=MODES[pid])
        config = self.pb.PodSandboxConfig(
            metadata=self.pb.PodSandboxMetadata(name=name, uid=name, namespace="default"), log_directory=str(self.folder / "logs"),
            annotations=annotations or {}, linux=self.pb.LinuxPodSandboxConfig(
                cgroup_parent="/covey-cri", security_context=self.pb.LinuxSandboxSecurityContext(namespace_options=options)))
        answer = self.cri.RunPodSandbox(self.pb.RunPodSandboxRequest(config=config), timeout=60)
        self.pods.append(answer.pod_sandbox_id)
        return answer.pod_sandbox_id, config

    def create(self, pod, name, command, pid, target="", annotations=None, **security):
        sandbox, config = pod
        options = self.pb.NamespaceOption(network=MODES["NODE"], pid=MODES[pid], target_id=target)
        container = self.pb.ContainerConfig(
            metadata=self.pb.ContainerMetadata(name=name), image=self.pb.ImageSpec(image="docker.io/library/busybox:latest"),
            command=command, log_path=name + ".log", annotations=annotations or {}, linux=self.pb.LinuxContainerConfig(
                resources=self.pb.LinuxContainerResources(memory_limit_in_bytes=64 << 20, cpu_shares=512, oom_score_adj=900),
                security_context=self.pb.LinuxContainerSecurityContext(namespace_options=options, **security)))
        return self.cri.CreateContainer(self.pb.CreateContainerRequest(pod_sandbox_id=sandbox, config=container, sandbox_config=config),
                                        timeout=60).container_id

    def start(self, *arguments, **options):
        container = self.create(*arguments, **options)
        self.cri.StartContainer(self.pb.StartContainerRequest(container_id=container), timeout=60)
        return container

    def exec(self, container, *command):
        answer = self.cri.ExecSync(self.pb.ExecSyncRequest(container_id=container, cmd=command, timeout=20), timeout=60)
        return answer.exit_code, answer.stdout.decode(), answer.stderr.decode()

    def stop(self, container, timeout=0):
        self.cri.StopContainer(self.pb.StopContainerRequest(container_id=container, timeout=timeout), timeout=60)

    def state(self, container):
        status = self.cri.ContainerStatus(self.pb.ContainerStatusRequest(container_id=container), timeout=60).status
        return status.state, status.exit_code

    def test_pod_pid_mode(self):
        pod = self.pod("shared", "POD")
        first = self.start(pod, "first", ["sh", "-c", "setsid sleep 1234 & exec sleep 1000"], "POD")
        second = self.start(pod, "second", ["sleep", "2000"], "POD")
        seen = lambda: self.exec(second, "ps")[1]
        private.wait_for(lambda: "sleep 1234" in seen(), 5, "first's daemon")
        self.assertRegex(seen(), r"\n +1 .*pause")
        self.assertIn("sleep 1000", seen())
        self.stop(first)
        self.assertEqual(self.state(first), (2, 137))
        self.assertNotIn("sleep 1234", seen())
        self.assertEqual(self.state(second)[0], 1)
        self.cri.RemoveContainer(self.pb.RemoveContainerRequest(container_id=first), timeout=60)
        self.assertEqual([item.id for item in self.cri.ListContainers(self.pb.ListContainersRequest()).containers], [second])

    def test_container_pid_mode(self):
        pod = self.pod("private", "CONTAINER")
        first = self.start(pod, "first", ["sleep", "1000"], "CONTAINER")
        self.start(pod, "second", ["sleep", "2000"], "CONTAINER")
        processes = self.exec(first, "ps")[1]
        self.assertRegex(processes, r"\n +1 .*sleep 1000")
        self.assertNotIn("sleep 2000", processes)

    def test_node_pid_mode(self):
        pod = self.pod("node", "NODE")
        first = self.start(pod, "first", ["sleep", "1000"], "NODE")
        self.assertIn("containerd", self.exec(first, "ps")[1])
        self.stop(first)
        self.assertEqual(self.state(first)[0], 2)

    def test_target_pid_mode(self):
        """What `kubectl debug --target` makes."""
        pod = self.pod("target", "CONTAINER")
        first = self.start(pod, "first", ["sleep", "1000"], "CONTAINER")
        debugger = self.start(pod, "debugger", ["sleep", "2000"], "TARGET", target=first)
        processes = self.exec(debugger, "ps")[1]
        self.assertRegex(processes, r"\n +1 .*sleep 1000")
        self.stop(debugger)
        self.assertEqual(self.state(first)[0], 1)

    def test_nested_and_private_by_annotation_of_the_pod(self):
        """The annotations reach the runtime by the two lists of docs/engines/containerd.md."""
        pod = self.pod("annotated", "POD", {"covey.dev/access": "private", "covey.dev/pid.app": "nested",
                                            "covey.dev/access.watcher": "open"})
        app = self.start(pod, "app", ["sleep", "1000"], "POD")
        secret = self.start(pod, "secret", ["sleep", "2000"], "POD")
        watcher = self.start(pod, "watcher", ["sleep", "3000"], "POD")
        processes = self.exec(app, "ps")[1]
        self.assertRegex(processes, r"\n +1 .*sleep 1000")
        self.assertNotRegex(processes, "pause|2000|3000")
        processes = self.exec(secret, "ps")[1]
        self.assertIn("sleep 2000", processes)
        self.assertNotRegex(processes, "pause|1000|3000")
        self.assertNotEqual(self.exec(secret, "kill", "-9", "1")[0], 0)
        self.assertEqual(self.exec(secret, "sh", "-c", "echo out; exit 9"), (9, "out\n", ""))
        processes = self.exec(watcher, "ps")[1]
        for seen in ("pause", "sleep 1000", "sleep 2000", "sleep 3000"):
            self.assertIn(seen, processes)
        self.assertNotIn("covey", processes)
        self.stop(app)
        self.assertEqual(self.state(app), (2, 137))
        self.stop(secret)
        self.assertEqual(self.state(secret), (2, 137))
        self.assertEqual(self.state(watcher)[0], 1)

    def test_nested_by_the_containers_own_annotation_in_the_sandbox_it_names(self):
        """The container asks for a namespace of its own; it gets one inside its sandbox's."""
        pod = self.pod("named", "CONTAINER")
        app = self.start(pod, "app", ["sleep", "1000"], "CONTAINER", annotations={"covey.dev/pid": "nested"})
        self.assertRegex(self.exec(app, "ps")[1], r"\n +1 .*sleep 1000")
        joined = self.start(pod, "joined", ["sleep", "2000"], "CONTAINER", annotations={"covey.dev/pid": "pod"})
        processes = self.exec(joined, "ps")[1]
        for seen in ("pause", "sleep 1000", "sleep 2000"):
            self.assertIn(seen, processes)
        with self.assertRaises(grpc.RpcError) as failed:
            self.start(pod, "bad", ["sleep", "1"], "CONTAINER", annotations={"covey.dev/pid": "nest"})
        self.assertIn("covey.dev/pid: unknown value 'nest'", failed.exception.details())

    def test_container_life(self):
        pod = self.pod("life", "POD")
        quick = self.start(pod, "quick", ["sh", "-c", "echo output; exit 3"], "POD")
        private.wait_for(lambda: self.state(quick) == (2, 3), 10, "exit code 3")
        self.assertIn("output", (self.folder / "logs/quick.log").read_text())
        main = self.start(pod, "main", ["sh", "-c", "trap 'exit 5' TERM; while true; do sleep 0.1; done"], "POD", readonly_rootfs=True,
                          no_new_privs=True, run_as_user=self.pb.Int64Value(value=101))
        self.assertEqual(self.exec(main, "sh", "-c", "id -u; touch /x 2>/dev/null || echo read-only; grep NoNewPrivs /proc/self/status")[1],
                         "101\nread-only\nNoNewPrivs:\t1\n")
        self.assertEqual(self.exec(main, "sh", "-c", "echo err >&2; exit 9"), (9, "", "err\n"))
        self.cri.UpdateContainerResources(self.pb.UpdateContainerResourcesRequest(
            container_id=main, linux=self.pb.LinuxContainerResources(memory_limit_in_bytes=96 << 20)), timeout=60)
        limit = pathlib.Path(f"/sys/fs/cgroup/memory/covey-cri/{main}/memory.limit_in_bytes")
        if limit.exists():
            self.assertEqual(limit.read_text(encoding="ascii"), f"{96 << 20}\n")
        self.stop(main, 10)
        self.assertEqual(self.state(main), (2, 5))
        missing = self.create(pod, "missing", ["/no/such/program"], "POD")
        with self.assertRaises(grpc.RpcError) as failed:
            self.cri.StartContainer(self.pb.StartContainerRequest(container_id=missing), timeout=60)
        self.assertIn("no such file" if private.IS_RUNC else "executable file not found", failed.exception.details())


if __name__ == "__main__":
    engine_test.main()
