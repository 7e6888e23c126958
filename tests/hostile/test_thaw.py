"""On pure v1: the freezer by which a container stands still for a nested launch, in the hands of one whom nobody holds."""
import ctypes
import os
import pathlib
import shutil
import sys
import tempfile

from hostile_test import HostileTest, main, on_both_fronts

UNIFIED, FREEZER = pathlib.Path("/sys/fs/cgroup/unified"), pathlib.Path("/sys/fs/cgroup/freezer")
CLONE_NEWNS, MS_REC_PRIVATE = 0x20000, 0x44000


def hide_v2():
    """What this test and all that it starts see is a host without the v2 tree."""
    libc = ctypes.CDLL(None, use_errno=True)
    for done in (libc.unshare(CLONE_NEWNS), libc.mount(None, b"/", None, MS_REC_PRIVATE, None),
                 libc.mount(b"none", bytes(UNIFIED), b"tmpfs", 0, None) if UNIFIED.is_dir() else 0):
        if done != 0:
            raise OSError(ctypes.get_errno(), "hide the v2 tree")


@on_both_fronts
class Thaw:
    def test_who_stands_still_is_not_thawed_by_an_accomplice(self):
        """Lost: each nested launch was refused, as the thief could not be held; or he was thawed when he was."""
        for pause in (0, 3):
            with self.attack(pause=pause):
                pod, near, far = self.bystanders()
                share = tempfile.mkdtemp(prefix="covey-share.")
                self.addCleanup(shutil.rmtree, share)
                volumes = {"/share": share}
                taker = pod.run(["thief", "thaw-take", "/share/socket", str(pause)], mode="nested", access="open", volumes=volumes)
                self.assertTrue(taker.wait_output("ready"), self.story(taker))
                thief = pod.run(["thief", "thaw-give", "/share/socket", "100"], caps=["SYS_PTRACE"], mode="pod", access="open", volumes=volumes)
                self.assertTrue(taker.wait_output("GOT a freezer"), self.story(taker, thief))
                for _ in range(5):
                    newcomer = pod.create(["sleep", "1000"], mode="nested")
                    self.assert_works("create", newcomer.create_call, thief, taker)
                    self.assert_host_unharmed(thief)
                self.assert_bystanders_work(near, far, thief)
                self.assert_deleted("the thief", thief, thief)
                self.assert_deleted("the accomplice", taker, thief)
                self.assert_deleted("the pod", pod, thief)


if __name__ == "__main__":
    if not FREEZER.is_dir():
        print("SKIP: no v1 freezer is mounted here")
        sys.exit(77)
    if os.geteuid() == 0:
        hide_v2()
    main()
