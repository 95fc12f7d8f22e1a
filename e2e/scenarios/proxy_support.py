"""What the stories about the node proxy share: pods, Services and EndpointSlices as values, and clients anywhere.

`with Stage(cluster) as stage` is a cluster with the talker (proxy_talker.py) in its guest. `stage.ask("client",
address, port)` is one conversation from there; "client", "remote", a node or a pod's name say who asks. An outcome is
a word: the pod's name, or "refused", "timeout", "reset", "unreachable". `stage.soon()` repeats asks until the
outcomes are the wanted ones.
"""

import json
import os
import threading
from collections import Counter

import client as lab_client
from cluster import expect
from manifests import advertisement, pool_object
from uml import LabError

TALKER = "e2e/scenarios/proxy_talker.py"
VIPS = "192.168.100.200-192.168.100.239"
VIPS6 = "fd00:192:168:100::200-fd00:192:168:100::23f"
PORT = 8080       # the pods'
KUBELET = "lab.steelyard.io/kubelet"
WAIT = 12.0
# What tells the proxies which clients are the cluster's own.
CLUSTER_PODS = ("--cluster-cidr=10.244.0.0/16,fd00:10:244::/48",)
# Within one kernel the refusal of a SYN may come while its socket is busy, and is lost: the second SYN goes after 1 s.
REFUSED_WITHIN = 2.5
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
APPLY = "application/apply-patch+yaml"


# --- objects


def pod(name, node, app="web", labels=None, port=PORT, grace=1, host_network=False, script=None, **spec):
    """A pod that answers with its name, on that node. `script`: a shell script in place of `/sylab-pod PORT`."""
    command = ["sh", "-c", script] if script else ["/sylab-pod", str(port)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": name, "labels": {"app": app, "pod": name, **(labels or {})}}, "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node}, "terminationGracePeriodSeconds": grace,
            "automountServiceAccountToken": False, **({"hostNetwork": True} if host_network else {}), "containers": [{
                "name": "web", "image": "lab/pod", "command": command,
                "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "ports": [{"name": "http", "containerPort": port}],
                "readinessProbe": {"httpGet": {"path": "/", "port": port}, "periodSeconds": 1,
                                   "failureThreshold": 1}}], **spec}}


def service(name="web", kind="ClusterIP", app="web", ports=((80, "TCP"),), target=PORT, annotations=None, **spec):
    """A Service; app None: no selector, its slices are made by hand. A port is a number or (number, protocol)."""
    entries = [port if isinstance(port, tuple) else (port, "TCP") for port in ports]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {
        "name": name, "annotations": annotations or {}}, "spec": {
            "type": kind, **({"selector": {"app": app}} if app else {}), "ports": [
                {"name": f"{protocol.lower()}{port}", "port": port, "targetPort": target, "protocol": protocol}
                for port, protocol in entries], **spec}}


def affinity(seconds=10800):
    """The fields of a Service with ClientIP affinity."""
    return {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": seconds}}}


def endpoint(where, node, ready=True, serving=None, terminating=False, hints=None):
    """One endpoint of a slice."""
    serving = ready if serving is None else serving
    return {"addresses": [where], "nodeName": node, **({"hints": hints} if hints else {}),
            "conditions": {"ready": ready, "serving": serving, "terminating": terminating}}


def endpoint_slice(of, endpoints, ports=((80, "TCP"),), target=PORT, name=None, family="IPv4"):
    """An EndpointSlice of a Service made by service() with the same ports."""
    entries = [port if isinstance(port, tuple) else (port, "TCP") for port in ports]
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family, "metadata": {
        "name": name or f"{of}-hand", "labels": {"kubernetes.io/service-name": of}}, "endpoints": list(endpoints),
        "ports": [{"name": f"{protocol.lower()}{port}", "port": target, "protocol": protocol}
                  for port, protocol in entries]}


