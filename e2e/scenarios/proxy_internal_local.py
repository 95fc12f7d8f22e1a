"""internalTrafficPolicy Local: a ClusterIP leads to endpoints of the client's own node, and else nowhere.

With endpoints elsewhere only, packets are dropped, not refused: a pod that starts here in a moment may answer. That
holds for pods and the node itself, TCP and UDP, endpoints in pods and on the node's network, and also when the
Service is reachable from outside; the ways from outside follow their own policy.
"""

from cluster import expect
from manifests import passed
from proxy_support import CLUSTER_PODS, Stage, pod, service

OPTIONS = CLUSTER_PODS
BOTH = ((80, "TCP"), (80, "UDP"))
LOCAL = {"internalTrafficPolicy": "Local"}
SHORT = 0.8  # seconds until silence counts as dropped


def both(stage, via, to, **more):
    """An ask each by TCP and UDP."""
    return [stage.one(via, to, 80, protocol=protocol, timeout=SHORT, **more) for protocol in ("TCP", "UDP")]


def pods_and_nodes(stage):
    stage.cluster.put(service("inner", ports=BOTH, **LOCAL))
    address = stage.cluster_ip("inner")
    here = stage.soon("an answer of the pod here", "web-1", *both(stage, "asker-1", address, count=3),
                      *both(stage, "node1", address, count=3))
    expect(here[0].seen == here[1].seen == {stage.ip("asker-1")}, f"the pod here was seen as {here[0]}, {here[1]}")
    passed("pods and the node itself reach the endpoint of their node, by TCP and UDP, with the pod's own address")
    stage.soon("silence elsewhere", "timeout", *both(stage, "asker-2", address), *both(stage, "node2", address))
    passed("on a node without endpoint their packets are dropped, not refused")
    stage.create(pod("web-2", "node2"))
    stage.soon("the new pod's answers", "web-2", *both(stage, "asker-2", address, count=4),
               *both(stage, "node2", address, count=4))
    expect(stage.ask("asker-1", address, count=6).word == "web-1", "node1 now uses node2's endpoint")
    passed("an endpoint that starts there is the only one there")
    stage.cluster.delete("Pod", "web-2")
    stage.soon("silence again", "timeout", *both(stage, "asker-2", address))
    stage.change("inner", internalTrafficPolicy="Cluster")
    stage.soon("an answer by policy Cluster", "web-1", *both(stage, "asker-2", address), *both(stage, "node2", address))
    stage.change("inner", **LOCAL)
    stage.soon("silence by policy Local", "timeout", *both(stage, "asker-2", address), *both(stage, "node2", address))
    passed("the policy can be switched while the Service is in use")


def host_backend(stage):
    stage.cluster.put(service("hosts", app="hosts", target=8090, **LOCAL))
    address = stage.cluster_ip("hosts")
    stage.soon("an answer of the program on the node", "host-1", stage.one("asker-1", address, count=3),
               stage.one("node1", address, count=3), stage.one("host-1", address, count=3))
    stage.soon("silence elsewhere", "timeout", stage.one("asker-2", address, timeout=SHORT),
               stage.one("node2", address, timeout=SHORT))
    passed("an endpoint on the node's own network is reached by that node's pods and by the node, by nobody else's")


def with_external_access(stage):
    for policy in ("Cluster", "Local"):
        stage.cluster.put(service("outer", "LoadBalancer", ports=BOTH, externalTrafficPolicy=policy, **LOCAL))
        address, vip = stage.cluster_ip("outer"), stage.cluster.wait_external_ip("outer")
        ports = [entry["nodePort"] for entry in stage.spec("outer")["ports"]]
        outside = [stage.one(via, stage.node_ip("node2"), port, protocol=protocol, timeout=SHORT)
                   for via in ("asker-2", "node2") for port, protocol in zip(ports, ("TCP", "UDP"))]
        stage.soon(f"answers by node port and EXTERNAL-IP, policy {policy}", "web-1", *outside,
                   *both(stage, "asker-2", vip), *both(stage, "node2", vip))
        stage.soon("an answer here", "web-1", *both(stage, "asker-1", address))
        stage.soon("silence of the ClusterIP elsewhere", "timeout", *both(stage, "asker-2", address),
                   *both(stage, "node2", address))
        passed(f"access from outside (externalTrafficPolicy {policy}) does not open the ClusterIP on other nodes")


def nobody_at_all(stage):
    address = stage.cluster_ip("inner")
    stage.cluster.delete("Pod", "web-1")
    stage.refused("refusals everywhere", *(item for via in ("asker-1", "asker-2", "node1", "node3")
                                           for item in both(stage, via, address)))
    passed("without any endpoint in the cluster the answer is a refusal")


def run(cluster):
    with Stage(cluster) as stage:
        stage.start(pod("web-1", "node1"), pod("asker-1", "node1", app="asker"), pod("asker-2", "node2", app="asker"),
                    pod("host-1", "node1", app="hosts", port=8090, host_network=True))
        pods_and_nodes(stage)
        host_backend(stage)
        with_external_access(stage)
        nobody_at_all(stage)
