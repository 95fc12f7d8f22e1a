"""Which endpoints a Service uses: unready and ending pods, none at all, named ports, slices written by hand.

Without a usable endpoint clients are refused at once, wherever they are; a Service that publishes addresses that are
not ready uses those, too.
"""

from cluster import expect
from manifests import passed
from proxy_objects import (answering, cluster_ip, endpoint, node_port, pod_address, pod_object, service_object,
                           slice_object, start, wait_pods, wait_ready, wait_refused)


def refused_everywhere(cluster, name, what):
    """Pods, nodes and the client outside are told that nobody listens."""
    address, port = cluster_ip(cluster, name), node_port(cluster, name)
    for where in ("pod/asker", "node1", "node2"):
        wait_refused(cluster, where, address)
    wait_refused(cluster, "node1", address, 80, "UDP")
    wait_refused(cluster, "pod/asker", address, 80, "UDP")
    for node in ("node1", "node3"):
        wait_refused(cluster, "client", str(cluster.topology.node(node).address), port)
    wait_refused(cluster, "client", str(cluster.topology.node("node2").address), port, "UDP")
    wait_refused(cluster, "pod/asker", str(cluster.topology.node("node2").address), port)
    passed(f"{what}: pods, nodes and the client outside are refused, by TCP and UDP")


def nobody(cluster):
    cluster.put(service_object("void", app="void", type="NodePort", ports=(80, (80, "UDP"))))
    refused_everywhere(cluster, "void", "no endpoint")
    failed = pod_object("evicted", "node2", app="void", restartPolicy="Never", path=None)
    failed["spec"]["containers"][0].update(image="debian", command=["false"])
    del failed["spec"]["containers"][0]["args"]
    cluster.put(failed)
    cluster.wait_for("failed pod", lambda: cluster.read("Pod", "evicted")["status"].get("phase") == "Failed")
    refused_everywhere(cluster, "void", "only a failed pod")
    cluster.delete("Service", "void")
    cluster.delete("Pod", "evicted")


def unready(cluster):
    cluster.put(service_object("strict", app="shy"), service_object("tolerant", app="shy", type="NodePort",
                                                                    publishNotReadyAddresses=True),
                pod_object("shy", "node2", app="shy", words=(8080, "--unready", "--linger", 60), grace=65))
    strict, tolerant = cluster_ip(cluster, "strict"), cluster_ip(cluster, "tolerant")
    port = node_port(cluster, "tolerant")

    def only_the_tolerant_one():
        for where in ("pod/asker", "node1"):
            wait_pods(cluster, where, tolerant, {"shy"})
            wait_refused(cluster, where, strict)
        for node in ("node1", "node2"):
            wait_pods(cluster, "client", str(cluster.topology.node(node).address), {"shy"}, port)
    only_the_tolerant_one()
    passed("a pod that is not ready serves with publishNotReadyAddresses only")
    address = pod_address(cluster, "shy")
    cluster.run("node2", "curl", "-sS", f"http://{address}:8080/ready")
    wait_ready(cluster, "shy")
    wait_pods(cluster, "pod/asker", strict, {"shy"})
    passed("it serves for every Service once it is ready")
    cluster.run("node2", "curl", "-sS", f"http://{address}:8080/unready")
    wait_ready(cluster, "shy", False)
    cluster.delete("Pod", "shy")
    cluster.wait_for("ending pod", lambda: "deletionTimestamp" in cluster.read("Pod", "shy")["metadata"])
    only_the_tolerant_one()
    expect(cluster.read("Pod", "shy") is not None, "the pod was gone before the end of the case")
    passed("ending and not ready: reached with publishNotReadyAddresses, refused without")
    cluster.delete("Service", "strict", "tolerant")


def named_target(cluster):
    cluster.put(service_object("named", app="named", ports=((80, "TCP", "http"),)))
    start(cluster, pod_object("named-1", "node1", app="named", words=(8080,)),
          pod_object("named-2", "node2", app="named", words=(9090,)))
    address = cluster_ip(cluster, "named")
    for where in ("pod/asker", "node3"):
        wait_pods(cluster, where, address, {"named-1", "named-2"})
    passed("a named target port is another number in every pod")
    cluster.delete("Service", "named")
    cluster.delete("Pod", "named-1", "named-2")


def shared_pods(cluster):
    cluster.put(*(service_object(name, ports=(80, (80, "UDP")), type="NodePort") for name in ("one", "two")))
    for name in ("one", "two"):
        for where in ("pod/asker", "pod/web-1", "node1"):
            wait_pods(cluster, where, cluster_ip(cluster, name), {"web-1", "web-2"})
    cluster.delete("Service", "one")
    for way in ((), ("--udp",)):
        for where in ("pod/asker", "pod/web-1", "node1"):
            wait_pods(cluster, where, cluster_ip(cluster, "two"), {"web-1", "web-2"}, 80, *way)
    passed("two Services with the same pods; one goes and the other does not notice")
    cluster.delete("Service", "two")


def by_hand(cluster):
    one, two = pod_address(cluster, "web-1"), pod_address(cluster, "web-2")
    ports = (80, (81, "TCP"), (82, "UDP"))
    cluster.put(service_object("custom", app=None, ports=ports),
                slice_object("custom-a", "custom", [endpoint(one, "node1")]))
    address = cluster_ip(cluster, "custom")
    wait_pods(cluster, "pod/asker", address, {"web-1"})
    wait_refused(cluster, "pod/asker", address, 81)
    cluster.put(slice_object("custom-a", "custom", [endpoint(two, "node2")]))
    wait_pods(cluster, "pod/asker", address, {"web-2"})
    passed("endpoints written by hand, then others")
    # Other ports, and the same addresses again, in slices of their own.
    cluster.put(slice_object("custom-b", "custom", [endpoint(one, "node1")]),
                slice_object("custom-c", "custom", [endpoint(two, "node2")], [("tcp81", 8081), ("tcp80", 8081)]),
                slice_object("custom-d", "custom", [endpoint(one)], [("udp82", 8081, "UDP")]))
    wait_pods(cluster, "node3", address, {"web-1", "web-2"})
    wait_pods(cluster, "node3", address, {"web-2"}, 81)
    wait_pods(cluster, "node3", address, {"web-1"}, 82, "--udp")
    _, reals = cluster.virtual_server("node3", address, 80)
    expect(reals == {f"{one}:8080": 1, f"{two}:8080": 1, f"{two}:8081": 1}, f"real servers of port 80: {reals}")
    passed("several slices make one Service: other addresses, other ports, one address with two ports")
    cluster.delete("EndpointSlice", "custom-a", "custom-b")
    cluster.wait_for("web-2:8081 alone", lambda: {real for real, weight in cluster.virtual_server(
        "node3", address, 80)[1].items() if weight} == {f"{two}:8081"})
    answering(cluster, "node3", address, 81)
    cluster.delete("EndpointSlice", "custom-c", "custom-d")
    wait_refused(cluster, "pod/asker", address, 81)
    wait_refused(cluster, "pod/asker", address, 82, "UDP")
    passed("each slice takes its endpoints with it")
    cluster.delete("Service", "custom")


def run(cluster):
    start(cluster, pod_object("asker", "node1", app="asker"), pod_object("web-1", "node1", words=(8080, 8081)),
          pod_object("web-2", "node2", words=(8080, 8081)))
    nobody(cluster)
    unready(cluster)
    named_target(cluster)
    shared_pods(cluster)
    by_hand(cluster)
