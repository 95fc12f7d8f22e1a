"""One steelyard-speaker process in its node's namespace, seen through its own web pages."""

import http.client
import os
import re
import signal
import subprocess

import kube

METRICS_PORT = 9120
STOP_SECONDS = 20
_ANNOUNCED = re.compile(r'^metallb_speaker_announced\{[^}]*\bip="([^"]+)"[^}]*\} 1', re.MULTILINE)
_TICKS = os.sysconf("SC_CLK_TCK")


class Speaker:
    """start() and the ways to end it; a node's speaker may be started again and again."""

    def __init__(self, program, node, state, kubeconfig, flags):
        self.node = node
        self.log_path = state / f"{node.name}.log"
        self.argv = [program, "--node-name", node.name, "--pod-name", f"speaker-{node.name}",
                     "--namespace", kube.NAMESPACE, "--kubeconfig", str(kubeconfig),
                     "--ml-bindaddr", node.address, "--ml-secret-key-path", str(state),
                     "--ml-labels", ",".join(f"{name}={value}" for name, value in kube.LABELS.items()),
                     "--proxy-mode=announce-only", "--port", str(METRICS_PORT), *flags]
        self.process = None

    def start(self):
        """Starts it; ready() tells when it has begun to work."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.node.command(self.argv), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT)

    def signal(self, number):
        """Sends a signal to it."""
        self.process.send_signal(number)

    def kill(self):
        """Ends it at once; also when it is stopped."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def terminate(self):
        """Asks it to hand over and go; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        """Its exit status once it has gone."""
        return self.process.wait(STOP_SECONDS)

    def _page(self, path):
        connection = http.client.HTTPConnection(self.node.management, METRICS_PORT, timeout=2)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def _must_run(self):
        if self.process.poll() is not None:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                raise RuntimeError(f"{self.node.name}: the speaker has ended: {log.read()[-500:].strip()}")

    def ready(self):
        """Whether it says so itself. Raises when it has ended."""
        self._must_run()
        return self._page("/readyz")[0] == 200

    def announced(self):
        """The addresses it announces. Raises when it has ended."""
        self._must_run()
        return set(_ANNOUNCED.findall(self.metrics()))

    def metrics(self):
        """Its metrics as text."""
        return self._page("/metrics")[1]

    def cpu_seconds(self):
        """Processor time used so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_bytes(self):
        """Memory in use."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
