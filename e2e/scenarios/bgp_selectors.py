"""Who announces what to whom by BGP: selectors of nodes and Services, lists of peers, conditions of nodes.

Two routers: BIRD on `router` (peer tor) and GoBGP on `client` (peer second). What each of them was told is compared
with ServiceBGPStatus.
"""

from bgp import (FOUR, NODES_ASN, TOR_ASN, announcement, host_route, node_names, peer, serve, told_peers,
                 wait_answer, wait_told_peers)
from cluster import expect
from manifests import advertisement, balancer, match_labels, on_nodes, passed, pool_object
from nodes_leave import label, set_network_unavailable
from routers import Router

SECOND = "192.168.100.50"  # `client`
TOR, OTHER = "tor", "second"


class Both:
    """Both routers and what they were told."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.routers = {TOR: Router(cluster, "bird"), OTHER: Router(cluster, "gobgp", "client")}
        for router in self.routers.values():
            router.start(router.setup(TOR_ASN, NODES_ASN))

    def wait(self, address, tor, other, service="web", where=lambda path: True):
        """Until each router has the route from exactly those nodes, and the statuses say so."""
        for name, nodes in ((TOR, tor), (OTHER, other)):
            self.routers[name].wait_routes(host_route(address), *nodes, where=where)
        told = {node: [name for name, nodes in ((OTHER, other), (TOR, tor)) if node in nodes]
                for node in {*tor, *other}}
        wait_told_peers(self.cluster, service, told)


def peers_of_an_advertisement(cluster, both, address, everybody):
    cluster.put(announcement(peers=[TOR, "nobody"]))
    both.wait(address, everybody, [])
    cluster.put(announcement(peers=[OTHER]))
    both.wait(address, [], everybody)
    cluster.put(announcement(peers=[TOR], communities=["65000:1"]),
                announcement("other", peers=[OTHER], communities=["65000:2"]))
    for name, wanted in ((TOR, "65000:1"), (OTHER, "65000:2")):
        both.routers[name].wait_routes(host_route(address), *everybody,
                                       where=lambda path, one=wanted: path.communities == {one})
    wait_told_peers(cluster, "web", {node: [OTHER, TOR] for node in everybody})
    cluster.delete("BGPAdvertisement", "other")
    cluster.put(announcement())
    both.wait(address, everybody, everybody, where=lambda path: not path.communities)
    passed("an advertisement goes to the peers it names, each gets its own attributes, an unknown name is ignored")


def nodes_of_an_advertisement(cluster, both, address, everybody):
    cluster.put(announcement(nodeSelectors=on_nodes("node1", "node3")))
    both.wait(address, ["node1", "node3"], ["node1", "node3"])
    cluster.put(announcement(nodeSelectors=match_labels(rack="a")))
    both.wait(address, [], [])
    cluster.patch("Node", "node2", {"metadata": {"labels": {"rack": "a"}}})
    both.wait(address, ["node2"], ["node2"])
    cluster.put(announcement(nodeSelectors=on_nodes("node1")),
                announcement("b", nodeSelectors=match_labels(rack="a"), peers=[OTHER]))
    both.wait(address, ["node1"], ["node1", "node2"])
    cluster.delete("BGPAdvertisement", "b")
    cluster.put(announcement())
    both.wait(address, everybody, everybody)
    passed("only selected nodes announce; nodes join and leave with their labels")


def nodes_of_a_peer(cluster, both, address, everybody):
    since = both.routers[TOR].sessions()["node2"].since
    cluster.put(peer(TOR, nodeSelectors=match_labels(rack="a")))
    both.wait(address, ["node2"], everybody)
    states = both.routers[TOR].sessions()
    expect(not states["node1"].up and not states["node3"].up, f"a session with a node nobody selects: {states}")
    expect(states["node2"].since == since, "the session of a node that stays selected was reset")
    cluster.patch("Node", "node3", {"metadata": {"labels": {"rack": "a"}}})
    both.wait(address, ["node2", "node3"], everybody)
    cluster.put(peer(TOR))
    both.wait(address, everybody, everybody)
    cluster.delete("BGPPeer", OTHER)
    both.wait(address, everybody, [])
    cluster.put(peer(OTHER, peerAddress=SECOND))
    both.wait(address, everybody, everybody)
    passed("sessions come and go with a peer's nodeSelectors, with labels and with the peer")


def services_of_an_advertisement(cluster, both, address, everybody):
    cluster.put(announcement(serviceSelectors=match_labels(tier="gold")))
    both.wait(address, [], [])
    cluster.patch("Service", "web", {"metadata": {"labels": {"tier": "gold"}}})
    both.wait(address, everybody, everybody)
    cluster.put(announcement(serviceSelectors=match_labels(tier="gold"), communities=["65000:1"]),
                announcement("rest", serviceSelectors=match_labels(tier="tin"), communities=["65000:2"]),
                balancer("cheap", labels={"tier": "tin"}))
    cheap = cluster.wait_external_ip("cheap")
    both.wait(address, everybody, everybody, where=lambda path: path.communities == {"65000:1"})
    both.wait(cheap, everybody, everybody, "cheap", where=lambda path: path.communities == {"65000:2"})
    cluster.delete("Service", "cheap")
    cluster.delete("BGPAdvertisement", "rest")
    cluster.put(announcement())
    both.wait(address, everybody, everybody)
    passed("advertisements select Services by label, each with its own attributes")


def conditions_of_nodes(cluster, both, address, everybody):
    others = [node for node in everybody if node != "node1"]
    set_network_unavailable(cluster, "node1", "True")
    both.wait(address, others, others)
    set_network_unavailable(cluster, "node1", "False")
    both.wait(address, everybody, everybody)
    label(cluster, "node1", "")
    both.wait(address, others, others)
    label(cluster, "node1", None)
    both.wait(address, everybody, everybody)
    passed("NetworkUnavailable and the label exclude-from-external-load-balancers keep a node out")


def both_protocols(cluster, both, everybody):
    """The same Service by layer 2 and by BGP; each goes by itself."""
    cluster.put(pool_object("near", "192.168.100.200/32"), advertisement("near", ipAddressPools=["near"]),
                balancer("near", annotations={"address_pool": "near"}))
    address = cluster.wait_external_ip("near")
    owner = cluster.wait_owner(address)
    both.wait(address, everybody, everybody, "near")
    wait_answer(cluster, address)
    cluster.delete("L2Advertisement", "near")
    cluster.wait_silence(address)
    both.wait(address, everybody, everybody, "near")
    cluster.put(advertisement("near", ipAddressPools=["near"]))
    cluster.wait_owner(address, owner)
    cluster.put(announcement(ipAddressPools=["routed"]))
    both.wait(address, [], [], "near")
    cluster.wait_owner(address, owner)
    cluster.put(announcement())
    cluster.delete("Service", "near")
    passed("a Service is announced by layer 2 and by BGP, and each announcement goes without the other")


def metrics(cluster, both, address):
    """The speaker's counters of its sessions, named as MetalLB's."""
    def samples():
        return {ordered(name): value for name, value in cluster.metrics("node1").items()}

    def ordered(name):
        """Labels in the order of their names, without our own `name`."""
        head, _, labels = name.partition("{")
        kept = sorted(label for label in labels.rstrip("}").split(",") if not label.startswith("name="))
        return head + "{" + ",".join(kept) + "}"
    tor = 'peer="192.168.100.1:179"'
    announced = f'metallb_speaker_announced{{ip="{address}",node="node1",protocol="bgp",service="default/web"}}'

    def all_there():
        now = samples()
        return (now.get(f"metallb_bgp_session_up{{{tor}}}") == 1
                and now.get(f"metallb_bgp_announced_prefixes_total{{{tor}}}") == 1
                and now.get(f"metallb_bgp_updates_total{{{tor}}}", 0) >= 1
                and now.get(f"metallb_bgp_keepalives_sent{{{tor}}}", 0) >= 1
                and now.get(f"metallb_bgp_opens_received{{{tor}}}", 0) >= 1 and now.get(announced) == 1)
    cluster.wait_for("metrics of a session that is up", all_there)
    both.routers[TOR].stop()
    cluster.wait_for("metrics of a session that is down", lambda: (now := samples()).get(
        f"metallb_bgp_session_up{{{tor}}}") == 0 and now.get(f"metallb_bgp_announced_prefixes_total{{{tor}}}") == 0)
    cluster.delete("BGPPeer", TOR)
    cluster.wait_for("end of the peer's metrics", lambda: not any(tor in name for name in samples()))
    passed("metallb_bgp_* tell session and routes, and go with the peer")


def run(cluster):
    both = Both(cluster)
    cluster.put(peer(TOR), peer(OTHER, peerAddress=SECOND))
    address, = serve(cluster, balancer("web"))
    expect(address == FOUR.format(0), f"web got {address}")
    everybody = node_names(cluster)
    both.wait(address, everybody, everybody)
    wait_answer(cluster, address)
    peers_of_an_advertisement(cluster, both, address, everybody)
    nodes_of_an_advertisement(cluster, both, address, everybody)
    nodes_of_a_peer(cluster, both, address, everybody)
    services_of_an_advertisement(cluster, both, address, everybody)
    conditions_of_nodes(cluster, both, address, everybody)
    both_protocols(cluster, both, everybody)
    metrics(cluster, both, address)
    cluster.delete("Service", "web")
    cluster.wait_for("end of the statuses", lambda: not told_peers(cluster, "web"))
    passed("statuses go with the Service")
