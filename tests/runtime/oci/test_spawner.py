"""The order that covey-runtime's create gives the spawner of a restricted container, over a socket of theirs alone."""
import contextlib
import os
import socket
import subprocess

from oci import RUNTIME, OciTest, main, only_covey


@only_covey("a spawner is Covey's own")
class Order(OciTest):
    def test_a_spawner_obeys_no_order_but_one(self):
        """Seen failing before: with descriptors that are no socket and no pidfd it asked them without an end."""
        null, pipe, other = os.open("/dev/null", os.O_RDWR), os.pipe(), socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        own = os.pidfd_open(os.getpid())
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listening.bind(str(self.folder / "liar"))
        listening.listen(1)
        good = [listening.fileno(), own]
        lies = ([], good[:1], [*good, null], [own, listening.fileno()], [null, own], [pipe[0], own], [other[0].fileno(), own],
                [listening.fileno(), pipe[0]], [listening.fileno(), null], None)
        self.addCleanup(lambda: [os.close(fd) for fd in (null, own, *pipe)] + [one.close() for one in (listening, *other)])

        def spawner(control):
            def places():
                os.dup2(os.open(RUNTIME, os.O_RDONLY), 4)
                os.dup2(control.fileno(), 3)
            return subprocess.Popen(["covey:spawner"], executable=RUNTIME, preexec_fn=places, close_fds=False, stdin=subprocess.DEVNULL)
        for lie in lies:
            with self.subTest(lie=lie):
                ours, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                process = spawner(control)
                control.close()
                if lie is not None:
                    socket.send_fds(ours, [b"work"], lie)
                    with contextlib.suppress(OSError):  # another one is not read
                        socket.send_fds(ours, [b"work"], good)
                ours.close()
                try:
                    process.wait(3)
                finally:
                    process.kill()
                    process.wait()
        ours, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process = spawner(control)
        control.close()
        socket.send_fds(ours, [b"work"], good)
        ours.close()
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.settimeout(5)
        client.connect(str(self.folder / "liar"))
        self.assertEqual(client.recv(100), b"spawner", "the order that is one is obeyed")
        client.close()
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
