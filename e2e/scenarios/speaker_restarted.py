"""Speakers restart, by SIGKILL and by rollout: the kernels keep everything and connections keep flowing.

The SIGKILL hits a node that does not announce the address: clients that use its NodePort must notice
nothing. The rollout moves the announcement around while every node keeps forwarding.
"""

from cluster import NAMESPACE, expect
from manifests import expect_nothing_lost, serve_web


def restarts_of(cluster, node):
    """How often the node's speaker was restarted; -1 while it is not ready."""
    statuses = cluster.pod_on(node)["status"].get("containerStatuses") or [{}]
    return statuses[0]["restartCount"] if statuses[0].get("ready") else -1


def run(cluster):
    address = serve_web(cluster)
    owner = cluster.wait_owner(address)
    other = next(node for node in cluster.topology.nodes if node.name != owner)
    port = cluster.read("Service", "web")["spec"]["ports"][0]["nodePort"]
    before = cluster.settled_kernel_state(other.name)

    through_owner = cluster.prober("client", address)
    through_other = cluster.prober("client", str(other.address), port)
    kept_open = cluster.prober("client", str(other.address), port, "--keepalive")
    restarts = restarts_of(cluster, other.name)
    cluster.signal_speaker(other.name, "KILL")
    expect(cluster.kernel_state(other.name) == before, f"{other.name} lost kernel state when its speaker was killed")
    cluster.wait_for("restarted and ready speaker", lambda: restarts_of(cluster, other.name) > restarts, 30)
    expect_nothing_lost("SIGKILL elsewhere, EXTERNAL-IP", through_owner, owner=owner)
    expect_nothing_lost("SIGKILL, NodePort", through_other)
    expect_nothing_lost("SIGKILL, a connection kept open", kept_open)
    expect(cluster.kernel_state(other.name) == before, f"{other.name} has other kernel state after the restart")

    through_other = cluster.prober("client", str(other.address), port)
    through_address = cluster.prober("client", address)
    cluster.kubectl("-n", NAMESPACE, "rollout", "restart", "daemonset/speaker")
    cluster.wait_installed(90)
    expect_nothing_lost("rolling restart (SIGTERM), NodePort", through_other)
    expect_nothing_lost("rolling restart (SIGTERM), EXTERNAL-IP", through_address,
                        moves=2 * len(cluster.topology.nodes))
    cluster.wait_for("same kernel state", lambda: cluster.kernel_state(other.name) == before)
