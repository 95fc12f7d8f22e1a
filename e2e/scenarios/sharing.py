"""Connections are shared out equally over all pods, whichever way a client takes.

From the client by EXTERNAL-IP, from a pod by ClusterIP, from the client by NodePort on every node, from a
node itself, and from beyond the router.
"""

from collections import Counter

from cluster import expect
from manifests import serve_web


def check_shares(cluster, what, machine, address, port=80, count=90):
    """Every pod gets its third, and nothing fails. A node that a busy machine lets wait is out of rotation for a
    moment: then the shares are counted anew, but a request must not fail even then."""
    def shared():
        measured = cluster.shares(machine, address, port, count)
        failures.update(measured["errors"])
        answers = measured["answers"]
        expect(len(answers) == 3, f"answers from {len(answers)} pods instead of 3: {answers}")
        expect(max(answers.values()) - min(answers.values()) <= 3, f"unequal shares {answers}")
        return True
    failures = Counter()
    cluster.wait_for(f"equal shares: {what}", shared)
    expect(not failures, f"{what}: requests failed: {dict(failures)}")


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
