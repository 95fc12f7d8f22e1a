"""A lab as a Python object, for scenarios and the demonstration.

    with Cluster("failover") as c:
        c.install()                       # CRDs, namespace, manifests; every pod ready
        c.apply(SOME_YAML)
        c.wait_for("an address", lambda: c.external_ip("web"))

What a story is about goes through what a person would use: kubectl, curl, arping, ipvsadm, ipset, ip. A kubectl
takes more than a second in the guest, so looking things up and changing many objects (read, items, put, patch,
delete) are requests of the lab's own to the API server. Waiting is always polling with a deadline. When the
block ends by an exception, logs and kernel state are saved to build/lab-failures/NAME and the folder is printed.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import audit
import client
import labctl
import starvation
import topology
import uml

TOPOLOGIES = uml.HERE / "topologies"
NAMESPACE = "metallb-system"
COMMAND_SECONDS = 60
PATIENT_ASK = 1.2  # seconds for an answer to ARP or NDP where silence would be a finding
ALARMING_WAIT_MS = 300  # a guest that waits so long for a CPU may take a living node for dead
# Factor of every deadline: a machine may have more to do than this lab, and Kubernetes' own control plane is slow on
# the guest's one CPU. Where time is what a story is about, it is measured, and PATIENCE does not count.
PATIENCE = {"steelyard": 2, "kubernetes": 4}

# What the administrator of a cluster without kube-proxy applies before Steelyard (manifests/README.md).
PREPARATION = """
apiVersion: v1
kind: Namespace
metadata: {{name: metallb-system}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: kubernetes-services-endpoint, namespace: metallb-system}}
data: {{KUBERNETES_SERVICE_HOST: "{address}", KUBERNETES_SERVICE_PORT: "6443"}}
"""

# kind -> where its objects are in the API, with the namespace of those that have one.
PATHS = {
    "Service": ("/api/v1", "services", "default"),
    "Pod": ("/api/v1", "pods", "default"),
    "Event": ("/api/v1", "events", "default"),
    "Endpoints": ("/api/v1", "endpoints", "default"),
    "EndpointSlice": ("/apis/discovery.k8s.io/v1", "endpointslices", "default"),
    "ServiceCIDR": ("/apis/networking.k8s.io/v1", "servicecidrs", None),
    "ConfigMap": ("/api/v1", "configmaps", "default"),
    "Node": ("/api/v1", "nodes", None),
    "Namespace": ("/api/v1", "namespaces", None),
    "Deployment": ("/apis/apps/v1", "deployments", "default"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets", "default"),
    "IPAddressPool": ("/apis/metallb.io/v1beta1", "ipaddresspools", NAMESPACE),
    "L2Advertisement": ("/apis/metallb.io/v1beta1", "l2advertisements", NAMESPACE),
    "ServiceL2Status": ("/apis/metallb.io/v1beta1", "servicel2statuses", NAMESPACE),
    "BGPPeer": ("/apis/metallb.io/v1beta2", "bgppeers", NAMESPACE),
    "BGPAdvertisement": ("/apis/metallb.io/v1beta1", "bgpadvertisements", NAMESPACE),
    "BFDProfile": ("/apis/metallb.io/v1beta1", "bfdprofiles", NAMESPACE),
    "Community": ("/apis/metallb.io/v1beta1", "communities", NAMESPACE),
    "ServiceBGPStatus": ("/apis/metallb.io/v1beta1", "servicebgpstatuses", NAMESPACE),
    "ConfigurationState": ("/apis/metallb.io/v1beta1", "configurationstates", NAMESPACE),
    "AllocationPolicy": ("/apis/steelyard.io/v1alpha1", "allocationpolicies", NAMESPACE),
    "AddressReservation": ("/apis/steelyard.io/v1alpha1", "addressreservations", NAMESPACE),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases", NAMESPACE),
    "BGPSessionState": ("/apis/steelyard.io/v1alpha1", "bgpsessionstates", NAMESPACE),
    "Secret": ("/api/v1", "secrets", "default"),
}
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ScenarioFailed(AssertionError):
    """An expectation was not met; the text says which and what was seen instead."""


class CommandFailed(ScenarioFailed):
    """A command on a machine ended with a status other than 0."""


@dataclass(frozen=True)
class Reply:
    """What one request got: the pod that answered and the client address it saw, or the error. True when answered."""

    pod: str = ""
    client: str = ""
    error: str = ""

    def __bool__(self):
        return not self.error

    @property
    def refused(self):
        """Whether somebody said that nobody listens there; a node's own IPVS says so when a datagram is sent."""
        return self.error in ("Connection refused", "Operation not permitted")


