"""sessionAffinity ClientIP: a client stays with one pod, whichever way it comes, until it has been away long enough.

The client asks from eight addresses of its own, so agreement is no accident: where the pods have the port that is asked
for, the choice is one per client and Service port, for ClusterIP, NodePort and EXTERNAL-IP together. Affinity is
switched off and on while the Service is in use.
"""

from cluster import expect
from manifests import passed
from proxy_support import CLUSTER_PODS, Stage, affinity, pod, service

OPTIONS = CLUSTER_PODS
SOURCES = [f"192.168.100.{number}" for number in range(61, 69)]
# IPVS keeps a client while one of its connections lives; one that was reset is forgotten after 10 s.
TIMEOUT = 12
SAME = 31500  # Service port, node port and the pods' port
PODS = {"web-1", "web-2", "web-3", "web-4"}


def from_all(stage, to, port, count=4, **more):
    """An ask from every address of the client."""
    return [stage.one("client", to, port, source=source, count=count, **more) for source in SOURCES]


def sticks(*outcomes):
    """Whether every client has reached one pod alone."""
    return all(each.word in PODS for each in outcomes)


def spread(*outcomes):
    """Whether every client has reached several."""
    return all(set(each.words) <= PODS and len(each.shares) > 1 for each in outcomes)


def words(outcomes):
    """The pod of each client."""
    return [each.word for each in outcomes]


def ways_in(stage):
    """Each front of a Service on its own."""
    stage.cluster.put(service("web", "LoadBalancer", **affinity()))
    vip, port = stage.cluster.wait_external_ip("web"), stage.node_port("web")
    address = stage.cluster_ip("web")
    for what, asks in (("ClusterIP", [stage.one(via, address, count=8) for via in ("asker-1", "asker-2", "node1")]),
                       ("NodePort", from_all(stage, stage.node_ip("node2"), port)),
                       ("EXTERNAL-IP", from_all(stage, vip, 80))):
        outcomes = stage.soon(f"one pod a client by {what}", sticks, *asks)
        expect(len(set(words(outcomes))) > 1, f"{what}: all clients at one pod: {outcomes}")
        passed(f"by {what}, every client stays with one pod, and they are spread over the pods")
    shown = stage.cluster.run("node2", "ipvsadm", "-Ln", "-t", f"{address}:80")
    expect("persistent 10800" in shown, f"ipvsadm does not show it: {shown}")
    passed("`ipvsadm -Ln -t VIP:PORT` shows `persistent 10800`")
    return vip, port, address


def one_choice(stage):
    """D5: the fronts agree, where the port they are asked on is the pods' own (IPVS cannot change it for them all)."""
    item = service("same", "LoadBalancer", ports=(SAME,), target=SAME, **affinity())
    item["spec"]["ports"][0]["nodePort"] = SAME
    stage.cluster.put(item)
    vip, address = stage.cluster.wait_external_ip("same"), stage.cluster_ip("same")
    owner = stage.cluster.wait_owner(vip)
    stage.soon("one pod a client", sticks, *from_all(stage, vip, SAME))
    half = len(SOURCES)
    stage.soon(f"the same pods by EXTERNAL-IP and by NodePort of {owner}", lambda *outcomes: sticks(*outcomes)
               and words(outcomes[:half]) == words(outcomes[half:]), *from_all(stage, vip, SAME),
               *from_all(stage, stage.node_ip(owner), SAME))
    passed("a client that comes by EXTERNAL-IP and by NodePort of one node reaches one pod")
    # Not the node itself: it has the address it asks as its source, and is another client each time.
    for via, node in (("asker-1", "node1"), ("asker-2", "node1"), ("asker-3", "node3")):
        outcomes = stage.ask_all(*(stage.one(via, to, SAME, count=4) for to in (address, vip, stage.node_ip(node))))
        expect(sticks(*outcomes) and len(set(words(outcomes))) == 1,
               f"{via}: ClusterIP, EXTERNAL-IP, NodePort lead to {words(outcomes)}")
    passed("so does a pod by ClusterIP, EXTERNAL-IP and NodePort")


