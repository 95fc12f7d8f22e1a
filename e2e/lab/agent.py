"""The program that runs the lab inside the guest: machines, API server, kubelets, controllers, and the
requests that come over the serial line.

Settings come from /run/job/settings.json (made by `lab up`), which is on the host, as are the logs under
/run/job/logs: they outlive a guest that crashes.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import termios
import traceback
import tty
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import neighbours  # noqa: E402
import topology as shape  # noqa: E402
from api import ApiError  # noqa: E402
from control_plane import KINDS  # noqa: E402
from controllers import Controllers  # noqa: E402
from kubelet import Kubelet  # noqa: E402
from machines import Machines  # noqa: E402
from mux import Mux  # noqa: E402
from podspec import Images  # noqa: E402

SCENARIO_PATIENCE = 6  # of the API's usual deadlines
RESTORE_SECONDS = 15

JOB = Path("/run/job")
LAB = Path("/run/lab")
LINE = "/dev/ttyS2"
KUBECONFIG = str(LAB / "kubeconfig")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LEGACY = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")


def prepare_root(images):
    """Makes the guest's root (an overlay) look like a node's: modules, legacy iptables, the images' files."""
    version = os.uname().release
    Path("/usr/lib/modules").mkdir(exist_ok=True)
    if not Path(f"/usr/lib/modules/{version}").exists():
        os.symlink(f"/usr/lib/uml/modules/{version}", f"/usr/lib/modules/{version}")
    for name in LEGACY:  # this kernel has no nftables NAT, so iptables must not be the nft flavour
        link = Path("/usr/local/sbin") / name
        link.unlink(missing_ok=True)
        link.symlink_to("/usr/sbin/xtables-legacy-multi")
    for path, source in images.files().items():
        if Path(source).exists():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch()
            # Bound, not linked: a container's user may not be able to walk to the build tree.
            subprocess.run(["mount", "--bind", source, path], check=True)


