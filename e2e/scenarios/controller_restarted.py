"""The controller restarts: no address changes, and a Service made meanwhile gets one afterwards."""

from cluster import NAMESPACE, expect
from manifests import advertisement, expect_nothing_lost, on_nodes, serve_web, service


def run(cluster):
    address = serve_web(cluster)
    # One announcer for all: a Service more may otherwise move another one's address for balance.
    cluster.put(advertisement(nodeSelectors=on_nodes("node1")))
    cluster.wait_owner(address, "node1")
    cluster.apply(service("second", "web"))
    second = cluster.wait_external_ip("second")
    prober = cluster.prober("client", address)

    cluster.kubectl("-n", NAMESPACE, "scale", "deployment/controller", "--replicas=0")
    cluster.wait_for("end of the controller", lambda: not cluster.get(
        "pods", "-n", NAMESPACE, "-l", "component=controller")["items"], 30)
    cluster.apply(service("third", "web"))
    expect(cluster.external_ip("web") == address, "the address changed without a controller")
    cluster.kubectl("-n", NAMESPACE, "scale", "deployment/controller", "--replicas=1")
    cluster.wait_installed()

    third = cluster.wait_external_ip("third")
    expect(cluster.external_ip("web") == address, f"web had {address}, now {cluster.external_ip('web')}")
    expect(cluster.external_ip("second") == second, f"second had {second}, now {cluster.external_ip('second')}")
    expect(len({address, second, third}) == 3, f"an address was given twice: {address}, {second}, {third}")
    expect_nothing_lost("requests meanwhile", prober, owner="node1")
