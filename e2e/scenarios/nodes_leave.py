"""A node stops being a candidate, for whatever reason: its address moves, and moves back afterwards.

The condition NetworkUnavailable, the exclude label, the loss of the speaker, and the annotation
steelyard.io/drain, which loses no request; a rolled out change of the speakers loses none either (see
speaker_restarted).
"""

from cluster import NAMESPACE
from manifests import advertisement, balancer, expect_nothing_lost, passed, pool_object, start_pods

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
TAINT = {"key": "example.com/no-speaker", "effect": "NoSchedule", "value": "yes"}


def set_network_unavailable(cluster, node, value):
    """Changes the condition as a cloud's route controller would."""
    conditions = cluster.read("Node", node)["status"]["conditions"]
    for entry in conditions:
        if entry["type"] == "NetworkUnavailable":
            entry["status"] = value
    cluster.patch("Node", node, {"status": {"conditions": conditions}}, status=True)


def annotate(cluster, node, value):
    cluster.patch("Node", node, {"metadata": {"annotations": {"steelyard.io/drain": value}}})


def label(cluster, node, value):
    cluster.patch("Node", node, {"metadata": {"labels": {EXCLUDE: value}}})


def set_taints(cluster, node, taints):
    cluster.patch("Node", node, {"spec": {"taints": taints}})


def wait_moved(cluster, address, owner):
    """Waits until another node announces; returns it."""
    return cluster.wait_for(f"another owner than {owner}", lambda: (now := cluster.owners(address))
                            and owner not in now and len(now) == 1 and now[0])


def mind_taints(cluster):
    """Speakers that a taint keeps away: they tolerate all of them as they come."""
    cluster.patch("DaemonSet", "speaker", {"spec": {"template": {"spec": {"tolerations": None}}}}, namespace=NAMESPACE)
    cluster.wait_installed(90)


def run(cluster):
    mind_taints(cluster)
    start_pods(cluster)
    cluster.put(pool_object("first", "192.168.100.200/32"), advertisement(), balancer("web"))
    address = cluster.wait_external_ip("web")
    owner = cluster.wait_owner(address)
    cluster.wait_for("answer", lambda: cluster.curl("client", address))

    set_network_unavailable(cluster, owner, "True")
    wait_moved(cluster, address, owner)
    set_network_unavailable(cluster, owner, "False")
    cluster.wait_owner(address, owner)
    passed("NetworkUnavailable=True moves the address, False moves it back")

    label(cluster, owner, "")
    wait_moved(cluster, address, owner)
    label(cluster, owner, None)
    cluster.wait_owner(address, owner)
    passed("the label exclude-from-external-load-balancers moves the address, its removal moves it back")

    prober = cluster.prober("client", address)
    annotate(cluster, owner, "true")
    heir = wait_moved(cluster, address, owner)
    annotate(cluster, owner, None)
    cluster.wait_owner(address, owner)
    expect_nothing_lost(f"drain {owner} -> {heir} and back", prober, moves=2, owner=owner)
    passed("a drained node gives its address away, and gets it back, without losing a request")

    for node in cluster.topology.nodes:
        annotate(cluster, node.name, "true")
    cluster.wait_owner(address)
    for node in cluster.topology.nodes:
        annotate(cluster, node.name, None)
    cluster.wait_owner(address, owner)
    passed("when every node drains, one goes on serving")

    prober = cluster.prober("client", address)
    set_taints(cluster, owner, [TAINT])
    pod = cluster.pod_on(owner)["metadata"]
    cluster.delete("Pod", pod["name"], namespace=pod["namespace"])
    wait_moved(cluster, address, owner)
    cluster.wait_for("end of the speaker", lambda: cluster.pod_on(owner) is None)
    set_taints(cluster, owner, None)
    cluster.wait_owner(address, owner, 40)
    expect_nothing_lost(f"no speaker on {owner} for a while", prober, moves=2, owner=owner)
    passed("a node without a speaker gives its address away and takes it back when it has one again")
