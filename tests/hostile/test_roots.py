"""Kind 4: two containers share a root folder, and one exchanges what the other is about to mount on, or to be in."""
import pathlib
import shutil
import tempfile

import fronts
from hostile_test import LONG, HostileTest, main, on_both_fronts

LAUNCHES = 60 if LONG else 20
SYSFS = {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro", "nosuid", "noexec", "nodev"]}


@on_both_fronts
class SharedRoot:
    """Won for /proc: core_pattern was writable in 5 to 7 of 60 launches."""

    def launches(self, name, target, change):
        base = pathlib.Path(tempfile.mkdtemp(prefix="covey-shared."))
        base.chmod(0o755)
        self.addCleanup(shutil.rmtree, base)
        shared = fronts.make_rootfs(base / "shared/rootfs")
        shared.chmod(0o755)
        (shared / "sys").mkdir(exist_ok=True)
        (shared / "work").mkdir()

        def in_shared(config):
            config["root"]["path"] = str(shared)
            config["linux"]["maskedPaths"] += ["/proc/timer_list", "/sys/firmware"]
            config["linux"]["readonlyPaths"] += ["/proc/sysrq-trigger"]
            change(config)
        pod, near, far = self.bystanders()
        thief = pod.run(["thief", "exchange", "100", "/shared", name, target], mode="nested", access="private",
                        volumes={"/shared": shared})
        self.assertTrue(thief.wait_output("ready"), self.story(thief))
        places = [f"/{name}{ending}" for ending in ("", ".other")]
        for _ in range(LAUNCHES):
            victim = pod.create(["thief", "look", str(self.canary), "/proc", "/sys", *places], change=in_shared, keep=True)
            if victim.create_call.ok and victim.start().ok:
                victim.wait_output("TRIED", 5)
            self.assert_host_unharmed(victim, thief)
            self.assert_deleted("the victim", victim, thief)
        self.assert_bystanders_work(near, far, thief)
        self.assert_deleted("the thief", thief, thief)

    def test_places_of_mounts(self):
        for name in ("proc", "dev", "sys"):
            for target in ("/nowhere", "/tmp"):
                with self.attack(name=name, target=target):
                    self.launches(name, target, lambda config: config["mounts"].append(SYSFS))

    def test_the_working_directory(self):
        for target in ("/proc/self/fd/5", "/proc/1/root", "/../../../.."):
            with self.attack(target=target):
                self.launches("work", target, lambda config: config["process"].update(cwd="/work"))


if __name__ == "__main__":
    main()
