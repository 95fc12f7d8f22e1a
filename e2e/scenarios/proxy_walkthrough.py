"""A Service with three pods: 1000 requests shared 334, 333 and 333; then each scheduler's own way of sharing.

The schedulers and their weights are chosen by annotations, and `ipvsadm` shows what was chosen. Each has a Service of
its own, since some go by the connections that a virtual server has had. Clients are 24 addresses of one machine; their
connections are all open at the same time.
"""

import json
import time
from collections import Counter

from cluster import expect
from manifests import advertisement, passed, pool_object
from proxy_objects import cluster_ip, node_port, pod_address, pod_object, service_object, start, wait_pods

SCHEDULER, FLAGS, WEIGHTS = ("steelyard.io/ipvs-scheduler", "steelyard.io/ipvs-scheduler-flags",
                             "steelyard.io/ipvs-weights")
NODE = "node1"
CLIENTS = [f"192.168.100.{number}" for number in range(101, 125)]
# Opens one connection a source (all stay open), asks once on each, prints who answered.
HOLD = """
import json, socket, sys
address, port, sources = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(",")
held, answers = [], []
for source in sources:
    held.append(link := socket.create_connection((address, port), 5, (source, 0)))
    link.sendall(b"GET / HTTP/1.1\\r\\nHost: lab\\r\\n\\r\\n")
    answers.append(link.recv(4096).split()[-2].decode())
print(json.dumps(answers))
"""


def counts(names):
    """How often each name is there, most first."""
    return sorted((names.count(name) for name in set(names)), reverse=True)


class Served:
    """A Service in front of the pods `web`, asked by the client at one of its addresses."""

    def __init__(self, cluster, name, node, address, port):
        self.cluster, self.name, self.node, self.address, self.port = cluster, name, node, address, port

    def shown(self):
        """Scheduler and flags, and the weights, as `ipvsadm -Ln` shows them; None without a virtual server."""
        return self.cluster.virtual_server(self.node, self.address, self.port)

    def wait_shown(self, *words, weights=None):
        """Until ipvsadm shows these words, and these weights (pod -> weight)."""
        wanted = {f"{pod_address(self.cluster, pod)}:8080": weight for pod, weight in (weights or {}).items()}
        self.cluster.wait_for(
            f"{' '.join(words)} {wanted or ''} in `ipvsadm -Ln` of {self.node}",
            lambda: (server := self.shown()) and all(word in server[0] for word in words) and len(server[1]) > 1
            and server[0].split()[0] == words[0] and (not wanted or server[1] == wanted))

    def held(self, sources):
        """Who answered each of the connections that are open at the same time."""
        return json.loads(self.cluster.run("client", "python3", "-c", HOLD, self.address, str(self.port),
                                           ",".join(sources)))

    def expect_shares(self, wanted, count):
        """How requests one after the other are shared. A node that a busy machine lets wait is out of rotation for
        a moment: then they are counted anew, twice at most, but a request must not fail even then."""
        failures = Counter()
        for _ in range(3):
            measured = self.cluster.shares("client", self.address, self.port, count)
            failures.update(measured["errors"])
            shares = sorted(measured["answers"].values(), reverse=True)
            if shares == wanted:
                break
            time.sleep(1)  # in which the node may be back
        expect(not failures, f"{self.name}: requests failed: {dict(failures)}")
        expect(shares == wanted, f"{self.name}: {count} requests were shared {shares}")
        passed(f"{self.name}: {count} requests shared {', '.join(map(str, wanted))}")

    def expect_held(self, wanted, count):
        """How connections that stay open are shared."""
        expect((shares := counts(self.held(CLIENTS[:count]))) == wanted,
               f"{self.name}: {count} open connections were shared {shares}")
        passed(f"{self.name}: {count} open connections shared {', '.join(map(str, wanted))}")


def serve(cluster, scheduler, flags=None, weights=None):
    """A NodePort Service with that scheduler, once ipvsadm shows it with its flags and weights (pod -> weight)."""
    notes = {SCHEDULER: scheduler}
    if flags:
        notes[FLAGS] = flags
    if weights:
        notes[WEIGHTS] = ",".join(f"pod/{pod}={weight}" for pod, weight in weights.items())
    name = f"by-{flags or scheduler}"
    cluster.put(service_object(name, type="NodePort", annotations=notes))
    served = Served(cluster, name, NODE, str(cluster.topology.node(NODE).address), node_port(cluster, name))
    served.wait_shown(scheduler, *([flags] if flags else []), weights=weights)
    return served


def in_turn(cluster, pods):
    address = cluster.wait_external_ip("web")
    web = Served(cluster, "rr", cluster.wait_owner(address), address, 80)
    wait_pods(cluster, "client", address, pods)
    wait_pods(cluster, "pod/" + pods[0], cluster_ip(cluster, "web"), pods)
    web.wait_shown("rr", weights=dict.fromkeys(pods, 1))
    web.expect_shares([334, 333, 333], 1000)
    return web


