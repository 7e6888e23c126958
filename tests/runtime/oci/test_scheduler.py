"""process.scheduler with the real-time policies, as the kernel has it for init and for execs."""
import collections
import ctypes
import os
import pathlib
import signal
import struct
import unittest

from oci import OciTest, main, namespace, only_covey

SCHED_DEADLINE = 6
SYS_SCHED_SETATTR, SYS_SCHED_GETATTR = 314, 315  # x86_64
LIBC = ctypes.CDLL(None, use_errno=True)
FORM = struct.Struct("IIQiIQQQ")  # struct sched_attr of linux/sched/types.h, first version
Attributes = collections.namedtuple("Attributes", "size policy flags nice priority runtime deadline period")
CPU = pathlib.Path("/sys/fs/cgroup/cpu")  # the v1 hierarchy
MILLISECOND = 1_000_000


def attributes_of(pid):
    data = ctypes.create_string_buffer(FORM.size)
    if LIBC.syscall(SYS_SCHED_GETATTR, pid, data, FORM.size, 0) != 0:
        raise OSError(ctypes.get_errno(), f"sched_getattr {pid}")
    return Attributes(*FORM.unpack(data.raw))


def has_v1_budgets():
    """v1's cpu controller with RT_GROUP_SCHED: a new group has no real-time budget (sched-rt-group.rst)."""
    return (CPU / "cpu.rt_runtime_us").exists()


class Scheduler(OciTest):
    def setUp(self):
        super().setUp()
        if has_v1_budgets():
            # The share that the engine's own group above the container's must have.
            parent = CPU / self.group.lstrip("/")
            parent.mkdir()
            (parent / "cpu.rt_runtime_us").write_text("200000", encoding="ascii")

    @staticmethod
    def scheduled(pid=True, **scheduler):
        """A change of a bundle: with a budget of real time where a v1 group needs one."""
        def change(config):
            config["process"]["scheduler"] = scheduler
            if has_v1_budgets():
                config["linux"]["resources"] = {"cpu": {"realtimeRuntime": 100000, "realtimePeriod": 1000000}}
            if not pid:
                namespace(config, "pid", None)
        return change

    def test_fifo_and_rr_are_inits_and_its_execs(self):
        """Seen failing with another priority in the plan."""
        for name, policy, priority in (("SCHED_FIFO", os.SCHED_FIFO, 7), ("SCHED_RR", os.SCHED_RR, 42)):
            for pid_namespace in (True, False):
                with self.subTest(name, pid_namespace=pid_namespace):
                    one, pid = self.start("probe", "sleep", "forever", change=self.scheduled(
                        policy=name, priority=priority, pid=pid_namespace))
                    found = attributes_of(pid)
                    self.assertEqual((found.policy, found.priority, found.flags), (policy, priority, 0))
                    pid_file = self.folder / "exec.pid"
                    self.ok("exec", "-d", "--pid-file", str(pid_file), one, "probe", "sleep", "forever")
                    exec_pid = int(pid_file.read_text(encoding="ascii"))
                    found = attributes_of(exec_pid)
                    self.assertEqual((found.policy, found.priority), (policy, priority))
                    os.kill(exec_pid, signal.SIGKILL)
                    self.wait_exit(exec_pid)
                    self.ok("delete", "--force", one)
                    self.wait_exit(pid)

    @unittest.skipUnless(has_v1_budgets(), "no v1 group, no budget")
    def test_without_a_budget_the_group_is_named(self):
        def change(config):
            config["process"]["scheduler"] = {"policy": "SCHED_RR", "priority": 1}
        one, bundle = self.bundle("probe", change=change)
        run = self.fails("cpu.rt_runtime_us", "create", "--bundle", bundle, one)
        self.assertIn("EINVAL", run.stderr)

    def test_deadline_is_inits(self):
        """Seen failing with the deadline for the runtime in the plan."""
        one, pid = self.start("probe", "sleep", "forever", change=self.scheduled(
            policy="SCHED_DEADLINE", runtime=2 * MILLISECOND, deadline=20 * MILLISECOND, period=50 * MILLISECOND))
        found = attributes_of(pid)
        self.assertEqual(found[1:], (SCHED_DEADLINE, 0, 0, 0, 2 * MILLISECOND, 20 * MILLISECOND, 50 * MILLISECOND))
        self.ok("delete", "--force", one)

    @only_covey("runc 1.1 knows nothing of schedulers")
    def test_deadline_needs_a_pid_namespace_of_its_own(self):
        one, bundle = self.bundle("probe", change=self.scheduled(
            policy="SCHED_DEADLINE", runtime=2 * MILLISECOND, deadline=20 * MILLISECOND, period=50 * MILLISECOND, pid=False))
        self.fails("/process/scheduler", "create", "--bundle", bundle, one)


if __name__ == "__main__":
    main()
