"""A Service changes its type and its ports: what it leaves is closed, what it becomes answers.

ExternalName, ClusterIP, NodePort and LoadBalancer, by TCP and UDP; a LoadBalancer without node ports gets some.
"""

from cluster import expect
from manifests import advertisement, passed, pool_object
from proxy_objects import (cluster_ip, node_port, pod_object, port_entry, service_object, start, wait_pods,
                           wait_unanswered)

PODS = {"web-1", "web-2"}


def change(cluster, name, ports=None, **spec):
    """A merge patch of the Service's spec."""
    cluster.patch("Service", name, {"spec": {**spec, **({"ports": list(ports)} if ports else {})}})


def to_external_name(cluster, name):
    """The Service becomes an ExternalName; what it had is closed."""
    address, port = cluster_ip(cluster, name), node_port(cluster, name)
    change(cluster, name, type="ExternalName", externalName="example.org")
    wait_unanswered(cluster, "pod/asker", address)
    wait_unanswered(cluster, "node1", address)
    cluster.wait_for("end of its virtual server", lambda: cluster.virtual_server("node2", address, 80) is None)
    if port:
        wait_unanswered(cluster, "client", str(cluster.topology.node("node3").address), port)


def external_names(cluster):
    names = {"to-cluster": "ClusterIP", "to-port": "NodePort"}
    cluster.put(*({**(item := service_object(name)), "spec": {"type": "ExternalName", "externalName": "example.org",
                                                              "selector": item["spec"]["selector"]}} for name in names))
    before = cluster.settled(lambda: cluster.ipvs("node1"))
    for name, kind in names.items():
        change(cluster, name, [port_entry(80)], type=kind, externalName=None)
        wait_pods(cluster, "pod/asker", cluster_ip(cluster, name), PODS)
        wait_pods(cluster, "node2", cluster_ip(cluster, name), PODS)
    wait_pods(cluster, "client", str(cluster.topology.node("node3").address), PODS, node_port(cluster, "to-port"))
    passed("an ExternalName becomes a ClusterIP or a NodePort")
    for name in names:
        to_external_name(cluster, name)
    cluster.wait_for("the tables of before", lambda: cluster.ipvs("node1") == before)
    passed("a ClusterIP or a NodePort becomes an ExternalName; nothing of it is left")
    cluster.delete("Service", *names)


def ports_and_types(cluster, protocol):
    """The life of one Service: ClusterIP, NodePort, another NodePort, LoadBalancer, another port, and back."""
    name, way = f"live-{protocol.lower()}", () if protocol == "TCP" else ("--udp",)
    node = str(cluster.topology.node("node2").address)

    def entry(port, **more):
        return [port_entry(port, protocol, name="main", **more)]
    cluster.put(service_object(name, ports=entry(80)))
    address = cluster_ip(cluster, name)
    wait_pods(cluster, "pod/asker", address, PODS, 80, *way)
    change(cluster, name, type="NodePort")
    first = node_port(cluster, name, 80, protocol)
    wait_pods(cluster, "client", node, PODS, first, *way)
    second = first + (500 if first < 32000 else -500)
    change(cluster, name, entry(80, nodePort=second))
    wait_pods(cluster, "client", node, PODS, second, *way)
    wait_unanswered(cluster, "client", node, first, protocol)
    passed(f"{protocol}: ClusterIP, NodePort, another NodePort")
    change(cluster, name, type="LoadBalancer")
    balanced = cluster.wait_external_ip(name)
    for where in ("client", "remote", "pod/asker", "node1"):
        wait_pods(cluster, where, balanced, PODS, 80, *way)
    wait_pods(cluster, "client", node, PODS, second, *way)
    change(cluster, name, entry(81, nodePort=second))
    wait_pods(cluster, "client", balanced, PODS, 81, *way)
    wait_pods(cluster, "pod/asker", address, PODS, 81, *way)
    wait_pods(cluster, "client", node, PODS, second, *way)
    wait_unanswered(cluster, "client", balanced, 80, protocol)
    passed(f"{protocol}: LoadBalancer, another port")
    change(cluster, name, [port_entry(81, protocol, name="main")], type="ClusterIP")
    expect(node_port(cluster, name, 81, protocol) is None, "the node port is still there")
    wait_unanswered(cluster, "client", balanced, 81, protocol)
    wait_unanswered(cluster, "client", node, second, protocol)
    wait_pods(cluster, "pod/asker", address, PODS, 81, *way)
    passed(f"{protocol}: a ClusterIP again, closed outside")
    cluster.delete("Service", name)


def without_node_ports(cluster):
    cluster.put(service_object("bare", type="LoadBalancer", allocateLoadBalancerNodePorts=False))
    balanced = cluster.wait_external_ip("bare")
    wait_pods(cluster, "client", balanced, PODS)
    wait_pods(cluster, "pod/asker", balanced, PODS)
    expect(node_port(cluster, "bare") is None, "it has a node port")
    change(cluster, "bare", allocateLoadBalancerNodePorts=True)
    port = node_port(cluster, "bare")
    wait_pods(cluster, "client", str(cluster.topology.node("node1").address), PODS, port)
    wait_pods(cluster, "client", balanced, PODS)
    passed("a LoadBalancer without node ports works, and gets one when it asks")
    cluster.delete("Service", "bare")


def run(cluster):
    cluster.put(pool_object("pool", "192.168.100.200/29"), advertisement())
    start(cluster, pod_object("asker", "node1", app="asker"), pod_object("web-1", "node1"),
          pod_object("web-2", "node2"))
    external_names(cluster)
    ports_and_types(cluster, "TCP")
    ports_and_types(cluster, "UDP")
    without_node_ports(cluster)
