"""A rolling update under load, from outside, from a pod and from a node: not one connection fails.

With externalTrafficPolicy Cluster and Local. Connections that are kept open live as long as their pod does.
"""

from cluster import expect
from manifests import expect_nothing_lost, passed
from proxy_support import CLUSTER_PODS, PORT, Stage, pod, service

OPTIONS = CLUSTER_PODS
PACE = ("--interval-ms", "20", "--timeout-ms", "3000")
STOP_AFTER, GRACE = 1, 3  # seconds


def deployment(name, replicas, revision, app="web", **labels):
    """Pods that stop a second after they were told to, as servers behind a load balancer do; labels place them."""
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"part": name}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": {"app": app, "part": name}, "annotations": {"revision": revision}},
            "spec": {
                "terminationGracePeriodSeconds": GRACE, "automountServiceAccountToken": False, "nodeSelector": labels,
                "containers": [{
                    "name": "web", "image": "lab/pod", "lifecycle": {"preStop": {"sleep": {"seconds": STOP_AFTER}}},
                    "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                    "ports": [{"name": "http", "containerPort": PORT}],
                    "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1}}]}}}}


def update(stage, *workloads):
    """Applies them, and waits until the old pods have gone."""
    before = {item["metadata"]["name"] for item in stage.cluster.items("Pod", selector="app=web")}
    stage.cluster.put(*workloads)
    for item in workloads:
        stage.cluster.wait_rolled_out(item["metadata"]["name"], 60)
    stage.cluster.wait_for("end of the old pods", lambda: not before & {
        item["metadata"]["name"] for item in stage.cluster.items("Pod", selector="app=web")}, 30)


def policy_cluster(stage):
    cluster = stage.cluster
    cluster.put(deployment("web", 3, "1"), service("web", "LoadBalancer"))
    cluster.wait_rolled_out("web")
    vip, address, port = cluster.wait_external_ip("web"), stage.cluster_ip("web"), stage.node_port("web")
    stage.soon("answers", lambda *all_of: all("timeout" not in each.shares and "refused" not in each.shares
                                              for each in all_of), *(
        stage.one(*front, count=3) for front in (("client", vip), ("asker", address), ("node1", address))))
    owner = cluster.wait_owner(vip)
    # Kept by three clients: each must be answered by its pod until that pod has ended.
    fronts = {"outside": ("client", stage.node_ip("node2"), port), "pod": ("asker", address),
              "node": ("node3", address)}
    kept = {name: stage.keep(name, *front) for name, front in fronts.items()}
    load = {"outside, EXTERNAL-IP": cluster.prober("client", vip, 80, *PACE),
            "outside, NodePort": cluster.prober("client", stage.node_ip("node3"), port, *PACE),
            "pod, ClusterIP": cluster.prober("pod/asker", address, 80, *PACE),
            "node, ClusterIP": cluster.prober("node1", address, 80, *PACE)}
    answered = dict.fromkeys(kept, 0)
    old = {item["metadata"]["name"] for item in cluster.items("Pod", selector="app=web")}
    expect(set(kept.values()) <= old, f"connections to {kept}")
    cluster.put(deployment("web", 3, "2"))

    def over():
        living = {item["metadata"]["name"]: item for item in cluster.items("Pod", selector="app=web")}
        for name, holder in list(kept.items()):
            word = stage.again(name)
            if word == holder:
                answered[name] += "deletionTimestamp" in living.get(holder, {"metadata": ()})["metadata"]
                continue
            still = cluster.read("Pod", holder)
            expect(still is None or "deletionTimestamp" in still["metadata"],
                   f"{name}: the connection to {holder} said {word} before its pod ended")
            kept.pop(name)
            stage.drop(name)
        return not old & living.keys()
    # A pod ends within about a second: looked at as often as can be.
    cluster.wait_for("end of the old pods", over, 60, 0.02)
    cluster.wait_rolled_out("web")
    for what, prober in load.items():
        expect_nothing_lost(f"Cluster, {what}", prober, owner=owner if what == "outside, EXTERNAL-IP" else None)
    expect(all(answered.values()), f"answers on kept connections of terminating pods: {answered}")
    passed("externalTrafficPolicy Cluster: no connection fails, and those that are kept live until their pod ends")


def policy_local(stage):
    """One pod a node, each replaced on its own node: every node has a local endpoint all the while."""
    cluster = stage.cluster
    cluster.delete("Deployment", "web")
    parts = [(f"part-{node}", node) for node in stage.nodes]

    def all_parts(revision):
        return [deployment(name, 1, revision, app="web", **{"kubernetes.io/hostname": node}) for name, node in parts]
    update(stage, *all_parts("1"))
    cluster.put(service("web", "LoadBalancer", externalTrafficPolicy="Local"))
    vip, address, port = cluster.wait_external_ip("web"), stage.cluster_ip("web"), stage.node_port("web")
    stage.soon("answers with the client's address", lambda *all_of: all(each.seen == {stage.client} for each in all_of),
               stage.one("client", vip, count=4), *(stage.one("client", stage.node_ip(node), port, count=4)
                                                    for node in stage.nodes))
    owner = cluster.wait_owner(vip)
    load = {"outside, EXTERNAL-IP": cluster.prober("client", vip, 80, *PACE),
            "outside, NodePort": cluster.prober("client", stage.node_ip("node3"), port, *PACE),
            "pod, EXTERNAL-IP": cluster.prober("pod/asker", vip, 80, *PACE),
            "node, EXTERNAL-IP": cluster.prober("node1", vip, 80, *PACE),
            "pod, ClusterIP": cluster.prober("pod/asker", address, 80, *PACE)}
    update(stage, *all_parts("2"))
    for what, prober in load.items():
        expect_nothing_lost(f"Local, {what}", prober, owner=owner if what == "outside, EXTERNAL-IP" else None)
    cluster.wait_owner(vip, owner)
    passed("externalTrafficPolicy Local: no connection fails, from outside, pods and nodes")


def run(cluster):
    with Stage(cluster) as stage:
        stage.start(pod("asker", "node2", app="asker"))
        policy_cluster(stage)
        policy_local(stage)