class Prober:
    """sylab-prober running on a machine or in pod/NAME; stop() returns what it measured (see prober.cpp)."""

    def __init__(self, cluster, machine, address, port, *options):
        argv = [f"{cluster.build}/e2e/lab/sylab-prober", address, str(port), *map(str, options)]
        self._process = cluster.popen(machine, argv)
        line = self._process.stderr.readline()
        expect(line.strip() == "running", f"the prober got no answer from {address}:{port}: {line.strip()}")
        self._cluster, self._alarms, self._starved = cluster, cluster.alarms(), cluster.starved_ms()

    def stop(self):
        """Ends it; returns the measurement as a dictionary, with the `alarms` of its time (node -> number): none when
        the guest had its CPU, since then they are the product's fault, and one for all speakers that raised it."""
        self._process.send_signal(signal.SIGINT)
        output, errors = self._process.communicate(timeout=60)
        expect(output.startswith("{"), f"the prober ended without a result: {errors}")
        alarms = Counter()
        if self._cluster.starved_ms() - self._starved > ALARMING_WAIT_MS:
            for log, now in self._cluster.alarms().items():
                alarms |= now - self._alarms.get(log, Counter())
        return {**json.loads(output), "alarms": alarms}


def expect(condition, message):
    """Fails the scenario with the message."""
    if not condition:
        raise ScenarioFailed(message)


