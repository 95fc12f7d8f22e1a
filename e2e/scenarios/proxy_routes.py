"""Virtual addresses as local routes (--vip-binding=routes): the same Services, and no address on any device.

The routes carry the node's own address as source and a protocol number of their own; they go with the Service.
Nobody answers ARP for them but the announcer.
"""

import re

from cluster import expect
from manifests import passed
from proxy_support import CLUSTER_PODS, Stage, affinity, pod, service

OPTIONS = ("--vip-binding=routes", *CLUSTER_PODS)
PROTOCOL = "120"  # whose routes these are
BOTH = ((80, "TCP"), (80, "UDP"))


def routed(stage, node):
    """Destinations of our routes on a node: address -> source."""
    found = {}
    for family in ("-4", "-6"):
        out = stage.cluster.run(node, "ip", family, "route", "show", "table", "local", "proto", PROTOCOL)
        for line in out.splitlines():
            destination = re.match(r"local (\S+)", line)
            source = re.search(r" src (\S+)", line)
            expect(destination, f"{node}: not a local route: {line}")
            found[destination[1]] = source and source[1]
    return found


def shown(stage):
    vip, addresses = stage.cluster.wait_external_ip("web"), stage.spec("web")["clusterIPs"]
    for node in stage.nodes:
        stage.cluster.wait_for(f"routes of {node}", lambda one=node: {vip, *addresses} <= routed(stage, one).keys())
        sources = routed(stage, node)
        for address in (vip, *addresses):
            wanted = stage.node_ip(node, "IPv6" if ":" in address else "IPv4")
            expect(sources[address] == wanted, f"{node}: {address} has source {sources[address]}")
        held = stage.cluster.run(node, "ip", "-o", "address", "show", "to", f"{addresses[0]}/32")
        expect(not held.strip() and not stage.cluster.service_addresses(node), f"{node} has addresses: {held}")
    passed("every virtual address is a local route with the node's own source, and no device has an address")
    return vip, addresses


def works(stage, vip, addresses):
    ports = [entry["nodePort"] for entry in stage.spec("web")["ports"]]
    asks = [stage.one(via, to, 80, protocol=protocol, count=6) for via in ("asker", "node1", "node3", "web-1")
            for to in (addresses[0], addresses[1], vip) for protocol in ("TCP", "UDP")]
    asks += [stage.one("client", to, port, protocol=protocol, count=6) for to, pair in (
        (vip, (80, 80)), (stage.node_ip("node2"), ports)) for protocol, port in zip(("TCP", "UDP"), pair)]
    stage.soon("answers of all endpoints", lambda *outcomes: all(
        set(each.words) == {"web-1", "web-2", "web-3"} for each in outcomes), *asks)
    passed("ClusterIP of both families, NodePort and EXTERNAL-IP lead to every endpoint, from pods, nodes and outside")
    machine = stage.cluster.topology.node("node3")
    outcomes = stage.ask_all(stage.one("node3", addresses[0], count=6), stage.one("node3", addresses[1], count=6))
    for outcome, own in zip(outcomes, ({machine.address, machine.gateway}, {machine.address6, machine.pods6[1]})):
        expect(outcome.seen <= set(map(str, own)), f"node3 is seen as {outcome.seen}")
    expect(stage.ask("asker", addresses[0], count=4).seen == {stage.ip("asker")}, "the pod lost its address")
    passed("the node's own traffic has an address of the node, a pod's has the pod's")
    owner = stage.cluster.wait_owner(vip)
    answers = stage.cluster.wait_for("answer by ARP", lambda: stage.cluster.arping(vip, count=2))
    expect(len(set(answers)) == 1, "several machines answer ARP for the EXTERNAL-IP")
    expect(not stage.cluster.arping(addresses[0], count=2), "somebody answers ARP for a ClusterIP")
    passed(f"ARP: {owner} alone answers for the EXTERNAL-IP, nobody for a ClusterIP")


def policies(stage, vip):
    stage.cluster.put(service("web", "LoadBalancer", ports=BOTH, ipFamilyPolicy="RequireDualStack",
                              externalTrafficPolicy="Local", internalTrafficPolicy="Local", selector={"pod": "web-1"}))
    port, address = stage.node_port("web"), stage.cluster_ip("web")
    stage.soon("the client's own address", lambda each: each.word == "web-1" and each.seen == {stage.client},
               stage.one("client", stage.node_ip("node1"), port))
    stage.soon("silence without endpoint", "timeout", stage.one("client", stage.node_ip("node2"), port, timeout=0.8),
               stage.one("asker", address, 80, timeout=0.8), stage.one("node3", address, 80, timeout=0.8))
    stage.soon("answers to the cluster's own", "web-1", stage.one("asker", vip, 80), stage.one("node3", vip, 80))
    passed("the policies Local hold")
    stage.change("web", internalTrafficPolicy="Cluster", selector={"pod": None, "app": "web"}, **affinity())
    stage.soon("one pod", lambda *each: all(len(one.shares) == 1 for one in each), stage.one("node3", address, count=8),
               stage.one("asker", address, count=8))
    passed("so does affinity")


def gone(stage):
    ours = {*stage.cluster.addresses("web"), *stage.spec("web")["clusterIPs"]}
    held = {node: routed(stage, node).keys() for node in stage.nodes}
    stage.cluster.delete("Service", "web")
    for node in stage.nodes:
        stage.cluster.wait_for(f"end of {node}'s routes", lambda one=node: held[one] - routed(stage, one).keys()
                               == ours)
    passed("the routes go with the Service, and no other")


def run(cluster):
    with Stage(cluster) as stage:
        stage.start(*(pod(f"web-{number}", f"node{number}") for number in (1, 2, 3)),
                    pod("asker", "node2", app="asker"))
        cluster.put(service("web", "LoadBalancer", ports=BOTH, ipFamilyPolicy="RequireDualStack"))
        vip, addresses = shown(stage)
        works(stage, vip, addresses)
        policies(stage, vip)
        gone(stage)
