#!/usr/bin/env python3
"""BFD with the routers people have: BIRD 2 and FRR, each in a network namespace opposite to our node.

usage: interop_test.py <bfd_node>; needs root for FRR, and skips what is not installed.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import netns

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "e2e" / "peers"))
from peer import Node  # noqa: E402

FRR = Path("/usr/lib/frr")
FAST = {"receive_ms": 100, "transmit_ms": 100, "multiplier": 3}
PROGRAM = ""


def until(condition, limit=15.0):
    """Waits for what a router shows, which it does not tell by itself."""
    end = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.05)
    return value


class Router:
    """A router's processes in the namespace `router`, all files in one folder."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sybfd-"))
        self.processes = []

    def start(self, *command, **options):
        with open(self.folder / f"{len(self.processes)}.log", "w", encoding="utf-8") as log:
            self.processes.append(subprocess.Popen(
                netns.inside("router", *command), stdout=log, stderr=log, **options))
        return self.processes[-1]

    def signal(self, number):
        for process in self.processes:
            process.send_signal(number)

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Bird(Router):
    """BIRD 2, `protocol bfd` alone."""

    def __init__(self, neighbors, interface="", multihop=""):
        super().__init__()
        self.neighbors, self.interface, self.multihop = neighbors, interface, multihop
        self.write(interface)
        self.start("bird", "-f", "-c", "bird.conf", "-s", "bird.ctl", "-P", "bird.pid", cwd=self.folder)
        until((self.folder / "bird.ctl").exists)

    def write(self, interface):
        text = f"""router id 10.9.0.2;
protocol device {{ scan time 1; }}
protocol bfd {{
    interface "*" {{ interval 100 ms; multiplier 3; {interface} }};
    multihop {{ interval 100 ms; multiplier 3; {self.multihop} }};
    {self.neighbors}
}}
"""
        (self.folder / "bird.conf").write_text(text, encoding="utf-8")

    def ask(self, *words):
        return netns.run("birdc", "-s", "bird.ctl", *words, cwd=self.folder)

    def reconfigure(self, interface):
        self.write(interface)
        self.ask("configure")

    def states(self):
        rows = [line.split() for line in self.ask("show", "bfd", "sessions").splitlines()]
        return {row[0]: row[2] for row in rows if len(row) >= 3 and row[0][0].isalnum()}


class Frr(Router):
    """FRR's zebra and bfdd with a private state folder."""

    def __init__(self, peers):
        super().__init__()
        # bfdd drops its privileges; its own user must reach the folder.
        shutil.chown(self.folder, "frr", "frr")
        os.chmod(self.folder, 0o755)
        for folder in ("/run/frr", "/run/frr/sy"):
            os.makedirs(folder, exist_ok=True)
            shutil.chown(folder, "frr", "frr")
        conf = self.folder / "frr.conf"
        conf.write_text(f"bfd\n{peers}\n", encoding="utf-8")
        common = ["-N", "sy", "-f", str(conf), "-z", str(self.folder / "zserv.api"),
                  "--vty_socket", str(self.folder), "--log", "stdout"]
        self.start(FRR / "zebra", *common, "-i", str(self.folder / "zebra.pid"))
        until((self.folder / "zserv.api").exists)
        self.start(FRR / "bfdd", *common, "-i", str(self.folder / "bfdd.pid"),
                   "--bfdctl", str(self.folder / "bfdd.sock"))
        until((self.folder / "bfdd.vty").exists)

    def ask(self, *lines):
        words = [word for line in lines for word in ("-c", line)]
        return netns.run(*netns.inside("router", "vtysh", "--vty_socket", str(self.folder), *words))

    def configure(self, *lines):
        self.ask("configure terminal", "bfd", *lines)

    def peers(self):
        return {one["peer"]: one for one in json.loads(self.ask("show bfd peers json"))}


