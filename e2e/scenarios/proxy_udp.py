"""A UDP client that keeps its source port goes on with another pod as soon as its own has gone.

The client never stops sending, so nothing ends its flow but the proxy: conntrack and IPVS entries that lead to the
old pod have to go with the endpoint. By NodePort, EXTERNAL-IP, ClusterIP and with policy Local, from outside, from
pods and from a node; to a pod on another node, on the same node, and one that becomes ready only later. A pod that
lives on after it has left the Service shows best who moved the flow.
"""

from cluster import expect
from manifests import passed
from proxy_support import Stage, endpoint_slice, pod, service

UDP = ((80, "UDP"),)
MOVE_MS = 1500  # from the change in the API to the last lost datagram, in the slow guest
SPORT = 33333


class Flows:
    """One client of each kind, each with one source port."""

    def __init__(self, stage):
        self.stage = stage
        self.names = ("outside by NodePort", "outside by EXTERNAL-IP", "a pod by ClusterIP", "a pod by policy Local",
                      "a node by ClusterIP", "a node by NodePort")
        self.vip = stage.cluster.wait_external_ip("any")
        self.port, self.address = stage.node_port("any"), stage.cluster_ip("any")
        self.local = stage.cluster_ip("local")

    def start(self, first):
        """All of them; the first answers are in."""
        stage = self.stage
        fronts = (("client", stage.node_ip("node1"), self.port), ("client", self.vip, 80),
                  ("asker-2", self.address, 80), ("asker-2", self.local, 80), ("node2", self.address, 80),
                  ("node3", stage.node_ip("node3"), self.port))
        stage.soon("first answers", first, *(stage.one(*front, protocol="UDP", timeout=0.5) for front in fronts))
        for number, (name, front) in enumerate(zip(self.names, fronts)):
            stage.stream(name, *front, protocol="UDP", sport=SPORT + number)
        stage.talker.request("rest", seconds=0.3)

    def stop(self):
        """name -> (ms, word) of each ask."""
        return {name: self.stage.end_stream(name) for name in self.names}

    def until(self, word):
        """New clients of every way in reach that pod."""
        stage = self.stage
        stage.soon(f"answers of {word}", word, *(stage.one(*front, protocol="UDP", timeout=0.5) for front in (
            ("client", stage.node_ip("node1"), self.port), ("asker-2", self.address, 80), ("node2", self.address, 80),
            ("node3", self.address, 80), ("asker-2", self.local, 80))))
        stage.talker.request("rest", seconds=0.7)


def expect_moved(case, flows, first, second):
    """Every flow went from one pod to the other, once and for all, within MOVE_MS."""
    longest = 0
    for name, log in flows.items():
        words = [word for _, word in log if not word.startswith("!")]
        turn = next((index for index, word in enumerate(words) if word == second), None)
        expect(turn, f"{case}: {name}: {words[:1]}...{words[-3:]}, {log[-3:]}")
        expect(set(words[:turn]) == {first} and set(words[turn:]) == {second},
               f"{case}: {name}: went to and fro: {words}")
        last_old = max(when for when, word in log if word == first)
        first_new = min(when for when, word in log if word == second)
        longest = max(longest, first_new - last_old)
        # One datagram may be answered too late by a busy machine, not two of the last five.
        expect(sum(not word.startswith("!") for _, word in log[-5:]) >= 4, f"{case}: {name} ends with {log[-5:]}")
    expect(longest < MOVE_MS, f"{case}: a flow was without an answer for {longest:.0f} ms")
    print(f"  {case}: longest time without an answer {longest:.0f} ms", flush=True)


def entries(stage, address):
    """Conntrack entries of our clients' ports that lead to a pod, on all nodes. One that begins at the pod is its last
    answer, which came after its flow had gone."""
    found = []
    for node in stage.nodes:
        for line in stage.cluster.run(node, "cat", "/proc/net/nf_conntrack").splitlines():
            ours = "udp" in line and any(f"port={SPORT + number} " in line for number in range(6))
            begins = f"src={address} " in line.partition(" sport=")[0] + " "
            if ours and f"src={address} " in line and not begins:
                found.append(f"{node}: {line}")
    return found


def put(stage, target=8080, **conditions):
    """Both Services have these endpoints: pod -> conditions."""
    for name in ("any", "local"):
        stage.put_slice(endpoint_slice(name, [stage.endpoint(each, **how) for each, how in conditions.items()],
                                       ports=UDP, target=target))


