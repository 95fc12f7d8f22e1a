"""What every router must see of our node, whoever made it: the tests, told once for all three routers."""

import os
import signal
import sys
import time
import unittest

from place import NODE, ROUTER, BgpNode, Place, netns, until
from router import Session

SKIPPED = 77
ONE = "192.0.2.1/32"
TWO = "192.0.2.2/32"
THREE = "192.0.2.3/32"
SIX = "2001:db8::1/128"
LINK_BANDWIDTH = ("lb:", "unknown 0x4004:", "64:")  # in the words of FRR, BIRD and GoBGP
OURS_IN_IPV6 = ("fd09::1", "fe80::1")  # global and link-local; both are told
FAST_HOLD = 3
BFD_PORT = ("-p", "udp", "--dport", "3784")
PLAIN = Session()
OVER_IPV6 = Session(local="fd09::2", remote="fd09::1", families=("ipv6",))
TWO_HOPS = Session(local="10.10.0.2", remote="10.9.0.1", hops=2)


class Stories(unittest.TestCase):
    """Each test has fresh namespaces, a fresh router and a fresh node."""

    Router = None  # the class of the router, by the subclass

    def setUp(self):
        began = time.monotonic()
        self.addCleanup(lambda: print(f"({time.monotonic() - began:.1f} s) ", end="", file=sys.stderr, flush=True))

    def place(self, hops=1):
        """Namespaces and a router that is not started yet."""
        place = Place(hops)
        self.addCleanup(place.close)
        self.router = self.Router()  # pylint: disable=not-callable
        self.addCleanup(self.router.kill)
        return place

    def need(self, *abilities):
        """Skips the story when this router cannot play it."""
        for ability in abilities:
            if ability not in self.Router.can:
                self.skipTest(f"{self.Router.kind} has no {ability}")

    def start_node(self, *options):
        """Our node, without peers."""
        node = BgpNode("--drain-wait", "0.5", *options)
        self.addCleanup(node.close)
        return node

    def meet(self, session=PLAIN, *options, hops=1, **peer):
        """Router and node are started with the two sides of a session, which comes up; returns the node."""
        self.place(hops)
        self.router.start(session)
        node = self.start_node(*options)
        node.order_peers(session.peer(**peer))
        node.until_up()
        until("the router to be up", self.router.up)
        return node

    def tell(self, node, *prefixes, **attributes):
        """The node announces prefixes, and the router has them."""
        sequence = node.announce(*prefixes, **attributes)
        for prefix in prefixes:
            self.router.until_path(prefix)
        return node.until_synced(sequence)


