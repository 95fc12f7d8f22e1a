"""externalTrafficPolicy Local: only a node with an endpoint announces, and pods see the client's own address.

With Cluster, a pod sees the address of the node that took the connection in.
"""

from cluster import expect
from manifests import deployment, serve_web

CLIENT_ADDRESS = "192.168.100.50"


def run(cluster):
    address = serve_web(cluster, replicas=1, node="node2", policy="Local")
    cluster.wait_for("announcement by node2", lambda: cluster.owner(address) == "node2")
    measured = cluster.shares("client", address, count=20)
    expect(list(measured["clients"]) == [CLIENT_ADDRESS], f"Local: pods saw {measured['clients']}")
    measured = cluster.shares("remote", address, count=20)
    expect(list(measured["clients"]) == [str(cluster.topology.remote.address)],
           f"Local: pods saw {measured['clients']} instead of the remote client")

    # The endpoint moves: the announcement follows it.
    cluster.apply(deployment(replicas=1, node="node3"))
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    cluster.wait_for("announcement by node3", lambda: cluster.owner(address) == "node3")
    cluster.wait_for("answer", lambda: cluster.curl("client", address))

    # No endpoint at all: no node is a candidate.
    cluster.kubectl("scale", "deployment/web", "--replicas=0")
    cluster.wait_for("silence", lambda: cluster.owner(address) is None)

    cluster.kubectl("scale", "deployment/web", "--replicas=1")
    cluster.kubectl("patch", "service", "web", "-p", '{"spec":{"externalTrafficPolicy":"Cluster"}}')
    cluster.wait_for("answer", lambda: cluster.curl("client", address))
    owner = cluster.wait_for("owner", lambda: cluster.owner(address))
    # Until the nodes have taken the change in, the first requests may go by the policy of before.
    cluster.wait_for(f"requests through {owner} that come from a node", lambda: CLIENT_ADDRESS not in cluster.shares(
        "client", address, count=20)["clients"])
