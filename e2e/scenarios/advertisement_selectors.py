"""Who announces is limited by an advertisement's nodeSelectors and by the Services its serviceSelectors name.

Several advertisements of a pool add up; one that does not match both the Service and a node says nothing.
"""

from cluster import expect
from manifests import advertisement, balancer, match_labels, on_nodes, passed, pool_object, start_pods


def node_selectors(cluster):
    cluster.put(pool_object("first", "192.168.100.200/32"), advertisement("first", ipAddressPools=["first"],
                                                                          nodeSelectors=on_nodes("node2")),
                balancer("web"))
    address = cluster.wait_external_ip("web")
    for node in ("node2", "node3", "node1"):
        cluster.put(advertisement("first", ipAddressPools=["first"], nodeSelectors=on_nodes(node)))
        cluster.wait_owner(address, node)
    passed("one node is selected: it announces, and the next one when the selector changes")

    cluster.put(pool_object("second", "192.168.100.201/32"),
                advertisement("second", ipAddressPools=["second"], nodeSelectors=on_nodes("node3")),
                advertisement("third", ipAddressPools=["second"], nodeSelectors=on_nodes("node3", "node2")),
                balancer("other"))
    other = cluster.wait_external_ip("other")
    expect(cluster.wait_owner(other) in ("node2", "node3"), f"{other} is announced by a node nobody selects")
    cluster.wait_owner(address, "node1")
    cluster.kill(cluster.wait_owner(other))
    expect((heir := cluster.wait_owner(other)) in ("node2", "node3"), f"{heir} took over {other}")
    for node in ("node2", "node3"):
        if node != heir:
            cluster.restore(node)
    cluster.wait_installed()
    passed("several selectors and advertisements of a pool: the address stays among all their nodes")

    cluster.put(advertisement("first", ipAddressPools=["first"], nodeSelectors=match_labels(rack="a")))
    cluster.wait_silence(address)
    cluster.patch("Node", "node2", {"metadata": {"labels": {"rack": "a"}}})
    cluster.wait_owner(address, "node2")
    cluster.patch("Node", "node1", {"metadata": {"labels": {"rack": "a"}}})
    cluster.patch("Node", "node2", {"metadata": {"labels": {"rack": None}}})
    cluster.wait_owner(address, "node1")
    passed("nodes that get the label join the selection, those that lose it leave")
    cluster.delete("L2Advertisement", "second", "third")
    cluster.delete("Service", "other")


def service_selectors(cluster):
    def advertise(name, **spec):
        cluster.put(advertisement(name, ipAddressPools=["second"], **spec))

    def label(**labels):
        cluster.patch("Service", "other", {"metadata": {"labels": labels}})

    advertise("second", serviceSelectors=match_labels(tier="gold"))
    cluster.put(balancer("other", labels={"tier": "silver"}))
    other = cluster.wait_external_ip("other")
    cluster.put(balancer("mark", labels={"tier": "gold"}))
    cluster.wait_for("note that nobody announces it", lambda: any(
        reason == "announceFailed" for reason, _ in cluster.events("other")))
    expect(not cluster.ask(other), f"{other} is announced although no advertisement selects its Service")
    label(tier="gold")
    cluster.wait_owner(other)
    passed("the pool and the Service have to match")

    advertise("third", serviceSelectors=match_labels(tier="gold"))
    advertise("fourth")
    cluster.wait_owner(other)
    answers = cluster.wait_for("answer", lambda: cluster.ask(other))
    expect(len(set(answers)) == 1, "two nodes announce because two advertisements match")
    passed("one node announces when several advertisements match")

    cluster.delete("L2Advertisement", "third", "fourth")
    advertise("second", serviceSelectors=match_labels(tier="gold"), nodeSelectors=match_labels(rack="nowhere"))
    advertise("third", serviceSelectors=match_labels(tier="bronze"))
    cluster.wait_silence(other)
    passed("an advertisement that matches the Service and one that matches a node do not make one")

    advertise("second", serviceSelectors=match_labels(tier="bronze") + match_labels(tier="gold"))
    cluster.wait_owner(other)
    label(tier="bronze")
    cluster.delete("L2Advertisement", "third")
    cluster.wait_owner(other)
    label(tier="lead")
    cluster.wait_silence(other)
    passed("one of several serviceSelectors is enough")


def run(cluster):
    start_pods(cluster)
    node_selectors(cluster)
    service_selectors(cluster)
