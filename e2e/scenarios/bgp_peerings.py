"""Every way to peer: far away, passive, without addresses, two routers at one address, in a VRF, by any number.

BIRD, FRR and GoBGP take turns as the router, whichever shows the case best.
"""

import json
from dataclasses import replace

from bgp import (NODES_ASN, OTHER_ASN, ROUTER, TOR_ASN, bfd_profile, expect_spread, host_route, node_names, peer,
                 serve, session_states, wait_answer, wait_session_state)
from cluster import expect
from manifests import balancer, on_nodes, passed
from router_config import Bfd, Neighbour, Setup
from routers import Router

FAR = "198.51.100.50"  # `remote`
LINK = "tor0"  # a node's end of a cable straight to the router


def cable(cluster, name):
    """A cable of its own between a node and the router; returns the router's interface. The node's end has the MAC
    of its eth0, by which routers.py knows it."""
    node = cluster.topology.node(name)
    port = f"to-{name}"
    cluster.run(None, "ip", "link", "add", port, "netns", "router", "type", "veth", "peer", "name", LINK, "address",
                node.mac, "netns", name)
    cluster.run("router", "ip", "link", "set", port, "up")
    cluster.run(name, "ip", "link", "set", LINK, "up")
    return port


def two_at_one_address(cluster, address):
    """BIRD on the usual port, GoBGP on another one of the same machine."""
    tor, other = Router(cluster, "bird"), Router(cluster, "gobgp")
    tor.start(tor.setup(TOR_ASN, NODES_ASN))
    other.start(other.setup(OTHER_ASN, NODES_ASN, port=1179, fib=False, passive=True))
    cluster.put(peer(), peer("other", peerASN=OTHER_ASN, peerPort=1179))
    for router in (tor, other):
        router.wait_established()
        router.wait_routes(host_route(address), *node_names(cluster))
    expect_spread(cluster, address)
    passed("two peers with the same address and different ports")
    cluster.delete("BGPPeer", "other")
    other.stop()
    return tor


def waiting_and_watching_the_ttl(cluster, address, tor):
    """passiveMode: only the router dials. ttlSecurityHops: both sides want TTL 255."""
    cluster.put(peer(passiveMode=True, ttlSecurityHops=1))
    tor.restart(tor.setup(TOR_ASN, NODES_ASN, ttl_security=True))
    tor.wait_established()
    tor.wait_routes(host_route(address), *node_names(cluster))
    for node in node_names(cluster):
        links = cluster.run(node, "ss", "-Htn", "state", "established", "dport", "=", ":179")
        expect(ROUTER not in links, f"{node} has dialled although it is passive: {links}")
    passed("a passive speaker is dialled, with TTL security")
    cluster.put(peer())
    tor.stop()


def far_away(cluster, address):
    """A router that is two hops away: external with ebgpMultiHop, internal without."""
    far = Router(cluster, "bird", "remote")
    far.start(far.setup(TOR_ASN, NODES_ASN, multihop=3, restart_seconds=0))
    cluster.put(peer("far", peerAddress=FAR))
    status = wait_session_state(cluster, "node1", "far", lambda now: now.get("message"), "why it is not up")
    print(f"  without ebgpMultiHop: {status.get('reason')}: {status['message']}", flush=True)
    expect(not any(session.up for session in far.sessions().values()), "external BGP two hops away as if it were one")
    cluster.put(peer("far", peerAddress=FAR, ebgpMultiHop=True))
    far.wait_established()
    far.wait_routes(host_route(address), *node_names(cluster))
    passed("external BGP with a router two hops away needs ebgpMultiHop")
    far.restart(far.setup(NODES_ASN, NODES_ASN, multihop=3, restart_seconds=0, bfd=True))
    # BIRD sends its packets with TTL 64 over several hops.
    cluster.put(bfd_profile("far", minimumTtl=60), peer("far", peerAddress=FAR, peerASN=NODES_ASN, bfdProfile="far"))
    far.wait_established()
    far.wait_routes(host_route(address), *node_names(cluster), where=lambda path: path.local_pref == 100)
    cluster.wait_for("BFD over two hops", lambda: (now := far.bfd()) and len(now) == 3 and all(
        session.up for session in now.values()))
    passed("internal BGP with a router two hops away needs nothing, and BFD watches the way")
    cluster.delete("BGPPeer", "far")
    far.stop()


