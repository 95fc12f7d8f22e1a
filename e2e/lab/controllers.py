"""The lab's kube-controller-manager and kube-scheduler: one level-based loop over live copies of the
cluster's objects. What to do is decided in workloads.py and endpoints.py; here it is done. Beside a real
kube-controller-manager only nodes, scheduling and the end of pods on dead nodes are left to do.
"""

import asyncio
import traceback

import endpoints
import workloads
from api import MERGE_PATCH, ApiError, Informer, key_of
from kubelet import node_conditions
from pod_worker import NETWORK_ERRORS, now

NOT_READY_SECONDS = 10.0  # without a lease renewal; 40 s in a real cluster
EVICT_SECONDS = 15.0      # not ready this long: Deployment pods are made anew elsewhere; 5 minutes there
SETTLE_SECONDS = 0.03
ZONE = "topology.kubernetes.io/zone"
UNREACHABLE = "node.kubernetes.io/unreachable"
NOT_READY = "node.kubernetes.io/not-ready"  # what the real API server gives every new node

PATHS = {
    "pods": "/api/v1/pods", "services": "/api/v1/services", "nodes": "/api/v1/nodes",
    "deployments": "/apis/apps/v1/deployments", "daemonsets": "/apis/apps/v1/daemonsets",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
}


def path_of(item, plural):
    """The API path of a namespaced object."""
    base = {"Pod": "/api/v1", "EndpointSlice": "/apis/discovery.k8s.io/v1"}.get(item["kind"], "/apis/apps/v1")
    return f"{base}/namespaces/{item['metadata']['namespace']}/{plural}/{item['metadata']['name']}"


