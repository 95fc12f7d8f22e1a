"""Endpoints that are on their way out: they are used when, by the policy at hand, no ready one is left.

Each frontend decides by its own policy: ClusterIP and NodePort with Cluster look at all endpoints, with Local at the
node's own. An endpoint that no longer serves, or is not ready without terminating, is never used. Connections to an
endpoint that terminates stay.
"""

from cluster import expect
from manifests import passed
from proxy_support import REFUSED_WITHIN, Stage, endpoint_slice, pod, service

SHORT = 0.8
READY = {"ready": True}
LEAVING = {"ready": False, "serving": True, "terminating": True}
GONE = {"ready": False, "serving": False, "terminating": True}
UNREADY = {"ready": False, "serving": False, "terminating": False}
# web-1 is on node1, web-2 on node2, nobody on node3; the expectation is who answers for a front of that policy to a
# client of that node: Cluster, then Local for node1, node2, node3.
NOBODY, SILENCE = "refused", "timeout"
CASES = (
    ("a terminating endpoint is left alone while another one is ready, except where it is the only local one",
     READY, LEAVING, {"web-1"}, {"web-1"}, {"web-2"}, {SILENCE}),
    ("all terminating: all are used", LEAVING, LEAVING, {"web-1", "web-2"}, {"web-1"}, {"web-2"}, {SILENCE}),
    ("of terminating endpoints only those that serve are used", GONE, LEAVING, {"web-2"}, {SILENCE}, {"web-2"},
     {SILENCE}),
    ("none serves: everybody is refused", GONE, GONE, {NOBODY}, {NOBODY}, {NOBODY}, {NOBODY}),
    ("not ready, not terminating: never used", UNREADY, UNREADY, {NOBODY}, {NOBODY}, {NOBODY}, {NOBODY}),
    ("an unready endpoint does not stand in for a terminating one", UNREADY, LEAVING, {"web-2"}, {SILENCE}, {"web-2"},
     {SILENCE}),
    ("ready again", READY, READY, {"web-1", "web-2"}, {"web-1"}, {"web-2"}, {SILENCE}),
)


def table(stage):
    cluster_port, local_port = stage.node_port("any"), stage.node_port("local")
    any_ip, local_ip = stage.cluster_ip("any"), stage.cluster_ip("local")
    for case, first, second, anywhere, *local in CASES:
        for name in ("any", "local"):
            stage.put_slice(endpoint_slice(name, [stage.endpoint("web-1", **first), stage.endpoint("web-2", **second)]))
        asks, wanted = [], []
        for number, node in enumerate(stage.nodes):
            for via, to, port, words in (
                    (f"asker-{number + 1}", any_ip, 80, anywhere), (node, any_ip, 80, anywhere),
                    ("client", stage.node_ip(node), cluster_port, anywhere),
                    (f"asker-{number + 1}", local_ip, 80, local[number]), (node, local_ip, 80, local[number]),
                    ("client", stage.node_ip(node), local_port, local[number])):
                asks.append(stage.one(via, to, port, timeout=SHORT if SILENCE in words else REFUSED_WITHIN,
                                      count=1 if words & {SILENCE, NOBODY} else 4))
                wanted.append(words)
        stage.soon(case, lambda *outcomes, words=tuple(wanted): all(
            set(each.words) == some for each, some in zip(outcomes, words)), *asks)
        passed(case)


def real_end(stage):
    """A pod that is really deleted: it lingers, and its connections stay."""
    stage.create(pod("slow", "node1", app="slow", grace=12, script="trap '' TERM; /sylab-pod & wait"))
    stage.cluster.put(service("slow", app="slow"))
    address = stage.cluster_ip("slow")
    stage.soon("an answer", "slow", stage.one("asker-2", address), stage.one("node3", address))
    expect(stage.keep("kept", "asker-2", address) == "slow", "no connection to keep")
    stage.cluster.delete("Pod", "slow")
    stage.cluster.wait_for("a terminating endpoint", lambda: any(
        each["conditions"]["terminating"] for item in stage.cluster.items("EndpointSlice")
        if item["metadata"]["labels"]["kubernetes.io/service-name"] == "slow" for each in item["endpoints"] or []))
    for _ in range(3):
        outcomes = stage.ask_all(stage.one("asker-2", address, count=4), stage.one("node3", address, count=4))
        expect(all(each.word == "slow" for each in outcomes), f"while terminating: {outcomes}")
        expect(stage.again("kept") == "slow", "the open connection is gone before its pod")
        stage.talker.request("rest", seconds=0.7)
    passed("a deleted pod answers until it has ended, when there is no other, and keeps its connections")
    stage.soon("a refusal when it has ended", "refused", stage.one("asker-2", address), stage.one("node3", address))
    passed("then the Service refuses")


def run(cluster):
    with Stage(cluster) as stage:
        stage.start(pod("web-1", "node1"), pod("web-2", "node2"),
                    *(pod(f"asker-{number}", f"node{number}", app="asker") for number in (1, 2, 3)), pool=False)
        cluster.put(service("any", "NodePort", app=None), service(
            "local", "NodePort", app=None, externalTrafficPolicy="Local", internalTrafficPolicy="Local"))
        table(stage)
        real_end(stage)
