#!/usr/bin/env python3
"""Steelyard's gossip and hashicorp/memberlist in one ring, on loopback.

usage: interop_test.py GOSSIP_NODE [unittest arguments]

Each test starts real processes on 127.0.0.x with ports of their own choice. Exit code 77 (skipped)
with a reason when there is no Go >= 1.21 or its modules cannot be had.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from peer import Node, PeerTest, main, metallb_key  # noqa: E402

FOREIGN = ""


class Interop(PeerTest):
    def foreign(self, name, host, *join, **options):
        command = [FOREIGN, "-name", name, "-bind", host]
        command += [f"-{key}={value}" for key, value in options.items()]
        if join:
            command += ["-join", ",".join(join)]
        return self.start(Node(*command))

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

    def test_new_meta_is_seen_both_ways(self):
        ours, theirs = self.ring(foreign=1, own=1)
        ours.order(meta="ours is new")
        theirs.order(meta="theirs is new")
        self.assertEqual(theirs.wait("updated", "sy-0")["meta"], "ours is new")
        self.assertEqual(ours.wait("updated", "go-1")["meta"], "theirs is new")

    def test_user_messages_are_taken_and_ignored(self):
        ours, theirs = self.ring(foreign=1, own=1)
        theirs.order(user="over UDP and TCP")
        end = time.monotonic() + 10
        while ours.order("counters", counters=True)["user_messages"] < 2:
            self.assertLess(time.monotonic(), end)
        self.assertEqual(ours.refusals(), {})

    def test_keys_are_rotated_in_a_mixed_ring_without_a_suspicion(self):
        nodes = self.ring(foreign=2, own=2)
        for node in nodes:
            node.drain()
            node.seen.clear()
        old, new = metallb_key("s3cret"), metallb_key("renewed")
        for step in ([old, new], [new, old], [new]):
            for node in nodes:
                node.order(keys=step)
        nodes[1].order(meta="under the new key")
        for node in (nodes[0], nodes[2], nodes[3]):
            node.wait("updated", "sy-1")
        late = self.steelyard("late", "127.0.0.9", nodes[2].address, secret="renewed")
        for name in ("sy-0", "sy-1", "go-2", "go-3"):
            late.wait("joined", name)
        bad = ("suspected", "failed", "left", "gone")
        for node in nodes:
            self.assertEqual([l for l in node.drain() if l["event"] in bad], [])
        self.assertEqual(nodes[0].refusals(), {})

    def test_another_key_is_refused_and_counted(self):
        ours = self.steelyard("sy", "127.0.0.2", secret="ours")
        self.foreign("go", "127.0.0.3", ours.address, secret="theirs").wait("refused")
        self.assertGreater(ours.refusals()["key"], 0)

    def test_the_oldest_protocol_version_and_its_padding_are_understood(self):
        ours = self.steelyard("sy", "127.0.0.2", secret="s3cret", encryption="0")
        theirs = self.foreign("go", "127.0.0.3", ours.address, secret="s3cret", protocol="1")
        ours.wait("joined", "go")
        theirs.wait("joined", "sy")

    def test_delegate_versions_must_agree(self):
        ours = self.steelyard("sy", "127.0.0.2", delegate=["2", "4", "5"])
        theirs = self.foreign("go", "127.0.0.3", ours.address, delegate="2,5,5")
        ours.wait("joined", "go")
        theirs.wait("joined", "sy")
        self.foreign("old", "127.0.0.4", ours.address, delegate="0,0,0").wait("refused")
        self.assertGreater(ours.refusals()["version"], 0)


def build_foreign(folder):
    """Builds the Go node; the reason why not, when that is impossible here."""
    global FOREIGN
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
    FOREIGN = os.path.join(folder, "node")
    subprocess.run([go, "build", "-o", FOREIGN, "."], cwd=HERE, check=True)
    return None


if __name__ == "__main__":
    main(__doc__, build_foreign)