class Sessions(Stories):
    """How sessions come up, over what, and how they do not."""

    def test_ebgp(self):
        """An eBGP router learns a route with our AS, our next hop and no local preference; then loses it."""
        node = self.meet()
        self.tell(node, ONE)
        path = self.router.path(ONE)
        self.assertEqual((path.as_path, path.next_hop), ((64513,), "10.9.0.1"))
        node.withdraw(ONE)
        self.router.until_gone(ONE)

    def test_ibgp(self):
        """An iBGP router learns a route with an empty AS path, the default local preference, then another one."""
        node = self.meet(PLAIN.but(local_as=64513))
        self.tell(node, ONE)
        path = self.router.path(ONE)
        self.assertEqual((path.as_path, path.local_pref, path.next_hop), ((), 100, "10.9.0.1"))
        node.announce(ONE, local_pref=250)
        self.router.until_path(ONE, lambda p: p.local_pref == 250)

    def test_four_octet_as(self):
        """Both have AS numbers that need four octets."""
        node = self.meet(PLAIN.but(local_as=4200000002, remote_as=4200000001))
        self.tell(node, ONE)
        self.assertEqual(self.router.path(ONE).as_path, (4200000001,))

    def test_any_external_as_is_accepted(self):
        """The peer's AS is only said to be another one than ours."""
        node = self.meet(remote_as="external")
        self.assertEqual(node.status()["negotiated"]["remote_as"], 64512)
        self.tell(node, ONE)

    def test_ebgp_multihop(self):
        """The router is two hops away."""
        node = self.meet(TWO_HOPS, hops=2)
        self.tell(node, ONE)
        self.assertEqual(self.router.path(ONE).as_path, (64513,))

    def test_a_router_two_hops_away_without_multihop_is_not_reached(self):
        """eBGP without multihop sends TTL 1: no session, and the trouble says what it may be."""
        self.place(2)
        self.router.start(TWO_HOPS)
        node = self.start_node()
        node.order_peers(TWO_HOPS.peer(multihop=False))
        node.until_trouble("Unreachable")

    def test_ipv6(self):
        """IPv6 routes over an IPv6 session."""
        node = self.meet(OVER_IPV6)
        self.tell(node, SIX)
        self.assertIn(self.router.path(SIX).next_hop, OURS_IN_IPV6)
        node.withdraw(SIX)
        self.router.until_gone(SIX)

    def test_both_families_over_ipv4(self):
        """One IPv4 session carries both families, each with a next hop of its own family."""
        node = self.meet(PLAIN.but(families=("ipv4", "ipv6")))
        self.tell(node, ONE, SIX)
        self.assertEqual(self.router.path(ONE).next_hop, "10.9.0.1")
        self.assertIn(self.router.path(SIX).next_hop, OURS_IN_IPV6)

    def test_both_families_over_ipv6(self):
        """One IPv6 session carries both families; IPv4 has an IPv4 next hop when the router wants no other."""
        node = self.meet(OVER_IPV6.but(families=("ipv4", "ipv6")))
        self.tell(node, ONE, SIX)
        self.assertIn(self.router.path(SIX).next_hop, OURS_IN_IPV6)

    def test_ipv4_with_ipv6_next_hop(self):
        """An IPv6 session where both know RFC 8950: IPv4 routes, too."""
        self.need("extended-next-hop")
        node = self.meet(OVER_IPV6.but(families=("ipv4", "ipv6"), extended_next_hop=True))
        self.assertTrue(node.status()["negotiated"]["ipv4_over_ipv6"])
        self.tell(node, ONE, SIX)

    def test_md5(self):
        """Both have the password; then the node has another one: trouble says so; then the right one again."""
        session = PLAIN.but(password="sesame")
        node = self.meet(session)
        self.tell(node, ONE)
        node.order_peers(session.peer(password="wrong"))
        self.router.until_gone(ONE)
        self.assertIn("password", node.until_trouble("Unreachable"))
        node.order_peers(session.peer())
        node.until_up()
        self.router.until_path(ONE)

    def test_md5_when_the_router_dials(self):
        """The password counts on connections the router opens, too."""
        node = self.meet(PLAIN.but(password="sesame"), passive=True)
        self.tell(node, ONE)

    def test_ttl_security(self):
        """Both send TTL 255 and accept nothing that was forwarded."""
        node = self.meet(PLAIN.but(ttl_security=True))
        self.tell(node, ONE)

    def test_ttl_security_on_one_side_only(self):
        """The node drops what comes with a low TTL, and says that this may be why."""
        self.place()
        self.router.start(PLAIN.but(passive=True))
        node = self.start_node()
        node.order_peers(PLAIN.peer(ttl_security=1))
        node.until_trouble("Unreachable")
        self.assertFalse(self.router.up())

    def test_passive_node(self):
        """The node waits; the router dials."""
        node = self.meet(passive=True)
        self.assertIn(":179", node.status()["local"])
        self.tell(node, ONE)

    def test_passive_router(self):
        """The router waits; the node dials."""
        node = self.meet(PLAIN.but(passive=True))
        self.tell(node, ONE)

    def test_collision_with_a_lower_id(self):
        """Both dial, both connections are open before either OPEN arrives; one of them stays."""
        self.collide("10.0.0.1")

    def test_collision_with_a_higher_id(self):
        """The same where the node has the higher identifier."""
        self.collide("10.0.0.3")

    def collide(self, router_id):
        """The rules let handshakes pass and hold back data, which is when connections collide. (GoBGP then closes
        the second one at once; the node must live with that, too.)"""
        place = self.place()
        ends = [place.drop(name, "!", "-i", "lo", "-p", "tcp", "--tcp-flags", "PSH", "PSH") for name in (NODE, ROUTER)]
        calls = place.drop(ROUTER, "-p", "tcp", "--dport", "179", "--syn")
        node = self.start_node()
        node.order_peers(PLAIN.peer(router_id=router_id, connect=5))
        self.router.start(PLAIN)
        until("the router's call", lambda: place.connections(NODE) == 1)
        calls()
        if "collision" in self.Router.can:
            until("the node's call", lambda: place.connections(NODE) == 2)
        else:
            until("the node's call to be closed", lambda: "Closed an accepted connection" in self.router.log())
        for undo in ends:
            undo()
        node.until_up()
        until("one connection", lambda: place.connections(NODE) == 1 and place.connections(ROUTER) == 1)
        self.tell(node, ONE)
        self.assertLessEqual(node.status()["flaps"], self.Router.collision_flaps, node.log())

    def test_a_router_of_another_as(self):
        """The router's AS is not the configured one: NOTIFICATION, trouble; then it is told the right one."""
        self.place()
        self.router.start(PLAIN)
        node = self.start_node()
        node.order_peers(PLAIN.peer(remote_as=65000))
        text = node.until_trouble("WrongAS")
        self.assertTrue("65000" in text and "64512" in text, text)
        node.order_peers(PLAIN.peer())
        node.until_up()

    def test_a_router_that_expects_another_as_of_us(self):
        """It refuses our OPEN, and the trouble says what it said."""
        self.place()
        self.router.start(PLAIN.but(remote_as=65001))
        node = self.start_node()
        node.order_peers(PLAIN.peer())
        self.assertIn("AS", node.until_trouble("NotificationReceived", "ClosedEarly"))

    def test_nobody_listens_at_first(self):
        """Connections are refused; then the router starts, and the session comes up."""
        self.place()
        node = self.start_node()
        node.order_peers(PLAIN.peer())
        node.until_trouble("Refused")
        self.router.start(PLAIN)
        node.until_up()

    def test_a_stranger_is_turned_away(self):
        """A router that dials without being anybody's peer is closed and counted; the node does not mind."""
        self.place()
        self.router.start(PLAIN)
        node = self.start_node()
        node.order_peers(dict(PLAIN.peer(), address="10.9.0.77", passive=True))
        until("the stranger", lambda: node.order(status=1)["unknown_callers"] > 0)
        self.assertFalse(self.router.up())

    def test_roles(self):
        """Roles that fit are agreed on; those that do not are told as trouble (RFC 9234)."""
        self.need("role")
        session = PLAIN.but(role="provider")
        node = self.meet(session, role="customer")
        self.tell(node, ONE)
        node.order_peers(session.peer(role="peer"))
        node.until_trouble("RoleMismatch", "NotificationReceived")


