"""loadBalancerSourceRanges: who may use the EXTERNAL-IP of a Service, from outside, from pods and from nodes.

Everybody else's packets are dropped. ClusterIP and NodePort do not follow the ranges, and the other family's ranges
do not restrict this one.
"""

from manifests import passed
from proxy_support import Stage, pod, service

SHORT = 0.7


def expect_allowed(stage, case, ranges, *allowed):
    """With those ranges, these clients of the EXTERNAL-IP are answered, the others are not."""
    stage.change("web", loadBalancerSourceRanges=ranges)
    clients = ("client", "remote", "asker-1", "asker-2", "node1", "node3")
    vip = stage.cluster.external_ip("web")
    asks = [stage.one(via, vip, 80, timeout=SHORT, protocol=protocol) for via in clients for protocol in ("TCP", "UDP")]
    wanted = [via in allowed for via in clients for _ in range(2)]
    stage.soon(case, lambda *outcomes: all(each.word == ("web-1" if may else "timeout")
                                           for each, may in zip(outcomes, wanted)), *asks)
    passed(case)


def run(cluster):
    with Stage(cluster) as stage:
        stage.start(pod("web-1", "node2"), pod("asker-1", "node1", app="asker"), pod("asker-2", "node2", app="asker"))
        cluster.put(service("web", "LoadBalancer", ports=((80, "TCP"), (80, "UDP"))))
        vip = cluster.wait_external_ip("web")
        stage.soon("an answer", "web-1", stage.one("client", vip, 80))
        remote = str(cluster.topology.remote.address)
        everybody = ("client", "remote", "asker-1", "asker-2", "node1", "node3")
        expect_allowed(stage, "without ranges, everybody is answered", None, *everybody)
        expect_allowed(stage, "one client outside", [f" {stage.client}/32 "], "client")
        expect_allowed(stage, "one pod", [f"{stage.ip('asker-1')}/32"], "asker-1")
        expect_allowed(stage, "the pods of one node, and a network outside",
                       [str(cluster.topology.node("node2").pods), f"{remote}/24"], "asker-2", "remote")
        expect_allowed(stage, "one node", [f"{stage.node_ip('node3')}/32"], "node3")
        expect_allowed(stage, "nobody", ["192.0.2.0/24"])
        stage.soon("answers by ClusterIP and NodePort", "web-1", *(
            stage.one(via, to, port) for via in ("asker-1", "node3") for to, port in (
                (stage.cluster_ip("web"), 80), (stage.node_ip("node1"), stage.node_port("web")))),
            stage.one("client", stage.node_ip("node1"), stage.node_port("web")))
        passed("ClusterIP and NodePort are open to everybody all the while")
        expect_allowed(stage, "a range that is everything", ["192.0.2.0/24", "0.0.0.0/0"], *everybody)
        expect_allowed(stage, "ranges of the other family alone", ["fd00::/64"], *everybody)
        expect_allowed(stage, "one client outside again", [f"{stage.client}/32"], "client")
        expect_allowed(stage, "the ranges are taken away", None, *everybody)
