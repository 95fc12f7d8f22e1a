"""Services of two families: the second one is served like the first, by every frontend and from every client.

Which families a Service gets, ClusterIP, NodePort and EXTERNAL-IP by IPv6, endpoints that come and go, affinity,
policy Local, large requests, endpoints on the nodes' own network.
"""

from cluster import expect
from manifests import passed
from proxy_support import CLUSTER_PODS, Stage, affinity, pod, service

OPTIONS = CLUSTER_PODS
BOTH = ((80, "TCP"), (80, "UDP"))
PODS = {"web-1", "web-2", "web-3"}
FULL = 1452  # bytes of UDP in one packet


def all_of(names):
    """Whether every client has reached exactly these."""
    return lambda *outcomes: all(set(each.words) == set(names) for each in outcomes)


def six(stage, name):
    """The Service's IPv6 address."""
    return next(address for address in stage.spec(name)["clusterIPs"] if ":" in address)


def fronts(stage, name):
    """(address, ports by protocol) by IPv6: the ClusterIP and the node ports of two nodes."""
    ports = stage.spec(name)["ports"]
    return [(six(stage, name), [entry["port"] for entry in ports]), *(
        (stage.node_ip(node, "IPv6"), [entry["nodePort"] for entry in ports]) for node in ("node1", "node3"))]


def asks(stage, name, clients, count=8, **more):
    """Each client to each front, TCP and UDP."""
    return [stage.one(via, to, ports[index], protocol=protocol, count=count, **more) for via in clients
            for to, ports in fronts(stage, name) for index, protocol in enumerate(("TCP", "UDP"))]


def families(stage):
    """102-106: what is asked for and what is had."""
    for case, spec, wanted in (
            ("one family, by default IPv4", {}, ["IPv4"]),
            ("IPv4 alone", {"ipFamilies": ["IPv4"]}, ["IPv4"]),
            ("IPv6 alone", {"ipFamilies": ["IPv6"]}, ["IPv6"]),
            ("IPv4, IPv6", {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}, ["IPv4", "IPv6"]),
            ("IPv6, IPv4", {"ipFamilies": ["IPv6", "IPv4"], "ipFamilyPolicy": "RequireDualStack"}, ["IPv6", "IPv4"])):
        stage.cluster.put(service("family", **spec))
        addresses = stage.spec("family")["clusterIPs"]
        expect(["IPv6" if ":" in each else "IPv4" for each in addresses] == wanted, f"{case}: {addresses}")
        stage.soon(f"answers by {case}", all_of(PODS), *(stage.one(via, address, count=6) for address in addresses
                                                         for via in ("asker", "node1")))
        stage.cluster.delete("Service", "family")
        passed(f"{case}: answered by each")


def every_client(stage):
    stage.cluster.put(service("web", "LoadBalancer", ports=BOTH, ipFamilyPolicy="RequireDualStack"))
    for kind, clients in (("pods", ["asker"]), ("nodes", ["node1", "node3"]), ("endpoints", ["web-2"])):
        stage.soon(f"all endpoints from {kind}", all_of(PODS), *asks(stage, "web", clients))
        passed(f"{kind} reach every endpoint by IPv6: ClusterIP and NodePort, TCP and UDP")
    address = six(stage, "web")
    seen = stage.ask("asker", address, count=3).seen
    expect(seen == {stage.ip("asker", "IPv6")}, f"the pod is seen as {seen}")
    # Not larger than a packet by UDP: a bridge that defragments IPv6 for netfilter makes packets IPVS calls too big.
    for protocol, size in (("TCP", 10 * FULL), ("UDP", FULL)):
        outcome = stage.ask("asker", address, protocol=protocol, size=size, count=6)
        sizes = {len(item.get("said", "")) for item in outcome.results}
        expect(set(outcome.words) == PODS and min(sizes) >= size - 1, f"{protocol}: {outcome}, {sizes} bytes")
    passed("large requests pass, and a pod keeps its address")
    vip = stage.cluster.wait_for("an IPv6 EXTERNAL-IP", lambda: next(
        (each for each in stage.cluster.addresses("web") if ":" in each), None))
    stage.soon("answers by EXTERNAL-IP", all_of(PODS), *(
        stage.one(via, vip, 80, protocol=protocol, count=8) for via in ("client", "remote", "asker", "node2")
        for protocol in ("TCP", "UDP")))
    passed("so does the EXTERNAL-IP, from outside, too")
    return vip


def host_network(stage):
    stage.cluster.put(service("hosts", "NodePort", app="hosts", ports=BOTH, target=8090,
                              ipFamilyPolicy="RequireDualStack"))
    stage.soon("all endpoints on nodes", all_of({"host-1", "host-2"}),
               *asks(stage, "hosts", ["asker", "node3", "host-1"]))
    passed("endpoints on the nodes' own network are reached")


def comes_and_goes(stage):
    stage.cluster.delete("Pod", "web-3")
    stage.soon("two endpoints", all_of({"web-1", "web-2"}), *asks(stage, "web", ["asker", "node3"], 6))
    stage.create(pod("web-3", "node3"))
    stage.soon("three endpoints", all_of(PODS), *asks(stage, "web", ["asker", "node3"], 8))
    passed("endpoints that go are no longer reached, those that come are")


def policies(stage, vip):
    stage.change("web", **affinity())
    asked = asks(stage, "web", ["asker", "node3"], 6)
    stage.soon("one pod a client", lambda *outcomes: all(each.word in PODS for each in outcomes), *asked)
    stage.change("web", sessionAffinity="None", sessionAffinityConfig=None)
    stage.soon("all pods", lambda *outcomes: all(len(each.shares) > 1 for each in outcomes), *asked)
    passed("affinity is kept, and can be switched off")
    client = str(stage.cluster.topology.host("client").address6)
    stage.change("web", externalTrafficPolicy="Local", internalTrafficPolicy="Local",
                 selector={"app": None, "pod": "web-1"})
    port, address = stage.node_port("web"), six(stage, "web")
    stage.soon("the client's own address", lambda *outcomes: all(
        each.word == "web-1" and each.seen == {client} for each in outcomes),
        stage.one("client", stage.node_ip("node1", "IPv6"), port, count=3), stage.one("client", vip, 80, count=3))
    stage.soon("silence without endpoint", "timeout", *(stage.one(*front, timeout=0.8) for front in (
        ("client", stage.node_ip("node2", "IPv6"), port), ("asker", address), ("node3", address))))
    stage.soon("answers to the cluster's own", "web-1", stage.one("asker", vip, 80), stage.one("node3", vip, 80))
    passed("the policies Local hold: clients outside keep their address or are dropped, the cluster's own get through")
    stage.cluster.delete("Pod", "web-1")
    stage.soon("a refusal", "refused", stage.one("asker", address), stage.one("client", vip, 80))
    passed("without endpoints, everybody is refused")


def run(cluster):
    with Stage(cluster) as stage:
        stage.start(*(pod(f"web-{number}", f"node{number}") for number in (1, 2, 3)),
                    pod("asker", "node2", app="asker"),
                    *(pod(f"host-{number}", f"node{number}", app="hosts", port=8090, host_network=True)
                      for number in (1, 2)))
        families(stage)
        vip = every_client(stage)
        host_network(stage)
        comes_and_goes(stage)
        policies(stage, vip)
