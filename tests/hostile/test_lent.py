"""What a process that Covey puts into a pod lends to whoever may inspect it: the memory of a newborn, of an exec and of an init that
waits, read by a neighbour with SYS_PTRACE. Nothing of the host's and of other containers is in it."""
import os
import threading

from hostile_test import HostileTest, main, on_both_fronts

SECONDS = 3


@on_both_fronts
class Lent:
    @classmethod
    def start_front(cls):
        """The caller's environment is the host's: an engine's may hold passwords."""
        cls.front = cls.front_class({"COVEY_TEST_SECRET": f"host-secret-{os.getpid()}"})

    def search(self, pod, word):
        """In two words, so that the thief's own arguments do not hold it."""
        return pod.run(["thief", "search-memory", str(SECONDS), word[:5], word[5:]], caps=["SYS_PTRACE"], mode="pod")

    def test_memory_and_environment_of_a_launch(self):
        """Won: /proc/N/mem of an init that waits, and of an exec before it executes."""
        with self.attack():
            pod, near, far = self.bystanders()
            thief = self.search(pod, f"host-secret-{os.getpid()}")
            created = pod.create(["sleep", "1000"], mode="pod")
            for _ in range(5):
                near.exec("true")
            self.assertTrue(thief.wait_output("TRIED", SECONDS + 5))
            self.assert_host_unharmed(thief)
            self.assert_works("start", created.start(), thief)

    def test_words_of_another_containers_exec(self):
        """An init that waits is a copy of who launched it. Won: the environment of an exec into a container that nobody of
        the pod sees."""
        with self.attack():
            pod, _, _ = self.bystanders()
            unseen = pod.run(["sleep", "1000"], mode="container")
            word = f"exec-secret-{os.getpid()}-{os.urandom(4).hex()}"
            for _ in range(3):
                unseen.exec("true", word)
            thief = self.search(pod, word)
            pod.create(["sleep", "1000"], mode="pod")
            self.assertTrue(thief.wait_output("TRIED", SECONDS + 5))
            self.assert_host_unharmed(thief)


if __name__ == "__main__":
    main()