class Talker:
    """The program in the guest."""

    def __init__(self, cluster):
        down, self._requests = os.pipe()
        self._answers, up = os.pipe()
        argv = ["python3", "-B", str(cluster.source / TALKER)]
        program = lab_client.Exec(cluster.state, {"node": None, "argv": argv}, stdin=down, stdout=up, stderr=2)

        def serve():
            try:
                program.run()
            except (LabError, OSError):
                pass  # the lab has ended first
            finally:
                os.close(down)
                os.close(up)
        threading.Thread(target=serve, daemon=True).start()
        self._lines = os.fdopen(self._answers, encoding="utf-8")
        expect(self._lines.readline(), "the talker did not start")

    def request(self, op, **fields):
        """One request; returns its result."""
        os.write(self._requests, (json.dumps({"op": op, **fields}) + "\n").encode())
        line = self._lines.readline()
        expect(line, f"the talker ended at {op}")
        answer = json.loads(line)
        expect("error" not in answer, f"the talker: {op}: {answer.get('error')}")
        return answer["result"]

    def close(self):
        """Ends it."""
        os.close(self._requests)


class Outcome:
    """What one client's conversations came to: `words` are pods' names and errors, `seen` the addresses that the pods
    saw, `ms` how long each took."""

    def __init__(self, results):
        self.results = results
        self.words = [item["said"].split()[0] if item.get("said") else item.get("error", "nothing")
                      for item in results]
        self.seen = {item["said"].split()[1] for item in results if len(item.get("said", "").split()) > 1}
        self.ms = [item["ms"] for item in results]
        self.shares = Counter(self.words)

    @property
    def word(self):
        """The outcome when all are alike, else all of them."""
        return self.words[0] if len(self.shares) == 1 else dict(self.shares)

    def __repr__(self):
        return f"{dict(self.shares)} seen as {', '.join(sorted(self.seen)) or 'nobody'}"