class Cluster:
    """One lab, up between __enter__ and __exit__ (or up() and down())."""

    def __init__(self, name="cluster", topology_file=TOPOLOGIES / "three-nodes.json", say=None, limit=600, state=None):
        self.name = name
        self.file = topology_file
        self.topology = topology.parse(Path(topology_file).read_text(encoding="utf-8"))
        self.build = labctl.build_tree()
        self.source = labctl.SOURCE
        self.api_kind = labctl.chosen_api()
        self.say = say or (lambda text: None)
        self.limit = limit
        self.state = state or str(uml.memory_folder() / f"steelyard-{name}-{os.getpid()}")
        self._starvation = starvation.Starvation(self.state)
        self.witnesses = {}  # file name -> (machine, shell script): more to save after a failure

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, kind, error, _traceback):
        try:
            if error is None:
                self.expect_rights()
        except ScenarioFailed as refused:
            error = refused
            raise
        finally:
            try:
                if error is not None and not isinstance(error, KeyboardInterrupt):
                    print(f"  logs and kernel state: {self.save_artefacts()}", flush=True)
            finally:
                self.down()

    def up(self):
        """Boots it."""
        labctl.up(self.state, self.file, limit=self.limit * PATIENCE[self.api_kind], on_line=self.say,
                  api=self.api_kind)

    def down(self):
        """Ends it."""
        labctl.down(self.state)

    def requests(self):
        """What Steelyard has asked a real API server; nothing from the lab's own."""
        path = Path(self.state) / "logs" / "audit.log"
        return audit.requests(path.read_text(encoding="utf-8").splitlines() if path.exists() else [])

    def expect_rights(self):
        """Fails when a real API server has refused Steelyard something for want of a right."""
        refused = sorted({f"{each.account}: {each.verb} {each.path}" for each in audit.refused(self.requests())})
        expect(not refused, "refused for want of a right: " + ", ".join(refused))

    # --- commands

    def popen(self, machine, argv):
        """A program on a machine with pipes (text)."""
        command = [sys.executable, str(uml.HERE / "lab"), "--state", self.state, "exec", machine, "--", *argv]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def try_run(self, machine, *argv, text=None, timeout=COMMAND_SECONDS):
        """Runs a command on a machine (or in pod/NAME); returns (status, stdout, stderr)."""
        with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            if text is not None:
                source.write(text.encode())
                source.seek(0)
            limit = str(timeout * PATIENCE[self.api_kind])
            request = {"node": machine, "argv": ["timeout", limit, *map(str, argv)], "cwd": str(self.source)}
            status = client.Exec(self.state, request, stdin=None if text is None else source.fileno(),
                                 stdout=out.fileno(), stderr=err.fileno()).run()
            out.seek(0)
            err.seek(0)
            return status, out.read().decode(errors="replace"), err.read().decode(errors="replace")

    def run(self, machine, *argv, text=None, timeout=COMMAND_SECONDS):
        """Like try_run, but returns stdout and fails on any status other than 0."""
        status, out, err = self.try_run(machine, *argv, text=text, timeout=timeout)
        if status != 0:
            raise CommandFailed(f"{machine}: {' '.join(map(str, argv))}: status {status}: {(err or out).strip()}")
        return out

    def kubectl(self, *arguments, text=None, timeout=COMMAND_SECONDS):
        """kubectl on the client."""
        return self.run(topology.CLIENT, "kubectl", *arguments, text=text, timeout=timeout)

    # --- the API without kubectl

    @staticmethod
    def path(kind, name="", namespace=None):
        """The API path of an object or (no name) of all of its kind in its namespace."""
        base, plural, home = PATHS[kind]
        middle = f"/namespaces/{namespace or home}" if home else ""
        return f"{base}{middle}/{plural}" + (f"/{name}" if name else "")

    def api(self, method, path, body=None, content_type="application/json"):
        """A request as the cluster's administrator; the answer, or None for 404; fails on another refusal."""
        answer = json.loads(client.call(self.state, "api", method=method, path=path, body=body,
                                        content_type=content_type))
        if answer["code"] == 404:
            return None
        expect(answer["code"] < 400, f"{method} {path}: {answer['body'].get('message')}")
        return answer["body"]

    def put(self, *objects):
        """Server-side apply of objects as dictionaries."""
        for item in objects:
            meta = item["metadata"]
            path = self.path(item["kind"], meta["name"], meta.get("namespace"))
            if item.get("spec") == {} and self.api("GET", path):
                # Kubernetes makes a spec that loses its last field null, and then refuses it.
                self.api("PATCH", path, [{"op": "replace", "path": "/spec", "value": {}}], JSON_PATCH)
                continue
            done = self.api("PATCH", f"{path}?fieldManager=scenario&force=true", item, APPLY_PATCH)
            expect(done is not None, f"PATCH {path}: not found")

    def patch(self, kind, name, body, namespace=None, status=False):
        """A merge patch."""
        path = self.path(kind, name, namespace) + ("/status" if status else "")
        expect(self.api("PATCH", path, body, MERGE_PATCH) is not None, f"PATCH {path}: not found")

    def delete(self, kind, *names, namespace=None):
        """Deletes objects that exist."""
        for name in names:
            path = self.path(kind, name, namespace)
            expect(self.api("DELETE", path) is not None, f"DELETE {path}: not found")

    def read(self, kind, name, namespace=None):
        """One object, or None."""
        return self.api("GET", self.path(kind, name, namespace))

    def items(self, kind, namespace=None, selector=""):
        """All objects of a kind in its namespace, or those with the labels."""
        query = f"?labelSelector={quote(selector)}" if selector else ""
        return self.api("GET", self.path(kind, namespace=namespace) + query)["items"]

    def statuses(self, kind, namespace=None, selector=""):
        """The status of each object that has one: a new object has none until its second request has come in."""
        return [item["status"] for item in self.items(kind, namespace, selector) if "status" in item]

    def get(self, *arguments):
        """`kubectl get ... -o json`, decoded; None when there is no such object."""
        status, out, err = self.try_run(topology.CLIENT, "kubectl", "get", *arguments, "-o", "json")
        if status != 0 and "NotFound" in err:
            return None
        expect(status == 0, f"kubectl get {' '.join(arguments)}: {err.strip()}")
        return json.loads(out)

    def apply(self, yaml):
        """kubectl apply of a manifest in a string."""
        return self.kubectl("apply", "-f", "-", text=yaml)

    def wait_for(self, what, condition, deadline=20.0, interval=0.2):
        """Polls until condition() is true or not empty; returns its value, or fails naming what was awaited. What is
        looked at may be without a field yet (a status, a first element): then the condition does not hold yet."""
        deadline *= PATIENCE[self.api_kind]
        end = time.monotonic() + deadline
        last = None
        while True:
            try:
                value = condition()
                if value:
                    return value
                last = None
            except (ScenarioFailed, LookupError, TypeError, ValueError, StopIteration) as error:
                last = error if isinstance(error, ScenarioFailed) else repr(error)
            if time.monotonic() > end:
                raise ScenarioFailed(f"no {what} within {deadline:g} s" + (f" (last: {last})" if last else ""))
            time.sleep(interval)

    # --- the product

    def prepare(self):
        """Namespace and the API server's address."""
        self.apply(PREPARATION.format(address=self.topology.host(topology.CONTROL_PLANE).address))

    def install(self, options=()):
        """CRDs and Steelyard, as its README says, with more options for the speakers; returns when every pod is
        ready."""
        manifest = (self.source / "manifests/steelyard.yaml").read_text(encoding="utf-8")
        place = "        - --log-level=info\n        - --proxy-mode=full\n"
        expect(manifest.count(place) == 1, "manifests/steelyard.yaml: the speaker's options are not where they were")
        manifest = manifest.replace(place, place + "".join(f"        - {word}\n" for word in options))
        self.prepare()
        self.kubectl("apply", "-f", "crds/", "-f", "-", text=manifest)
        self.wait_installed()

    def wait_installed(self, seconds=45):
        """Until controller and speakers are ready and up to date."""
        self.wait_for("controller", lambda: self.rolled_out("Deployment", "controller", NAMESPACE), seconds)
        self.wait_for("speakers", lambda: self.rolled_out("DaemonSet", "speaker", NAMESPACE), seconds)

    def rolled_out(self, kind, name, namespace="default"):
        """What `kubectl rollout status` waits for."""
        item = self.read(kind, name, namespace)
        if item is None or item.get("status", {}).get("observedGeneration", 0) < item["metadata"]["generation"]:
            return False
        status = item["status"]
        if kind == "DaemonSet":
            wanted = status.get("desiredNumberScheduled", 0)
            return status.get("updatedNumberScheduled") == status.get("numberAvailable") == wanted > 0
        wanted = item["spec"].get("replicas", 1)
        return all(status.get(count, 0) == wanted for count in ("replicas", "updatedReplicas", "availableReplicas"))

    def wait_rolled_out(self, name, seconds=40):
        """Until a Deployment has all its pods, ready and of the newest template."""
        self.wait_for(f"pods of {name}", lambda: self.rolled_out("Deployment", name), seconds)

    def addresses(self, service, namespace="default"):
        """All addresses of the Service."""
        item = self.read("Service", service, namespace)
        ingress = ((item or {}).get("status", {}).get("loadBalancer") or {}).get("ingress") or []
        return [entry["ip"] for entry in ingress if "ip" in entry]

    def external_ip(self, service, namespace="default"):
        """The Service's first address, or None."""
        return next(iter(self.addresses(service, namespace)), None)

    def wait_external_ip(self, service, deadline=20, namespace="default"):
        """The Service's address once it has one."""
        return self.wait_for(f"EXTERNAL-IP of {service}", lambda: self.external_ip(service, namespace), deadline)

    def pods(self, selector, namespace="default"):
        """Pods with that label selector that are not being deleted."""
        return [pod for pod in self.items("Pod", namespace, selector) if "deletionTimestamp" not in pod["metadata"]]

    def pod_on(self, node, selector="component=speaker", namespace=NAMESPACE):
        """The pod with that label selector on a node, or None."""
        return next((pod for pod in self.pods(selector, namespace) if pod["spec"].get("nodeName") == node), None)

    def events(self, name, namespace="default"):
        """(reason, message) of the events about an object."""
        return [(item["reason"], item.get("message") or item.get("note", ""))
                for item in self.items("Event", namespace)
                if (item.get("involvedObject") or item.get("regarding", {})).get("name") == name]

    def metrics(self, machine, url="http://127.0.0.1:9120/metrics"):
        """Samples a daemon exports: 'name{labels}' -> value; read on a machine."""
        samples = {}
        for line in self.run(machine, "curl", "-sS", "-m", "5", url).splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name] = float(value)
        return samples

    def logs(self, prefix):
        """The output of every container of the pods whose names begin so."""
        return "".join(path.read_text(errors="replace") for path in labctl.log_files(self.state, prefix))

    # --- what a client sees

    def curl(self, machine, address, port=80, seconds=3):
        """One request; returns (pod that answered, client address it saw), or None without an answer."""
        host = f"[{address}]" if ":" in address else address
        status, out, _ = self.try_run(machine, "curl", "-sS", "-m", str(seconds), f"http://{host}:{port}/")
        return tuple(out.split()) if status == 0 else None

    def datagram(self, machine, address, port, seconds=2):
        """One datagram; returns what curl() does."""
        script = ("import socket, sys; i = socket.getaddrinfo(sys.argv[1], sys.argv[2], "
                  "type=socket.SOCK_DGRAM)[0]; s = socket.socket(i[0], i[1]); s.settimeout(float(sys.argv[3])); "
                  "s.connect(i[4]); s.send(b'?'); print(s.recv(2048).decode(), end='')")
        status, out, _ = self.try_run(machine, "python3", "-c", script, address, str(port), str(seconds))
        return tuple(out.split()) if status == 0 else None

    def shares(self, machine, address, port=80, count=60, *options):
        """Requests on new connections; the prober's measurement with `answers` by pod and `clients` seen."""
        return json.loads(self.run(machine, f"{self.build}/e2e/lab/sylab-prober", address, str(port),
                                   "--interval-ms", "5", "--count", str(count), *options))

    def request(self, machine, address, port=80, protocol="TCP", *options, seconds=2):
        """One request, from a machine or pod/NAME, to a sylab-pod by TCP, UDP or SCTP; options as sylab-prober has
        them (--source, --source-port, --size). Returns a Reply."""
        way = [] if protocol == "TCP" else [f"--{protocol.lower()}"]
        measured = self.shares(machine, address, port, 1, "--timeout-ms", str(round(seconds * 1000)), *way, *options)
        if measured["succeeded"] == 0:
            return Reply(error=next(iter(measured["errors"])))
        return Reply(next(iter(measured["answers"])), next(iter(measured["clients"])))

    def prober(self, machine, address, port=80, *options):
        """Starts a prober (10 ms) and returns when the first answer is in."""
        return Prober(self, machine, address, port, *options)

    def arping(self, address, machine=topology.CLIENT, count=1):
        """MAC addresses that answered, one per answer."""
        _, out, _ = self.try_run(machine, "arping", "-I", "eth0", "-c", str(count), "-w", str(count), address)
        return re.findall(r"\b((?:[0-9a-f]{2}:){5}[0-9a-f]{2})\b", out.lower())

    def ask(self, address, machine=topology.CLIENT, interface="eth0", seconds=0.3, **options):
        """MAC addresses that answer one ARP request or neighbour solicitation (`to`, `bare`: see neighbours.py)."""
        return client.call(self.state, "ask", machine=machine, interface=interface, address=address,
                           seconds=seconds, **options)

    def mac_of(self, node, interface="eth0"):
        """The MAC of a node's interface."""
        return topology.mac_of(self.topology.node(node), interface)

    def owners(self, address, interface="eth0"):
        """The nodes that answer for the address on the client's interface. Before it is said that nobody does, a
        guest that was not given the machine's CPU gets the time to answer."""
        answers = set(self.ask(address, interface=interface)
                      or self.ask(address, interface=interface, seconds=PATIENT_ASK))
        return [node.name for node in self.topology.nodes if topology.mac_of(node, interface) in answers]

    def owner(self, address, interface="eth0"):
        """The node whose MAC answers for the address, or None; fails when several do."""
        names = self.owners(address, interface)
        expect(len(names) <= 1, f"{address} is answered by {', '.join(names)}")
        return names[0] if names else None

    def wait_owner(self, address, node=None, deadline=20.0, interface="eth0"):
        """Waits until one node answers for the address, that node when it is named; returns its name."""
        what = f"announcement of {address}" + (f" by {node}" if node else "")
        return self.wait_for(what, lambda: (now := self.owner(address, interface)) and now == (node or now) and now,
                             deadline)

    def wait_silence(self, address, deadline=20.0, interface="eth0"):
        """Waits until nobody answers for the address."""
        self.wait_for(f"silence of {address}", lambda: not self.ask(address, interface=interface), deadline)

    # --- the kernels

    def ipvs(self, node):
        """Virtual servers of a node: "TCP address:port" -> sorted real servers."""
        table, current = {}, None
        for line in self.run(node, "ipvsadm", "-Ln").splitlines()[3:]:
            words = line.split()
            if words[0] == "->":
                current.append(words[1])
            else:
                current = table.setdefault(f"{words[0]} {words[1]}", [])
        return {server: sorted(reals) for server, reals in table.items()}

    def virtual_server(self, node, address, port, protocol="TCP"):
        """What `ipvsadm -Ln` shows of one virtual server: (scheduler and flags as text, real server -> its weight), or
        None."""
        host = f"[{address}]" if ":" in address else address
        option = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}[protocol]
        status, out, _ = self.try_run(node, "ipvsadm", "-Ln", option, f"{host}:{port}")
        lines = out.splitlines()[2:] if status == 0 else []
        server = next((line.split() for line in lines if not line.lstrip().startswith("->")), None)
        if server is None:
            return None
        reals = [line.split() for line in lines if line.lstrip().startswith("->")]
        return " ".join(server[2:]), {words[1]: int(words[3]) for words in reals if words[1] != "RemoteAddress:Port"}

    def ipsets(self, node):
        """Sets of a node: name -> sorted members."""
        sets = {}
        for line in self.run(node, "ipset", "save").splitlines():
            words = line.split()
            if words[0] == "create":
                sets[words[1]] = []
            elif words[0] == "add":
                sets[words[1]].append(words[2])
        return {name: sorted(members) for name, members in sets.items()}

    def service_addresses(self, node):
        """Addresses on kube-ipvs0."""
        out = self.run(node, "ip", "-o", "addr", "show", "dev", "kube-ipvs0")
        return sorted(re.findall(r"inet (\S+)/32", out))

    def kernel_state(self, node):
        """What a Service leaves in a node's kernel."""
        return {"ipvs": self.ipvs(node), "ipset": self.ipsets(node), "kube-ipvs0": self.service_addresses(node)}

    def settled(self, look, seconds=1.0):
        """What look() returns, once it has returned the same for so long: a state to compare later ones with."""
        since, last = time.monotonic(), look()

        def same():
            nonlocal since, last
            now = look()
            if now != last:
                since, last = time.monotonic(), now
            return time.monotonic() - since >= seconds
        self.wait_for("state that stays", same)
        return last

    def settled_kernel_state(self, node):
        """kernel_state(), once the node's proxy has done what there was to do."""
        return self.settled(lambda: self.kernel_state(node))

    # --- time

    def starved_ms(self):
        """How long the guest has had to wait for a CPU of this machine so far. Time that the guest measures has the
        waiting of that time in it, which says nothing about the product."""
        return self._starvation.milliseconds()

    def alarms(self):
        """How often each speaker has taken each node for dead so far (log -> node -> number): on a machine that keeps
        the guest waiting, without reason. Its addresses then move, and soon back."""
        return {path: Counter(re.findall(r'"unreachable, say its watchers","node":"([^"]*)"',
                                         path.read_text(errors="replace")))
                for path in labctl.log_files(self.state, "speaker")}

    # --- trouble

    def kill(self, node):
        """Power loss."""
        client.call(self.state, "kill", node=node)

    def restore(self, node):
        """Power is back."""
        client.call(self.state, "restore", node=node)

    def partition(self, one, other):
        """The two do not hear each other."""
        client.call(self.state, "partition", one=one, other=other)

    def heal(self):
        """Everybody hears everybody."""
        client.call(self.state, "heal")

    def signal_speaker(self, node, signal_name):
        """Sends a signal (KILL, TERM, STOP, CONT) to the speaker process of one node."""
        # All machines share the guest's process numbers; a node's speaker is in the node's network.
        script = ('here=$(readlink /proc/self/ns/net); for pid in $(pidof steelyard-speaker); do '
                  '[ "$(readlink /proc/$pid/ns/net)" != "$here" ] || kill -"$0" "$pid" || exit 1; done')
        self.run(node, "sh", "-c", script, signal_name)

    def cable(self, node, plugged, interface="eth0"):
        """Plugs a machine's cable in or out."""
        client.call(self.state, "cable", node=node, interface=interface, plugged=plugged)

    def rotate_tokens(self):
        """Every pod gets a new service account token."""
        client.call(self.state, "rotate_tokens")

    def claim(self, address, machine=topology.CLIENT, interface="eth0"):
        """A machine says by gratuitous ARP or an unsolicited NA that the address is its own."""
        client.call(self.state, "claim", machine=machine, interface=interface, address=address)

    # --- after a failure

    def save_artefacts(self):
        """Copies logs, API objects and every node's kernel state to build/lab-failures; returns the folder."""
        folder = self.source / "build" / "lab-failures" / self.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path in [*Path(self.state).glob("*.log"), *Path(self.state).glob("logs/*"), Path(self.state) / "console"]:
            if path.exists():
                shutil.copy(path, folder / path.name)
        commands = {"objects.yaml": (topology.CLIENT, "kubectl get nodes,pods,services,endpointslices,events,"
                                     "ipaddresspools,l2advertisements,servicel2statuses -A -o yaml; "
                                     "kubectl get bgppeers,bgpadvertisements,bfdprofiles,servicebgpstatuses,"
                                     "bgpsessionstates,configurationstates -A -o yaml")}
        for node in self.topology.nodes:
            commands[f"{node.name}.txt"] = (node.name, "ip addr; ip route; ipvsadm -Ln; ipvsadm -Lnc; ipset list; "
                                            "iptables-save; ss -tunap")
        commands.update({f"{name}.txt": told for name, told in self.witnesses.items()})
        for name, (machine, script) in commands.items():
            try:
                (folder / name).write_text(self.try_run(machine, "sh", "-c", script, timeout=20)[1], encoding="utf-8")
            except (uml.LabError, OSError) as error:
                (folder / name).write_text(f"{error}\n", encoding="utf-8")
        return folder
