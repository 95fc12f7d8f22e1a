"""What answers on the control plane's port 6443: `steelyard-apiserver`, or Kubernetes itself.

Both are started in the guest, leave a kubeconfig and `ca.crt` in the state folder, and are up when start() returns.
Kubernetes means etcd, kube-apiserver and kube-controller-manager; which of its controllers run is listed here, and the
lab's own (controllers.py) then do only what is left: nodes and scheduling.
"""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import processes
import topology as shape
from api import Api, ApiError

CONTROLLERS = ("deployment", "replicaset", "daemonset", "endpointslice", "serviceaccount", "serviceaccount-token",
               "root-ca-certificate-publisher", "namespace", "garbage-collector")
SERVICES6 = "fd00:10:96::/112"
ETCD = "http://127.0.0.1:2379"
CERTIFICATE_DAYS = "2"
# Every request of Steelyard's service accounts is noted down: who, what, and how it was answered.
AUDIT = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [
    {"level": "Metadata", "userGroups": ["system:serviceaccounts:metallb-system"]}, {"level": "None"}]}


class ControlPlane:
    """`enter`: command prefix that runs a program on the control-plane machine."""

    name = ""
    seconds = 60  # it has to be ready by then
    runs_workloads = False  # it has controllers of its own for Deployments, DaemonSets, EndpointSlices, garbage
    patience = 1  # how long things may take, in multiples of the usual

    def __init__(self, settings, topology, enter, state, logs):
        self.settings = settings
        self.topology = topology
        self.enter = enter
        self.state = Path(state)
        self.logs = Path(logs)
        self.address = str(topology.host(shape.CONTROL_PLANE).address)
        self.running = {}  # name -> Popen

    @property
    def kubeconfig(self):
        """The administrator's."""
        return self.state / "kubeconfig"

    async def start(self, progress):
        """Brings it up; returns a client for the administrator. `progress` gets a line a step."""
        raise NotImplementedError

    def spawn(self, name, argv, **variables):
        """Starts a program; its output goes to logs/NAME.log."""
        with open(self.logs / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen([*self.enter, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=log,
                                                  stderr=log, env={**os.environ, **variables})

    def check(self):
        """Raises when one of the programs has ended."""
        for name, process in self.running.items():
            if process.poll() is not None:
                text = (self.logs / f"{name}.log").read_text(errors="replace")
                raise processes.CommandFailed(f"{name} ended with status {process.returncode}: {text[-500:]}")

    async def connect(self, path):
        """A client, as soon as the server answers there."""
        api, last = None, None
        for _ in range(self.seconds * 10):
            self.check()
            try:
                if api is None and self.kubeconfig.exists():
                    text = await processes.run("kubectl", "config", "view", "--raw", "-o", "json",
                                               f"--kubeconfig={self.kubeconfig}")
                    api = Api.from_kubeconfig(json.loads(text), shape.CONTROL_PLANE, self.patience)
                if api is not None:
                    await api.request("GET", path)
                    return api
            except (OSError, ApiError, TimeoutError, ValueError) as error:
                last = error
            await asyncio.sleep(0.1)
        raise processes.CommandFailed(f"the API server is not ready after {self.seconds} s: {last!r}")


class Own(ControlPlane):
    """settings["argv"]: how steelyard-apiserver is started."""

    name = "steelyard"

    async def start(self, progress):
        progress("API server")
        values = {"address": self.address, "state": self.state, "service": self.topology.services[1]}
        self.spawn("apiserver", [word.format(**values) for word in self.settings["argv"]])
        return await self.connect("/version")


class Kubernetes(ControlPlane):
    """settings["programs"]: folder with etcd, kube-apiserver and kube-controller-manager."""

    name = "kubernetes"
    seconds = 150
    runs_workloads = True
    patience = 4

    async def start(self, progress):
        progress("certificates")
        self.state.mkdir(parents=True)
        await self.make_certificates()
        self.write_kubeconfig()
        (self.state / "audit.yaml").write_text(json.dumps(AUDIT), encoding="utf-8")
        progress("etcd, kube-apiserver")
        self.spawn("etcd", self.etcd(), GOMAXPROCS="1")
        self.spawn("apiserver", self.apiserver(), GOMAXPROCS="1", GOGC="200")
        await self.connect("/readyz")
        progress("kube-controller-manager")
        self.spawn("controller-manager", self.controller_manager(), GOMAXPROCS="1")
        api = await self.connect("/api/v1/namespaces/default/serviceaccounts/default")
        await self.connect("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
        return api

    async def make_certificates(self):
        """An authority, the server's and the administrator's certificates, the key that signs tokens."""
        names = ["IP:" + self.address, f"IP:{self.topology.services[1]}", "IP:127.0.0.1",
                 *(f"DNS:kubernetes{rest}" for rest in ("", ".default", ".default.svc"))]
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", CERTIFICATE_DAYS]
        await processes.run(*new, "-keyout", self.file("ca.key"), "-out", self.file("ca.crt"), "-subj", "/CN=lab-ca",
                            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        issued = [*new, "-CA", self.file("ca.crt"), "-CAkey", self.file("ca.key"), "-addext",
                  "basicConstraints=critical,CA:FALSE"]
        await processes.run(*issued, "-keyout", self.file("server.key"), "-out", self.file("server.crt"), "-subj",
                            "/CN=kube-apiserver", "-addext", "subjectAltName=" + ",".join(names), "-addext",
                            "extendedKeyUsage=serverAuth")
        await processes.run(*issued, "-keyout", self.file("admin.key"), "-out", self.file("admin.crt"), "-subj",
                            "/O=system:masters/CN=lab-admin", "-addext", "extendedKeyUsage=clientAuth")
        await processes.run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-out", self.file("tokens.key"))
        await processes.run("openssl", "pkey", "-in", self.file("tokens.key"), "-pubout", "-out",
                            self.file("tokens.pub"))

    def program(self, name):
        """Where one of Kubernetes' programs is."""
        return os.path.join(self.settings["programs"], name)

    def file(self, name):
        """A file of the control plane."""
        return str(self.state / name)

    def write_kubeconfig(self):
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": f"https://{self.address}:6443",
                                                     "certificate-authority": self.file("ca.crt")}}],
            "users": [{"name": "admin", "user": {"client-certificate": self.file("admin.crt"),
                                                 "client-key": self.file("admin.key")}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "admin"}}]}
        self.kubeconfig.write_text(json.dumps(config), encoding="utf-8")

    def etcd(self):
        return [self.program("etcd"), "--name=lab", f"--data-dir={self.file('etcd')}", "--unsafe-no-fsync",
                f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}",
                "--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
                "--initial-cluster=lab=http://127.0.0.1:2380", "--heartbeat-interval=500", "--election-timeout=5000",
                "--log-level=warn"]

    def apiserver(self):
        # Webhooks are called at their pods: no proxy runs here that would make ClusterIPs work.
        return [self.program("kube-apiserver"), f"--etcd-servers={ETCD}", "--bind-address=0.0.0.0",
                "--secure-port=6443", f"--advertise-address={self.address}", "--authorization-mode=Node,RBAC",
                f"--client-ca-file={self.file('ca.crt')}", f"--tls-cert-file={self.file('server.crt')}",
                f"--tls-private-key-file={self.file('server.key')}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={self.file('tokens.pub')}",
                f"--service-account-signing-key-file={self.file('tokens.key')}",
                f"--service-cluster-ip-range={self.topology.services},{SERVICES6}",
                f"--audit-policy-file={self.file('audit.yaml')}", f"--audit-log-path={self.logs / 'audit.log'}",
                "--allow-privileged", "--enable-aggregator-routing", "--profiling=false"]

    def controller_manager(self):
        return [self.program("kube-controller-manager"), f"--kubeconfig={self.kubeconfig}",
                "--controllers=" + ",".join(f"{name}-controller" for name in CONTROLLERS),
                f"--root-ca-file={self.file('ca.crt')}",
                f"--service-account-private-key-file={self.file('tokens.key')}", "--leader-elect=false",
                "--secure-port=0", "--kube-api-qps=200", "--kube-api-burst=400", "--profiling=false"]


KINDS = {kind.name: kind for kind in (Own, Kubernetes)}