READY, LEAVING, UNREADY = {}, {"ready": False, "serving": True, "terminating": True}, {"ready": False}


def move(stage, flows, case, first, second, leave):
    """The endpoint is replaced, by `leave` (which says what the slice is then) while the old pod goes on answering."""
    put(stage, **{first: READY})
    flows.start(first)
    expect(entries(stage, stage.ip(first)), "no conntrack entry of the flows to be found")
    leave()
    flows.until(second)
    expect_moved(case, flows.stop(), first, second)
    try:
        stage.cluster.wait_for("end of the old conntrack entries", lambda: not entries(stage, stage.ip(first)))
    except AssertionError as error:
        raise type(error)(f"{case}: {error}: {entries(stage, stage.ip(first))}") from None
    passed(f"{case}: every flow moves at once and for good, and no conntrack entry is left")


def run(cluster):
    with Stage(cluster) as stage:
        stage.start(pod("one", "node2"), pod("two", "node2"), pod("far", "node3"), pod("asker-2", "node2", app="asker"))
        cluster.put(service("any", "LoadBalancer", app=None, ports=UDP),
                    service("local", app=None, ports=UDP, internalTrafficPolicy="Local"))
        flows = Flows(stage)
        move(stage, flows, "replaced by a pod of the same node", "one", "two", lambda: put(stage, two=READY))
        move(stage, flows, "the old one terminates beside a ready one", "two", "one",
             lambda: put(stage, two=LEAVING, one=READY))
        other_node(stage, flows)
        unready_first(stage, flows)
        target_port(stage)


def other_node(stage, flows):
    """With policy Local nobody is left on the flow's node: it falls silent, and that is all."""
    put(stage, one=READY)
    flows.start("one")
    put(stage, far=READY)
    stage.soon("the other node's pod", "far", stage.one("asker-2", flows.address, protocol="UDP", timeout=0.5),
               stage.one("client", stage.node_ip("node1"), flows.port, protocol="UDP", timeout=0.5))
    stage.talker.request("rest", seconds=1)
    logs = flows.stop()
    local = logs.pop("a pod by policy Local")
    expect_moved("replaced by a pod of another node", logs, "one", "far")
    expect(local[-1][1] == "!timeout", f"policy Local with an endpoint elsewhere: {local[-3:]}")
    passed("replaced by a pod of another node: every flow moves; with policy Local it falls silent")


def unready_first(stage, flows):
    """The flow is there before the endpoint is ready."""
    put(stage, one=UNREADY)
    refused = [stage.one("asker-2", flows.address, protocol="UDP", timeout=0.5),
               stage.one("client", stage.node_ip("node1"), flows.port, protocol="UDP", timeout=0.5)]
    stage.soon("a refusal", "refused", *refused)
    for number, (name, via, to, port) in enumerate((("pod", "asker-2", flows.address, 80),
                                                    ("outside", "client", stage.node_ip("node1"), flows.port),
                                                    ("node", "node3", flows.address, 80))):
        stage.stream(name, via, to, port, protocol="UDP", sport=SPORT + number)
    stage.talker.request("rest", seconds=0.5)
    put(stage, one=READY)
    stage.soon("an answer", "one", *refused)
    stage.talker.request("rest", seconds=0.5)
    for name in ("pod", "outside", "node"):
        log = stage.end_stream(name)
        # ICMP is limited to some packets a second: most datagrams that are refused are so in silence.
        expect(log[0][1] in ("!refused", "!timeout") and [word for _, word in log[-5:]].count("one") >= 4,
               f"{name}: {log[:1]}...{log[-5:]}")
    passed("a flow that was refused is answered as soon as an endpoint is ready")


def target_port(stage):
    """The same pod, another port: by NodePort."""
    stage.create(pod("both", "node2", script="POD_NAME=other /sylab-pod 8081 & exec /sylab-pod 8080"))
    put(stage, both=READY)
    front = ("client", stage.node_ip("node1"), stage.node_port("any"))
    stage.soon("the first port", "both", stage.one(*front, protocol="UDP", timeout=0.5))
    stage.stream("moved", *front, protocol="UDP", sport=SPORT)
    stage.talker.request("rest", seconds=0.3)
    put(stage, target=8081, both=READY)
    stage.soon("the second port", "other", stage.one(*front, protocol="UDP", timeout=0.5))
    stage.talker.request("rest", seconds=0.7)
    expect_moved("another target port", {"the client": stage.end_stream("moved")}, "both", "other")
    passed("a flow by NodePort follows the target port")