class InteropTest(unittest.TestCase):
    """Our node in `node`, a router in `router`, one cable."""

    def setUp(self):
        netns.make("node", "router")
        self.addCleanup(netns.remove, "node", "router")
        netns.cable("node", "router")
        for namespace in ("node", "router"):
            netns.sysctl(namespace, "net.ipv4.ip_forward", 1)
            netns.sysctl(namespace, "net.ipv6.conf.all.forwarding", 1)
        self.node = Node(*netns.inside("node", PROGRAM))
        self.addCleanup(self.node.close)

    def router(self, router):
        self.addCleanup(router.stop)
        return router

    def sessions(self, *sessions):
        self.node.order(sessions=[dict(FAST, **session) for session in sessions])

    def status(self, key="a"):
        answer = self.node.order("status", status=True)
        return next(one for one in answer["sessions"] if one["key"] == key)

    def wait(self, *states, key="a", limit=15):
        """The states the session takes, in this order; others in between are passed over."""
        for state in states:
            end = time.monotonic() + limit
            while True:
                change = self.node.wait("change", limit=end - time.monotonic())
                if change["key"] == key and change["state"] == state:
                    break
        return change

    def agree(self, transmit, receive, detection, key="a"):
        """The timers come to be these, and the session never went down on the way."""
        def there():
            now = self.status(key)
            return (now["transmit_ms"], now["receive_ms"], now["detection_ms"]) == (
                transmit, receive, detection)
        until(there)
        self.assertEqual(self.status(key)["downs"], 0)

    def notice(self, router, detection):
        """The router is stopped, which is noticed in time, and comes back."""
        router.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        down = self.wait("Down")
        self.assertLess(down["at"] - stopped, 1.2 * detection)
        self.assertEqual(down["diagnostic"], "control detection time expired")
        router.signal(signal.SIGCONT)
        self.wait("Up")


@unittest.skipUnless(shutil.which("bird"), "BIRD 2 is not installed")
class BirdTest(InteropTest):
    def test_ipv4_comes_up_and_a_silent_router_is_noticed(self):
        bird = self.router(Bird('neighbor 10.9.0.1 dev "eth0";'))
        self.sessions({"key": "a", "remote": "10.9.0.2"})
        self.wait("Up")
        self.agree(100, 100, 300)
        self.notice(bird, 0.3)

    def test_ipv6_comes_up_by_global_and_link_local_address(self):
        self.router(Bird('neighbor fd09::1 dev "eth0"; neighbor fe80::1 dev "eth0";'))
        self.sessions({"key": "a", "remote": "fd09::2"},
                      {"key": "b", "remote": "fe80::2", "interface": "eth0"})
        ups = set()
        while len(ups) < 2:
            change = self.node.wait("change")
            if change["state"] == "Up":
                ups.add(change["key"])

    def test_both_sides_change_their_timers_without_a_flap(self):
        bird = self.router(Bird('neighbor 10.9.0.1 dev "eth0";'))
        self.sessions({"key": "a", "remote": "10.9.0.2"})
        self.wait("Up")
        self.agree(100, 100, 300)
        self.sessions({"key": "a", "remote": "10.9.0.2", "receive_ms": 400, "transmit_ms": 50,
                       "multiplier": 5})
        self.agree(100, 400, 1200)
        bird.reconfigure("interval 250 ms; multiplier 4;")
        self.agree(250, 400, 1600)
        self.sessions({"key": "a", "remote": "10.9.0.2"})
        self.agree(250, 250, 1000)
        self.assertEqual(self.status()["ups"], 1)

    def test_multihop_comes_up_between_loopback_addresses(self):
        for number, namespace, other in ((1, "node", 2), (2, "router", 1)):
            netns.ip(namespace, "addr", "add", f"10.99.0.{number}/32", "dev", "lo")
            netns.ip(namespace, "route", "add", f"10.99.0.{other}/32", "via", f"10.9.0.{other}")
        self.router(Bird("neighbor 10.99.0.1 local 10.99.0.2 multihop on;"))
        session = {"key": "a", "remote": "10.99.0.2", "local": "10.99.0.1", "multihop": True}
        self.sessions(session)  # BIRD sends with TTL 64, the default minimum is 254
        self.assertIn("TTL 64, below minimumTtl 254", until(lambda: self.status()["trouble"]))
        self.sessions(dict(session, minimum_ttl=60))
        self.wait("Up")

    def test_a_passive_router_is_woken_by_the_node(self):
        self.router(Bird('neighbor 10.9.0.1 dev "eth0";', interface="passive;"))
        self.sessions({"key": "a", "remote": "10.9.0.2"})
        self.wait("Up")

    def test_a_passive_node_is_woken_by_the_router(self):
        self.router(Bird('neighbor 10.9.0.1 dev "eth0";'))
        self.sessions({"key": "a", "remote": "10.9.0.2", "passive": True})
        self.wait("Up")

    def test_stopping_is_not_taken_for_a_failure(self):
        bird = self.router(Bird('neighbor 10.9.0.1 dev "eth0";'))
        self.sessions({"key": "a", "remote": "10.9.0.2"})
        self.wait("Up")
        until(lambda: bird.states().get("10.9.0.1") == "Up")
        self.node.leave()
        until(lambda: bird.states().get("10.9.0.1") == "Down", limit=0.25)


