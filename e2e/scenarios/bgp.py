"""What the BGP stories share: the objects, the address plan, and looking at sessions, statuses and traffic.

Service addresses are far from the LAN, so that nothing but a route can lead to them.
"""

import base64
import time

from cluster import NAMESPACE, ScenarioFailed, expect
from manifests import OPEN_AT_ONCE, balancer, pool_object, start_pods

TOR_ASN, NODES_ASN, OTHER_ASN = 64512, 64513, 64600
FOUR, SIX = "192.0.2.{}", "2001:db8:100::{:x}"
POOL = ("192.0.2.0/26", "2001:db8:100::/122")
ROUTER, ROUTER6 = "192.168.100.1", "fd00:192:168:100::1"
OPENED_WHILE_MOVING = "Connection reset by peer"


def _object(kind, name, spec, version="v1beta1"):
    return {"apiVersion": f"metallb.io/{version}", "kind": kind,
            "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def peer(name="tor", **spec):
    """A BGPPeer: the router on the LAN by default."""
    spec = {"myASN": NODES_ASN, "peerASN": TOR_ASN, "peerAddress": ROUTER, **spec}
    return _object("BGPPeer", name, {key: value for key, value in spec.items() if value is not None}, "v1beta2")


def announcement(name="example", **spec):
    """A BGPAdvertisement; of every pool by every node to every peer by default."""
    return _object("BGPAdvertisement", name, spec)


def bfd_profile(name, **spec):
    """A BFDProfile."""
    return _object("BFDProfile", name, spec)


def community_names(name, **values):
    """A Community object: aliases; `_` in a name stands for `-`."""
    return _object("Community", name, {"communities": [
        {"name": alias.replace("_", "-"), "value": value} for alias, value in values.items()]})


def password_secret(name, password):
    """A Secret that a BGPPeer's passwordSecret names."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE},
            "type": "kubernetes.io/basic-auth", "data": {"password": base64.b64encode(password.encode()).decode()}}


def dual(name, **more):
    """A Service with an address of each family."""
    return balancer(name, ipFamilyPolicy="RequireDualStack", ipFamilies=["IPv4", "IPv6"], **more)


def serve(cluster, *services, pool=POOL, replicas=3, node=None):
    """Pods `web`, a pool, an advertisement of it, and Services; returns the first one's addresses."""
    cluster.put(pool_object("routed", *pool), announcement(), *services)
    start_pods(cluster, replicas, node)
    first = services[0]["metadata"]["name"]
    wanted = len(services[0]["spec"].get("ipFamilies", ["IPv4"]))
    return cluster.wait_for(f"addresses of {first}",
                            lambda: len(now := cluster.addresses(first)) == wanted and now)


def host_route(address):
    """The prefix of one address."""
    return f"{address}/{128 if ':' in address else 32}"


def node_names(cluster):
    """node1, node2, node3."""
    return [node.name for node in cluster.topology.nodes]


# --- what the product says


def told_peers(cluster, service, namespace="default"):
    """node -> peers, from the Service's ServiceBGPStatus objects."""
    return {status["node"]: sorted(status.get("peers", []))
            for status in cluster.statuses("ServiceBGPStatus")
            if (status["serviceName"], status["serviceNamespace"]) == (service, namespace)}


def wait_told_peers(cluster, service, wanted, deadline=15.0):
    """Until the ServiceBGPStatus objects say exactly that: node -> peers."""
    wanted = {node: sorted(peers) for node, peers in wanted.items()}
    try:
        cluster.wait_for(f"ServiceBGPStatus of {service}", lambda: told_peers(cluster, service) == wanted, deadline)
    except ScenarioFailed as error:
        raise ScenarioFailed(f"{error}: wanted {wanted}, there is {told_peers(cluster, service)}") from None


def session_states(cluster):
    """(node, peer) -> status of the BGPSessionState objects."""
    return {(status["node"], status["peer"]): status for status in cluster.statuses("BGPSessionState")}


def wait_session_state(cluster, node, name, condition, what, deadline=20.0):
    """Until the BGPSessionState of a node and peer meets a condition; returns its status."""
    def met():
        status = session_states(cluster).get((node, name))
        return status is not None and condition(status) and status
    try:
        return cluster.wait_for(f"BGPSessionState of {node} and {name} that says {what}", met, deadline)
    except ScenarioFailed as error:
        raise ScenarioFailed(f"{error}; there is {session_states(cluster).get((node, name))}") from None


def speaker_log(cluster, node):
    """All lines of the speakers that have run on a node."""
    lines = []
    for pod in cluster.items("Pod", NAMESPACE, "component=speaker"):
        if pod["spec"].get("nodeName") == node:
            lines += cluster.logs(pod["metadata"]["name"]).splitlines()
    return lines


# --- traffic


def answering_nodes(cluster, address, count=90, machine="remote"):
    """The nodes through which requests of a client went, for a Service with policy Cluster: the pods see the
    address of the node that took a request in."""
    owners = {}
    for node in cluster.topology.nodes:
        own = (node.address, node.gateway, node.address6, node.pods6 and node.pods6[1])
        owners.update({str(one): node.name for one in own if one})
    measured = cluster.shares(machine, address, count=count)
    expect(measured["failed"] == 0, f"{address}: {measured['failed']} of {measured['requests']} requests failed: "
           f"{measured['errors']}")
    return {owners.get(client.removeprefix("::ffff:"), client): number
            for client, number in measured["clients"].items()}


def expect_spread(cluster, address):
    """Requests from behind the router arrive through every node."""
    through = answering_nodes(cluster, address)
    expect(set(through) == set(node_names(cluster)), f"{address}: requests came in through {through}")
    return through


def wait_answer(cluster, address, machine="remote"):
    """Until a request from behind the router is answered; returns the answer."""
    return cluster.wait_for(f"answer from {address}", lambda: cluster.curl(machine, address, seconds=1))


def measured_loss(what, prober, moves=0):
    """Ends a prober, prints what it measured and returns it. Every request has to be answered, but for
    connections that are open at the moment the router sends their flow to another node."""
    measured = prober.stop()
    resets = measured["errors"].get(OPENED_WHILE_MOVING, 0)
    print(f"  {what}: {measured['failed']} of {measured['requests']} requests failed"
          + (f" ({resets} open while their flow moved)" if resets else "")
          + f", longest time without an answer {measured['gap_ms']:.0f} ms", flush=True)
    expect(measured["failed"] == resets <= OPEN_AT_ONCE * moves,
           f"{what}: {measured['failed']} of {measured['requests']} requests failed: {measured['errors']}")
    return measured


# --- speakers


def end_speaker(cluster, node):
    """Deletes a node's speaker pod, which gets SIGTERM; returns its name."""
    name = cluster.pod_on(node)["metadata"]["name"]
    cluster.delete("Pod", name, namespace=NAMESPACE)
    return name


def speaker_is_back(cluster, node, old):
    """Whether another speaker than `old` is ready on the node."""
    pod = cluster.pod_on(node)
    if pod is None or pod["metadata"]["name"] == old:
        return False
    statuses = pod["status"].get("containerStatuses") or [{}]
    return bool(statuses[0].get("ready"))


def watch_until(cluster, what, condition, look, deadline=60.0):
    """Waits for a condition and calls look() all the while; returns every different value it gave, in order."""
    seen, end = [], time.monotonic() + deadline
    while True:
        done, value = condition(), look()
        if not seen or seen[-1] != value:
            seen.append(value)
        if done:
            return seen
        expect(time.monotonic() < end, f"no {what} within {deadline:g} s; seen meanwhile: {seen}")
