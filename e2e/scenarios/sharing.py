"""Connections are shared out equally over all pods, whichever way a client takes.

From the client by EXTERNAL-IP, from a pod by ClusterIP, from the client by NodePort on every node, from a
node itself, and from beyond the router.
"""

import time
from collections import Counter

from cluster import expect
from manifests import serve_web


def check_shares(cluster, what, machine, address, port=80, count=90):
    """Every pod gets its third, and nothing fails. A node that a busy machine lets wait is out of rotation for a
    moment: then the shares are counted anew, twice at most, but a request must not fail even then."""
    failures = Counter()
    for _ in range(3):
        measured = cluster.shares(machine, address, port, count)
        failures.update(measured["errors"])
        answers = measured["answers"]
        equal = len(answers) == 3 and max(answers.values()) - min(answers.values()) <= 3
        if equal:
            break
        time.sleep(1)  # in which the node may be back
    expect(not failures, f"{what}: requests failed: {dict(failures)}")
    expect(equal, f"{what}: unequal shares {answers}")


def run(cluster):
    address = serve_web(cluster)
    spec = cluster.get("service", "web")["spec"]
    node_port = spec["ports"][0]["nodePort"]
    pod = "pod/" + cluster.pods("app=web")[0]["metadata"]["name"]

    check_shares(cluster, "EXTERNAL-IP from the client", "client", address)
    check_shares(cluster, "EXTERNAL-IP from beyond the router", "remote", address)
    check_shares(cluster, "ClusterIP from a pod", pod, spec["clusterIP"])
    check_shares(cluster, "EXTERNAL-IP from a pod", pod, address)
    for node in cluster.topology.nodes:
        check_shares(cluster, f"NodePort on {node.name}", "client", str(node.address), node_port)
        check_shares(cluster, f"ClusterIP from {node.name}", node.name, spec["clusterIP"])
