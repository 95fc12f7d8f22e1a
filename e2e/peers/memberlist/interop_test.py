#!/usr/bin/env python3
"""Steelyard's gossip and hashicorp/memberlist in one ring, on loopback.

usage: interop_test.py GOSSIP_NODE [unittest arguments]

Each test starts real processes on 127.0.0.x with ports of their own choice. Exit code 77 (skipped)
with a reason when there is no Go >= 1.21 or its modules cannot be had.
"""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
STEELYARD = ""
FOREIGN = ""
SKIPPED = 77


class Node:
    """A process that prints JSON lines; waits for events instead of sleeping."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.seen = []
        self.unclaimed = []
        threading.Thread(target=self._read, daemon=True).start()
        self.address = self.wait("listening")["address"]

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
        self.process.stdout.close()


class Interop(unittest.TestCase):
    def setUp(self):
        self.nodes = []

    def tearDown(self):
        for node in self.nodes:
            node.close()

    def start(self, command):
        node = Node(*command)
        self.nodes.append(node)
        return node

    def steelyard(self, name, host, *join, **options):
        command = [STEELYARD, "--name", name, "--bind", host]
        for key, value in options.items():
            command += ["--" + key, value]
        for address in join:
            command += ["--join", address]
        return self.start(command)

    def foreign(self, name, host, *join, **options):
        command = [FOREIGN, "-name", name, "-bind", host]
        command += [f"-{key}={value}" for key, value in options.items()]
        if join:
            command += ["-join", ",".join(join)]
        return self.start(command)

    def test_both_join_under_every_combination_of_wrappers(self):
        for secret in ("", "short", "a secret of more than thirty-two characters"):
            for compress in ("true", "false"):
                for label in ("", "blue"):
                    with self.subTest(secret=secret, compress=compress, label=label):
                        options = {"secret": secret, "compress": compress, "label": label}
                        first = self.steelyard("sy-1", "127.0.0.2", meta="ours", **options)
                        second = self.foreign(
                            "go-1", "127.0.0.3", first.address, meta="theirs", **options)
                        third = self.steelyard("sy-2", "127.0.0.4", second.address, **options)
                        self.assertEqual(first.wait("joined", "go-1")["meta"], "theirs")
                        self.assertEqual(second.wait("joined", "sy-1")["meta"], "ours")
                        first.wait("joined", "sy-2")
                        second.wait("joined", "sy-2")
                        third.wait("joined", "sy-1")
                        third.wait("joined", "go-1")
                        self.tearDown()
                        self.setUp()

    def ring(self, foreign=1, own=2, profile="fast", foreign_profile=None):
        """Steelyard and foreign nodes that all know each other, encrypted and compressed."""
        nodes = []
        for number in range(own + foreign):
            host = f"127.0.0.{2 + number}"
            join = [nodes[0].address] if nodes else []
            if number < own:
                nodes.append(self.steelyard(
                    f"sy-{number}", host, *join, secret="s3cret", profile=profile))
            else:
                fast = "true" if (foreign_profile or profile) == "fast" else "false"
                nodes.append(self.foreign(
                    f"go-{number}", host, *join, secret="s3cret", fast=fast))
        names = [f"sy-{i}" if i < own else f"go-{i}" for i in range(own + foreign)]
        for node, own_name in zip(nodes, names):
            for name in names:
                if name != own_name:
                    node.wait("joined", name)
        return nodes

    def test_a_killed_memberlist_node_is_declared_dead_by_steelyard(self):
        nodes = self.ring()
        killed = nodes[2].kill()
        for node in nodes[:2]:
            suspected = node.wait("suspected", "go-2")["at"] - killed
            failed = node.wait("failed", "go-2")["at"] - killed
            print(f"memberlist node killed: suspected {suspected:.2f} s, failed {failed:.2f} s")
            self.assertLess(failed, 15)

    def test_a_killed_steelyard_node_is_declared_dead_by_memberlist(self):
        nodes = self.ring()
        killed = nodes[1].kill()
        took = nodes[2].wait("gone", "sy-1")["at"] - killed
        print(f"Steelyard node killed: memberlist says so after {took:.2f} s")
        nodes[0].wait("failed", "sy-1")

    def test_leaving_is_understood_both_ways(self):
        # memberlist reports leaving and dying alike; with LAN timing, dying would take 5 s.
        nodes = self.ring(foreign=2, own=2, profile="lan")
        nodes[3].leave()
        nodes[0].wait("left", "go-3")
        nodes[1].wait("left", "go-3")
        nodes[2].wait("gone", "go-3")
        start = time.monotonic()
        self.assertLess(nodes[1].leave() - start, 1.5)
        self.assertLess(nodes[2].wait("gone", "sy-1")["at"] - start, 3)
        nodes[0].wait("left", "sy-1")

    def test_a_ring_at_peace_stays_whole_at_different_paces(self):
        nodes = self.ring(foreign=2, own=2, profile="fast", foreign_profile="lan")
        for node in nodes:
            node.drain()
            node.seen.clear()
        time.sleep(10)  # the point of this test is that nothing happens
        for node in nodes:
            self.assertEqual([l for l in node.drain() if l["event"] not in ("updated",)], [])

    def test_a_paused_node_comes_back(self):
        nodes = self.ring(foreign=1, own=2)
        nodes[1].process.send_signal(signal.SIGSTOP)
        nodes[0].wait("failed", "sy-1")
        nodes[2].wait("gone", "sy-1")
        nodes[1].process.send_signal(signal.SIGCONT)
        nodes[0].wait("joined", "sy-1")
        nodes[2].wait("joined", "sy-1")
        nodes[1].drain()
        self.assertFalse([l for l in nodes[1].seen if l["event"] == "failed"])


def build_foreign(folder):
    """Builds the Go node; the reason why not, when that is impossible here."""
    go = shutil.which("go")
    if go is None:
        return "no Go compiler in PATH"
    version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True).stdout
    match = re.match(r"go(\d+)\.(\d+)", version)
    if match is None or (int(match[1]), int(match[2])) < (1, 21):
        return f"Go is {version.strip() or 'unknown'}, need 1.21 or later"
    download = subprocess.run([go, "mod", "download"], cwd=HERE, capture_output=True, text=True)
    if download.returncode != 0:
        return "Go modules cannot be fetched: " + download.stderr.strip().splitlines()[-1]
    subprocess.run([go, "build", "-o", os.path.join(folder, "node"), "."], cwd=HERE, check=True)
    return None


def main():
    global STEELYARD, FOREIGN
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    STEELYARD = os.path.abspath(sys.argv.pop(1))
    with tempfile.TemporaryDirectory() as folder:
        why_not = build_foreign(folder)
        if why_not:
            print("SKIPPED: " + why_not)
            sys.exit(SKIPPED)
        FOREIGN = os.path.join(folder, "node")
        unittest.main(verbosity=2)


if __name__ == "__main__":
    main()
