"""An advertisement's interfaces: where an address is announced, and which nodes can.

The nodes have eth0 on the LAN and eth1 on another switch; the client asks on both.
"""

from cluster import expect
from manifests import advertisement, balancer, on_nodes, passed, pool_object, start_pods

TOPOLOGY = "two-networks"


def interfaces_of(cluster, service="web"):
    """The interfaces in the Service's ServiceL2Status; None unless there is just one such object."""
    found = [status for status in cluster.statuses("ServiceL2Status") if status["serviceName"] == service]
    return sorted(entry["name"] for entry in found[0].get("interfaces") or []) if len(found) == 1 else None


def wait_answers(cluster, address, eth0, eth1):
    """Waits until just these of the client's two interfaces hear an answer; returns the owner on the last one."""
    for interface, wanted in (("eth0", eth0), ("eth1", eth1)):
        if wanted:
            cluster.wait_owner(address, interface=interface)
        else:
            cluster.wait_silence(address, interface=interface)
    return cluster.owner(address, "eth1" if eth1 else "eth0")


def run(cluster):
    start_pods(cluster)
    cluster.put(pool_object("first", "192.168.100.200/32"), advertisement("first", interfaces=["eth0", "eth1"]),
                balancer("web"))
    address = cluster.wait_external_ip("web")
    owner = wait_answers(cluster, address, True, True)
    cluster.wait_for("status with both interfaces", lambda: interfaces_of(cluster) == ["eth0", "eth1"])
    passed("ServiceL2Status lists the interfaces")

    cluster.put(advertisement("first", interfaces=["eth1"]))
    owner = wait_answers(cluster, address, False, True)
    answers = cluster.wait_for("answer on eth1", lambda: cluster.ask(address, interface="eth1"))
    expect(answers == [cluster.mac_of(owner, "eth1")], "another MAC than eth1's")
    passed("an answer has the MAC of the interface it comes from")

    cluster.put(advertisement("first", interfaces=["eth0"]))
    wait_answers(cluster, address, True, False)
    cluster.wait_for("status with eth0", lambda: interfaces_of(cluster) == ["eth0"])
    passed("another interface is announced on when the advertisement changes")

    cluster.put(advertisement("second", interfaces=["eth1"]))
    wait_answers(cluster, address, True, True)
    cluster.delete("L2Advertisement", "second")
    wait_answers(cluster, address, True, False)
    passed("two advertisements of a pool add their interfaces")

    cluster.put(advertisement("first", interfaces=["eth1"], nodeSelectors=on_nodes("node2")),
                advertisement("second", interfaces=["eth0"], nodeSelectors=on_nodes("node2")))
    cluster.wait_owner(address, "node2", interface="eth0")
    cluster.wait_owner(address, "node2", interface="eth1")
    cluster.put(advertisement("second", interfaces=["eth0"], nodeSelectors=on_nodes("node3")))
    cluster.wait_for("one node, on the interface chosen for it", lambda: (
        cluster.owners(address, "eth0"), cluster.owners(address, "eth1")) in ((["node3"], []), ([], ["node2"])))
    passed("interfaces count for the nodes of their own advertisement")
    cluster.delete("L2Advertisement", "second")

    cluster.put(advertisement("first", interfaces=["eth1"]))
    owner = wait_answers(cluster, address, False, True)
    cluster.cable(owner, False, "eth1")
    heir = cluster.wait_for("announcement by a node whose eth1 has a carrier", lambda: (
        now := cluster.owner(address, "eth1")) != owner and now)
    expect(cluster.curl("client", str(cluster.topology.node(owner).address), cluster.read("Service", "web")["spec"][
        "ports"][0]["nodePort"]), f"{owner} is not alive any more")
    cluster.cable(owner, True, "eth1")
    passed(f"link down on the interface moves the address ({owner} -> {heir}) although the node lives")

    cluster.put(advertisement("first", interfaces=["eth7"]))
    wait_answers(cluster, address, False, False)
    message = cluster.wait_for("Event announceFailed", lambda: [
        text for reason, text in cluster.events("web") if reason == "announceFailed"])[-1]
    cluster.wait_for("end of the status", lambda: not cluster.items("ServiceL2Status"))
    print(f"  announceFailed: {message}")
    passed("an interface that no node has: an Event and no announcement")
