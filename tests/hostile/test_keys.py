"""Kind 5: session keyrings. A container's is its own, and never that of whoever started the daemon or the command."""
import ctypes
import os
import platform

from hostile_test import HostileTest, main, on_both_fronts

KEYCTL, ADD_KEY = {"x86_64": (250, 248), "aarch64": (219, 217)}.get(platform.machine(), (0, 0))
KEYCTL_JOIN_SESSION_KEYRING, KEY_SPEC_SESSION_KEYRING = 1, -3
libc = ctypes.CDLL(None, use_errno=True)


def new_session_with_key(name, text):
    """This process's, so that of all that it starts from now on."""
    if libc.syscall(KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, None) < 0:
        raise OSError(ctypes.get_errno(), "keyctl")
    if libc.syscall(ADD_KEY, b"user", name.encode(), text.encode(), len(text), KEY_SPEC_SESSION_KEYRING) < 0:
        raise OSError(ctypes.get_errno(), "add_key")


@on_both_fronts
class Keys:
    @classmethod
    def start_front(cls):
        cls.host_key, cls.mate_key = f"covey-host-{os.getpid()}", f"covey-mate-{os.getpid()}"
        new_session_with_key(cls.host_key, "the-host's-secret")
        super().start_front()

    def test_whose_keys_are_found(self):
        """Won by the API's containers in every mode: the key of the session that started coveyd, and a neighbour's."""
        for mode in ("pod", "nested", "container"):
            with self.attack(mode=mode):
                pod, near, far = self.bystanders()
                added = near.exec("thief", "key-add", self.mate_key, "the-neighbour's-secret")
                self.assertIn("GOT", added.text, added)
                thief = pod.run(["sleep", "1000"], mode=mode, access="private")
                for key in (self.host_key, self.mate_key):
                    main_found = pod.run(["thief", "key-find", key], mode=mode, access="private")
                    self.assertTrue(main_found.wait_output("key"))
                    self.assert_host_unharmed(main_found)
                    found = thief.exec("thief", "key-find", key)
                    self.assertIn("TRIED", found.text, f"an exec found {key}: {found}")
                self.assert_bystanders_work(near, far, thief)
                self.assert_deleted("the thief", thief, thief)


if __name__ == "__main__":
    main()
