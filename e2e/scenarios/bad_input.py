"""Broken configuration is reported in one clear line and changes nothing that runs."""

from cluster import NAMESPACE, expect
from manifests import expect_nothing_lost, serve_web

BROKEN = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: broken, namespace: metallb-system}
spec:
  addresses: ["192.168.100.230-192.168.100.220"]
"""


def reports(cluster):
    """Everything the product says about the broken pool: refusals, log lines, conditions."""
    lines = []
    for name in ("controller", "speaker"):
        status, out, _ = cluster.try_run("client", "kubectl", "-n", NAMESPACE, "get", "configurationstates",
                                         "-o", "json")
        lines += out.splitlines() if status == 0 else []
        lines += cluster.logs(name).splitlines()
    return [line for line in lines if "broken" in line and "192.168.100.230-192.168.100.220" in line]


def run(cluster):
    address = serve_web(cluster)
    nodes = [node.name for node in cluster.topology.nodes]
    before = {node: cluster.settled_kernel_state(node) for node in nodes}
    owner = cluster.wait_for("owner", lambda: cluster.owner(address))
    prober = cluster.prober("client", address)

    status, out, err = cluster.try_run("client", "kubectl", "apply", "-f", "-", text=BROKEN)
    if status != 0:  # refused at the door
        line = err.strip()
    else:
        line = cluster.wait_for("report of the broken pool", lambda: reports(cluster), 15)[0].strip()
    print(f"  {line[:300]}")
    for word in ("broken", "addresses", "192.168.100.230-192.168.100.220"):
        expect(word in line, f"the report does not name {word}: {line}")

    expect_nothing_lost("requests meanwhile", prober, owner=owner)
    cluster.wait_owner(address, owner)
    expect(cluster.external_ip("web") == address, "the address changed")
    for node in nodes:
        expect(cluster.kernel_state(node) == before[node], f"the kernel state of {node} changed")
