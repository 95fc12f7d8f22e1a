"""trafficDistribution: clients use endpoints near them, and others when there is none near.

node1 is in zone a, node2 and node3 are in zone b. The controllers write hints into the EndpointSlices; the proxies
follow them only when every ready endpoint has one and one of them is for this node, or its zone; else all are used.
"""

from manifests import passed
from proxy_support import Stage, endpoint_slice, pod, service

ZONES = {"node1": "a", "node2": "b", "node3": "b"}
ALL = {"web-1", "web-2", "web-3"}


def expect_used(stage, case, address, *wanted):
    """Which endpoints clients of node1, node2 and node3 reach: pods and the nodes themselves."""
    asks = [stage.one(via, address, count=6) for number in (1, 2, 3) for via in (f"asker-{number}", f"node{number}")]
    stage.soon(case, lambda *outcomes: all(
        set(each.words) == wanted[index // 2] for index, each in enumerate(outcomes)), *asks)
    passed(case)


def by_distribution(stage):
    """What the Service asks for, through the controllers' hints."""
    cluster = stage.cluster
    cluster.put(service("web"))
    address = stage.cluster_ip("web")
    expect_used(stage, "without distribution, every client uses every endpoint", address, ALL, ALL, ALL)
    zone = ({"web-1"}, {"web-2", "web-3"}, {"web-2", "web-3"})
    for kind in ("PreferClose", "PreferSameZone"):
        stage.change("web", trafficDistribution=kind)
        expect_used(stage, f"{kind}: the endpoints of the client's zone", address, *zone)
        stage.change("web", trafficDistribution=None)
        expect_used(stage, "taken away: all", address, ALL, ALL, ALL)
    stage.change("web", trafficDistribution="PreferSameNode")
    expect_used(stage, "PreferSameNode: the client's own node", address, {"web-1"}, {"web-2"}, {"web-3"})
    cluster.delete("Pod", "web-3")
    expect_used(stage, "PreferSameNode, the node's endpoint gone: its zone", address, {"web-1"}, {"web-2"}, {"web-2"})
    cluster.delete("Pod", "web-2")
    expect_used(stage, "PreferSameNode, the zone's endpoints gone: everybody else", address, *3 * ({"web-1"},))
    stage.create(pod("web-3", "node3"))
    expect_used(stage, "PreferSameNode, one is back: the zone's, and the node's", address, {"web-1"}, {"web-3"},
                {"web-3"})
    stage.create(pod("web-2", "node2"))
    expect_used(stage, "PreferSameNode, all are back", address, {"web-1"}, {"web-2"}, {"web-3"})
    stage.change("web", trafficDistribution="PreferClose")
    expect_used(stage, "PreferSameNode to PreferClose", address, *zone)
    cluster.patch("Node", "node2", {"metadata": {"labels": {"topology.kubernetes.io/zone": "a"}}})
    expect_used(stage, "a node is moved to another zone", address, {"web-1", "web-2"}, {"web-1", "web-2"}, {"web-3"})
    cluster.patch("Node", "node2", {"metadata": {"labels": {"topology.kubernetes.io/zone": "b"}}})
    expect_used(stage, "and back", address, *zone)


def by_hints(stage):
    """Hints as a slice may have them, in particular those that other controllers would write."""
    stage.cluster.put(service("hand", app=None, kind="NodePort"))
    address = stage.cluster_ip("hand")

    def put(**hints):
        stage.put_slice(endpoint_slice("hand", [
            stage.endpoint(name.replace("_", "-"), hints=what and {kind: [{"name": each} for each in names]
                                                                   for kind, names in what.items()})
            for name, what in hints.items()]))
    put(web_1={"forZones": "b"}, web_2={"forZones": "a"}, web_3={"forZones": "ab"})
    expect_used(stage, "hints count, not where the endpoint is", address, {"web-2", "web-3"}, {"web-1", "web-3"},
                {"web-1", "web-3"})
    put(web_1={"forZones": "a"}, web_2=None, web_3={"forZones": "b"})
    expect_used(stage, "one endpoint without hint: all", address, ALL, ALL, ALL)
    put(web_1={"forZones": "c"}, web_2={"forZones": "b"}, web_3={"forZones": "b"})
    expect_used(stage, "no hint for a zone: all for it", address, ALL, {"web-2", "web-3"}, {"web-2", "web-3"})
    put(web_1={"forZones": "a"}, web_2={"forZones": "b"}, web_3={"forZones": "b"})
    expect_used(stage, "every zone has its share", address, {"web-1"}, {"web-2", "web-3"}, {"web-2", "web-3"})

    # externalTrafficPolicy Local looks at local endpoints, whatever the hints say.
    stage.change("hand", externalTrafficPolicy="Local")
    put(web_1={"forZones": "b"}, web_2={"forZones": "b"}, web_3={"forZones": "b"})
    stage.soon("the local endpoint", lambda first, second: (first.word, second.word) == ("web-1", "web-2"),
               *(stage.one("client", stage.node_ip(node), stage.node_port("hand"), count=4)
                 for node in ("node1", "node2")))
    passed("externalTrafficPolicy Local does not follow hints")


def run(cluster):
    with Stage(cluster) as stage:
        for node, zone in ZONES.items():
            cluster.patch("Node", node, {"metadata": {"labels": {"topology.kubernetes.io/zone": zone}}})
        stage.start(*(pod(f"{kind}-{number}", f"node{number}", app=kind) for number in (1, 2, 3)
                      for kind in ("web", "asker")), pool=False)
        by_distribution(stage)
        by_hints(stage)
