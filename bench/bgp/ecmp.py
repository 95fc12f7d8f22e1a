"""What a client behind an ECMP router loses when the node that serves it dies: three nodes, BFD 50 ms x 3.

    client -- router (BIRD, kernel multipath by ports) == lan (a bridge) == n1, n2, n3 (bgp_node, the address on lo)
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import lab
from lab import BgpNode, netns
from report import percentile, table

HERE = Path(__file__).resolve().parent
NODES = ("n1", "n2", "n3")
ROUTER, CLIENT, LAN = "router", "client", "lan"
VIRTUAL = "192.0.2.1"
PORT = 7777
AIM_MS = 200.0
SETTLE = 40.0
BEFORE, AFTER = 0.3, 1.0
TIMERS = {"receive": 0.05, "transmit": 0.05, "multiplier": 3}


def _configuration():
    lines = ["log stderr { error, fatal };", "router id 10.30.0.10;", "protocol device { scan time 60; }",
             "protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; merge paths yes limit 16; }",
             'protocol bfd { interface "*" { interval 50 ms; idle tx interval 300 ms; multiplier 3; }; }']
    for number, name in enumerate(NODES, 1):
        lines.append(f"protocol bgp {name} {{ local 10.30.0.10 as {lab.PEER_AS}; neighbor 10.30.0.{number} as "
                     f"{lab.OUR_AS}; direct; bfd on; passive on; error wait time 1, 1; "
                     "ipv4 { import all; export none; }; }")
    return "\n".join(lines) + "\n"


class Site:
    """The network, its router, its nodes."""

    def __init__(self):
        self.parts = []
        self.peers = {}
        netns.make(LAN, ROUTER, CLIENT, *NODES)
        netns.cable(CLIENT, ROUTER, link=20)
        netns.ip(CLIENT, "route", "add", "default", "via", "10.20.0.2")
        netns.ip(LAN, "link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        netns.ip(LAN, "link", "set", "br0", "up")
        netns.sysctl(ROUTER, "net.ipv4.ip_forward", 1)
        netns.sysctl(ROUTER, "net.ipv4.fib_multipath_hash_policy", 1)
        for name, number in ((ROUTER, 10), *((name, number) for number, name in enumerate(NODES, 1))):
            netns.ip(LAN, "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth1", "netns", name)
            netns.ip(LAN, "link", "set", f"to-{name}", "master", "br0", "up")
            netns.ip(name, "addr", "add", f"10.30.0.{number}/24", "dev", "eth1")
            netns.ip(name, "link", "set", "eth1", "up")
        self.router = self._keep(lab.Bird(ROUTER, _configuration()))
        self.nodes = {name: self._add(name, number) for number, name in enumerate(NODES, 1)}

    def _keep(self, part):
        self.parts.append(part)
        return part

    def _add(self, name, number):
        netns.ip(name, "route", "add", "default", "via", "10.30.0.10")
        netns.ip(name, "addr", "add", f"{VIRTUAL}/32", "dev", "lo")
        self._keep(Process(name, sys.executable, HERE / "stream.py", "--echo", VIRTUAL, str(PORT), name))
        node = self._keep(BgpNode("--listen-port", "0", namespace=name))
        self.peers[name] = {"name": "router", "local_as": lab.OUR_AS, "remote_as": lab.PEER_AS, "connect": 1,
                            "router_id": f"10.30.0.{number}", "address": "10.30.0.10", "bfd": TIMERS}
        node.order_peers(self.peers[name])
        node.announce(f"{VIRTUAL}/32")
        return node

    def hops(self):
        """How many nodes the router's kernel spreads flows over."""
        return netns.ip(ROUTER, "route", "show", f"{VIRTUAL}/32").count("10.30.0.")

    def whole(self):
        """Every session is up, watched by BFD at full pace, and every node gets its share."""
        bfd = self.router.ask("show bfd sessions")
        return self.hops() == len(NODES) and bfd.count(" Up ") == len(NODES) and bfd.count("0.050") == len(NODES)

    @staticmethod
    def cut(name):
        """The node is off the LAN; nobody's link goes down."""
        netns.ip(LAN, "link", "set", f"to-{name}", "nomaster")

    def plug(self, name):
        """It is back, with a peer that is new and so was never damped."""
        netns.ip(LAN, "link", "set", f"to-{name}", "master", "br0")
        self.nodes[name].order_peers()
        self.nodes[name].order_peers(self.peers[name])

    def close(self):
        """Ends and removes it all."""
        for part in reversed(self.parts):
            part.close()
        netns.remove(LAN, ROUTER, CLIENT, *NODES)


class Process:
    """One of stream.py's."""

    def __init__(self, namespace, *command):
        self.process = subprocess.Popen(netns.inside(namespace, *map(str, command)), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def line(self):
        """What it prints next."""
        return json.loads(self.process.stdout.readline())

    def close(self):
        """Ends it."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def _trial(site):
    """The longest silence in ms, the node that was cut, and datagrams without an answer."""
    lab.until("the whole site", site.whole, SETTLE, 0.1)
    client = Process(CLIENT, sys.executable, HERE / "stream.py", VIRTUAL, str(PORT))
    try:
        served = client.line()["first"]
        time.sleep(BEFORE)
        site.cut(served)
        time.sleep(AFTER)
        client.process.stdin.close()
        result = client.line()
    finally:
        client.close()
        site.plug(served)
    assert len(result["answers"]) == 2, f"nobody took over from {served}: {result}"
    return result["gap_ms"], served, result["sent"] - sum(result["answers"].values())


def run(trials, progress):
    """[(silence in ms, lost datagrams)]."""
    site = Site()
    try:
        results = []
        for number in range(trials):
            gap, victim, lost = _trial(site)
            results.append((gap, lost))
            progress(f"ECMP, {number + 1}/{trials}: {victim} cut off: {gap:.0f} ms, {lost} of its datagrams lost")
        return results
    finally:
        site.close()


def render(results):
    """One row."""
    gaps = [gap for gap, _ in results]
    p50, p99 = percentile(gaps, 50), percentile(gaps, 99)
    return table(["node of an ECMP group cut off, BFD 50 ms x 3", "trials", "p50", "p99", "max", "lost", "aim"], [
        ["longest silence of a 1 kHz stream through it", str(len(gaps)), f"{p50:.0f} ms", f"{p99:.0f} ms",
         f"{max(gaps):.0f} ms", f"{percentile([lost for _, lost in results], 50)} datagrams",
         f"p99 {AIM_MS:g} ms: {'yes' if p99 <= AIM_MS else 'MISSED'}"]])
