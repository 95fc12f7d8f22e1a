"""One story for every kind of top-of-rack router; bgp_bird, bgp_frr and bgp_gobgp tell it.

First external BGP with everything on one session (both families, MD5, graceful restart, BFD where the router has
it), then internal BGP with a session for each family and nothing of it.
"""

from dataclasses import replace

from bgp import (NODES_ASN, ROUTER6, TOR_ASN, announcement, bfd_profile, community_names, dual, end_speaker,
                 expect_spread, host_route, measured_loss, node_names, password_secret, peer, serve,
                 speaker_is_back, wait_answer, wait_session_state, wait_told_peers, watch_until)
from cluster import expect
from manifests import balancer, deployment, passed
from router_config import Bfd
from routers import Router

FOREIGN, FOREIGN6 = "203.0.113.0/24", "2001:db8:dead::/48"
PASSWORD = "correct-horse"
# Long enough for a router's command line tool to see what a draining node says before it withdraws.
DRAIN_WAIT = ("--bgp-drain-wait=5s",)


class Story:
    """A lab with one router in it."""

    def __init__(self, cluster, kind):
        self.cluster = cluster
        self.kind = kind
        self.tor = Router(cluster, kind)
        self.nodes = node_names(cluster)
        self.has_bfd = kind != "gobgp"

    def wait_everywhere(self, *addresses, names=None):
        """Until the kernel of the router has a route to each address over all nodes (or those)."""
        for address in addresses:
            self.tor.wait_next_hops(host_route(address), *(self.nodes if names is None else names))

    # --- external

    def external(self):
        """Sessions with everything, routes of both families, requests through every node."""
        cluster = self.cluster
        self.tor.start(self.tor.setup(TOR_ASN, NODES_ASN, password=PASSWORD, bfd=self.has_bfd,
                                      bfd_timers=Bfd(300, 3), networks=(FOREIGN, FOREIGN6)))
        bfd = {"bfdProfile": "usual"} if self.has_bfd else {}
        cluster.put(password_secret("tor", PASSWORD), bfd_profile("usual"),
                    peer(dualStackAddressFamily=True, enableGracefulRestart=True, passwordSecret={"name": "tor"},
                         **bfd))
        four, six = serve(cluster, dual("web"))
        sessions = self.tor.wait_established()
        expect(all(session.remote_restarts for session in sessions.values()),
               f"the nodes did not announce graceful restart: {sessions}")
        self.wait_everywhere(four, six)
        for address in (four, six):
            wait_answer(cluster, address)
            paths = self.tor.wait_routes(host_route(address), *self.nodes)
            expect(all(path.as_path == (NODES_ASN,) for path in paths.values()), f"AS paths of {address}: {paths}")
            print(f"  requests to {address} came in through {expect_spread(cluster, address)}", flush=True)
        links = ("ss", "-Htn", "state", "established", "( sport = :179 or dport = :179 )")
        cluster.wait_for("one connection a node", lambda: len(cluster.run("router", *links).splitlines()) == 3)
        passed("external BGP with MD5 carries both families, and requests come in through all three nodes")
        wait_told_peers(cluster, "web", {node: ["tor"] for node in self.nodes})
        for node in self.nodes:
            wait_session_state(cluster, node, "tor", lambda now: now["bgp"] == "Established"
                               and now.get("sentIPv4") == now.get("sentIPv6") == 1, "one route of each family is sent")
        if self.has_bfd:
            cluster.wait_for("BFD sessions", lambda: (now := self.tor.bfd()) and len(now) == 3
                             and all(session.up for session in now.values()))
            wait_session_state(cluster, "node1", "tor", lambda now: now["bfd"] == "Up", "BFD is up")
        passed("ServiceBGPStatus and BGPSessionState say what was sent, to whom")
        return four, six

    def refusal(self):
        """Nothing that the router announces gets into a node."""
        for node in self.nodes:
            for version, prefix in ((4, FOREIGN), (6, FOREIGN6)):
                found = self.cluster.run(node, "ip", f"-{version}", "route", "show", "table", "all", prefix).strip()
                expect(not found, f"{node} took a route from the router: {found}")
        passed("the nodes take none of the router's routes")

    def attributes(self, four):
        """An advertisement's attributes arrive, and arrive anew when it is edited, on the same session."""
        cluster, prefix = self.cluster, host_route(four)
        before = {name: session.since for name, session in self.tor.sessions().items()}
        cluster.put(community_names("names", our_customers="65000:100"))
        cluster.put(announcement(communities=["our-customers", "65000:200", "large:64513:1:2", "extended:rt:64513:7",
                                              "no-export"], med=70, asPathPrepend=2))
        wanted = {"65000:100", "65000:200", "65535:65281"}
        self.tor.wait_routes(prefix, *self.nodes, where=lambda path: path.communities == wanted
                             and path.large == {"64513:1:2"} and path.extended == {"rt:64513:7"} and path.med == 70
                             and path.as_path == (NODES_ASN,) * 3)
        cluster.put(announcement("more", communities=["65000:300"], med=70, asPathPrepend=2))
        self.tor.wait_routes(prefix, *self.nodes, where=lambda path: path.communities == wanted | {"65000:300"})
        cluster.delete("BGPAdvertisement", "more")
        cluster.put(announcement(linkBandwidth=True))
        self.tor.wait_routes(prefix, *self.nodes, where=lambda path: len(path.extended) == 1)
        cluster.put(announcement())
        self.tor.wait_routes(prefix, *self.nodes, where=lambda path: path.as_path == (NODES_ASN,)
                             and not (path.communities or path.large or path.extended))
        passed("communities of all kinds, an alias, MED, prepending and link bandwidth arrive; advertisements add up")
        cluster.put(announcement(aggregationLength=26, aggregationLengthV6=122))
        self.tor.wait_routes("192.0.2.0/26", *self.nodes)
        self.tor.wait_routes("2001:db8:100::/122", *self.nodes)
        self.tor.wait_routes(prefix)
        wait_answer(cluster, four)
        cluster.put(announcement(), balancer("second"))
        self.tor.wait_routes(prefix, *self.nodes)
        self.tor.wait_routes("192.0.2.0/26")
        second = cluster.wait_external_ip("second")
        self.tor.wait_routes(host_route(second), *self.nodes)
        passed("an aggregate takes the place of its addresses, and gives it back")
        cluster.delete("Service", "second")
        self.tor.wait_routes(host_route(second))
        after = {name: session.since for name, session in self.tor.sessions().items()}
        expect(before == after, f"sessions were reset by advertisements and Services: {before}, then {after}")
        passed("sessions outlive every change of advertisements and Services")

    def local_policy(self):
        """With externalTrafficPolicy Local the route follows the pod, which sees the client itself."""
        cluster = self.cluster
        cluster.apply(deployment("lone", 1, "node2"))
        cluster.put(balancer("lone", app="lone", externalTrafficPolicy="Local"))
        address = cluster.wait_external_ip("lone")
        self.wait_everywhere(address, names=["node2"])
        wait_answer(cluster, address)
        seen = cluster.shares("remote", address, count=10)["clients"]
        expect(list(seen) == [str(cluster.topology.remote.address)], f"Local: the pod saw {seen}")
        wait_told_peers(cluster, "lone", {"node2": ["tor"]})
        cluster.apply(deployment("lone", 1, "node3"))
        self.wait_everywhere(address, names=["node3"])
        wait_answer(cluster, address)
        passed("with externalTrafficPolicy Local the route follows the pod, which sees the client's own address")
        cluster.delete("Service", "lone")
        cluster.delete("Deployment", "lone")
        self.tor.wait_routes(host_route(address))

    def router_restarts(self, *addresses):
        """The router is away for a moment; everything comes back by itself."""
        self.tor.stop("KILL")
        wait_session_state(self.cluster, "node1", "tor", lambda now: now["bgp"] != "Established", "it is down")
        wait_told_peers(self.cluster, "web", {})
        self.tor.start(self.tor.current)
        self.tor.wait_established()
        self.wait_everywhere(*addresses)
        wait_told_peers(self.cluster, "web", {node: ["tor"] for node in self.nodes})
        passed("sessions and routes come back by themselves when the router was away")

    def graceful_restart(self, *addresses):
        """A speaker is replaced: the router keeps its routes, no request is lost."""
        cluster = self.cluster
        probers = [cluster.prober("remote", address) for address in addresses]
        old = end_speaker(cluster, "node1")
        seen = watch_until(cluster, "new speaker on node1", lambda: speaker_is_back(cluster, "node1", old)
                           and self.tor.sessions()["node1"].up,
                           lambda: sorted(self.tor.next_hops(host_route(addresses[0]))))
        self.tor.wait_routes(host_route(addresses[0]), *self.nodes, where=lambda path: not path.stale)
        expect(seen == [self.nodes], f"the router moved routes while node1's speaker restarted: {seen}")
        for address, prober in zip(addresses, probers):
            measured_loss(f"{address}, speaker of node1 replaced under graceful restart", prober)
        prober = cluster.prober("remote", addresses[0])
        since = self.tor.sessions()["node2"].since
        cluster.signal_speaker("node2", "KILL")
        cluster.wait_for("session after the crash", lambda: (now := self.tor.sessions()["node2"]).up
                         and now.since != since, 40)
        measured_loss("speaker of node2 killed under graceful restart", prober)
        self.wait_everywhere(*addresses)
        passed("a speaker that restarts, or is killed, loses neither a route nor a request under graceful restart")

    # --- internal

    def internal(self):
        """A session for each family; local preference; no graceful restart."""
        cluster = self.cluster
        cluster.delete("BGPPeer", "tor")
        cluster.wait_for("end of the sessions", lambda: not any(
            session.up for session in self.tor.sessions().values()))
        wait_told_peers(cluster, "web", {})
        passed("a deleted peer's sessions and statuses go")
        setups = [self.tor.setup(NODES_ASN, NODES_ASN, version=version, families=(f"ipv{version}",))
                  for version in (4, 6)]
        self.tor.restart(join(*setups))
        cluster.put(peer("four", peerASN=None, dynamicASN="internal"),
                    peer("six", peerASN=NODES_ASN, peerAddress=ROUTER6),
                    announcement(localPref=250, communities=["65000:1"]))
        four, six = cluster.addresses("web")
        self.tor.wait_established()
        for address, suffix in ((four, ""), (six, "_6")):
            self.wait_everywhere(address)
            self.tor.wait_routes(host_route(address), *(name + suffix for name in self.nodes), where=lambda path:
                                 path.local_pref == 250 and path.as_path == () and path.communities == {"65000:1"})
            expect_spread(cluster, address)
        wait_told_peers(cluster, "web", {node: ["four", "six"] for node in self.nodes})
        cluster.put(announcement())
        self.tor.wait_routes(host_route(four), *self.nodes, where=lambda path: path.local_pref == 100)
        passed("internal BGP with a session for each family carries localPref, 100 unless an advertisement says more")
        return four

    def plain_restart(self, four):
        """Without graceful restart a speaker that ends takes its routes back first, and no request is lost."""
        cluster = self.cluster
        prober = cluster.prober("remote", four)
        old = end_speaker(cluster, "node1")
        seen = watch_until(cluster, "new speaker on node1 and its route", lambda: speaker_is_back(
            cluster, "node1", old) and self.tor.next_hops(host_route(four)) == set(self.nodes),
            lambda: sorted(self.tor.next_hops(host_route(four))))
        expect(["node2", "node3"] in seen, f"the route over node1 stayed while it had no speaker: {seen}")
        measured_loss("speaker of node1 replaced without graceful restart", prober, moves=2)
        passed("without graceful restart the routes of an ending speaker are withdrawn before it ends")

    def drain(self, four):
        """A drained node says so to the router, then withdraws."""
        cluster = self.cluster
        prober = cluster.prober("remote", four)
        cluster.patch("Node", "node2", {"metadata": {"annotations": {"steelyard.io/drain": "true"}}})
        marks = []  # of node2's path, as long as there is one

        def withdrawn():
            path = self.tor.routes(host_route(four)).get("node2")
            marks.append(sorted(path.communities) if path else None)
            return path is None
        cluster.wait_for("withdrawal by node2", withdrawn, interval=0)
        expect(["65535:0"] in marks, f"node2 withdrew without the graceful-shutdown community: {marks}")
        self.wait_everywhere(four, names=["node1", "node3"])
        since = self.tor.sessions()["node2"].since
        expect(since, "the drained node closed its session")
        cluster.patch("Node", "node2", {"metadata": {"annotations": {"steelyard.io/drain": None}}})
        self.wait_everywhere(four)
        expect(self.tor.sessions()["node2"].since == since, "the drained node's session was reset")
        measured_loss("node2 drained and back", prober, moves=3)
        passed("a drained node is avoided first and withdraws then, keeps its session and loses no request")


def join(four, six):
    """One router with the neighbours of two setups; those of the second are called node1_6, ..."""
    return replace(four, neighbours=four.neighbours + tuple(
        replace(one, name=one.name + "_6") for one in six.neighbours))


def tell(cluster, kind):
    """The whole story."""
    story = Story(cluster, kind)
    four, six = story.external()
    story.refusal()
    story.attributes(four)
    story.local_policy()
    story.router_restarts(four, six)
    story.graceful_restart(four, six)
    four = story.internal()
    story.plain_restart(four)
    story.drain(four)