def switching(stage, vip, port, address):
    asks = [*from_all(stage, vip, 80, 6)[:3], *from_all(stage, stage.node_ip("node3"), port, 6)[:3],
            stage.one("asker-1", address, count=8)]
    stage.change("web", sessionAffinity="None", sessionAffinityConfig=None)
    stage.soon("several pods a client", spread, *asks)
    stage.change("web", **affinity())
    stage.soon("one pod a client", sticks, *asks)
    passed("switched off and on in use: spread at once, one pod again (ClusterIP, NodePort, EXTERNAL-IP)")


def policy_local(stage):
    """Two endpoints on node1, one on each other node; the same client from outside and by policy Local."""
    stage.cluster.put(service("local", "LoadBalancer", externalTrafficPolicy="Local", selector={"place": "local"},
                              **affinity()))
    vip = stage.cluster.wait_external_ip("local")
    stage.cluster.wait_owner(vip, "node1")
    outcomes = stage.soon("one pod a client", sticks, *from_all(stage, vip, 80))
    expect(set(words(outcomes)) == {"web-1", "web-2"}, f"policy Local: {words(outcomes)}")
    port = stage.node_port("local")
    outcomes = stage.soon("one pod a client", sticks, *from_all(stage, stage.node_ip("node1"), port))
    expect(set(words(outcomes)) == {"web-1", "web-2"}, f"policy Local, NodePort: {words(outcomes)}")
    stage.change("local", sessionAffinity="None", sessionAffinityConfig=None)
    stage.soon("both pods a client", spread, *from_all(stage, vip, 80, 6))
    stage.change("local", **affinity())
    stage.soon("one pod a client", sticks, *from_all(stage, vip, 80))
    stage.soon("one pod of the cluster's own", sticks, *(stage.one(via, vip, 80, count=8) for via in (
        "asker-1", "asker-3", "node1", "node2")))
    passed("with externalTrafficPolicy Local: one local pod a client; the cluster's own stay with one, too; off and on")


def datagrams(stage):
    stage.cluster.put(service("udp", "NodePort", ports=((80, "UDP"),), **affinity()))
    outcomes = stage.soon("one pod a client", sticks, *from_all(
        stage, stage.node_ip("node1"), stage.node_port("udp"), protocol="UDP"))
    expect(len(set(words(outcomes))) > 1, f"UDP: {words(outcomes)}")
    outcomes = stage.soon("one pod a client", sticks, *(stage.one(via, stage.cluster_ip("udp"), count=8, protocol="UDP")
                                                        for via in ("asker-1", "asker-3", "node2")))
    passed("UDP: from new ports every time, every client stays with one pod")


def forgotten(stage):
    """The timeout: by ClusterIP and NodePort. A reset connection is forgotten soonest; see TIMEOUT."""
    stage.cluster.put(service("short", "NodePort", **affinity(TIMEOUT)))
    port = stage.node_port("short")

    def asks(count):
        return [*from_all(stage, stage.node_ip("node3"), port, count, reset=True),
                *(stage.one(via, stage.cluster_ip("short"), count=count, reset=True) for via in ("asker-1", "asker-3"))]
    before = stage.soon("one pod a client", sticks, *asks(3))
    again = stage.ask_all(*asks(2))
    expect(words(again) == words(before), f"{words(before)}, then {words(again)}")
    stage.talker.request("rest", seconds=TIMEOUT + 2)
    after = stage.ask_all(*asks(3))
    expect(sticks(*after) and words(after) != words(before), f"nobody was forgotten: {words(after)}")
    passed(f"after {TIMEOUT} s of silence a client is forgotten, and chosen for anew")


def run(cluster):
    with Stage(cluster) as stage:
        two_ports = {"script": f"exec /sylab-pod 8080 {SAME}"}
        local = {"labels": {"place": "local"}, **two_ports}
        stage.start(pod("web-1", "node1", **local), pod("web-2", "node1", **local),
                    pod("web-3", "node2", **two_ports), pod("web-4", "node3", **two_ports),
                    *(pod(f"asker-{number}", node, app="asker") for number, node in (
                        (1, "node1"), (2, "node1"), (3, "node3"))))
        for source in SOURCES:
            cluster.run("client", "ip", "address", "add", f"{source}/24", "dev", "eth0")
        fronts = ways_in(stage)
        switching(stage, *fronts)
        one_choice(stage)
        policy_local(stage)
        datagrams(stage)
        forgotten(stage)