class Agent:
    """Everything in the guest."""

    def __init__(self, settings):
        self.settings = settings
        self.topology = shape.parse(settings["topology"])
        self.images = Images(settings["images"], settings["build"], settings["source"])
        self.machines = Machines(self.topology, f"{settings['build']}/e2e/lab/sylab-enter")
        self.kubelets = {}
        self.path = ":".join([*settings["api"].get("path", []), PATH])
        os.environ["PATH"] = self.path
        self.controllers = None
        self.control_plane = None
        operations = {name: getattr(self, f"operation_{name}")
                      for name in ("kill", "restore", "partition", "heal", "status", "cable", "api", "ask", "claim",
                                   "rotate_tokens")}
        self.api = self.scenario_api = None
        line = os.open(LINE, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(line, termios.TCSANOW)
        self.mux = Mux(line, operations, self.command)
        (JOB / "logs").mkdir(exist_ok=True)

    async def run(self):
        """Builds the lab, tells whether that worked, and serves until the power goes."""
        try:
            await self.build()
            self.mux.event(event="ready")
        except Exception as error:  # told to `lab up`, which ends the guest
            traceback.print_exc()
            self.mux.event(event="failed", error=str(error) or repr(error))
        await asyncio.Event().wait()

    async def build(self):
        """Network first, then (unless only machines are wanted) the cluster on it."""
        self.progress("network: " + ", ".join(self.topology.names()))
        LAB.mkdir(exist_ok=True)
        socket.sethostname("lab")
        prepare_root(self.images)
        await self.machines.build()
        if not self.settings["cluster"]:
            return
        kind = KINDS[self.settings["api"]["kind"]]
        self.control_plane = kind(self.settings["api"], self.topology, self.machines.enter(shape.CONTROL_PLANE),
                                  LAB / "apiserver", JOB / "logs")
        self.api = await self.control_plane.start(self.progress)
        self.scenario_api = self.api.from_machine(shape.CONTROL_PLANE)
        self.scenario_api.patience *= SCENARIO_PATIENCE
        os.symlink(self.control_plane.kubeconfig, KUBECONFIG)
        self.progress("nodes: " + ", ".join(node.name for node in self.topology.nodes))
        await self.start_cluster(self.api)

    def progress(self, text):
        """One line for whoever waits for the lab."""
        print(text, flush=True)
        self.mux.event(event="progress", text=text)

    async def start_cluster(self, api):
        """Nodes join, controllers run; returns when every node is Ready."""
        self.controllers = Controllers(api, self.control_plane)
        await self.controllers.start()
        service_address = str(self.topology.services[1])
        settings = {"ca": self.certificate_authority(), "logs": str(JOB / "logs"), "service_variables": {
            "KUBERNETES_SERVICE_HOST": service_address, "KUBERNETES_SERVICE_PORT": "443",
            "KUBERNETES_SERVICE_PORT_HTTPS": "443", "KUBERNETES_PORT": f"tcp://{service_address}:443"}}
        for node in self.topology.nodes:
            kubelet = Kubelet(node, self.machines, api, self.controllers.informers["pods"], self.images, settings)
            self.kubelets[node.name] = self.controllers.kubelets[node.name] = kubelet
            kubelet.start()
        while not all(kubelet.in_touch for kubelet in self.kubelets.values()):
            await asyncio.sleep(0.05)

    def certificate_authority(self):
        """What pods get as ca.crt."""
        return (LAB / "apiserver" / "ca.crt").read_bytes()

    # --- requests

    def command(self, request):
        """What an `exec` request runs: on a machine, in a pod (pod/NAME), or on the switch (no node)."""
        node = request.get("node")
        env = {"PATH": self.path, "HOME": str(LAB / "home"), "KUBECONFIG": KUBECONFIG, "LANG": "C.UTF-8",
               "TMPDIR": "/run/tmp", "PS1": f"{node}# ", **request.get("env", {})}
        prefix = self.pod_prefix(node[4:]) if node and node.startswith("pod/") else self.machines.enter(node)
        if request.get("cwd") and prefix:
            prefix = [*prefix[:-1], "--chdir", request["cwd"], "--"]
        if not request.get("argv"):
            raise ValueError("no command")
        return [*prefix, *request["argv"]], env

    def pod_prefix(self, name):
        """Enters a running pod's namespaces."""
        for kubelet in self.kubelets.values():
            try:
                worker, process = kubelet.running(name)
            except LookupError:
                continue
            return [self.machines.enter_program, "--net", f"/proc/{process.pid}/ns/net",
                    "--mnt", f"/proc/{process.pid}/ns/mnt", "--cgroup", str(worker.cgroup / worker.main[0].name), "--"]
        raise LookupError(f"no running pod {name}")

    async def operation_kill(self, node):
        """Power loss of a node; answers with the guest's uptime clock."""
        await self.machines.kill_node(node)
        if node in self.kubelets:
            self.kubelets[node].crash()

    async def operation_restore(self, node):
        """The node boots. Its pods' statuses are not those of before when this returns, or its API server is out of
        reach."""
        await self.machines.restore_node(node)
        if node in self.kubelets:
            self.kubelets[node].start()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RESTORE_SECONDS):
                    while not self.kubelets[node].has_reported():
                        await asyncio.sleep(0.05)

    async def operation_partition(self, one, other):
        """Two machines no longer hear each other."""
        await self.machines.partition(one, other)

    async def operation_heal(self):
        """All do again."""
        await self.machines.heal()

    async def operation_cable(self, node, interface, plugged):
        """A cable is plugged in or out."""
        await self.machines.set_cable(node, interface, plugged)

    async def operation_rotate_tokens(self):
        """Every pod gets a new service account token."""
        for kubelet in self.kubelets.values():
            for worker in list(kubelet.workers.values()):
                await worker.rotate_tokens()

    async def operation_api(self, method, path, body=None, content_type="application/json"):
        """A request to the API server: its HTTP status and body as JSON, in bytes. A scenario can do nothing about one
        that takes long, so it has more time than those of kubelets and controllers."""
        try:
            code, value = 200, await self.scenario_api.request(method, path, body, content_type)
        except ApiError as error:
            code, value = error.code, {"message": str(error)}
        return json.dumps({"code": code, "body": value}).encode()

    async def operation_ask(self, machine, interface, address, seconds, **options):
        """Who answers for an address: ARP or NDP from a machine on the LAN; see neighbours.py."""
        host = next(host for host in (*self.topology.hosts, *self.topology.nodes) if host.name == machine)
        own = str(host.address6) if ":" in address else str(host.address)
        return await neighbours.ask(machine, interface, address, own, seconds, **options)

    async def operation_claim(self, machine, interface, address):
        """A machine says falsely that an address is its own."""
        neighbours.claim(machine, interface, address)

    async def operation_status(self):
        """What is on."""
        return {"nodes": {node.name: "on" if self.machines.is_on(node.name) else "off" for node in self.topology.nodes},
                "machines": self.topology.names(),
                "pods": sorted(f"{worker.pod['metadata']['namespace']}/{worker.pod['metadata']['name']} on {name}"
                               for name, kubelet in self.kubelets.items() for worker in kubelet.workers.values())}


async def main():
    settings = json.loads((JOB / "settings.json").read_text(encoding="utf-8"))
    (LAB / "home").mkdir(parents=True, exist_ok=True)
    await Agent(settings).run()


if __name__ == "__main__":
    asyncio.run(main())
