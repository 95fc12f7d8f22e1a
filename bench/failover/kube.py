"""The embedded API server and the objects the speakers read: nodes, pods, Services, a pool. Plain HTTP, one
kubeconfig for all; Service status is written here, so no controller is needed."""

import http.client
import json
import subprocess
import time
from pathlib import Path

import network

PORT = 6443
NAMESPACE = "metallb-system"
LABELS = {"app": "metallb", "component": "speaker"}
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
MERGE_PATCH = "application/merge-patch+json"
SOURCE = Path(__file__).resolve().parents[2]


class ApiServer:
    """Runs in the switch's namespace, where this process is too."""

    def __init__(self, program, state):
        self.log = open(state / "apiserver.log", "wb")
        argv = [program, "--insecure", "--listen-address", network.HOME, "--advertise-address", network.HOME,
                "--port", str(PORT), "--state-dir", str(state)]
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *argv],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        self.kubeconfig = state / "kubeconfig"
        try:
            self._wait(state / "admin.token")
        except BaseException:
            self.stop()
            raise

    def _wait(self, token):
        end = time.monotonic() + 10
        while True:
            try:
                self.token = token.read_text(encoding="ascii").strip()
                self.request("GET", "/version")
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise RuntimeError("the API server does not start: see apiserver.log") from None
                time.sleep(0.05)

    def request(self, method, path, body=None, content_type="application/json"):
        """One request; the decoded answer."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(network.HOME, PORT, timeout=10)
        try:
            connection.request(method, path, data, {"Authorization": f"Bearer {self.token}",
                                                    "Content-Type": content_type})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status}: {text.decode(errors='replace')[:300]}")
        return json.loads(text)

    def create(self, path, item, status=None):
        """Creates an object and writes its status, which a create ignores."""
        made = self.request("POST", path, item)
        if status is not None:
            name = made["metadata"]["name"]
            self.request("PATCH", f"{path}/{name}/status", {"status": status}, MERGE_PATCH)

    def fill(self, nodes, virtual):
        """Everything the speakers need to announce the virtual addresses from any node."""
        for file in sorted((SOURCE / "crds").glob("*.yaml")):
            self.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", file.read_bytes(),
                         "application/yaml")
        self.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        for node in nodes:
            self.create("/api/v1/nodes", {"metadata": {"name": node.name}}, {
                "addresses": [{"type": "InternalIP", "address": node.address}],
                "conditions": [{"type": "Ready", "status": "True"}]})
            self.create(f"/api/v1/namespaces/{NAMESPACE}/pods", {
                "metadata": {"name": f"speaker-{node.name}", "labels": LABELS},
                "spec": {"nodeName": node.name, "hostNetwork": True,
                         "containers": [{"name": "speaker", "image": "speaker"}]}}, {
                "phase": "Running", "podIP": node.address, "podIPs": [{"ip": node.address}],
                "conditions": [{"type": "Ready", "status": "True"}]})
        metallb = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}"
        self.create(f"{metallb}/ipaddresspools", _metallb("IPAddressPool", {
            "addresses": [f"{virtual[0]}-{virtual[-1]}"]}))
        self.create(f"{metallb}/l2advertisements", _metallb("L2Advertisement", {"interfaces": ["eth0"]}))
        for number, address in enumerate(virtual, 1):
            self._add_service(f"web{number}", address, nodes)

    def _add_service(self, name, address, nodes):
        self.create("/api/v1/namespaces/default/services", {
            "metadata": {"name": name},
            "spec": {"type": "LoadBalancer", "ports": [{"name": "web", "port": 80}]}},
            {"loadBalancer": {"ingress": [{"ip": address}]}})
        self.create("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
            "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["10.244.0.2"], "nodeName": nodes[0].name,
                           "conditions": {"ready": True, "serving": True, "terminating": False}}]})

    def drain(self, node, wanted):
        """Sets or removes the annotation that takes a node out of service."""
        value = "true" if wanted else None
        self.request("PATCH", f"/api/v1/nodes/{node}",
                     {"metadata": {"annotations": {"steelyard.io/drain": value}}}, MERGE_PATCH)

    def exclude(self, node, wanted):
        """Sets or removes the label that keeps a node from announcing, by everybody's judgement."""
        self.request("PATCH", f"/api/v1/nodes/{node}",
                     {"metadata": {"labels": {EXCLUDED: "" if wanted else None}}}, MERGE_PATCH)

    def stop(self):
        """Ends the server."""
        self.process.kill()
        self.process.wait()
        self.log.close()


def _metallb(kind, spec):
    return {"apiVersion": "metallb.io/v1beta1", "kind": kind, "metadata": {"name": "pool"}, "spec": spec}