@unittest.skipUnless((FRR / "bfdd").exists() and os.geteuid() == 0, "FRR, or root for it, is missing")
class FrrTest(InteropTest):
    PEER = "peer 10.9.0.1 interface eth0"
    TIMERS = "\n  receive-interval 100\n  transmit-interval 100\n  no shutdown\n"

    def test_ipv4_comes_up_and_a_silent_router_is_noticed(self):
        frr = self.router(Frr(f" {self.PEER}{self.TIMERS}"))
        self.sessions({"key": "a", "remote": "10.9.0.2"})
        self.wait("Up")
        self.agree(100, 100, 300)
        until(lambda: frr.peers()["10.9.0.1"]["status"] == "up")
        self.notice(frr, 0.3)

    def test_ipv6_comes_up_by_its_global_address(self):
        self.router(Frr(f" peer fd09::1 local-address fd09::2 interface eth0{self.TIMERS}"))
        self.sessions({"key": "a", "remote": "fd09::2"})
        self.wait("Up")

    def test_both_sides_change_their_timers_without_a_flap(self):
        frr = self.router(Frr(f" {self.PEER}{self.TIMERS}"))
        self.sessions({"key": "a", "remote": "10.9.0.2"})
        self.wait("Up")
        self.agree(100, 100, 300)
        self.sessions({"key": "a", "remote": "10.9.0.2", "receive_ms": 400, "transmit_ms": 50,
                       "multiplier": 5})
        self.agree(100, 400, 1200)
        frr.configure(self.PEER, "receive-interval 250", "transmit-interval 250", "detect-multiplier 4")
        self.agree(250, 400, 1600)
        self.sessions({"key": "a", "remote": "10.9.0.2"})
        self.agree(250, 250, 1000)
        self.assertEqual(self.status()["ups"], 1)

    def test_a_router_shut_down_by_its_operator_is_no_failure(self):
        frr = self.router(Frr(f" {self.PEER}{self.TIMERS}"))
        self.sessions({"key": "a", "remote": "10.9.0.2"})
        self.wait("Up")
        frr.configure(self.PEER, "shutdown")
        self.wait("AdminDown")
        self.assertEqual(self.status()["downs"], 0)
        frr.configure(self.PEER, "no shutdown")
        self.wait("Up")

    def test_stopping_is_not_taken_for_a_failure(self):
        frr = self.router(Frr(f" {self.PEER}{self.TIMERS}"))
        self.sessions({"key": "a", "remote": "10.9.0.2"})
        self.wait("Up")
        until(lambda: frr.peers()["10.9.0.1"]["status"] == "up")
        self.node.leave()
        until(lambda: frr.peers()["10.9.0.1"]["status"] == "down")
        self.assertEqual(frr.peers()["10.9.0.1"]["diagnostic"], "neighbor signaled session down")

    def test_multihop_comes_up_between_loopback_addresses(self):
        for number, namespace, other in ((1, "node", 2), (2, "router", 1)):
            netns.ip(namespace, "addr", "add", f"10.99.0.{number}/32", "dev", "lo")
            netns.ip(namespace, "route", "add", f"10.99.0.{other}/32", "via", f"10.9.0.{other}")
        self.router(Frr(f" peer 10.99.0.1 multihop local-address 10.99.0.2{self.TIMERS}"))
        self.sessions({"key": "a", "remote": "10.99.0.2", "local": "10.99.0.1", "multihop": True})
        self.wait("Up")

    def test_the_router_loops_our_echoes_and_a_silent_one_is_noticed_by_them(self):
        self.router(Frr(f" {self.PEER}{self.TIMERS}  echo-mode\n"))
        self.sessions({"key": "a", "remote": "10.9.0.2", "interface": "eth0", "echo": True})
        self.wait("Up")
        until(lambda: self.status()["echo"])
        received = self.status()["echoes_received"]
        until(lambda: self.status()["echoes_received"] > received + 20)
        self.assertEqual(self.status()["downs"], 0)
        netns.sysctl("router", "net.ipv4.ip_forward", 0)  # the path through the router, not its daemon
        down = self.wait("Down")
        self.assertEqual(down["diagnostic"], "echo function failed")


if __name__ == "__main__":
    netns.enter()
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=2)
