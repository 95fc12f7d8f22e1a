"""Processes that gossip and what their tests share: JSON lines out, JSON orders in, no sleeping."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SKIPPED = 77


class Node:
    """A process that prints JSON lines; waits for events instead of sleeping."""

    GREETING = "listening"

    def __init__(self, *command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.seen = []
        self.unclaimed = []
        threading.Thread(target=self._read, daemon=True).start()
        self.address = self.wait(self.GREETING).get("address")

    def _read(self):
        for line in self.process.stdout:
            self.lines.put((time.monotonic(), json.loads(line)))
        self.lines.put((time.monotonic(), {"event": "end of output"}))

    def wait(self, event, name=None, limit=30.0):
        """The first matching event that no earlier wait claimed; with its time as "at"."""
        end = time.monotonic() + limit
        while True:
            for line in self.unclaimed:
                if line["event"] == event and name in (None, line.get("name")):
                    self.unclaimed.remove(line)
                    return line
            try:
                at, line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {event} {name}; saw {self.seen}") from None
            self.seen.append(line)
            self.unclaimed.append(dict(line, at=at))
            if line["event"] == "end of output" and event != line["event"]:
                raise AssertionError(f"ended before {event} {name}; saw {self.seen}")

    def drain(self):
        while not self.lines.empty():
            self.seen.append(self.lines.get()[1])
        return self.seen

    def order(self, event="done", **order):
        """Sends one order and returns the answer to it."""
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = self.wait(event)
        if answer.get("why"):
            raise AssertionError(answer["why"])
        return answer

    def refusals(self):
        """How often Steelyard's node refused input, for each reason that occurred."""
        refused = self.order("counters", counters=True)["refused"]
        return {reason: count for reason, count in refused.items() if count}

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return time.monotonic()

    def leave(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=10)
        return time.monotonic()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def metallb_key(secret):
    """The hex of the key that MetalLB makes of a secret: its text, filled up with SHA-256 of nothing."""
    nothing = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    return (secret.encode() + nothing)[:32].hex()


class PeerTest(unittest.TestCase):
    """Starts nodes and ends them whatever happens."""

    steelyard_program = ""

    def setUp(self):
        self.nodes = []

    def tearDown(self):
        for node in self.nodes:
            node.close()

    def start(self, node):
        self.nodes.append(node)
        return node

    def steelyard(self, name, host, *join, **options):
        command = [self.steelyard_program, "--name", name, "--bind", host]
        for key, value in options.items():
            command += ["--" + key] + (value if isinstance(value, list) else [value])
        for address in join:
            command += ["--join", address]
        return self.start(Node(*command))


def main(usage, prepare):
    """Runs the tests of __main__; `prepare(folder)` says why they cannot run here, or None."""
    if len(sys.argv) < 2:
        sys.exit(usage)
    PeerTest.steelyard_program = os.path.abspath(sys.argv.pop(1))
    with tempfile.TemporaryDirectory() as folder:
        why_not = prepare(folder)
        if why_not:
            print("SKIPPED: " + why_not)
            sys.exit(SKIPPED)
        unittest.main(verbosity=2)
