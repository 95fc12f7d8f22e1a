"""Restarts and vandals: speakers and the API server restart, IPVS and the packet filter are flushed.

Pods, nodes and the client outside ask Services all the time. No connection fails while a speaker or the API server
restarts, and a restarted speaker writes nothing; what somebody else flushed is soon put right.
"""

import json

from cluster import NAMESPACE, expect
from manifests import expect_nothing_lost, passed
from proxy_objects import (cluster_ip, node_port, pod_object, service_object, start, wait_answer, wait_pods)

OPTIONS = ("--ipvs-sync-period=5s",)
PODS = {"web-1", "web-2"}
NODE = "node3"
# What the speaker has written to the kernel since it started, by kind, and its runs of iptables-restore.
WRITES = ("steelyard_proxy_writes_total", "steelyard_proxy_rule_restores_total")
WEIGHTS = 'steelyard_proxy_writes_total{kind="real_server"}'


def writes(cluster, node):
    """The samples of WRITES that are not 0."""
    samples = cluster.metrics(node)
    expect(any(name.startswith("steelyard_proxy_adopted_objects") for name in samples),
           "the speaker tells nothing about what it found and wrote")
    return {name: value for name, value in samples.items() if name.startswith(WRITES) and value}


def kernel(cluster, node):
    """What the proxy keeps in a node's kernel, rules included."""
    rules = [line for tool in ("iptables", "ip6tables") for line in cluster.run(node, f"{tool}-save").splitlines()
             if "KUBE-" in line and not line.startswith(("#", ":"))]
    return {**cluster.kernel_state(node), "rules": rules}


def restarts_of(cluster, node):
    """How often the node's speaker was restarted; -1 while it is not ready."""
    statuses = (cluster.pod_on(node) or {}).get("status", {}).get("containerStatuses") or [{}]
    return statuses[0]["restartCount"] if statuses[0].get("ready") else -1


def alarms_of(cluster, node):
    """How often the node's speaker has taken another one for dead."""
    return cluster.logs(cluster.pod_on(node)["metadata"]["name"]).count("unreachable, say its watchers")


class Load:
    """Clients that ask all the time."""

    def __init__(self, cluster):
        address, port = cluster_ip(cluster, "web"), node_port(cluster, "web")
        node = str(cluster.topology.node(NODE).address)
        pace = ("--interval-ms", 20)
        self.probers = {
            "a pod, ClusterIP": cluster.prober("pod/asker", address, 80, *pace),
            "a pod, one connection": cluster.prober("pod/asker", address, 80, "--keepalive", *pace),
            "the node, ClusterIP": cluster.prober(NODE, address, 80, *pace),
            "outside, NodePort": cluster.prober("client", node, port, *pace),
            "outside, datagrams": cluster.prober("client", node, port, "--udp", *pace)}

    def stop(self, what):
        """Ends them; nothing may have been lost."""
        for name, prober in self.probers.items():
            expect_nothing_lost(f"{what}: {name}", prober)


def speaker_restarts(cluster):
    before = cluster.settled(lambda: kernel(cluster, NODE))
    load, restarts, alarms = Load(cluster), restarts_of(cluster, NODE), alarms_of(cluster, NODE)
    cluster.signal_speaker(NODE, "KILL")
    cluster.wait_for("restarted and ready speaker", lambda: restarts_of(cluster, NODE) > restarts, 30)
    load.stop("speaker killed")
    expect(kernel(cluster, NODE) == before, "the kernel's state is another one after the restart")
    # A node that it takes for dead, since a busy machine keeps the guest waiting, gets another weight.
    made = writes(cluster, NODE)
    if alarms_of(cluster, NODE) > alarms:
        made.pop(WEIGHTS, None)
    expect(not made, f"the restarted speaker wrote {made}")
    passed("a speaker is killed and comes back: nothing lost, nothing written")
    load, old = Load(cluster), cluster.pod_on(NODE)["metadata"]["uid"]
    cluster.delete("Pod", cluster.pod_on(NODE)["metadata"]["name"], namespace=NAMESPACE)
    cluster.wait_for("another speaker", lambda: (pod := cluster.pod_on(NODE)) and pod["metadata"]["uid"] != old
                     and restarts_of(cluster, NODE) >= 0, 30)
    load.stop("speaker replaced")
    expect(kernel(cluster, NODE) == before, "the kernel's state is another one with the new speaker")
    passed("a speaker is replaced by another one: the same")


def api_server_restarts(cluster):
    load = Load(cluster)
    fault = json.dumps({"action": "restart"})
    for _ in range(2):
        cluster.api("POST", "/faults", json.loads(fault))
    cluster.put(service_object("later"))
    wait_pods(cluster, "pod/asker", cluster_ip(cluster, "later"), PODS)
    load.stop("API server restarted")
    passed("the API server restarts twice: nothing lost, and a Service made afterwards works")
    cluster.delete("Service", "later")


def somebody_flushes(cluster):
    before, address = cluster.settled(lambda: kernel(cluster, NODE)), cluster_ip(cluster, "web")
    node, port = str(cluster.topology.node(NODE).address), node_port(cluster, "web")
    cluster.run(NODE, "ipvsadm", "-C")
    wait_answer(cluster, NODE, address)
    wait_pods(cluster, "client", node, PODS, port)
    cluster.wait_for("the virtual servers of before", lambda: cluster.ipvs(NODE) == before["ipvs"])
    passed("`ipvsadm -C`: every virtual server comes back")
    for tool in ("iptables", "ip6tables"):
        for table in ("nat", "filter", "mangle"):
            cluster.run(NODE, tool, "-t", table, "-F")
    cluster.wait_for("the rules of before", lambda: kernel(cluster, NODE)["rules"] == before["rules"], 40)
    wait_pods(cluster, "client", node, PODS, port)
    passed("`iptables -F`: every rule comes back")
    cluster.run(NODE, "ipset", "flush", "KUBE-CLUSTER-IP")
    cluster.run(NODE, "ip", "link", "delete", "kube-ipvs0")
    cluster.wait_for("the state of before", lambda: kernel(cluster, NODE) == before, 40)
    wait_pods(cluster, NODE, address, PODS)
    passed("an emptied set and the removed device come back")


def run(cluster):
    cluster.put(service_object("web", type="NodePort", ports=(80, (80, "UDP")), ipFamilyPolicy="RequireDualStack"))
    start(cluster, pod_object("asker", NODE, app="asker"), pod_object("web-1", "node1"), pod_object("web-2", "node2"))
    wait_pods(cluster, "pod/asker", cluster_ip(cluster, "web"), PODS)
    wait_pods(cluster, "client", str(cluster.topology.node(NODE).address), PODS, node_port(cluster, "web"), "--udp")
    speaker_restarts(cluster)
    api_server_restarts(cluster)
    somebody_flushes(cluster)
