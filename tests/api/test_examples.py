"""The scripts of docs/examples, run as they are."""
import os
import subprocess

import bundles
from contract import ROOT
from covey_client import BIN, CoveyTest, main


class Examples(CoveyTest):
    def run_example(self, name):
        run = subprocess.run([str(ROOT / "docs/examples" / name)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=100, check=False,
                             env={**os.environ, "COVEY_SOCKET": self.daemon.socket, "COVEY": str(BIN / "covey"),
                                  "BUSYBOX": bundles.BUSYBOX})
        output = run.stdout.decode()
        self.assertEqual(run.returncode, 0, output + self.daemon.log()[-2000:])
        self.assertIn("/pause", output)
        self.assertEqual(self.client.get("/v1/sandboxes").json["items"], [], "it cleans up after itself")

    def test_a_pod_by_curl_alone(self):
        self.run_example("pod-by-curl.sh")

    def test_a_pod_by_the_covey_command(self):
        self.run_example("pod-by-covey.sh")


if __name__ == "__main__":
    main()
