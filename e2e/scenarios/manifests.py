"""Manifests the scenarios share, and the steps that most of them begin with."""

from cluster import expect

OPEN_AT_ONCE = 3  # so many requests of a prober, one every 10 ms, are open at a time in the slow guest

POOL = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: first-pool, namespace: metallb-system}}
spec:
  addresses: ["{addresses}"]
"""

ADVERTISEMENT = """
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: example, namespace: metallb-system}
"""

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      nodeSelector: {node_selector}
      containers:
      - name: {name}
        image: lab/pod
        env:
        - name: POD_NAME
          valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}
        ports: [{{name: http, containerPort: 8080}}]
        readinessProbe: {{httpGet: {{path: /, port: http}}, periodSeconds: 1}}
"""

SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  type: LoadBalancer
  externalTrafficPolicy: {policy}
  selector: {{app: {app}}}
  ports: [{{port: 80, targetPort: http}}]
"""


# --- the same as dictionaries, for Cluster.put()


def pool_object(name, *addresses, **spec):
    """An IPAddressPool."""
    return {"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": {
        "name": name, "namespace": "metallb-system"}, "spec": {"addresses": list(addresses), **spec}}


def advertisement(name="example", **spec):
    """An L2Advertisement."""
    return {"apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement", "metadata": {
        "name": name, "namespace": "metallb-system"}, "spec": spec}


def namespace_object(name, **labels):
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def balancer(name, ports=(80,), app="web", namespace="default", labels=None, annotations=None, **spec):
    """A Service of type LoadBalancer in front of the pods of `app`. A port is a number or (number, protocol);
    annotations are given without metallb.io/ and with _ for -."""
    entries = [port if isinstance(port, tuple) else (port, "TCP") for port in ports]
    notes = {f"metallb.io/{key.replace('_', '-')}": value for key, value in (annotations or {}).items()}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {
        "name": name, "namespace": namespace, "labels": labels or {}, "annotations": notes}, "spec": {
            "type": "LoadBalancer", "selector": {"app": app}, "ports": [
                {"name": f"{protocol.lower()}{port}", "port": port, "targetPort": 8080, "protocol": protocol}
                for port, protocol in entries], **spec}}


def match_labels(**labels):
    """A list with one label selector; `_` in a name stands for `-`."""
    return [{"matchLabels": {name.replace("_", "-"): value for name, value in labels.items()}}]


def on_nodes(*names):
    """Label selectors for nodes by name."""
    return [{"matchLabels": {"kubernetes.io/hostname": name}} for name in names]


def start_pods(cluster, replicas=3, node=None):
    """The pods `web`, running."""
    cluster.apply(deployment(replicas=replicas, node=node))
    cluster.wait_rolled_out("web")


def wait_pools(cluster, *names):
    """Until the controller has counted these new pools: then it knows them, and every Service made from now on may get
    an address of theirs. Pools and Services reach it by watches of their own, in no order."""
    for name in names:
        cluster.wait_for(f"status of pool {name}", lambda one=name: cluster.read("IPAddressPool", one).get("status"))


def passed(case):
    """One case of a story holds."""
    print(f"  ok: {case}", flush=True)


def expect_nothing_lost(what, prober, moves=0, owner=None):
    """Ends a prober and prints what it measured; every request has to be answered. One exception: a connection
    that is open at the moment its address moves is in the old node's IPVS table only, and the new node resets it;
    so at most OPEN_AT_ONCE resets a move; an alarm about `owner`, the node that announces the address, is one when
    the machine was busy."""
    measured = prober.stop()
    moves += measured["alarms"][owner]
    resets = measured["errors"].get("Connection reset by peer", 0)
    print(f"  {what}: {measured['failed']} of {measured['requests']} requests failed"
          + (f" ({resets} open while the address moved)" if resets else "")
          + f", longest time without an answer {measured['gap_ms']:.0f} ms", flush=True)
    expect(measured["failed"] == resets <= OPEN_AT_ONCE * moves,
           f"{what}: {measured['failed']} of {measured['requests']} requests failed: {measured['errors']}")


# --- as YAML, for kubectl


def pool(addresses="192.168.100.200-192.168.100.210"):
    """A pool announced by every node."""
    return POOL.format(addresses=addresses) + "---" + ADVERTISEMENT


def deployment(name="web", replicas=3, node=None):
    """Pods that answer with their name; on one node when it is named."""
    selector = f"{{kubernetes.io/hostname: {node}}}" if node else "{}"
    return DEPLOYMENT.format(name=name, replicas=replicas, node_selector=selector)


def service(name="web", app=None, policy="Cluster"):
    """A Service of type LoadBalancer in front of them."""
    return SERVICE.format(name=name, app=app or name, policy=policy)


def serve_web(cluster, replicas=3, node=None, policy="Cluster"):
    """Pool, pods and Service `web`, answering; returns its address."""
    cluster.apply("---".join([pool(), deployment(replicas=replicas, node=node), service(policy=policy)]))
    cluster.wait_rolled_out("web")
    address = cluster.wait_external_ip("web")
    cluster.wait_for(f"answer from {address}", lambda: cluster.curl("client", address), 20)
    return address
