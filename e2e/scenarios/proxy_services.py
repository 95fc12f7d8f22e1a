"""ClusterIP Services as pods and nodes see them.

Pods and ports come and go, Services go and come back, a pod's own address arrives at the pod it asks, and addresses
and ports that no Service has are refused.
"""

from cluster import expect
from manifests import passed
from proxy_objects import (answering, cluster_ip, pod_address, pod_object, port_entry, service_object, start,
                           wait_answer, wait_pods, wait_refused, wait_unanswered)

PODS = ("web-1", "web-2", "web-3")


def both_families(cluster, service):
    """A dual-stack Service's ClusterIPs."""
    return [cluster_ip(cluster, service, family) for family in (4, 6)]


def endpoints_come_and_go(cluster):
    cluster.put(service_object("basic", app="basic", ipFamilyPolicy="RequireDualStack"))
    four, six = both_families(cluster, "basic")
    wait_refused(cluster, "pod/asker", four)
    start(cluster, pod_object("basic-1", "node1", app="basic"), pod_object("basic-2", "node2", app="basic"))
    for address in (four, six):
        for where in ("pod/asker", "node3"):
            wait_pods(cluster, where, address, {"basic-1", "basic-2"})
    cluster.delete("Pod", "basic-1")
    for address in (four, six):
        wait_pods(cluster, "pod/asker", address, {"basic-2"})
    cluster.delete("Pod", "basic-2")
    wait_refused(cluster, "pod/asker", four)
    wait_refused(cluster, "node3", six)
    cluster.delete("Service", "basic")
    passed("a Service follows its pods: none (refused), two, one, none; IPv4 and IPv6, from a pod and a node")


def several_ports(cluster):
    cluster.put(service_object("multi", ports=((80, "TCP", 8080), (81, "TCP", 8081))))
    address = cluster_ip(cluster, "multi")
    for port in (80, 81):
        wait_pods(cluster, "pod/asker", address, PODS, port)
    passed("both ports of a Service reach their target ports")
    # Server-side apply merges the ports by number and protocol: a patch replaces the list.
    cluster.patch("Service", "multi", {"spec": {"ports": [port_entry(81, target=8081), port_entry(82)]}})
    wait_answer(cluster, "pod/asker", address, 82)
    wait_refused(cluster, "pod/asker", address, 80)
    wait_pods(cluster, "pod/asker", address, PODS, 81)
    passed("a port is added, another removed and then refused, the third works on")
    cluster.delete("Service", "multi")


def source_is_kept(cluster):
    cluster.put(service_object("plain", ipFamilyPolicy="RequireDualStack"))
    for family in (4, 6):
        own, address = pod_address(cluster, "asker", family), cluster_ip(cluster, "plain", family)
        wait_pods(cluster, "pod/asker", address, PODS)
        seen = cluster.shares("pod/asker", address, 80, 12)["clients"]
        expect(list(seen) == [own], f"pods saw {seen} instead of {own}")
    passed("pods see the address of the pod that asks their ClusterIP, on its node and on others, IPv4 and IPv6")


def nobody_home(cluster):
    for family, vacant in ((4, "10.96.77.77"), (6, "fd00:10:96::7777")):
        address = cluster_ip(cluster, "plain", family)
        for where in ("pod/asker", "node2"):
            wait_answer(cluster, where, address)
            wait_refused(cluster, where, address, 8080)
            wait_refused(cluster, where, vacant)
    passed("other ports of a ClusterIP and ClusterIPs that no Service has are refused, IPv4 and IPv6")
    cluster.put({"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "more"},
                 "spec": {"cidrs": ["10.97.0.0/24"]}}, service_object("farther", clusterIP="10.97.0.9"))
    ready = {"type": "Ready", "status": "True", "reason": "", "message": "",
             "lastTransitionTime": "2026-01-01T00:00:00Z"}
    cluster.patch("ServiceCIDR", "more", {"status": {"conditions": [ready]}}, status=True)
    for where in ("pod/asker", "node2"):
        wait_answer(cluster, where, "10.97.0.9")
        wait_refused(cluster, where, "10.97.0.10")
    passed("a ServiceCIDR more: its Service answers, its vacant addresses are refused")
    cluster.delete("Service", "farther")
    wait_refused(cluster, "pod/asker", "10.97.0.9")
    cluster.delete("ServiceCIDR", "more")
    cluster.wait_for("end of the refusals", lambda: not cluster.request("pod/asker", "10.97.0.9", seconds=3).refused)


def up_down_and_back(cluster):
    old = "10.96.0.50"
    cluster.put(service_object("first", clusterIP=old), service_object("second"))
    for name in ("first", "second"):
        wait_pods(cluster, "node1", cluster_ip(cluster, name), PODS)
    cluster.delete("Service", "first")
    wait_unanswered(cluster, "node1", old)
    wait_unanswered(cluster, "pod/asker", old)
    answering(cluster, "node1", cluster_ip(cluster, "second"))
    cluster.put(service_object("third"))
    wait_pods(cluster, "node1", cluster_ip(cluster, "third"), PODS)
    answering(cluster, "pod/asker", cluster_ip(cluster, "second"))
    passed("one Service goes, another comes, the one beside them answers all the time")
    cluster.put(service_object("first", clusterIP=old))
    wait_pods(cluster, "node1", old, PODS)
    wait_pods(cluster, "pod/asker", old, PODS)
    passed("a Service that was deleted and made again works at its old address")
    cluster.delete("Service", "first", "second", "third")


def run(cluster):
    start(cluster, *(pod_object(name, f"node{name[-1]}", words=(8080, 8081)) for name in PODS),
          pod_object("asker", "node1", app="asker"))
    endpoints_come_and_go(cluster)
    several_ports(cluster)
    source_is_kept(cluster)
    nobody_home(cluster)
    up_down_and_back(cluster)
