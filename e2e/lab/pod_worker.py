"""One pod on its node: network, volumes, containers, probes, status, end.

Everything a pod has is made by this class and removed by it: a network namespace (unless hostNetwork), a
cgroup, a folder under the node's /run. Containers are processes of the lab started through sylab-enter in a
mount namespace of their own; their output goes to a log file on the host.
"""

import asyncio
import contextlib
import datetime
import os
import shutil
import subprocess
from pathlib import Path

import machines as m
import podspec
import processes
import topology as shape
from api import MERGE_PATCH, ApiError
from probes import probe

FIRST_BACKOFF = 0.5  # a kubelet starts with 10 s; a lab has less patience
LONGEST_BACKOFF = 10.0
RETRY_SECONDS = 0.5
STATUS_DELAY = 0.02
NETWORK_ERRORS = (ApiError, OSError, TimeoutError, asyncio.IncompleteReadError, ValueError)


def now():
    """The time as the API writes it."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Container:
    """State of one container; `state` is what the API shows."""

    def __init__(self, spec):
        self.spec = spec
        self.name = spec["name"]
        self.process = None
        self.restarts = 0
        self.ready = False
        self.started = False
        self.done = False
        self.state = {"waiting": {"reason": "ContainerCreating"}}
        self.last = {}

    def status(self):
        """Its entry in containerStatuses."""
        return {"name": self.name, "image": self.spec["image"], "imageID": self.spec["image"], "ready": self.ready,
                "started": self.started, "restartCount": self.restarts, "state": self.state, "lastState": self.last}


class PodWorker:
    """Runs one pod until it is deleted. `kubelet` gives the node, the API and the lab's services."""

    def __init__(self, kubelet, pod, restarts):
        self.kubelet = kubelet
        self.pod = pod
        meta = pod["metadata"]
        self.path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        self.short = meta["uid"].replace("-", "")[:8]
        self.namespace = f"pod-{self.short}"
        self.cgroup = m.CGROUPS / kubelet.name / f"pod-{self.short}"
        self.folder = m.NODE_ROOT / kubelet.name / "run" / "kubelet" / self.short
        self.host_network = bool(pod["spec"].get("hostNetwork"))
        self.address = str(kubelet.node.address) if self.host_network else None
        self.init = [Container(spec) for spec in pod["spec"].get("initContainers", [])]
        self.main = [Container(spec) for spec in pod["spec"]["containers"]]
        for container in self.init + self.main:
            container.restarts = restarts.get(container.name, 0)
        self.phase = "Pending"
        self.started_at = None
        self.stopping = False
        self.gone = False
        self.changed = asyncio.Event()
        self.reported = None
        self.token_files = []
        self.tasks = [asyncio.create_task(self._guarded(self._run())), asyncio.create_task(self._report())]

    async def _guarded(self, work):
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a fault of the lab must show in `kubectl get pods`, not vanish
            self.kubelet.log(f"{self.path}: {error!r}")
            self._wait_all("LabError", str(error))

    def update(self, pod):
        """The API has a newer version of the pod."""
        self.pod = pod
        if "deletionTimestamp" in pod["metadata"]:
            self.stop()

    def stop(self):
        """Ends the pod gracefully; its object is removed at the end."""
        if not self.stopping:
            self.stopping = True
            grace = self.pod["metadata"].get("deletionGracePeriodSeconds") \
                or self.pod["spec"].get("terminationGracePeriodSeconds", 30)
            self.tasks[0].cancel()
            self.tasks.append(asyncio.create_task(self._guarded(self._stop(grace))))

    def vanish(self):
        """The node has lost power: nothing is left to do but to forget."""
        self.gone = True
        for task in self.tasks:
            task.cancel()

    # --- life of the pod

    async def _run(self):
        await self._prepare()
        for container in self.init:
            await self._run_to_success(container)
        async with asyncio.TaskGroup() as group:
            for container in self.main:
                group.create_task(self._keep_running(container))
        failed = any(container.state.get("terminated", {}).get("exitCode") for container in self.main)
        self.phase = "Failed" if failed else "Succeeded"
        self.changed.set()

    async def _prepare(self):
        self.cgroup.mkdir(exist_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.host_network:
            self.address = self.kubelet.take_address()
            if os.path.exists(f"/run/netns/{self.namespace}"):  # of the same pod, before the node lost its power
                await processes.run("ip", "netns", "delete", self.namespace)
            await processes.run("ip", "netns", "add", self.namespace)
            outside, inside = shape.pod_commands(self.kubelet.node, f"veth{self.short}", self.namespace, self.address)
            await processes.ip_batch(outside, self.kubelet.name)
            await processes.ip_batch(inside, self.namespace)
        self.started_at = now()
        self.objects = await self._retry(self._fetch_objects)
        self.volumes = await self._retry(self._write_volumes)
        self.changed.set()

    async def _retry(self, step):
        """Until the step works; what is missing shows in the status meanwhile."""
        while True:
            try:
                return await step()
            except podspec.NotYet as error:
                self._wait_all(error.reason, str(error))
            except NETWORK_ERRORS as error:
                self._wait_all("ContainerCreating", str(error))
            await asyncio.sleep(RETRY_SECONDS)
            self.objects = None

    def _wait_all(self, reason, message):
        for container in self.init + self.main:
            if not container.process:
                container.state = {"waiting": {"reason": reason, "message": message}}
        self.changed.set()

    async def _fetch_objects(self):
        objects = {}
        for kind, name in podspec.references(self.pod):
            plural = {"Secret": "secrets", "ConfigMap": "configmaps"}[kind]
            path = f"/api/v1/namespaces/{self.pod['metadata']['namespace']}/{plural}/{name}"
            try:
                objects[kind, name] = {"kind": kind, **await self.kubelet.api.request("GET", path)}
            except ApiError as error:
                if error.code != 404:
                    raise
        return objects

    async def _token(self, seconds=3600):
        meta, account = self.pod["metadata"], self.pod["spec"].get("serviceAccountName", "default")
        path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
        answer = await self.kubelet.api.request("POST", path, {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds, "boundObjectRef": {
                "kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]}}})
        return answer["status"]["token"].encode()

    async def _write_volumes(self):
        """Makes every volume; returns its name -> folder or file in the lab."""
        self.objects = self.objects if getattr(self, "objects", None) is not None else await self._fetch_objects()
        volumes = {}
        wants_token = any("serviceAccountToken" in source for volume in self.pod["spec"].get("volumes", [])
                          for source in volume.get("projected", {}).get("sources", []))
        token = await self._token() if wants_token else b""
        for volume in self.pod["spec"].get("volumes", []):
            if "hostPath" in volume:
                volumes[volume["name"]] = self._host_path(volume["hostPath"])
                continue
            folder = self.folder / "volumes" / volume["name"]
            folder.mkdir(parents=True, exist_ok=True)
            if "emptyDir" in volume:
                folder.chmod(0o777)
            self._write_files(folder, podspec.volume_files(volume, self.pod, self.objects, lambda _: token))
            self.token_files += [folder / source["serviceAccountToken"]["path"]
                                 for source in volume.get("projected", {}).get("sources", [])
                                 if "serviceAccountToken" in source]
            volumes[volume["name"]] = folder
        if self.pod["spec"].get("automountServiceAccountToken", True) and not self._has_token_volume():
            volumes[podspec.TOKEN_FOLDER] = await self._token_volume()
        return volumes

    def _has_token_volume(self):
        """Whether the API server has added the volume with the token, as the real one does at admission."""
        return any(mount["mountPath"] == podspec.TOKEN_FOLDER for container in podspec.containers(self.pod)
                   for mount in container.get("volumeMounts", []))

    async def _token_volume(self):
        folder = self.folder / "volumes" / "kube-api-access"
        folder.mkdir(parents=True, exist_ok=True)
        self._write_files(folder, {"token": (await self._token(), 0o644),
                                   "ca.crt": (self.kubelet.ca, 0o644),
                                   "namespace": (self.pod["metadata"]["namespace"].encode(), 0o644)})
        self.token_files.append(folder / "token")
        return folder

    async def rotate_tokens(self):
        """New tokens in place of the pod's, as a kubelet does it when most of their life is over."""
        for path in self.token_files:
            fresh = path.with_name(f".{path.name}")
            self._write_files(path.parent, {fresh.name: (await self._token(), 0o644)})
            fresh.replace(path)

    @staticmethod
    def _write_files(folder, files):
        for name, (data, mode) in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(mode)

    def _host_path(self, volume):
        """The node's own file; its /run is kept elsewhere than the lab's."""
        path, kind = Path(volume["path"]), volume.get("type", "")
        if path.is_relative_to("/run") or path.is_relative_to("/var/run"):
            path = m.NODE_ROOT / self.kubelet.name / podspec.mount_path(str(path)).lstrip("/")
        if kind == "DirectoryOrCreate":
            path.mkdir(parents=True, exist_ok=True)
        elif kind == "FileOrCreate":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        elif not path.exists():
            raise podspec.NotYet("ContainerCreating", f"hostPath {volume['path']} does not exist")
        return path

    # --- containers

    def _command(self, container):
        """(argv, environment) that start a container."""
        variables = podspec.environment(container.spec, self.pod, self.objects, str(self.kubelet.node.address),
                                        self.address, self.kubelet.service_variables)
        argv = self.kubelet.images.argv(container.spec, variables)
        options = [self.kubelet.machines.enter_program, "--cgroup", str(self.cgroup / container.name)]
        namespace = self.kubelet.name if self.host_network else self.namespace
        options += ["--net", f"/run/netns/{namespace}",
                    "--mnt", f"/proc/{self.kubelet.machines.anchors[self.kubelet.name].pid}/ns/mnt",
                    "--private-mounts"]
        for mount in container.spec.get("volumeMounts", []):
            source = self.volumes[mount["name"]] / mount.get("subPath", "")
            options += ["--bind", self._seen_from_node(source), podspec.mount_path(mount["mountPath"])]
        if podspec.TOKEN_FOLDER in self.volumes:
            options += ["--bind", self._seen_from_node(self.volumes[podspec.TOKEN_FOLDER]),
                        podspec.mount_path(podspec.TOKEN_FOLDER)]
        options += podspec.credentials(container.spec, self.pod)
        if folder := container.spec.get("workingDir"):
            options += ["--chdir", folder]
        variables.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        variables.setdefault("HOSTNAME", self.kubelet.name if self.host_network else self.pod["metadata"]["name"])
        return [*options, "--", *argv], variables

    def _seen_from_node(self, path):
        root = m.NODE_ROOT / self.kubelet.name
        return "/" + str(path.relative_to(root)) if path.is_relative_to(root) else str(path)

    def _start(self, container):
        argv, variables = self._command(container)
        (self.cgroup / container.name).mkdir(exist_ok=True)
        meta = self.pod["metadata"]
        with open(self.kubelet.log_file(meta["namespace"], meta["name"], container.name), "ab") as log:
            container.process = subprocess.Popen(argv, env=variables, stdin=subprocess.DEVNULL, stdout=log,
                                                 stderr=log, start_new_session=True, cwd="/")
        container.state = {"running": {"startedAt": now()}}
        container.started = True
        if container in self.main:
            self.phase = "Running"
            container.ready = "readinessProbe" not in container.spec
        self.changed.set()

    async def _run_once(self, container):
        """Runs a container to its end; returns its exit code."""
        self._start(container)
        began = container.state["running"]["startedAt"]
        watchers = [asyncio.create_task(self._probe(container, kind)) for kind in
                    ("livenessProbe", "readinessProbe") if kind in container.spec]
        try:
            code = await processes.exit_status(container.process)
        finally:
            for watcher in watchers:
                watcher.cancel()
        container.process, container.ready, container.started = None, False, False
        code = code if code >= 0 else 128 - code
        container.state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed",
                                          "startedAt": began, "finishedAt": now()}}
        self.changed.set()
        return code

    async def _attempt(self, container, backoff):
        """_run_once, or a waiting state when it cannot start; returns the exit code or None."""
        try:
            return await self._run_once(container)
        except podspec.NotYet as error:
            container.state = {"waiting": {"reason": error.reason, "message": str(error)}}
        except (KeyError, OSError) as error:
            container.state = {"waiting": {"reason": "RunContainerError", "message": str(error)}}
        self.changed.set()
        await asyncio.sleep(backoff)
        self.objects = await self._retry(self._fetch_objects)
        return None

    async def _back_off(self, container, backoff):
        container.last, container.state = container.state, {"waiting": {
            "reason": "CrashLoopBackOff", "message": f"back-off {backoff:.1f}s restarting failed container"}}
        container.restarts += 1
        self.changed.set()
        await asyncio.sleep(backoff)

    async def _run_to_success(self, container):
        backoff = FIRST_BACKOFF
        while (code := await self._attempt(container, backoff)) != 0:
            if code is not None:
                await self._back_off(container, backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF)
        container.ready = container.done = True
        self.changed.set()

    async def _keep_running(self, container):
        policy, backoff = self.pod["spec"].get("restartPolicy", "Always"), FIRST_BACKOFF
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            code = await self._attempt(container, backoff)
            if code is not None and (policy == "Never" or (policy == "OnFailure" and code == 0)):
                return
            if loop.time() - began > 10:
                backoff = FIRST_BACKOFF
            if code is not None:
                await self._back_off(container, backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF)

    async def _probe(self, container, kind):
        spec = container.spec[kind]
        await asyncio.sleep(spec.get("initialDelaySeconds", 0))
        failures = 0
        while True:
            port = podspec.port_number(probe_port(spec), container.spec)
            good = await probe(self.kubelet.name, self.address, spec, port)
            failures = 0 if good else failures + 1
            limit = spec.get("failureThreshold", 3)
            if kind == "readinessProbe" and (good or failures >= limit) and container.ready != good:
                container.ready = good
                self.changed.set()
            if kind == "livenessProbe" and failures >= limit and container.process:
                self.kubelet.log(f"{self.path}: {container.name} failed its liveness probe")
                container.process.terminate()
                await asyncio.sleep(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
                container.process.kill()
            # Until it is first ready a container is asked more often than a kubelet would.
            period = spec.get("periodSeconds", 10)
            await asyncio.sleep(period if good or kind == "livenessProbe" else min(period, 0.5))

    # --- end

    async def _stop(self, grace):
        containers = [container for container in self.init + self.main if container.process]
        running = [container.process for container in containers]
        # A pod that ends is still asked whether it is ready: its endpoints may have to serve on.
        watchers = [asyncio.create_task(self._probe(container, "readinessProbe")) for container in containers
                    if "readinessProbe" in container.spec]
        try:
            async with asyncio.timeout(grace):
                await asyncio.gather(*(self._end(container) for container in containers))
        except TimeoutError:
            pass
        finally:
            for watcher in watchers:
                watcher.cancel()
        if self.cgroup.exists():
            (self.cgroup / "cgroup.kill").write_text("1", encoding="ascii")
        for process in running:
            await processes.exit_status(process)
        for container in self.main:
            container.process, container.ready = None, False
        await self._tear_down()
        await self._retry(self._delete)
        self.gone = True
        self.tasks[1].cancel()
        self.kubelet.forget(self)

    async def _end(self, container):
        """The container's preStop hook, then SIGTERM; returns when it has ended."""
        process, hook = container.process, (container.spec.get("lifecycle") or {}).get("preStop") or {}
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
        elif "exec" in hook:
            try:
                await processes.run(self.kubelet.machines.enter_program, "--net", f"/proc/{process.pid}/ns/net",
                                    "--mnt", f"/proc/{process.pid}/ns/mnt", "--cgroup",
                                    str(self.cgroup / container.name), "--", *hook["exec"]["command"])
            except processes.CommandFailed as error:
                self.kubelet.log(f"{self.path}: preStop of {container.name}: {error}")
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await processes.exit_status(process)
        container.ready = False
        self.changed.set()

    async def _tear_down(self):
        if not self.host_network and os.path.exists(f"/run/netns/{self.namespace}"):
            await processes.run("ip", "netns", "delete", self.namespace)
            self.kubelet.release_address(self.address)
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in [*self.cgroup.glob("*/"), self.cgroup]:
            try:
                folder.rmdir()
            except OSError:
                pass  # a process of it is still being reaped; an empty cgroup costs nothing

    async def _delete(self):
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0,
                   "preconditions": {"uid": self.pod["metadata"]["uid"]}}
        try:
            await self.kubelet.api.request("PATCH", self.path, {"metadata": {
                "uid": self.pod["metadata"]["uid"], "finalizers": None}}, MERGE_PATCH)
            await self.kubelet.api.request("DELETE", self.path, options)
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    # --- status

    def status(self):
        """The pod's status as the API shows it."""
        initialized = all(container.done for container in self.init)
        ready = bool(self.main) and all(container.ready for container in self.main)
        flags = {"PodScheduled": True, "Initialized": initialized, "ContainersReady": ready, "Ready": ready}
        known = {entry["type"]: entry for entry in (self.reported or {}).get("conditions", [])}
        conditions = []
        for kind, value in flags.items():
            text = "True" if value else "False"
            before = known.get(kind)
            conditions.append(before if before and before["status"] == text else
                              {"type": kind, "status": text, "lastTransitionTime": now()})
        status = {"phase": self.phase, "hostIP": str(self.kubelet.node.address), "conditions": conditions,
                  "containerStatuses": [container.status() for container in self.main],
                  "qosClass": self.pod.get("status", {}).get("qosClass", "BestEffort")}
        if self.init:
            status["initContainerStatuses"] = [container.status() for container in self.init]
        if self.address and self.started_at:
            node = self.kubelet.node
            address6 = node.address6 if self.host_network else node.pod_address6(self.address)
            addresses = [self.address, *([str(address6)] if address6 else [])]
            status.update(podIP=self.address, podIPs=[{"ip": address} for address in addresses],
                          startTime=self.started_at)
        return status

    async def _report(self):
        while True:
            await self.changed.wait()
            await asyncio.sleep(STATUS_DELAY)
            self.changed.clear()
            status = self.status()
            if status == self.reported:
                continue
            try:
                # The uid guards a pod of the same name that came after this one.
                await self.kubelet.api.request("PATCH", f"{self.path}/status", {
                    "metadata": {"uid": self.pod["metadata"]["uid"]}, "status": status}, MERGE_PATCH)
                self.reported = status
            except ApiError as error:
                if error.code not in (404, 409):
                    self.kubelet.log(f"{self.path}/status: {error}")
                    self.changed.set()
                await asyncio.sleep(RETRY_SECONDS)
            except NETWORK_ERRORS:
                self.changed.set()
                await asyncio.sleep(RETRY_SECONDS)


def probe_port(spec):
    """The port a probe names."""
    return spec.get("httpGet", spec.get("tcpSocket", {})).get("port", 80)