class Stage:
    """A cluster with pods, clients anywhere and a pool."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.talker = Talker(cluster)
        self.pods = {}  # name -> the pod as last read
        self.nodes = [node.name for node in cluster.topology.nodes]
        self.client = str(cluster.topology.host("client").address)

    # --- objects

    def start(self, *pods, pool=True):
        """The pods, ready, and addresses for Services of type LoadBalancer."""
        if pool:
            self.cluster.put(pool_object("vips", VIPS, VIPS6), advertisement())
        self.create(*pods)

    def create(self, *pods):
        """More pods, ready."""
        self.cluster.put(*pods)
        names = [item["metadata"]["name"] for item in pods]
        self.cluster.wait_for(f"pods {', '.join(names)}", lambda: all(map(self.ready, names)), 40)

    def ready(self, name):
        """Whether the pod is; remembers it as it is."""
        item = self.cluster.read("Pod", name)
        if item is None:
            return False
        self.pods[name] = item
        return any(entry["type"] == "Ready" and entry["status"] == "True"
                   for entry in item.get("status", {}).get("conditions", []))

    def ip(self, name, family="IPv4"):
        """A pod's address."""
        return next(entry["ip"] for entry in self.pods[name]["status"]["podIPs"]
                    if (":" in entry["ip"]) == (family == "IPv6"))

    def node_ip(self, node, family="IPv4"):
        """A node's address."""
        machine = self.cluster.topology.node(node)
        return str(machine.address if family == "IPv4" else machine.address6)

    def endpoint(self, name, **conditions):
        """The endpoint of a pod, for endpoint_slice()."""
        family = conditions.pop("family", "IPv4")
        return endpoint(self.ip(name, family), self.pods[name]["spec"]["nodeName"], **conditions)

    def put_slice(self, item):
        """Server-side apply of an EndpointSlice."""
        done = self.cluster.api("PATCH", f"{SLICES}/{item['metadata']['name']}?fieldManager=scenario&force=true", item,
                                APPLY)
        expect(done is not None, f"EndpointSlice {item['metadata']['name']}: not found")

    def drop_slice(self, name):
        """Deletes one."""
        self.cluster.api("DELETE", f"{SLICES}/{name}")

    def spec(self, name):
        """A Service's spec."""
        return self.cluster.read("Service", name)["spec"]

    def cluster_ip(self, name, index=0):
        """A Service's virtual address."""
        return self.spec(name)["clusterIPs"][index]

    def node_port(self, name, index=0):
        """A Service's NodePort."""
        return self.spec(name)["ports"][index]["nodePort"]

    def change(self, name, **spec):
        """Changes fields of a Service's spec."""
        self.cluster.patch("Service", name, {"spec": spec})

    # --- conversations

    def place(self, who):
        """The network namespace of a machine or a pod."""
        item = self.pods.get(who)
        if item is None:
            return who
        if item["spec"].get("hostNetwork"):
            return item["spec"]["nodeName"]
        return f"pod-{item['metadata']['uid'].replace('-', '')[:8]}"

    def one(self, via, to, port=80, **more):
        """An ask as the talker wants it."""
        return {"via": self.place(via), "to": to, "port": port, **more}

    def ask_all(self, *asks):
        """Several clients at the same time; an Outcome each. An ask is (via, to, port) or what one() makes."""
        return [Outcome(results) for results in self.talker.request(
            "ask", asks=[item if isinstance(item, dict) else self.one(*item) for item in asks])]

    def ask(self, via, to, port=80, count=1, **more):
        """One client."""
        return self.ask_all(self.one(via, to, port, count=count, **more))[0]

    def soon(self, what, wanted, *asks, deadline=WAIT):
        """Repeats asks until `wanted` (a word, or a function of all outcomes) holds; returns the outcomes."""
        last = []

        def holds():
            last[:] = self.ask_all(*asks)
            return wanted(*last) if callable(wanted) else all(each.word == wanted for each in last)
        try:
            self.cluster.wait_for(what, holds, deadline, 0.1)
        except AssertionError as error:
            raise type(error)(f"{error}: {last}") from None
        return last

    def refused(self, what, *asks, deadline=WAIT):
        """Repeats asks until all are refused. A kernel sends a client one ICMP error a second, so UDP, which asks only
        once, waits for the end of TCP."""
        for protocol in ("TCP", "UDP"):
            some = [{**item, "timeout": REFUSED_WITHIN} for item in asks if item.get("protocol", "TCP") == protocol]
            if some:
                self.talker.request("rest", seconds=1.0 if protocol == "UDP" else 0)
                self.soon(f"{what} by {protocol}", "refused", *some, deadline=deadline)

    def keep(self, name, via, to, port=80, **more):
        """Opens a conversation that again() goes on with; returns the first word."""
        return self._word(self.talker.request("keep", name=name, **self.one(via, to, port, **more)))

    def again(self, name):
        """The next word of an open conversation."""
        return self._word(self.talker.request("again", name=name))

    def drop(self, name):
        """Ends it."""
        self.talker.request("drop", name=name)

    @staticmethod
    def _word(result):
        return result["said"].split()[0] if result.get("said") else result.get("error", "nothing")

    def stream(self, name, via, to, port=80, interval=0.02, **more):
        """A client that asks all the time: one UDP socket, or TCP connections."""
        self.talker.request("start", name=name, interval=interval, **self.one(via, to, port, **more))

    def end_stream(self, name):
        """Its (milliseconds, word) of every ask."""
        return [tuple(entry) for entry in self.talker.request("stop", name=name)]

    # --- kernels

    def reals(self, node, server):
        """Real servers of a virtual server as "address:port" -> weight; None when there is no such server. `server`:
        "10.96.0.9:80", "[fd00::1]:80"."""
        table, current = {}, None
        for line in self.cluster.run(node, "ipvsadm", "-Ln").splitlines()[3:]:
            words = line.split()
            if words[0] == "->":
                current[words[1]] = int(words[3])
            else:
                current = table.setdefault(words[1], {})
        return table.get(server)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.talker.close()
