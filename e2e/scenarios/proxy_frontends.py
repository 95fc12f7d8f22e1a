"""The other frontends of Services: NodePort, ExternalIP and LoadBalancer, from pods, nodes and outside.

A pod reaches itself through each, and TCP and UDP share a number.
"""

from cluster import expect
from manifests import advertisement, passed, pool_object
from proxy_objects import (cluster_ip, node_port, pod_object, port_entry, service_object, start, wait_answer, wait_pods,
                           wait_refused, wait_unanswered)

PODS = ("web-1", "web-2", "web-3")
EXTERNAL = "203.0.113.80"
UDP = "--udp"


def hairpin(cluster):
    cluster.put(service_object("lonely", app="lonely", ports=(80, (80, "UDP")), type="NodePort",
                               ipFamilyPolicy="RequireDualStack"))
    start(cluster, pod_object("lonely", "node2", app="lonely"))
    node = cluster.topology.node("node2")
    for address in (cluster_ip(cluster, "lonely", family) for family in (4, 6)):
        for protocol in ("TCP", "UDP"):
            reply = wait_answer(cluster, "pod/lonely", address, 80, protocol)
            expect(reply.pod == "lonely", f"{reply.pod} answered")
    wait_answer(cluster, "pod/lonely", node.address, node_port(cluster, "lonely"))
    passed("a pod reaches itself through its own Service: ClusterIP by TCP and UDP, IPv4 and IPv6, and NodePort")
    cluster.delete("Service", "lonely")
    cluster.delete("Pod", "lonely")


def node_ports(cluster):
    cluster.put(service_object("open", ports=(80, (80, "UDP")), type="NodePort", ipFamilyPolicy="RequireDualStack"))
    port = node_port(cluster, "open")
    expect(port == node_port(cluster, "open", 80, "UDP"), "TCP and UDP have different node ports")
    for node in cluster.topology.nodes:
        for address in (str(node.address), str(node.address6)):
            wait_pods(cluster, "client", address, PODS, port)
            wait_pods(cluster, "client", address, PODS, port, UDP)
    for where in ("pod/asker", "node1", "remote"):
        wait_pods(cluster, where, str(cluster.topology.node("node2").address), PODS, port)
        wait_pods(cluster, where, str(cluster.topology.node("node1").address), PODS, port, UDP)
    passed("a NodePort answers on every node's addresses, TCP and UDP on one number, from outside, pods and nodes")
    cluster.patch("Service", "open", {"spec": {"ports": [port_entry(80, nodePort=port)]}})
    node = str(cluster.topology.node("node3").address)
    wait_unanswered(cluster, "client", node, port, "UDP")
    wait_pods(cluster, "client", node, PODS, port)
    passed("UDP goes and TCP stays on the same number")
    cluster.delete("Service", "open")
    wait_refused(cluster, "client", node, port)


def external_ip(cluster):
    cluster.put(service_object("outer", externalIPs=[EXTERNAL]))
    for where in ("pod/asker", "pod/web-2", "node3"):
        wait_pods(cluster, where, EXTERNAL, PODS)
    cluster.delete("Service", "outer")
    wait_unanswered(cluster, "node3", EXTERNAL)
    passed("an ExternalIP that no node has answers pods and nodes, and nobody once its Service is gone")


def same_port_two_protocols(cluster):
    cluster.put(pool_object("pool", "192.168.100.200/30"), advertisement(),
                service_object("twofold", ports=(80, (80, "UDP")), type="LoadBalancer"))
    address, balanced = cluster_ip(cluster, "twofold"), cluster.wait_external_ip("twofold")
    for way in ((), (UDP,)):
        for where in ("pod/asker", "node2"):
            wait_pods(cluster, where, address, PODS, 80, *way)
            wait_pods(cluster, where, balanced, PODS, 80, *way)
        wait_pods(cluster, "client", balanced, PODS, 80, *way)
    passed("TCP and UDP on one port number: ClusterIP and EXTERNAL-IP, from pods, nodes and outside")
    cluster.patch("Service", "twofold", {"spec": {"ports": [port_entry(80)]}})
    wait_unanswered(cluster, "pod/asker", address, 80, "UDP")
    wait_pods(cluster, "pod/asker", address, PODS)
    cluster.delete("Service", "twofold")
    wait_unanswered(cluster, "client", balanced)


def run(cluster):
    start(cluster, *(pod_object(name, f"node{name[-1]}") for name in PODS), pod_object("asker", "node1", app="asker"))
    hairpin(cluster)
    node_ports(cluster)
    external_ip(cluster)
    same_port_two_protocols(cluster)
