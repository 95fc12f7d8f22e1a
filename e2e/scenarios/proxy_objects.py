"""Objects of the stories about the node proxy, as dictionaries for Cluster.put(): pods, Services, EndpointSlices.

Pods run sylab-pod (e2e/lab/pod.cpp says which words it takes) and are found by the label `app`.
"""

from cluster import expect

SERVICE_NAME = "kubernetes.io/service-name"
NAME_VARIABLE = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


def pod_spec(node=None, words=(), ports=None, grace=1, path="/healthz", **more):
    """A pod's spec. words: arguments of sylab-pod (default: port 8080). ports: name -> number, for named target
    ports. path: of the readiness probe; None for no probe. more: fields of the spec (hostNetwork=True), or of the
    container when they are `lifecycle` or `env`."""
    words = [str(word) for word in words]
    first = next((int(word) for word in words if word.isdigit()), 8080)
    named = {"http": first} if ports is None else ports
    container = {"name": "pod", "image": "lab/pod", "args": words, "env": [NAME_VARIABLE],
                 "ports": [{"name": name, "containerPort": number} for name, number in named.items()]}
    container.update({name: more.pop(name) for name in ("lifecycle",) if name in more})
    if path:
        container["readinessProbe"] = {"httpGet": {"path": path, "port": first}, "periodSeconds": 1,
                                       "failureThreshold": 1}
    place = {"nodeSelector": {"kubernetes.io/hostname": node}} if node else {}
    return {"terminationGracePeriodSeconds": grace, "containers": [container], **place, **more}


def pod_object(name, node=None, app="web", labels=None, **spec):
    """A pod of its own; spec as pod_spec() takes it."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": name, "namespace": "default", "labels": {"app": app, **(labels or {})}}, "spec": pod_spec(node, **spec)}


def deployment_object(name, replicas=3, node=None, **spec):
    """A Deployment whose pods have the label app=name."""
    labels = {"app": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec(node, **spec)}}}


def port_entry(port, protocol="TCP", target=8080, name=None, **more):
    """A port of a Service."""
    return {"name": name or f"{protocol.lower()}{port}", "port": port, "protocol": protocol, "targetPort": target,
            **more}


def service_object(name, app="web", ports=(80,), type="ClusterIP", labels=None, annotations=None, **spec):
    """A Service. A port is a number, (number, protocol), (number, protocol, target) or a port_entry(). app=None: no
    selector."""
    entries = [port if isinstance(port, dict) else port_entry(*(port if isinstance(port, tuple) else (port,)))
               for port in ports]
    selector = {"selector": {"app": app}} if app else {}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {
        "name": name, "namespace": "default", "labels": labels or {}, "annotations": annotations or {}},
        "spec": {"type": type, "ports": entries, **selector, **spec}}


def endpoint(address, node=None, ready=True, serving=None, terminating=False, zones=(), nodes=(), zone=None):
    """An endpoint with its conditions and hints (zones, nodes: names it is meant for)."""
    item = {"addresses": [address], "conditions": {
        "ready": ready, "serving": ready if serving is None else serving, "terminating": terminating}}
    told = {"forZones": [{"name": name} for name in zones], "forNodes": [{"name": name} for name in nodes]}
    if zones or nodes:
        item["hints"] = {field: names for field, names in told.items() if names}
    for field, value in (("nodeName", node), ("zone", zone)):
        if value:
            item[field] = value
    return item


def slice_object(name, service, endpoints, ports=(("tcp80", 8080),), family="IPv4", labels=None):
    """An EndpointSlice written by hand. ports: (name, number) or (name, number, protocol); the name is the Service
    port's."""
    entries = [dict(zip(("name", "port", "protocol"), (*port, "TCP")[:3])) for port in ports]
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family, "metadata": {
        "name": name, "namespace": "default", "labels": {SERVICE_NAME: service, **(labels or {})}},
        "ports": entries, "endpoints": list(endpoints)}


# --- what the stories do with them


def start(cluster, *objects):
    """Puts pods and Deployments and waits until they are ready."""
    cluster.put(*objects)
    for item in objects:
        name = item["metadata"]["name"]
        if item["kind"] == "Deployment":
            cluster.wait_rolled_out(name)
        elif item["kind"] == "Pod":
            wait_ready(cluster, name)


def is_ready(pod):
    """Whether a pod's object says so."""
    return any(entry["type"] == "Ready" and entry["status"] == "True"
               for entry in pod.get("status", {}).get("conditions", []))


def wait_ready(cluster, name, ready=True):
    """Until the pod is ready (or is not); returns it."""
    return cluster.wait_for(f"pod {name} {'' if ready else 'not '}ready", lambda: (
        pod := cluster.read("Pod", name)) and is_ready(pod) == ready and pod, 30)


def pod_address(cluster, name, family=4):
    """A pod's address of a family."""
    addresses = [entry["ip"] for entry in cluster.read("Pod", name)["status"]["podIPs"]]
    return next(address for address in addresses if (":" in address) == (family == 6))


def cluster_ip(cluster, service, family=4):
    """A Service's ClusterIP of a family."""
    return next(address for address in cluster.read("Service", service)["spec"]["clusterIPs"]
                if (":" in address) == (family == 6))


def node_port(cluster, service, port=80, protocol="TCP"):
    """The nodePort of one of a Service's ports; None when it has none."""
    return next((entry.get("nodePort") for entry in cluster.read("Service", service)["spec"]["ports"]
                 if entry["port"] == port and entry.get("protocol", "TCP") == protocol), None)


def wait_answer(cluster, where, address, port=80, protocol="TCP", *options, pods=None, deadline=20):
    """Until a request is answered (by one of these pods); returns the Reply."""
    return cluster.wait_for(f"answer from {protocol} {address}:{port} to {where}", lambda: (
        reply := cluster.request(where, address, port, protocol, *options, seconds=1)) and (
            pods is None or reply.pod in pods) and reply, deadline)


def wait_refused(cluster, where, address, port=80, protocol="TCP", deadline=20):
    """Until a request is refused; neither answered nor left without an answer. In one kernel the first refusal can
    come while the socket is still busy with connecting; then the second SYN's counts, a second later."""
    def refused():
        reply = cluster.request(where, address, port, protocol, seconds=3)
        expect(reply.refused, f"answered by {reply.pod}" if reply else reply.error)
        return True
    cluster.wait_for(f"refusal by {protocol} {address}:{port} of {where}", refused, deadline)


def wait_unanswered(cluster, where, address, port=80, protocol="TCP", deadline=20):
    """Until a request gets no answer, however that is."""
    cluster.wait_for(f"end of the answers from {protocol} {address}:{port} to {where}",
                     lambda: not cluster.request(where, address, port, protocol, seconds=0.5), deadline)


def answering(cluster, where, address, port=80, count=12, *options):
    """The pods that answer so many requests, none of which may fail."""
    measured = cluster.shares(where, address, port, count, *options)
    expect(measured["failed"] == 0, f"{address}:{port} from {where}: {measured['failed']} of {count} requests failed: "
           f"{measured['errors']}")
    return set(measured["answers"])


def wait_pods(cluster, where, address, wanted, port=80, *options, deadline=20):
    """Until exactly these pods answer."""
    last = {}

    def seen():
        last["pods"] = answering(cluster, where, address, port, 4 * max(len(wanted), 1), *options)
        return last["pods"] == set(wanted)
    try:
        cluster.wait_for(f"answers by {sorted(wanted)} alone from {address}:{port} to {where}", seen, deadline)
    except AssertionError as error:
        raise type(error)(f"{error}; answered: {sorted(last.get('pods', ()))}") from None
