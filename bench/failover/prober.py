"""vip-prober (vip_prober.cpp) running on a machine."""

import json
import signal
import subprocess
import threading
import time


class Prober:
    """Asks from now on; `with` ends it. result() is what it measured, by address."""

    def __init__(self, program, machine, addresses, arp, interval_us=1000):
        how = ["--arp", "eth0", machine.address] if arp else ["--echo"]
        argv = [program, *how, "--interval-us", str(interval_us), *addresses]
        self.process = subprocess.Popen(machine.command(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        text=True)
        self.latest = {}
        self._result = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            value = json.loads(line)
            if "result" in value:
                self._result = value["result"]
            else:
                self.latest = value["answering"]

    def answering(self, address):
        """The MACs that answered for it in the last 50 ms or so."""
        return self.latest.get(address, [])

    def wait(self, what, condition, seconds=30.0):
        """Until the condition on this prober is true."""
        end = time.monotonic() + seconds
        while not condition(self):
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {seconds:g} s; answering: {self.latest}")
            time.sleep(0.005)

    def result(self):
        """Ends it and returns the measurement."""
        if self._result is None:
            self.process.send_signal(signal.SIGTERM)
            self._reader.join(10)
            self.process.wait(10)
        return self._result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._reader.join(10)
        self.process.stdout.close()
