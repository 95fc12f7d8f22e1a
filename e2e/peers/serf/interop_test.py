#!/usr/bin/env python3
"""Steelyard's gossip and Debian's serf agent in one ring, on loopback.

usage: interop_test.py GOSSIP_NODE [unittest arguments]

Serf is memberlist with tags in the node meta, events in user messages and a delegate version of its
own. Exit code 77 (skipped) with a reason when there is no serf in PATH.
"""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from peer import PeerTest, main  # noqa: E402

KEY = bytes(range(32))
SERF_DELEGATE = ["2", "5", "5"]


def free_port(host):
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


class Serf:
    """An agent and its command line."""

    def __init__(self, name, host, *join, key=None, tags=()):
        self.name = name
        self.rpc = f"{host}:{free_port(host)}"
        self.address = f"{host}:{free_port(host)}"
        command = ["serf", "agent", f"-node={name}", f"-bind={self.address}",
                   f"-rpc-addr={self.rpc}", "-log-level=warn"]
        if key:
            command.append("-encrypt=" + base64.b64encode(key).decode())
        command += [f"-tag={tag}" for tag in tags]
        command += [f"-join={address}" for address in join]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.until(lambda: self.members(), "its agent to answer")

    def run(self, command, *arguments):
        # Flags of serf's commands stand before their arguments.
        result = subprocess.run(
            ["serf", command, f"-rpc-addr={self.rpc}", *arguments], capture_output=True, text=True)
        if result.returncode != 0:
            raise AssertionError(f"serf {command}: {result.stdout}{result.stderr}")
        return result.stdout

    def members(self):
        """Name to status (alive, leaving, left, failed); nothing while the agent starts."""
        result = subprocess.run(["serf", "members", f"-rpc-addr={self.rpc}", "-format=json"],
                                capture_output=True, text=True)
        if result.returncode != 0:
            return {}
        return {m["name"]: m["status"] for m in json.loads(result.stdout)["members"]}

    def until(self, condition, what, limit=30.0):
        end = time.monotonic() + limit
        while not condition():
            if self.process.poll() is not None:
                raise AssertionError(f"serf ended: {self.process.stdout.read()}")
            if time.monotonic() > end:
                raise AssertionError(f"{self.name} waited in vain for {what}: {self.members()}")
            time.sleep(0.05)

    def until_status(self, name, *statuses):
        self.until(lambda: self.members().get(name) in statuses, f"{name} to be {statuses}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        return time.monotonic()

    def close(self):
        self.kill()
        self.process.stdout.close()


class SerfInterop(PeerTest):
    def serf(self, name, host, *join, **options):
        return self.start(Serf(name, host, *join, **options))

    def ours(self, name, host, *join, **options):
        return self.steelyard(name, host, *join, delegate=SERF_DELEGATE, **options)

    def ring(self):
        ours = self.ours("sy", "127.0.0.2", key=[KEY.hex()])
        serf = self.serf("serf", "127.0.0.3", ours.address, key=KEY, tags=("role=web",))
        ours.wait("joined", "serf")
        serf.until_status("sy", "alive")
        return ours, serf

    def test_both_join_the_other_encrypted_and_not(self):
        for key in (None, KEY):
            with self.subTest(encrypted=bool(key)):
                options = {"key": [key.hex()]} if key else {}
                first = self.ours("sy-1", "127.0.0.2", **options)
                serf = self.serf("serf", "127.0.0.3", first.address, key=key)
                second = self.ours("sy-2", "127.0.0.4", serf.address, **options)
                first.wait("joined", "serf")
                first.wait("joined", "sy-2")
                second.wait("joined", "serf")
                second.wait("joined", "sy-1")
                serf.until_status("sy-1", "alive")
                serf.until_status("sy-2", "alive")
                self.assertEqual(first.refusals(), {})
                self.tearDown()
                self.setUp()

    def test_leaving_is_seen_both_ways(self):
        ours, serf = self.ring()
        third = self.ours("sy-2", "127.0.0.4", ours.address, key=[KEY.hex()])
        serf.until_status("sy-2", "alive")
        third.leave()
        # Serf calls it left only after its own kind of good-bye.
        serf.until_status("sy-2", "left", "failed")
        ours.wait("left", "sy-2")
        serf.run("leave")
        ours.wait("left", "serf")

    def test_death_is_seen_both_ways(self):
        ours, serf = self.ring()
        third = self.ours("sy-2", "127.0.0.4", ours.address, key=[KEY.hex()])
        other = self.serf("serf-2", "127.0.0.5", ours.address, key=KEY)
        serf.until_status("sy-2", "alive")
        serf.until_status("serf-2", "alive")
        ours.wait("joined", "serf-2")
        killed = third.kill()
        serf.until_status("sy-2", "failed")
        print(f"Steelyard node killed: serf says so after {time.monotonic() - killed:.2f} s")
        killed = other.kill()
        took = ours.wait("failed", "serf-2")["at"] - killed
        print(f"serf killed: Steelyard says so after {took:.2f} s")

    def test_tags_events_and_queries_do_no_harm(self):
        ours, serf = self.ring()
        serf.run("tags", "-set", "color=blue")
        ours.wait("updated", "serf")
        for number in range(50):
            serf.run("event", "-coalesce=false", "deploy", f"payload {number}")
        serf.run("query", "-timeout=500ms", "load")
        ours.order(meta="changed")
        counters = ours.order("counters", counters=True)
        self.assertGreater(counters["user_messages"], 0)
        self.assertEqual(ours.refusals(), {})
        self.assertEqual(serf.members(), {"sy": "alive", "serf": "alive"})
        ours.drain()
        self.assertFalse([l for l in ours.seen if l["event"] in ("suspected", "failed", "left")])

    def test_a_paused_agent_comes_back(self):
        ours, serf = self.ring()
        serf.process.send_signal(signal.SIGSTOP)
        ours.wait("failed", "serf")
        serf.process.send_signal(signal.SIGCONT)
        ours.wait("joined", "serf")
        serf.until_status("sy", "alive")

    def test_another_delegate_version_is_kept_out(self):
        ours = self.steelyard("sy", "127.0.0.2")
        serf = self.serf("serf", "127.0.0.3")
        with self.assertRaises(AssertionError):
            serf.run("join", ours.address)
        self.assertGreater(ours.refusals()["version"], 0)


def find_serf(_folder):
    if shutil.which("serf") is None:
        return "no serf in PATH (scripts/setup.sh --peers installs it)"
    return None


if __name__ == "__main__":
    main(__doc__, find_serf)