class Routes(Stories):
    """What is told over a session."""

    def test_communities_of_every_kind(self):
        """Standard, large, extended and well-known communities arrive as they were meant, and change."""
        node = self.meet()
        self.tell(node, ONE, communities=["64513:100", "no-export", "large:64513:1:4000000000",
                                          "extended:rt:64513:7", "extended:soo:192.0.2.1:9"])
        path = self.router.path(ONE)
        self.assertEqual(path.communities, {"64513:100", "65535:65281"})
        self.assertEqual(path.large, {"64513:1:4000000000"})
        self.assertTrue({"rt:64513:7", "soo:192.0.2.1:9"} <= path.extended, path.extended)
        node.announce(ONE, communities=["64513:200"])
        path = self.router.until_path(ONE, lambda p: p.communities == {"64513:200"})
        self.assertEqual((path.large, path.extended), (frozenset(), frozenset()))

    def test_med_and_prepend(self):
        """The router sees the metric and our AS as often as asked."""
        node = self.meet()
        self.tell(node, ONE, med=77, prepend=3)
        path = self.router.path(ONE)
        self.assertEqual((path.med, path.as_path), (77, (64513,) * 4))

    def test_link_bandwidth(self):
        """The weight arrives as a link bandwidth community."""
        node = self.meet()
        self.tell(node, ONE, weight=4)
        self.assertTrue(self.is_link_bandwidth(self.router.path(ONE).extended), self.router.path(ONE))

    @staticmethod
    def is_link_bandwidth(extended):
        """Whether one of these is 0x4004 (draft-ietf-idr-link-bandwidth), in any router's words."""
        return any(one.lower().startswith(LINK_BANDWIDTH) for one in extended)

    def test_routes_for_another_peer_are_not_told(self):
        """A route that names its peers goes to those alone."""
        node = self.meet()
        node.announce(ONE, peers=["somebody-else"])
        self.tell(node, TWO, peers=["router"])
        self.assertIsNone(self.router.path(ONE))

    def test_route_refresh(self):
        """The router asks for everything again, gets it, and nothing flaps."""
        self.need("refresh")
        node = self.meet()
        self.tell(node, ONE, TWO)
        before = node.status()
        self.router.refresh()
        after = node.until_status("updates again", lambda s: s["out"]["updates"] > before["out"]["updates"])
        self.assertGreater(after["in"]["route_refreshes"], 0)
        if "enhanced-refresh" in self.Router.can:  # begin and end of it (RFC 7313)
            node.until_status("both marks", lambda s: s["out"]["route_refreshes"] == 2)
        self.assertEqual(after["flaps"], 0)
        self.router.until_count(2)

    def test_ten_thousand_routes_and_as_many_withdrawals(self):
        """Packed into as few messages as 4096 bytes allow; each of them legal, withdrawals too."""
        node = self.meet()
        first = node.status()["out"]["updates"]
        sent = node.until_synced(node.generate("10.128.0.0", 10000))["out"]["updates"] - first
        self.router.until_count(10000)
        self.assertLessEqual(sent, 10000 // 800 + 2)
        gone = node.until_synced(node.generate("10.128.0.0", 10000, withdraw=True))
        self.router.until_count(0)
        self.assertLessEqual(gone["out"]["updates"] - first - sent, 10000 // 800 + 2)
        self.assertEqual((gone["flaps"], gone["state"]), (0, "Established"))

    def test_many_ipv6_routes_and_as_many_withdrawals(self):
        """The same for IPv6."""
        node = self.meet(OVER_IPV6)
        node.generate("2001:db8:1::", 3000)
        self.router.until_count(3000, "ipv6")
        node.generate("2001:db8:1::", 3000, withdraw=True)
        self.router.until_count(0, "ipv6")
        self.assertEqual(node.status()["flaps"], 0)

    def test_extended_messages(self):
        """Where both agree, messages grow beyond 4096 bytes (RFC 8654)."""
        self.need("extended-messages")
        node = self.meet(PLAIN.but(extended_messages=True))
        self.assertTrue(node.status()["negotiated"]["extended_message"])
        sent = node.until_synced(node.generate("10.128.0.0", 10000))["out"]["updates"]
        self.router.until_count(10000)
        self.assertLessEqual(sent, 4)

    def test_routes_of_the_router_are_counted_and_dropped(self):
        """The router tells a thousand routes; the node counts them and hands none back."""
        routes = tuple(f"172.16.{i // 250}.{i % 250}/32" for i in range(self.Router.many))
        node = self.meet(PLAIN.but(networks=routes))
        line = node.until_status("the routes", lambda s: s["received_ipv4"] >= self.Router.many)
        self.assertEqual((line["treated_as_withdraw"], line["flaps"], line["sent_ipv4"]), (0, 0, 0))
        self.tell(node, ONE)
        self.assertEqual(self.router.count(), 1)


class Endings(Stories):
    """How sessions end, and what the router keeps."""

    def watch(self, prefix):
        """Polls once; says when a route that must stay is not there."""
        self.assertTrue(self.router.paths(prefix), f"{prefix} vanished meanwhile")

    def test_graceful_restart_by_order(self):
        """The node goes with `restart` and comes back: its routes stay, stale; what it no longer has goes."""
        self.restarts(lambda node: node.end("restart"))

    def test_graceful_restart_after_a_kill(self):
        """The node's process is killed; as it comes back, the routes have stayed, too."""
        self.restarts(lambda node: node.kill())

    def restarts(self, end):
        """Routes stay from `end` on until the new process has told its own."""
        session = PLAIN.but(restart=60, families=("ipv4", "ipv6"))
        node = self.meet(session)
        self.assertTrue(node.status()["negotiated"]["graceful_restart"])
        self.tell(node, ONE, TWO, SIX)
        end(node)
        until("the router to notice", lambda: not self.router.up())
        until("stale routes", lambda: self.router.keeps_stale(ONE))
        self.watch(TWO)
        self.watch(SIX)
        back = self.start_node("--restarting")
        back.order_peers(session.peer())
        back.until_up()
        until("the router to be up", self.router.up)
        for _ in range(5):  # connected, and no plan yet: nothing goes
            self.watch(ONE)
            self.watch(TWO)
            time.sleep(0.1)
        back.announce(ONE, SIX)
        self.router.until_gone(TWO)
        self.watch(SIX)
        until("fresh routes", lambda: not self.router.keeps_stale(ONE))
        self.assertEqual(back.status()["flaps"], 0)

    def test_a_node_that_does_not_come_back_is_forgotten(self):
        """After the restart time the router drops what it kept."""
        node = self.meet(PLAIN.but(restart=2))
        self.tell(node, ONE)
        node.end("restart")
        self.watch(ONE)
        self.router.until_gone(ONE, limit=10)

    def test_a_router_without_graceful_restart_loses_nothing_but_the_routes(self):
        """`restart` with a router that did not agree to it is a shutdown."""
        node = self.meet()
        self.tell(node, ONE)
        node.end("restart")
        self.router.until_gone(ONE)

    def test_draining(self):
        """First the graceful shutdown community, then no route, the session stays; then everything is back."""
        node = self.meet()
        self.tell(node, ONE)
        node.order(drain=True)
        self.router.until_path(ONE, lambda p: "65535:0" in p.communities)
        self.router.until_gone(ONE)
        self.assertTrue(self.router.up())
        node.order(drain=False)
        self.router.until_path(ONE, lambda p: "65535:0" not in p.communities)
        self.assertEqual(node.status()["flaps"], 0)

    def test_draining_ibgp(self):
        """On iBGP the route falls to local preference 0 meanwhile."""
        node = self.meet(PLAIN.but(local_as=64513))
        self.tell(node, ONE)
        node.order(drain=True)
        self.router.until_path(ONE, lambda p: p.local_pref == 0 and "65535:0" in p.communities)
        self.router.until_gone(ONE)

    def test_shutdown_tells_why(self):
        """Community, withdrawal, and a NOTIFICATION whose text the router shows (RFC 9003)."""
        node = self.meet()
        self.tell(node, ONE)
        node.process.stdin.write('{"stop":"shutdown","text":"kernel update, back at ten"}\n')
        node.process.stdin.flush()
        self.router.until_path(ONE, lambda p: "65535:0" in p.communities)
        self.router.until_gone(ONE)
        node.process.wait(timeout=15)
        until("the text", lambda: "kernel update, back at ten" in self.router.told())

    def test_the_router_restarts(self):
        """The router is killed and started again: session and routes are back."""
        node = self.meet()
        self.tell(node, ONE, TWO)
        self.router.kill()
        node.until_trouble("ConnectionLost", "Refused", "NotificationReceived", "ClosedEarly")
        self.router.restart()
        node.until_up()
        self.router.until_count(2)
        self.assertEqual(node.status()["flaps"], 1)

    def test_a_frozen_router_is_given_up(self):
        """Nothing is heard for the hold time: the session ends, and comes back as the router does."""
        node = self.meet(PLAIN.but(hold=FAST_HOLD))
        self.assertEqual(node.status()["negotiated"]["hold"], FAST_HOLD)
        self.tell(node, ONE)
        self.router.freeze()
        frozen = time.monotonic()
        event = node.first_trouble("HoldTimerExpired")
        self.assertTrue(FAST_HOLD - 1.1 < event["at"] - frozen < FAST_HOLD + 1, event["at"] - frozen)
        self.router.thaw()
        node.until_up()
        self.router.until_path(ONE)

    def test_a_frozen_node_is_given_up(self):
        """The other way round: the router drops the routes of a node it does not hear."""
        node = self.meet(PLAIN.but(hold=FAST_HOLD))
        self.tell(node, ONE)
        node.process.send_signal(signal.SIGSTOP)
        try:
            self.router.until_gone(ONE)
        finally:
            node.process.send_signal(signal.SIGCONT)
        node.until_up()
        self.router.until_path(ONE)

    def test_bfd(self):
        """BFD goes down while TCP still stands: the session ends at once; BFD is back, and so is all else."""
        self.need("bfd")
        self.bfd(PLAIN.but(bfd=True))

    def test_bfd_over_ipv6(self):
        """The same over IPv6."""
        self.need("bfd")
        self.bfd(OVER_IPV6.but(bfd=True))

    def bfd(self, session):
        """The cable loses BFD's packets alone."""
        route = SIX if "ipv6" in session.families else ONE
        node = self.meet(session)
        self.tell(node, route)
        node.until_status("BFD", lambda s: s["bfd"] == "Up")
        until("BFD at the router", self.router.bfd_up)
        node.forget()
        undo = [Place.drop(name, *BFD_PORT) for name in (NODE, ROUTER)]
        began = time.monotonic()
        event = node.first_trouble("BFDDown", "NotificationReceived")
        self.assertLess(event["at"] - began, 1)
        self.router.until_gone(route)
        for one in undo:
            one()
        node.until_up()
        self.router.until_path(route)


def main(usage, router, *classes):
    """Runs the stories with one router, in namespaces of this process's own; skips with the reason."""
    if len(sys.argv) < 2:
        sys.exit(usage)
    sys.dont_write_bytecode = True
    why_not = router.missing() or (None if os.geteuid() == 0 else "network namespaces and routers need root")
    if why_not:
        print("SKIPPED: " + why_not)
        sys.exit(SKIPPED)
    sys.argv[:2] = map(os.path.abspath, sys.argv[:2])
    BgpNode.program = sys.argv[1]
    netns.enter()
    del sys.argv[1]
    module = sys.modules["__main__"]
    for base in classes:
        setattr(module, base.__name__, type(base.__name__, (base,), {"Router": router, "__doc__": base.__doc__}))
    unittest.main(verbosity=2)
