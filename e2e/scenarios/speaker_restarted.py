"""Speakers restart, by SIGKILL and by rollout: the kernels keep everything and connections keep flowing.

The SIGKILL hits a node that does not announce the address: clients that use its NodePort must notice
nothing. The rollout moves the announcement around while every node keeps forwarding.
"""

from cluster import NAMESPACE, expect
from manifests import serve_web


def speaker_on(cluster, node):
    """Name and restart count of the node's speaker."""
    for pod in cluster.pods("component=speaker", NAMESPACE):
        if pod["spec"]["nodeName"] == node:
            statuses = pod["status"].get("containerStatuses") or [{}]
            return pod["metadata"]["name"], statuses[0].get("restartCount", 0), statuses[0].get("ready", False)
    return None


def run(cluster):
    address = serve_web(cluster)
    owner = cluster.wait_for("owner", lambda: cluster.owner(address))
    other = next(node for node in cluster.topology.nodes if node.name != owner)
    port = cluster.get("service", "web")["spec"]["ports"][0]["nodePort"]
    before = cluster.kernel_state(other.name)

    through_owner = cluster.prober("client", address)
    through_other = cluster.prober("client", str(other.address), port)
    kept_open = cluster.prober("client", str(other.address), port, "--keepalive")
    pod, restarts, _ = speaker_on(cluster, other.name)
    cluster.run(f"pod/{pod}", "sh", "-c", "kill -9 $(pidof steelyard-speaker || pgrep -f ^/steelyard-speaker) || true")
    expect(cluster.kernel_state(other.name) == before, f"{other.name} lost kernel state when its speaker was killed")
    cluster.wait_for("speaker restarted and ready",
                     lambda: (now := speaker_on(cluster, other.name)) and now[1] > restarts and now[2], 30)
    for what, prober in (("EXTERNAL-IP", through_owner), ("NodePort", through_other), ("kept open", kept_open)):
        measured = prober.stop()
        expect(measured["failed"] == 0, f"SIGKILL, {what}: {measured['failed']} of {measured['requests']} requests "
               f"failed: {measured['errors']}")
    expect(cluster.kernel_state(other.name) == before, f"{other.name} has other kernel state after the restart")

    through_other = cluster.prober("client", str(other.address), port)
    through_address = cluster.prober("client", address)
    cluster.kubectl("-n", NAMESPACE, "rollout", "restart", "daemonset/speaker")
    cluster.wait_installed(90)
    measured = through_other.stop()
    expect(measured["failed"] == 0, f"rollout, NodePort: {measured['failed']} of {measured['requests']} requests "
           f"failed: {measured['errors']}")
    measured = through_address.stop()
    print(f"  rollout, EXTERNAL-IP: {measured['failed']} of {measured['requests']} requests failed, longest time "
          f"without an answer {measured['gap_ms']:.0f} ms")
    expect(measured["failed"] == 0, f"rollout, EXTERNAL-IP: {measured['failed']} of {measured['requests']} requests "
           f"failed: {measured['errors']}")
    cluster.wait_for("same kernel state", lambda: cluster.kernel_state(other.name) == before)