def by_weight(cluster, pods):
    weights = dict(zip(pods, (3, 2, 1)))
    serve(cluster, "wrr", weights=weights).expect_shares([60, 40, 20], 120)
    for scheduler in ("wlc", "sed"):
        serve(cluster, scheduler, weights=weights).expect_held([12, 8, 4], 24)
    # nq sends to a pod without connections first, whatever its weight; the rest is sed.
    serve(cluster, "nq", weights=weights).expect_held([1, 1, 1], 3)
    first = serve(cluster, "fo", weights=weights)
    expect(set(first.held(CLIENTS)) == {pods[0]}, "fo: not every connection went to the heaviest pod")
    passed("by-fo: 24 open connections at the pod with the highest weight")
    # ovf: the heaviest pod until it has more connections than its weight, then the next.
    serve(cluster, "ovf", weights=weights).expect_held([4, 3], 7)


def by_load(cluster):
    serve(cluster, "lc").expect_held([8, 8, 8], 24)
    for scheduler in ("dh", "lblc", "lblcr"):
        serve(cluster, scheduler).expect_shares([30], 30)


def by_client(cluster):
    hashed = serve(cluster, "sh")
    first, again = hashed.held(CLIENTS), hashed.held(CLIENTS)
    expect(first == again, "sh: a client came to another pod the second time")
    expect(len(set(first)) == 3, f"sh: 24 clients used {len(set(first))} pods")
    ports = serve(cluster, "sh", flags="sh-port")
    expect(len(set(ports.held(CLIENTS[:1] * 24))) > 1, "sh with sh-port: one client stays with one pod")
    passed("sh: each client has its pod; with sh-port each of its ports")


def stable_hash(cluster):
    ports = serve(cluster, "mh")  # as under kube-proxy
    ports.wait_shown("mh", "mh-port")
    expect(len(set(ports.held(CLIENTS[:1] * 24))) > 1, "mh: one client stays with one pod whatever its port")
    hashed = serve(cluster, "mh", flags="mh-fallback")
    before = hashed.held(CLIENTS)
    expect(before == hashed.held(CLIENTS), "mh: a client came to another pod the second time")
    expect(len(set(before)) == 3, f"mh: 24 clients used {len(set(before))} pods")
    gone = before[0]
    cluster.delete("Pod", gone)
    cluster.wait_for("two real servers", lambda: sum(weight > 0 for weight in hashed.shown()[1].values()) == 2)
    after = hashed.held(CLIENTS)
    stayed = sum(one == other for one, other in zip(before, after))
    others = sum(one != gone for one in before)
    expect(gone not in after and stayed >= 0.9 * others,
           f"mh: only {stayed} of the {others} clients of the other pods kept theirs")
    passed(f"mh: a pod goes; {stayed} of the {others} clients of the other pods keep theirs")


def changed_while_it_runs(cluster, web):
    def annotate(**notes):
        cluster.patch("Service", "web", {"metadata": {"annotations": {
            {"scheduler": SCHEDULER, "weights": WEIGHTS}[key]: value for key, value in notes.items()}}})
    pods = pods_of(cluster)
    annotate(scheduler="wrr", weights=f"pod/{pods[0]}=5,*=1")
    web.wait_shown("wrr", weights={pods[0]: 5, pods[1]: 1})
    web.expect_shares([50, 10], 60)
    annotate(scheduler=None, weights=None)
    web.wait_shown("rr", weights=dict.fromkeys(pods, 1))
    web.expect_shares([30, 30], 60)
    passed("scheduler and weights change while the Service runs, and back")


def persistence(cluster, web):
    cluster.patch("Service", "web", {"spec": {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {
        "clientIP": {"timeoutSeconds": 300}}}})
    web.wait_shown("rr", "persistent 300")
    expect(len(set(web.held(CLIENTS[:1] * 12))) == 1, "a client with affinity came to several pods")
    entries = cluster.run(web.node, "ipvsadm", "-Lnc").splitlines()
    expect(any(f" {CLIENTS[0]}:0 " in line for line in entries), "ipvsadm -Lnc shows no template of the client")
    passed("sessionAffinity: `persistent 300` and the client's template in ipvsadm")


def pods_of(cluster):
    """The pods' names."""
    return sorted(pod["metadata"]["name"] for pod in cluster.pods("app=web"))


def run(cluster):
    cluster.run("client", "ip", "-batch", "-", text="".join(f"address add {one}/24 dev eth0\n" for one in CLIENTS))
    cluster.put(pool_object("pool", "192.168.100.200/30"), advertisement(),
                service_object("web", type="LoadBalancer"))
    pods = [f"web-{number}" for number in (1, 2, 3)]
    start(cluster, *(pod_object(pod, f"node{pod[-1]}") for pod in pods))
    web = in_turn(cluster, pods)
    by_weight(cluster, pods)
    by_load(cluster)
    by_client(cluster)
    stable_hash(cluster)
    changed_while_it_runs(cluster, web)
    persistence(cluster, web)
