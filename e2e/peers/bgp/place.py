"""Where a test happens: our node and a router in network namespaces with a cable between them, and our node itself.

Everything lives in namespaces of the test's own process (speaker/io/bfd/netns.py): files under /run are in memory and
seen by nobody else, processes end with the test, however it ends.
"""

import json
import queue
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[2]
for folder in ("e2e/peers", "speaker/io/bfd", "e2e/lab"):
    sys.path.append(str(SOURCE / folder))
# pylint: disable=wrong-import-position
import netns  # noqa: E402
from peer import Node  # noqa: E402

NODE, MIDDLE, ROUTER = "node", "middle", "router"
NODE_AS, ROUTER_AS = 64513, 64512
LIMIT = 20.0


def until(what, condition, limit=LIMIT, interval=0.03):
    """Polls what does not tell by itself; returns the first true value of `condition`."""
    end = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit:g} s in vain for {what}")
        time.sleep(interval)
    return value


class Place:
    """`node` and `router` on one cable, 10.9.0.1 and .2, fd09::1 and ::2, fe80::1 and ::2; with `hops` a third
    namespace routes between them, and the router is 10.10.0.2 and fd10::2."""

    def __init__(self, hops=1):
        self.names = [NODE, ROUTER] if hops == 1 else [NODE, MIDDLE, ROUTER]
        netns.make(*self.names)
        for name in self.names:
            netns.sysctl(name, "net.ipv6.conf.all.forwarding", 1)
            netns.sysctl(name, "net.ipv4.ip_forward", 1)
        if hops == 1:
            netns.cable(NODE, ROUTER)
        else:
            netns.cable(NODE, MIDDLE)
            netns.cable(MIDDLE, ROUTER, name="eth1", link=10)
            netns.ip(NODE, "route", "add", "10.10.0.0/24", "via", "10.9.0.2")
            netns.ip(ROUTER, "route", "add", "10.9.0.0/24", "via", "10.10.0.1")
            netns.ip(NODE, "-6", "route", "add", "fd10::/64", "via", "fd09::2")
            netns.ip(ROUTER, "-6", "route", "add", "fd09::/64", "via", "fd10::1")

    def close(self):
        """Removes the namespaces; what ran in them must have ended."""
        netns.remove(*self.names)

    @staticmethod
    def drop(namespace, *rule):
        """Has the namespace's kernel drop what arrives and matches; returns what undoes it."""
        tools = ("iptables", "ip6tables")
        for tool in tools:
            netns.run(*netns.inside(namespace, tool, "-I", "INPUT", *rule, "-j", "DROP"))

        def undo():
            for tool in tools:
                netns.run(*netns.inside(namespace, tool, "-D", "INPUT", *rule, "-j", "DROP"))
        return undo

    @staticmethod
    def connections(namespace):
        """How many established TCP connections of BGP it has."""
        return len([line for line in netns.run(
            *netns.inside(namespace, "ss", "-Htn", "state", "established")).splitlines()
            if any(word.endswith(":179") for word in line.split())])


class BgpNode(Node):
    """speaker/io/bgp/bgp_node in a namespace."""

    program = ""
    GREETING = "started"

    def __init__(self, *options, namespace=NODE):
        super().__init__(*netns.inside(namespace, self.program, *options))

    def order_peers(self, *peers):
        """The whole set of peers."""
        self.order(peers=list(peers))

    def announce(self, *prefixes, **attributes):
        """Announces prefixes; returns the number of the change."""
        return self.order(announce=[dict(attributes, prefix=prefix) for prefix in prefixes])["sequence"]

    def generate(self, first, count, **more):
        """Announces (or with withdraw=True withdraws) many; returns the number of the change."""
        return self.order(generate=dict(more, first=first, count=count))["sequence"]

    def withdraw(self, *prefixes):
        """Takes prefixes back; returns the number of the change."""
        return self.order(withdraw=list(prefixes))["sequence"]

    def status(self, peer="router"):
        """What it says of a peer now."""
        lines = self.order(status=1)["status"]
        return next(line for line in lines if line["peer"] == peer)

    def until_status(self, what, condition, limit=LIMIT, peer="router"):
        """Polls the status line of a peer until it is as wanted."""
        last = {}

        def look():
            nonlocal last
            last = self.status(peer)
            return last if condition(last) else None
        try:
            return until(what, look, limit)
        except AssertionError as error:
            raise AssertionError(f"{error}; the node says {json.dumps(last)}; log: {self.log()}") from None

    def until_up(self, limit=LIMIT, peer="router"):
        """Until the session is established; returns the status line."""
        return self.until_status("the session", lambda s: s["state"] == "Established", limit, peer)

    def until_trouble(self, *kinds, limit=LIMIT, peer="router"):
        """Until it reports one of these troubles; returns the text."""
        line = self.until_status(f"trouble {kinds}", lambda s: s.get("trouble", {}).get("kind") in kinds, limit, peer)
        return line["trouble"]["text"]

    def until_synced(self, sequence, limit=LIMIT, peer="router"):
        """Until the peer was sent everything up to that change; returns the status line."""
        return self.until_status(f"change {sequence} to be sent",
                                 lambda s: s["in_sync"] and s["synced"] >= sequence, limit, peer)

    def first_trouble(self, *kinds, limit=LIMIT):
        """Waits for an event, also a passing one, in which a peer has one of these troubles; returns its time."""
        end = time.monotonic() + limit
        while (left := end - time.monotonic()) > 0:
            event = self.wait("peer", limit=left)
            if event.get("trouble", {}).get("kind") in kinds:
                return event
        raise AssertionError(f"no trouble {kinds}; saw {self.seen}")

    def forget(self):
        """Earlier events are not waited for any more."""
        while True:
            try:
                self.seen.append(self.lines.get_nowait()[1])
            except queue.Empty:
                break
        self.unclaimed.clear()

    def log(self):
        """Its last log lines."""
        return [line["line"] for line in self.seen if line["event"] == "log"][-5:]

    def end(self, mode, text=""):
        """Stops it by order, `restart` or `shutdown`; returns once the process has gone."""
        self.process.stdin.write(json.dumps({"stop": mode, "text": text}) + "\n")
        self.process.stdin.flush()
        self.process.wait(timeout=15)
