"""What a virtual address does not do: it answers on its Service ports and nowhere else.

An address of the Service network that no Service has is refused, not met with silence, from pods and nodes. A program
of the node cannot be reached by a Service's address. A Service port that equals a node port number has nothing to do
with it.
"""

from cluster import expect
from manifests import passed
from proxy_support import Stage, pod, service

FREE = "10.96.77.7"
NODE_PORT = 31234
PROGRAM = 8090  # of the node


def both(stage, via, to, port):
    """An ask each by TCP and UDP."""
    return [stage.one(via, to, port, protocol=protocol, timeout=2) for protocol in ("TCP", "UDP")]


def expect_refused(stage, what, *asks):
    """Every one is."""
    stage.refused(f"a refusal of {what}", *asks)
    passed(f"{what}: refused, TCP and UDP")


def run(cluster):
    with Stage(cluster) as stage:
        stage.start(pod("web-1", "node1"), pod("asker-1", "node1", app="asker"), pod("asker-2", "node2", app="asker"),
                    pod("host-2", "node2", app="host", port=PROGRAM, host_network=True))
        cluster.put(service("web", "LoadBalancer", ports=((80, "TCP"), (80, "UDP"))))
        vip, address = cluster.wait_external_ip("web"), stage.cluster_ip("web")
        stage.soon("an answer", "web-1", *both(stage, "asker-1", address, 80), *both(stage, "node2", address, 80),
                   *both(stage, "client", vip, 80))
        expect_refused(stage, f"{FREE}, which no Service has", *(
            item for via in ("asker-1", "asker-2", "node1", "node3") for item in both(stage, via, FREE, 80)))

        # The program on node2 answers where it should, and by no address of a Service.
        stage.soon("the node's program", "host-2", stage.one("asker-2", stage.node_ip("node2"), PROGRAM),
                   stage.one("client", stage.node_ip("node2"), PROGRAM))
        expect_refused(stage, "a port of a ClusterIP that is not the Service's",
                       *both(stage, "asker-2", address, PROGRAM))
        cluster.run("client", "ip", "route", "add", f"{vip}/32", "via", stage.node_ip("node2"))
        expect_refused(stage, "a port of an EXTERNAL-IP that is not the Service's",
                       *both(stage, "client", vip, PROGRAM), *both(stage, "asker-2", vip, PROGRAM))
        cluster.run("client", "ip", "route", "del", f"{vip}/32")

        first = service("first", "NodePort")
        first["spec"]["ports"][0]["nodePort"] = NODE_PORT
        cluster.put(first)
        cluster.put(service("same", ports=(NODE_PORT,)))
        same = stage.cluster_ip("same")
        outcomes = stage.soon("an answer", "web-1", stage.one("asker-1", same, NODE_PORT),
                              stage.one("asker-2", same, NODE_PORT),
                              stage.one("client", stage.node_ip("node2"), NODE_PORT))
        seen = [each.seen for each in outcomes[:2]]
        expect(seen == [{stage.ip("asker-1")}, {stage.ip("asker-2")}], f"the pods are seen as {seen}")
        passed("a Service port that equals a node port number: pods keep their address")
