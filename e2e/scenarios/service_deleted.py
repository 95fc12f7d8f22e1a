"""A deleted Service leaves nothing: IPVS, sets and kube-ipvs0 as before it was made, and ARP silent."""

from manifests import deployment, pool, service


def run(cluster):
    cluster.apply(pool() + "---" + deployment())
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    nodes = [node.name for node in cluster.topology.nodes]
    before = {node: cluster.settled_kernel_state(node) for node in nodes}

    cluster.apply(service())
    address = cluster.wait_external_ip("web")
    cluster.wait_for("answer", lambda: cluster.curl("client", address))
    for node in nodes:
        cluster.wait_for(f"virtual server for {address} on {node}",
                         lambda name=node: f"TCP {address}:80" in cluster.ipvs(name))
    cluster.wait_for(f"answer by ARP for {address}", lambda: cluster.arping(address))

    cluster.kubectl("delete", "service", "web")
    for node in nodes:
        cluster.wait_for(f"kernel state of {node} as before (was {before[node]})",
                         lambda name=node: cluster.kernel_state(name) == before[name], 15)
    cluster.wait_for("silence of ARP", lambda: not cluster.arping(address, count=2))
