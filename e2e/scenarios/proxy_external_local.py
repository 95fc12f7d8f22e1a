"""externalTrafficPolicy Local: clients from outside reach endpoints of the node they came to, and are seen as they are.

On a node without endpoint their packets are dropped. The cluster's own clients (pods, and the node itself) reach every
endpoint of the Service from every node, and the node's own traffic leaves with an address of the node.
"""

from cluster import expect
from manifests import passed
from proxy_support import CLUSTER_PODS, Stage, pod, service

OPTIONS = CLUSTER_PODS
SHORT = 0.8
BOTH = ((80, "TCP"), (80, "UDP"))


class Fronts:
    """The Service's ways in."""

    def __init__(self, stage, name):
        self.stage = stage
        self.vip = stage.cluster.wait_external_ip(name)
        self.ports = [entry["nodePort"] for entry in stage.spec(name)["ports"]]

    def node_port(self, via, node, **more):
        """An ask each by TCP and UDP of the node's NodePort."""
        return [self.stage.one(via, self.stage.node_ip(node), port, protocol=protocol, timeout=SHORT, **more)
                for port, protocol in zip(self.ports, ("TCP", "UDP"))]

    def external_ip(self, via, **more):
        """An ask each by TCP and UDP of the EXTERNAL-IP."""
        return [self.stage.one(via, self.vip, 80, protocol=protocol, timeout=SHORT, **more)
                for protocol in ("TCP", "UDP")]


def addresses_of(stage, node):
    """Addresses that are the node's own."""
    machine = stage.cluster.topology.node(node)
    return {str(machine.address), str(machine.gateway)}


def one_endpoint(stage, fronts):
    """The endpoint is on node1."""
    remote = str(stage.cluster.topology.remote.address)
    outcomes = stage.soon("answers to clients outside", "web-1", *fronts.node_port("client", "node1", count=3),
                          *fronts.external_ip("client"))
    expect(all(each.seen == {stage.client} for each in outcomes), f"the client was seen as {outcomes}")
    outcomes = stage.soon("answers behind the router", "web-1", *fronts.node_port("remote", "node1"),
                          *fronts.external_ip("remote"))
    expect(all(each.seen == {remote} for each in outcomes), f"the client behind the router was seen as {outcomes}")
    passed("clients outside reach the node with the endpoint, by NodePort and EXTERNAL-IP, and are seen as they are")

    stage.soon("silence of the nodes without endpoint", "timeout", *fronts.node_port("client", "node2"),
               *fronts.node_port("client", "node3"), *fronts.node_port("remote", "node3"))
    passed("on nodes without endpoint their packets are dropped, not refused")

    own = stage.soon("answers to the cluster's own", "web-1", *fronts.node_port("asker-2", "node2"),
                     *fronts.external_ip("asker-2"), *fronts.external_ip("asker-1"))
    expect(all(each.seen == {stage.ip("asker-2")} for each in own[:4]), f"asker-2 was seen as {own[:4]}")
    expect(all(each.seen == {stage.ip("asker-1")} for each in own[4:]), f"asker-1 was seen as {own[4:]}")
    stage.soon("an answer through the other node", "web-1", *fronts.node_port("asker-1", "node3"))
    passed("pods reach the endpoint through every node, and keep their address on the way through their own")

    for node in ("node1", "node2"):
        own = stage.soon(f"answers to {node} itself", "web-1", *fronts.node_port(node, node), *fronts.external_ip(node),
                         stage.one(node, stage.cluster_ip("web")))
        expect(all(each.seen <= addresses_of(stage, node) for each in own), f"{node} was seen as {own}")
    passed("so does a node itself, with or without endpoint, and it is seen under its own address")


def two_endpoints(stage, fronts):
    """A second one on node2."""
    stage.create(pod("web-2", "node2"))
    wanted = {"web-1", "web-2"}
    stage.soon("both endpoints", lambda *outcomes: all(set(each.words) == wanted for each in outcomes), *(
        item for via in ("asker-1", "node1", "asker-3", "node3") for item in fronts.external_ip(via, count=8)),
        *(item for via, node in (("asker-1", "node1"), ("node1", "node1"), ("node3", "node3"))
          for item in fronts.node_port(via, node, count=8)))
    passed("pods and nodes reach all endpoints, also on a node that has one of its own")
    for node, name in (("node1", "web-1"), ("node2", "web-2")):
        stage.soon(f"answers of {name} to a client of {node} outside", lambda *outcomes, own=name: all(
            each.word == own and each.seen == {stage.client} for each in outcomes),
            *fronts.node_port("client", node, count=8))
    passed("clients outside reach only the endpoint of the node they came to")


def switched(stage, fronts):
    open_before = stage.keep("kept", "client", stage.node_ip("node1"), fronts.ports[0])
    expect(open_before == "web-1", f"the connection to keep: {open_before}")
    stage.change("web", externalTrafficPolicy="Cluster")
    outcomes = stage.soon("answers through node3", lambda *all_of_them: all(
        set(each.words) == {"web-1", "web-2"} for each in all_of_them), *fronts.node_port("client", "node3", count=8))
    expect(all(each.seen <= addresses_of(stage, "node3") for each in outcomes), f"Cluster: seen as {outcomes}")
    stage.change("web", externalTrafficPolicy="Local")
    stage.soon("silence of node3", "timeout", *fronts.node_port("client", "node3"))
    stage.soon("the client's own address and the endpoint of node1 alone", lambda *each: all(
        one.seen == {stage.client} and one.word == "web-1" for one in each),
        *fronts.node_port("client", "node1", count=4))
    expect(stage.again("kept") == "web-1", "the connection that was open all the while is gone")
    passed("Local -> Cluster -> Local: each at once, and an open connection outlives both changes")


def nobody_at_all(stage, fronts):
    stage.cluster.delete("Pod", "web-1", "web-2")
    stage.refused("refusals", *(item for via, node in (
        ("client", "node1"), ("remote", "node3"), ("asker-1", "node1"), ("node3", "node3"))
        for item in fronts.node_port(via, node)))
    passed("without any endpoint in the cluster, everybody is refused")


def run(cluster):
    with Stage(cluster) as stage:
        stage.start(pod("web-1", "node1"), *(pod(f"asker-{number}", f"node{number}", app="asker")
                                             for number in (1, 2, 3)))
        cluster.put(service("web", "LoadBalancer", ports=BOTH, externalTrafficPolicy="Local"))
        fronts = Fronts(stage, "web")
        one_endpoint(stage, fronts)
        two_endpoints(stage, fronts)
        switched(stage, fronts)
        nobody_at_all(stage, fronts)