class Controllers:
    """`kubelets`: name -> Kubelet, for their last sign of life and to wake them."""

    def __init__(self, api, control_plane):
        self.api = api
        self.is_real = control_plane.runs_workloads
        steps = (self._watch_nodes, self._schedule, self._deployments, self._daemonsets, self._endpoint_slices,
                 self._collect_garbage, self._wake_kubelets)
        self.steps = (self._watch_nodes, self._schedule, self._wake_kubelets) if self.is_real else steps
        self.changed = asyncio.Event()
        self.informers = {name: Informer(api, path, self._notify) for name, path in PATHS.items()}
        self.kubelets = {}
        self.down_since = {}
        self.tasks = []

    def _notify(self):
        self.changed.set()

    def items(self, name):
        """All objects of a kind."""
        return list(self.informers[name].items.values())

    async def start(self):
        """Watches everything; returns when the first lists are in."""
        self.tasks = [asyncio.create_task(informer.run()) for informer in self.informers.values()]
        for informer in self.informers.values():
            await informer.synced.wait()
        self.tasks.append(asyncio.create_task(self._run()))

    async def _run(self):
        while True:
            try:
                async with asyncio.timeout(1.0):
                    await self.changed.wait()
                await asyncio.sleep(SETTLE_SECONDS)
            except TimeoutError:
                pass
            self.changed.clear()
            for step in self.steps:
                try:
                    await step()
                except NETWORK_ERRORS as error:
                    print(f"{step.__name__}: {error!r}", flush=True)
                except Exception:  # one broken object must not stop the rest of the cluster
                    traceback.print_exc()

    async def _wake_kubelets(self):
        for kubelet in self.kubelets.values():
            kubelet.sync()

    async def _create(self, name, path, item):
        self.informers[name].put({"kind": item["kind"], **await self.api.request("POST", path, item)})
        self.changed.set()

    async def _delete(self, item, plural, grace=None):
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": item["metadata"]["uid"]}}
        try:
            if grace == 0:  # nobody is there to let go of the pod
                options["gracePeriodSeconds"] = 0
                await self.api.request("PATCH", path_of(item, plural), {"metadata": {
                    "uid": item["metadata"]["uid"], "finalizers": None}}, MERGE_PATCH)
            answer = await self.api.request("DELETE", path_of(item, plural), options)
        except ApiError as error:
            if error.code not in (404, 409):
                raise
            return
        known = self.informers[plural]
        if answer.get("kind") == item["kind"] and "deletionTimestamp" in answer["metadata"] and grace != 0:
            known.put(answer)
        else:
            known.items.pop(key_of(item), None)
        self.changed.set()

    # --- nodes

    async def _watch_nodes(self):
        clock = asyncio.get_running_loop().time()
        for node in self.items("nodes"):
            name = node["metadata"]["name"]
            kubelet = self.kubelets.get(name)
            if kubelet is None:
                continue
            alive = clock - kubelet.last_renewal < NOT_READY_SECONDS
            if alive != endpoints.condition(node, "Ready") or (alive and _has_taint(node, NOT_READY)):
                await self._tell_node(name, alive)
            if alive:
                self.down_since.pop(name, None)
                continue
            since = self.down_since.setdefault(name, clock)
            await self._fail_pods(name)
            if clock - since > EVICT_SECONDS:
                await self._evict(name)

    async def _tell_node(self, name, alive):
        conditions = node_conditions("True", "KubeletReady", "the lab's kubelet is posting ready status") if alive \
            else node_conditions("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
        node = self.informers["nodes"].items[name]
        taints = [taint for taint in node["spec"].get("taints") or [] if taint["key"] not in (UNREACHABLE, NOT_READY)]
        if not alive:
            taints.append({"key": UNREACHABLE, "effect": "NoSchedule", "timeAdded": now()})
        answer = await self.api.request("PATCH", f"/api/v1/nodes/{name}/status",
                                        {"status": {"conditions": conditions}}, MERGE_PATCH)
        await self.api.request("PATCH", f"/api/v1/nodes/{name}", {"spec": {"taints": taints or None}}, MERGE_PATCH)
        self.informers["nodes"].put({"kind": "Node", **answer})

    async def _fail_pods(self, node):
        for pod in self.items("pods"):
            if pod["spec"].get("nodeName") != node or not endpoints.condition(pod, "Ready"):
                continue
            conditions = [{**entry, "status": "False", "lastTransitionTime": now()}
                          if entry["type"] in ("Ready",) else entry for entry in pod["status"]["conditions"]]
            answer = await self.api.request("PATCH", path_of({"kind": "Pod", **pod}, "pods") + "/status",
                                            {"status": {"conditions": conditions}}, MERGE_PATCH)
            self.informers["pods"].put(answer)

    async def _evict(self, node):
        for pod in self.items("pods"):
            owners = [owner["kind"] for owner in pod["metadata"].get("ownerReferences", [])]
            if pod["spec"].get("nodeName") == node and ("Deployment" in owners or "ReplicaSet" in owners):
                await self._delete({"kind": "Pod", **pod}, "pods", grace=0)

    # --- pods

    async def _schedule(self):
        for pod in self.items("pods"):
            if pod["spec"].get("nodeName") or not workloads.is_active(pod):
                continue
            node = workloads.choose_node(pod, self.items("pods"), self.items("nodes"))
            if node is None:
                continue
            path = path_of({"kind": "Pod", **pod}, "pods")
            if self.is_real:
                await self.api.request("POST", f"{path}/binding", {
                    "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod["metadata"]["name"]},
                    "target": {"apiVersion": "v1", "kind": "Node", "name": node}})
            else:
                finalizers = [*pod["metadata"].get("finalizers", []), workloads.FINALIZER]
                await self.api.request("PATCH", path, {
                    "metadata": {"finalizers": sorted(set(finalizers))}, "spec": {"nodeName": node}}, MERGE_PATCH)
            pod["spec"]["nodeName"] = node
            self.changed.set()

    async def _deployments(self):
        for deployment in self.items("deployments"):
            item = {**deployment, "kind": "Deployment"}
            create, delete, status = workloads.plan_deployment(item, self.items("pods"))
            if "deletionTimestamp" in item["metadata"]:
                continue
            for pod in delete:
                await self._delete({"kind": "Pod", **pod}, "pods")
            for _ in range(create):
                pod = workloads.make_pod(item)
                await self._create("pods", f"/api/v1/namespaces/{item['metadata']['namespace']}/pods", pod)
            await self._tell_status("deployments", item, status)

    async def _daemonsets(self):
        for daemonset in self.items("daemonsets"):
            item = {**daemonset, "kind": "DaemonSet"}
            create, delete, status = workloads.plan_daemonset(item, self.items("pods"), self.items("nodes"))
            if "deletionTimestamp" in item["metadata"]:
                continue
            for pod in delete:
                await self._delete({"kind": "Pod", **pod}, "pods")
            for node in create:
                pod = workloads.make_pod(item, node)
                await self._create("pods", f"/api/v1/namespaces/{item['metadata']['namespace']}/pods", pod)
            await self._tell_status("daemonsets", item, status)

    async def _tell_status(self, plural, item, status):
        known = item.get("status", {})
        same = all(known.get(name) == value for name, value in status.items() if name != "conditions")
        if same and _flags(known) == _flags(status):
            return
        for entry in status.get("conditions", []):
            entry["lastTransitionTime"] = entry["lastUpdateTime"] = now()
        answer = await self.api.request("PATCH", path_of(item, plural) + "/status", {"status": status}, MERGE_PATCH)
        self.informers[plural].put(answer)

    # --- endpoints

    async def _endpoint_slices(self):
        known = {key_of(item): item for item in self.items("endpointslices")}
        pods = self.items("pods")
        zones = {node["metadata"]["name"]: node["metadata"].get("labels", {}).get(ZONE, "")
                 for node in self.items("nodes")}
        kept = set()
        for service in self.items("services"):
            for name, wanted in endpoints.slices_of(service, pods, zones).items():
                key = f"{service['metadata']['namespace']}/{name}"
                kept.add(key)
                path = f"/apis/discovery.k8s.io/v1/namespaces/{service['metadata']['namespace']}/endpointslices"
                if key not in known:
                    await self._create("endpointslices", path, wanted)
                elif endpoints.differs(wanted, known[key]):
                    answer = await self.api.request("PATCH", f"{path}/{name}", {
                        "endpoints": wanted["endpoints"], "ports": wanted["ports"],
                        "metadata": {"labels": wanted["metadata"]["labels"]}}, MERGE_PATCH)
                    self.informers["endpointslices"].put({"kind": "EndpointSlice", **answer})
        for key, item in known.items():
            labels = item["metadata"].get("labels", {})
            if labels.get("endpointslice.kubernetes.io/managed-by") == endpoints.MANAGED_BY and key not in kept:
                await self._delete({**item, "kind": "EndpointSlice"}, "endpointslices")

    async def _collect_garbage(self):
        owners = {item["metadata"]["uid"] for name in ("deployments", "daemonsets", "pods")
                  for item in self.items(name)}
        for pod in workloads.orphans(self.items("pods"), owners):
            await self._delete({"kind": "Pod", **pod}, "pods")
        # Pods nobody runs any more: never bound, so no kubelet will remove them.
        for pod in self.items("pods"):
            if "deletionTimestamp" in pod["metadata"] and not pod["spec"].get("nodeName"):
                await self._delete({"kind": "Pod", **pod}, "pods", grace=0)


def _flags(status):
    return {entry["type"]: (entry["status"], entry.get("reason")) for entry in status.get("conditions", [])}


def _has_taint(node, key):
    return any(taint["key"] == key for taint in node["spec"].get("taints") or [])
