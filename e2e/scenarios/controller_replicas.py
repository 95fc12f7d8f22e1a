"""Two controllers: one leads, the other takes over after a clean stop and after a SIGKILL; no address changes hands."""

import time

from cluster import NAMESPACE, expect
from manifests import advertisement, balancer, expect_nothing_lost, on_nodes, passed, serve_web

LEASE = "steelyard-controller"
# The process whose pod has the name $1 gets the signal $0: all machines share the guest's process numbers.
SIGNAL = """
for pid in $(pidof steelyard-controller); do
    tr '\\0' '\\n' < /proc/$pid/environ | grep -qx "METALLB_POD_NAME=$1" && kill -"$0" "$pid" && exit 0
done
exit 1
"""


def holder(cluster):
    """The name of the pod that leads, "" while none does."""
    lease = cluster.read("Lease", LEASE, NAMESPACE) or {}
    return lease.get("spec", {}).get("holderIdentity", "").rpartition("_")[0]


def controllers(cluster):
    """The controller's pods by name."""
    return {pod["metadata"]["name"]: pod for pod in cluster.pods("component=controller", NAMESPACE)}


def next_address(cluster, name, what):
    """Makes a Service at once and says how long its address took: the gap that a user sees."""
    started = time.monotonic()
    cluster.put(balancer(name))
    address = cluster.wait_external_ip(name, 45)
    print(f"  {what}: a new Service waited {time.monotonic() - started:.1f} s for its address", flush=True)
    return address


def run(cluster):
    address = serve_web(cluster)
    # One announcer for all: a Service more may otherwise move another one's address for balance.
    cluster.put(advertisement(nodeSelectors=on_nodes("node1")))
    cluster.wait_owner(address, "node1")
    names = [f"service-{number}" for number in range(5)]
    cluster.put(*(balancer(name) for name in names))
    given = {name: cluster.wait_external_ip(name) for name in names} | {"web": address}
    pods = controllers(cluster)
    expect(len(pods) == 2, f"there are {len(pods)} controllers, not 2")
    first = cluster.wait_for("leader", lambda: holder(cluster))
    expect(first in pods, f"the Lease names {first}, which is none of {', '.join(pods)}")
    passed("one of two leads")
    prober = cluster.prober("client", address)

    cluster.kubectl("-n", NAMESPACE, "delete", "pod", first, "--wait=false")
    given["after-stop"] = next_address(cluster, "after-stop", "leader stopped")
    # The one that stops may have been the one that gave it: that is no gap, but no take-over either.
    cluster.wait_for(f"a leader that is not {first}", lambda: holder(cluster) in pods.keys() - {first})
    given["after-take-over"] = next_address(cluster, "after-take-over", "the standby leads")
    passed("the standby takes over from a leader that stops")

    cluster.wait_installed()
    leader = holder(cluster)
    node = cluster.wait_for("leader's pod", lambda: controllers(cluster)[leader]["spec"]["nodeName"])
    cluster.run(node, "sh", "-c", SIGNAL, "KILL", leader)
    given["after-kill"] = next_address(cluster, "after-kill", "leader killed")
    passed("somebody takes over from a leader that was killed")

    cluster.wait_installed()
    now = {name: cluster.external_ip(name) for name in given}
    expect(now == given, f"addresses changed: {given} became {now}")
    expect(len(set(given.values())) == len(given), f"an address was given twice: {given}")
    passed("every Service has kept its address, and each its own")
    expect_nothing_lost("requests meanwhile", prober, owner="node1")
