"""SCTP Services: ClusterIP, NodePort and EXTERNAL-IP, from pods, nodes and outside; a hostPort stays a pod's own."""

from cluster import expect
from manifests import advertisement, passed, pool_object
from proxy_objects import (cluster_ip, node_port, pod_address, pod_object, port_entry, service_object, start,
                           wait_answer, wait_pods, wait_unanswered)

PODS = {"web-1", "web-2"}
SCTP = "--sctp"


def cluster_ips(cluster):
    cluster.put(service_object("assoc", ports=[port_entry(5060, "SCTP"), port_entry(80)], type="NodePort",
                               ipFamilyPolicy="RequireDualStack"))
    for family in (4, 6):
        address = cluster_ip(cluster, "assoc", family)
        for where in ("pod/asker", "node3"):
            wait_pods(cluster, where, address, PODS, 5060, SCTP)
        reply = wait_answer(cluster, "pod/asker", address, 5060, "SCTP")
        expect(reply.client == pod_address(cluster, "asker", family), f"the pod saw {reply.client}")
    wait_answer(cluster, "pod/web-1", cluster_ip(cluster, "assoc"), 5060, "SCTP", pods={"web-1"})
    scheduler, reals = cluster.virtual_server("node1", cluster_ip(cluster, "assoc"), 5060, "SCTP")
    expect(scheduler == "rr" and len(reals) == 2, f"ipvsadm shows {scheduler}, {reals}")
    passed("SCTP to a ClusterIP from a pod, itself and a node, IPv4 and IPv6; the pod's own address arrives")


def outside(cluster):
    port = node_port(cluster, "assoc", 5060, "SCTP")
    for node in cluster.topology.nodes:
        wait_pods(cluster, "client", str(node.address), PODS, port, SCTP)
    wait_pods(cluster, "client", str(cluster.topology.node("node3").address6), PODS, port, SCTP)
    wait_pods(cluster, "pod/asker", str(cluster.topology.node("node2").address), PODS, port, SCTP)
    cluster.patch("Service", "assoc", {"spec": {"type": "LoadBalancer"}})
    cluster.wait_external_ip("assoc")
    for balanced in cluster.addresses("assoc"):
        for where in ("client", "pod/asker", "node1"):
            wait_pods(cluster, where, balanced, PODS, 5060, SCTP)
            wait_pods(cluster, where, balanced, PODS)
    passed("SCTP to a NodePort and to an EXTERNAL-IP, with TCP beside it")


def the_last_pod(cluster):
    address = cluster_ip(cluster, "assoc")
    cluster.delete("Pod", "web-2")
    wait_pods(cluster, "pod/asker", address, {"web-1"}, 5060, SCTP)
    cluster.patch("Service", "assoc", {"spec": {"ports": [port_entry(80)]}})
    wait_unanswered(cluster, "pod/asker", address, 5060, "SCTP")
    wait_pods(cluster, "pod/asker", address, {"web-1"})
    passed("a pod goes, then the SCTP port; TCP stays")


def host_port(cluster):
    before = cluster.settled(lambda: cluster.ipvs("node2"))
    item = pod_object("hosted", "node2", app="hosted", words=(9060, SCTP))
    item["spec"]["containers"][0]["ports"] = [{"containerPort": 9060, "hostPort": 5061, "protocol": "SCTP"}]
    start(cluster, item)
    wait_answer(cluster, "pod/asker", pod_address(cluster, "hosted"), 9060, "SCTP")
    expect(cluster.ipvs("node2") == before, "the pod's hostPort changed the node's virtual servers")
    wait_unanswered(cluster, "client", str(cluster.topology.node("node2").address), 5061, "SCTP")
    passed("an SCTP hostPort is none of the proxy's business")


def run(cluster):
    cluster.put(pool_object("pool", "192.168.100.200/29", "fd00:192:168:100::c8/125"), advertisement())
    start(cluster, pod_object("asker", "node1", app="asker"),
          *(pod_object(name, f"node{name[-1]}", words=(8080, SCTP)) for name in sorted(PODS)))
    cluster_ips(cluster)
    outside(cluster)
    the_last_pod(cluster)
    host_port(cluster)
