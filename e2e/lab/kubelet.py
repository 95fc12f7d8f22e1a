"""The kubelet of one node: registers the node, renews its lease, runs the pods bound to it.

All requests leave from the node's own network namespace, so a dead or cut-off node falls silent by itself.
"""

import asyncio
import os

from api import MERGE_PATCH, ApiError
from pod_worker import NETWORK_ERRORS, PodWorker, now

LEASE_SECONDS = 1.5
KUBELET_VERSION = "v1.32.0"


class Kubelet:
    """Runs on the agent's loop; `pods` is the cluster's informer of pods."""

    def __init__(self, node, machines, api, pods, images, settings):
        self.node = node
        self.name = node.name
        self.machines = machines
        self.api = api.from_machine(node.name)
        self.pods = pods
        self.images = images
        self.ca = settings["ca"]
        self.logs = settings["logs"]
        self.service_variables = settings["service_variables"]
        self.workers = {}
        self.addresses = set()  # taken by pods
        self.last_taken = node.gateway
        self.last_renewal = 0.0  # loop time; the node controller looks at it
        self.in_touch = False
        self.tasks = []

    def log(self, text):
        """A line in agent.log."""
        print(f"kubelet {self.name}: {text}", flush=True)

    def log_file(self, namespace, pod, container):
        """Where a container's output goes."""
        return os.path.join(self.logs, f"{namespace}_{pod}_{container}.log")

    def start(self):
        """The node is on."""
        self.tasks = [asyncio.create_task(self._keep_registered())]

    def has_reported(self):
        """Whether the API server knows the state of every pod here."""
        return self.in_touch and all(worker.reported or worker.stopping for worker in self.workers.values())

    def crash(self):
        """The node is off."""
        for task in self.tasks:
            task.cancel()
        for worker in self.workers.values():
            worker.vanish()
        self.workers, self.addresses, self.in_touch = {}, set(), False
        self.api.drop_idle()

    # --- node

    async def _keep_registered(self):
        registered = False
        while True:
            try:
                if not registered:
                    await self._register()
                    registered = True
                await self._renew()
                self.last_renewal = asyncio.get_running_loop().time()
                self.in_touch = True
                self.sync()
            except NETWORK_ERRORS as error:
                self.in_touch = False
                self.log(f"heartbeat: {error!r}")
            await asyncio.sleep(LEASE_SECONDS)

    async def _register(self):
        labels = {"kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        networks = [str(network) for network in (self.node.pods, self.node.pods6) if network]
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name, "labels": labels},
                "spec": {"podCIDR": networks[0], "podCIDRs": networks}}
        try:
            await self.api.request("POST", "/api/v1/nodes", node)
        except ApiError as error:
            if error.code != 409:
                raise
        system = os.uname()
        status = {
            "addresses": [*({"type": "InternalIP", "address": str(address)}
                            for address in (self.node.address, self.node.address6) if address),
                          {"type": "Hostname", "address": self.name}],
            "capacity": {"cpu": "1", "memory": "1Gi", "pods": "110"},
            "allocatable": {"cpu": "1", "memory": "1Gi", "pods": "110"},
            "nodeInfo": {"kubeletVersion": KUBELET_VERSION, "kubeProxyVersion": "", "osImage": _os_image(),
                         "kernelVersion": system.release, "containerRuntimeVersion": "lab://1", "architecture": "amd64",
                         "operatingSystem": "linux", "machineID": self.name, "systemUUID": self.name,
                         "bootID": f"{self.name}-{self.machines.boots[self.name]}"},
            "conditions": node_conditions("True", "KubeletReady", "the lab's kubelet is posting ready status")}
        await self.api.request("PATCH", f"/api/v1/nodes/{self.name}/status", {"status": status}, MERGE_PATCH)
        self.log("registered")

    async def _renew(self):
        name = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        stamp = now().replace("Z", ".000000Z")
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {
            "name": self.name, "namespace": "kube-node-lease"}, "spec": {
                "holderIdentity": self.name, "leaseDurationSeconds": 5, "renewTime": stamp}}
        try:
            await self.api.request("PATCH", f"{name}/{self.name}", {"spec": lease["spec"]}, MERGE_PATCH)
        except ApiError as error:
            if error.code != 404:
                raise
            await self.api.request("POST", name, lease)

    # --- pods

    def sync(self):
        """Starts, updates and stops workers as the API's pods say; does nothing while out of touch."""
        if not self.in_touch or not self.machines.is_on(self.name):
            return
        mine = {pod["metadata"]["uid"]: pod for pod in self.pods.items.values()
                if pod["spec"].get("nodeName") == self.name}
        for uid, pod in mine.items():
            worker = self.workers.get(uid)
            if worker is not None:
                worker.update(pod)
            elif pod.get("status", {}).get("phase") not in ("Succeeded", "Failed") \
                    or "deletionTimestamp" in pod["metadata"]:
                self._adopt(uid, pod)
        for uid, worker in list(self.workers.items()):
            if uid not in mine:
                worker.stop()

    def _adopt(self, uid, pod):
        """A pod this kubelet has not yet run since it started; one that ran before counts a restart."""
        before = {entry["name"]: entry["restartCount"] + 1
                  for entry in pod.get("status", {}).get("containerStatuses", [])}
        self.workers[uid] = PodWorker(self, pod, before)
        self.workers[uid].update(pod)

    def forget(self, worker):
        """A worker has removed its pod."""
        self.workers.pop(worker.pod["metadata"]["uid"], None)

    def take_address(self):
        """The next free address of the node's pod network."""
        free = [address for address in self.node.pods.hosts()
                if address != self.node.gateway and str(address) not in self.addresses]
        # Not the lowest free one: an address just released may still be in others' tables.
        later = [address for address in free if address > self.last_taken]
        self.last_taken = (later or free)[0]
        self.addresses.add(str(self.last_taken))
        return str(self.last_taken)

    def release_address(self, address):
        """A pod has gone."""
        self.addresses.discard(address)

    def running(self, pod_name):
        """(pod's worker, its first running process) for `lab exec`; LookupError when there is none."""
        for worker in self.workers.values():
            if worker.pod["metadata"]["name"] == pod_name:
                for container in worker.main:
                    if container.process:
                        return worker, container.process
        raise LookupError(f"no running pod {pod_name}")


def node_conditions(ready, reason, message):
    """The conditions of a node; a node that is not reachable is Unknown."""
    stamp = now()
    return [{"type": kind, "status": status, "reason": why, "message": text, "lastHeartbeatTime": stamp,
             "lastTransitionTime": stamp}
            for kind, status, why, text in (
                ("NetworkUnavailable", "False", "RouteCreated", "the lab has made the node's routes"),
                ("MemoryPressure", "False", "KubeletHasSufficientMemory", ""),
                ("DiskPressure", "False", "KubeletHasNoDiskPressure", ""),
                ("PIDPressure", "False", "KubeletHasSufficientPID", ""),
                ("Ready", ready, reason, message))]


def _os_image():
    with open("/etc/os-release", encoding="utf-8") as source:
        for line in source:
            if line.startswith("PRETTY_NAME="):
                return line.split("=", 1)[1].strip().strip('"')
    return "Linux"
