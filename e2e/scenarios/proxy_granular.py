"""Every kind of client reaches every endpoint of a Service: pods, nodes and endpoints themselves, TCP and UDP.

By ClusterIP and by every node's NodePort. Endpoints and node ports come and go, requests are large, endpoints are
programs on the nodes themselves. A segment out of window does not end a connection.
"""

from cluster import expect
from manifests import passed
from proxy_support import PORT, Stage, pod, service

BOTH = ((80, "TCP"), (80, "UDP"))
LARGE = 2000  # more than one packet
FREE = (32711, 32712)  # node ports that nobody has got


def all_of(*names):
    """Whether every client has reached exactly these."""
    return lambda *outcomes: all(set(each.words) == set(names) for each in outcomes)


def fronts(stage, name):
    """(address, port index -> port) of the Service: its ClusterIP, and every node with its NodePort."""
    spec = stage.spec(name)
    numbers = [entry["port"] for entry in spec["ports"]]
    node_ports = [entry["nodePort"] for entry in spec["ports"]]
    return [(spec["clusterIPs"][0], numbers), *((stage.node_ip(node), node_ports) for node in stage.nodes)]


def asks(stage, name, clients, count=9):
    """Each client to each front of the Service, TCP and UDP."""
    return [stage.one(via, address, port, count=count, protocol=protocol) for via in clients
            for address, ports in fronts(stage, name) for port, protocol in zip(ports, ("TCP", "UDP"))]


def kinds_of_client(stage):
    stage.cluster.put(service("web", "NodePort", ports=BOTH))
    for kind, clients in (("a pod", ["asker"]), ("a node", stage.nodes), ("an endpoint itself", ["web-1", "web-3"])):
        stage.soon(f"all endpoints from {kind}", all_of("web-1", "web-2", "web-3"), *asks(stage, "web", clients))
        passed(f"{kind} reaches every endpoint by ClusterIP and by every node's NodePort, TCP and UDP")


def updates(stage):
    cluster = stage.cluster
    cluster.delete("Pod", "web-3")
    stage.soon("two endpoints", all_of("web-1", "web-2"), *asks(stage, "web", ["asker", "node3"]))
    stage.create(pod("web-4", "node3"))
    stage.soon("three endpoints again", all_of("web-1", "web-2", "web-4"), *asks(stage, "web", ["asker", "node3"]))
    passed("endpoints that go are no longer reached, those that come are (TCP and UDP)")

    # Only one of the two node ports changes: the other one's clients notice nothing.
    ports = stage.spec("web")["ports"]
    http, udp = (entry["nodePort"] for entry in ports)
    ports[0]["nodePort"] = FREE[0]
    stage.change("web", ports=ports)
    address = stage.node_ip("node2")
    stage.soon("an answer on the new node port", all_of("web-1", "web-2", "web-4"),
               stage.one("client", address, ports[0]["nodePort"], count=6))
    stage.soon("a refusal on the old one", "refused", stage.one("client", address, http))
    expect(stage.ask("client", address, udp, protocol="UDP", count=6).shares.keys() == {"web-1", "web-2", "web-4"},
           "the UDP node port has changed, too")
    ports[1]["nodePort"] = FREE[1]
    stage.change("web", ports=ports)
    stage.soon("an answer on the new UDP node port", all_of("web-1", "web-2", "web-4"),
               stage.one("client", address, ports[1]["nodePort"], count=6, protocol="UDP"))
    stage.soon("a refusal on the old one", "refused", stage.one("client", address, udp, protocol="UDP"))
    stage.change("web", type="ClusterIP")
    stage.soon("a refusal of TCP", "refused", stage.one("client", address, ports[0]["nodePort"]))
    stage.soon("a refusal of UDP", "refused", stage.one("client", address, ports[1]["nodePort"], protocol="UDP"))
    passed("a node port that is changed or taken away refuses, the new one answers")


def large_requests(stage):
    address = stage.cluster_ip("web")
    # Not a node's datagrams: of a local address the node's kernel expects 64 kB in one packet, and has to learn.
    for via, protocol in (("asker", "TCP"), ("asker", "UDP"), ("web-2", "UDP"), ("node2", "TCP")):
        outcome = stage.ask(via, address, 80, protocol=protocol, size=LARGE, count=6)
        sizes = {len(item.get("said", "")) for item in outcome.results}
        expect(set(outcome.words) == {"web-1", "web-2", "web-4"} and min(sizes) >= LARGE - 1,
               f"{protocol} from {via}: {outcome}, {sizes} bytes")
    passed(f"requests and answers of {LARGE} bytes pass, TCP and UDP")


def stray_segments(stage):
    """A segment of the server that conntrack cannot place is not translated back. Where it went on, it would come to
    an address and port that know nothing of it, and be answered with a reset of the server's connection."""
    stage.cluster.put(service("lone", "NodePort", selector={"pod": "web-2"}))
    address, server = stage.cluster_ip("lone"), stage.place("web-2")
    fronts = {"a client outside": ("client", stage.node_ip("node1"), stage.node_port("lone")),
              "a node": ("node3", address), "a pod": ("web-1", address)}
    stage.soon("answers", "web-2", *(stage.one(*front) for front in fronts.values()))
    for who, front in fronts.items():
        stage.talker.request("overhear", name="ear", via=server)
        expect(stage.keep("kept", *front) == "web-2", f"no connection of {who}")
        for _ in range(3):
            where = stage.talker.request("stray", name="ear", via=server, port=PORT)
            stage.talker.request("rest", seconds=0.2)
            expect((word := stage.again("kept")) == "web-2", f"{who}: {word} after a stray segment to {where}")
        stage.drop("ear")
        stage.drop("kept")
    stage.cluster.delete("Service", "lone")
    passed(f"a segment out of window resets no connection of {', '.join(fronts)}")


def host_network(stage):
    stage.cluster.put(service("hosts", "NodePort", app="hosts", ports=BOTH, target=8090))
    stage.soon("all endpoints on nodes", all_of("host-1", "host-2"),
               *asks(stage, "hosts", ["asker", "node1", "node3", "host-2"]))
    passed("endpoints with the node's own network are reached by pods, nodes and themselves")


def run(cluster):
    with Stage(cluster) as stage:
        stage.start(*(pod(f"web-{number}", f"node{number}") for number in (1, 2, 3)),
                    pod("asker", "node2", app="asker"),
                    *(pod(f"host-{number}", f"node{number}", app="hosts", port=8090, host_network=True)
                      for number in (1, 2)), pool=False)
        kinds_of_client(stage)
        stray_segments(stage)
        host_network(stage)
        updates(stage)
        large_requests(stage)
