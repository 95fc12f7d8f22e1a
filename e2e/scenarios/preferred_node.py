"""preferredNodeSelectors: the node with the highest score announces, as long as it can.

The score is the sum of the weights that match, over all advertisements of the address.
"""

from cluster import expect
from manifests import advertisement, balancer, match_labels, on_nodes, passed, pool_object, start_pods

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"


def prefer(*weights):
    """preferredNodeSelectors from (weight, node) pairs."""
    return [{"weight": weight, "preference": on_nodes(node)[0]} for weight, node in weights]


def label(cluster, node, **labels):
    """Sets labels of a node, or removes them by None."""
    cluster.patch("Node", node, {"metadata": {"labels": labels}})


def run(cluster):
    start_pods(cluster)
    cluster.put(pool_object("first", "192.168.100.200/32"), advertisement("first"), balancer("web"))
    address = cluster.wait_external_ip("web")
    baseline = cluster.wait_owner(address)
    others = [node.name for node in cluster.topology.nodes if node.name != baseline]
    liked, disliked = others

    def advertise(name="first", **spec):
        cluster.put(advertisement(name, **spec))

    fast = [{"weight": 50, "preference": match_labels(disk="fast")[0]}]
    advertise(preferredNodeSelectors=fast)
    cluster.wait_owner(address, baseline)
    passed("when no node matches, everything stays as without preferences")
    label(cluster, liked, disk="fast")
    cluster.wait_owner(address, liked)
    label(cluster, liked, disk=None)
    cluster.wait_owner(address, baseline)
    passed("the preferred node announces, and no longer when it loses its label")

    advertise(preferredNodeSelectors=prefer((10, liked)))
    cluster.wait_owner(address, liked)
    label(cluster, liked, **{EXCLUDE: ""})
    expect(cluster.wait_for("heir", lambda: (now := cluster.owner(address)) != liked and now) != liked, "no heir")
    label(cluster, liked, **{EXCLUDE: None})
    cluster.wait_owner(address, liked)
    passed("another node takes over while the preferred one is excluded, which gets it back")

    advertise(preferredNodeSelectors=prefer((10, disliked)))
    cluster.wait_owner(address, disliked)
    passed("a change of the preferences elects again")

    advertise(nodeSelectors=on_nodes(baseline, liked), preferredNodeSelectors=prefer((100, disliked), (1, liked)))
    cluster.wait_owner(address, liked)
    passed("nodeSelectors limit, preferences choose among the rest")

    advertise(nodeSelectors=on_nodes(baseline), preferredNodeSelectors=prefer((100, disliked)))
    cluster.wait_owner(address, baseline)
    passed("preferences for nodes outside of nodeSelectors count for nothing")

    advertise(preferredNodeSelectors=prefer((60, liked), (40, disliked)))
    cluster.wait_owner(address, liked)
    advertise("second", preferredNodeSelectors=prefer((30, disliked)))
    cluster.wait_owner(address, disliked)
    passed("weights of several advertisements add up")

    advertise("second", preferredNodeSelectors=prefer((30, disliked)), serviceSelectors=match_labels(tier="gold"))
    cluster.wait_owner(address, liked)
    cluster.patch("Service", "web", {"metadata": {"labels": {"tier": "gold"}}})
    cluster.wait_owner(address, disliked)
    passed("an advertisement's weights count only for the Services it selects")