def numbers_of_open(cluster, address):
    """What FRR is told: numbers, identifier, timers, source."""
    tor = Router(cluster, "frr")
    node = cluster.topology.node("node1")
    own = tor.setup(TOR_ASN, 65001, nodes=["node1"])
    second = Neighbour("source", 65002, "192.168.100.111")
    cluster.run("node1", "ip", "address", "add", "192.168.100.111/32", "dev", "eth0")
    tor.start(replace(own, neighbours=(*own.neighbours, second)))
    cluster.delete("BGPPeer", "tor")
    cluster.put(peer("tor", nodeSelectors=on_nodes("node1"), localASN=65001, peerASN=None, dynamicASN="external",
                     routerID="10.9.8.7", holdTime="30s", keepaliveTime="7s", connectTime="2s"))
    tor.wait_established("node1")
    tor.wait_routes(host_route(address), "node1", where=lambda path: path.as_path == (65001,))
    told = json.loads(tor.ask("show bgp neighbors json"))[str(node.address)]
    wanted = {"remoteAs": 65001, "remoteRouterId": "10.9.8.7", "bgpTimerHoldTimeMsecs": 30000}
    seen = {key: told.get(key) for key in wanted}
    expect(seen == wanted, f"FRR was told {seen}")
    since = tor.sessions()["node1"]
    cluster.put(peer("tor", nodeSelectors=on_nodes("node1"), localASN=65001, peerASN=None, dynamicASN="external",
                     routerID="10.9.8.7", holdTime="30s", keepaliveTime="5s", connectTime="1s"))
    cluster.put(balancer("mark"))
    tor.wait_routes(host_route(cluster.wait_external_ip("mark")), "node1")
    expect(tor.sessions()["node1"] == since, "new timers reset the session")
    cluster.delete("Service", "mark")
    passed("localASN, dynamicASN external, routerID and timers; new timers don't reset a session")
    cluster.put(peer("tor", peerASN=None, dynamicASN="internal", nodeSelectors=on_nodes("node1")))
    status = wait_session_state(cluster, "node1", "tor", lambda now: now["bgp"] != "Established"
                                and str(TOR_ASN) in now.get("message", ""), "the router's number is wrong")
    print(f"  dynamicASN internal towards another number: {status.get('reason')}: {status['message']}", flush=True)
    passed("dynamicASN internal refuses a router of another number")
    cluster.put(peer("tor", nodeSelectors=on_nodes("node1"), myASN=65002, sourceAddress="192.168.100.111"))
    tor.wait_routes(host_route(address), "source", where=lambda path: path.as_path == (65002,))
    passed("sourceAddress")
    cluster.delete("BGPPeer", "tor")
    cluster.run("node1", "ip", "address", "delete", "192.168.100.111/32", "dev", "eth0")
    tor.stop()


def without_addresses(cluster, address):
    """Unnumbered: a cable from each node to FRR, IPv4 routes with IPv6 next hops, BFD on them."""
    tor = Router(cluster, "frr")
    links = {name: cable(cluster, name) for name in node_names(cluster)}
    setup = Setup(TOR_ASN, "192.168.100.1", tuple(
        Neighbour(name, NODES_ASN, interface=port, bfd=True) for name, port in links.items()), bfd=Bfd(300, 3),
        restart_seconds=0)
    cluster.put(bfd_profile("usual"), peer("tor", peerAddress=None, interface=LINK, bfdProfile="usual"))
    tor.start(setup)
    tor.wait_established(deadline=30)
    tor.wait_next_hops(host_route(address), *node_names(cluster))
    cluster.wait_for("BFD on the cables", lambda: (now := tor.bfd()) and len(now) == 3 and all(
        session.up for session in now.values()))
    wait_answer(cluster, address)
    expect_spread(cluster, address)
    passed("unnumbered with BFD: IPv4 routes with IPv6 next hops, requests through every node")
    cluster.delete("BGPPeer", "tor")
    cluster.wait_for("end of the sessions", lambda: not any(session.up for session in tor.sessions().values()))
    tor.restart(replace(setup, neighbours=tuple(replace(one, bfd=False) for one in setup.neighbours)))
    cluster.put(peer("tor", peerAddress=None, interface=LINK, enableGracefulRestart=True))
    tor.wait_established(deadline=30)
    tor.wait_next_hops(host_route(address), *node_names(cluster))
    passed("unnumbered without BFD")
    cluster.delete("BGPPeer", "tor")
    tor.stop()


def in_a_vrf(cluster, address):
    """node2 peers in a VRF of its own, on the cable."""
    tor = Router(cluster, "bird")
    cluster.run("node2", "sh", "-c", f"ip link add red type vrf table 10 && ip link set red up && "
                f"ip link set {LINK} master red && ip address add 10.77.0.2/24 dev {LINK}")
    cluster.run("router", "ip", "address", "add", "10.77.0.1/24", "dev", "to-node2")
    tor.start(Setup(TOR_ASN, "192.168.100.1", (Neighbour("node2", NODES_ASN, "10.77.0.2"),)))
    cluster.put(peer("tor", peerAddress="10.77.0.1", vrf="red", nodeSelectors=on_nodes("node2")))
    tor.wait_established()
    tor.wait_routes(host_route(address), "node2", where=lambda path: path.next_hop == "10.77.0.2")
    cluster.wait_for("sessions of node2 alone", lambda: {node for node, _ in session_states(cluster)} == {"node2"})
    passed("a session in a VRF")
    cluster.delete("BGPPeer", "tor")
    tor.stop()


def run(cluster):
    cluster.put(peer())
    address, = serve(cluster, balancer("web"))
    tor = two_at_one_address(cluster, address)
    waiting_and_watching_the_ttl(cluster, address, tor)
    far_away(cluster, address)
    numbers_of_open(cluster, address)
    without_addresses(cluster, address)
    in_a_vrf(cluster, address)
