"""The lab's machines inside the guest: namespaces, cgroups, power and cables.

A machine is a network namespace on the LAN bridge and a cgroup that holds all its processes. A node has a
mount namespace as well, with a /run of its own; a process `sleep` in it stands for the machine being on.
Restoring a killed node builds it anew: like after a real power loss nothing of its kernel state is left.
"""

import asyncio
import os
import subprocess
from pathlib import Path

import processes
import topology as shape

CGROUPS = Path("/sys/fs/cgroup")
NODE_ROOT = Path("/run/lab/nodes")

# What kubeadm demands of a node, and what the lab's flat network needs.
NODE_SETUP = """set -e
mount -t sysfs sysfs /sys
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
echo 1 > /proc/sys/net/bridge/bridge-nf-call-ip6tables
echo on
exec sleep infinity
"""

# A router forwards, and spreads flows by their ports, as routers' hardware does.
ROUTER_SETUP = """set -e
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
echo 1 > /proc/sys/net/ipv4/fib_multipath_hash_policy
echo 1 > /proc/sys/net/ipv6/fib_multipath_hash_policy
"""


class Machines:
    """All of them."""

    def __init__(self, topology, helper):
        self.topology = topology
        self.enter_program = helper  # path of sylab-enter
        self.anchors = {}  # node name -> Popen of its `sleep`
        self.boots = {}  # node name -> how often it was started

    async def build(self):
        """Builds the network and switches everything on."""
        top = self.topology
        if not (CGROUPS / "cgroup.procs").exists():
            await processes.run("mount", "-t", "cgroup2", "cgroup2", str(CGROUPS))
        for tool in ("iptables", "ip6tables"):
            Path(f"/proc/sys/net/bridge/bridge-nf-call-{tool}").write_text("0", encoding="ascii")
        await processes.ip_batch(shape.switch_commands(top))
        for name in (host.name for host in (*top.hosts, top.router, top.remote)):
            await processes.run("ip", "netns", "add", name)
            (CGROUPS / name).mkdir()
        plugs = [line for host in (*top.hosts, top.router) for line in shape.plug_commands(top, host)]
        await processes.ip_batch(plugs)
        for host in top.hosts:
            await processes.ip_batch(shape.host_commands(top, host), host.name)
        await processes.ip_batch(shape.router_commands(top), top.router.name)
        await processes.ip_batch(shape.remote_commands(top), top.remote.name)
        await processes.run(self.enter_program, "--net", f"/run/netns/{top.router.name}", "--", "sh", "-c",
                            ROUTER_SETUP)
        for node in top.nodes:
            await self.start_node(node.name)

    async def start_node(self, name):
        """Switches a node on."""
        node = self.topology.node(name)
        cgroup = CGROUPS / name
        (cgroup / "system").mkdir(parents=True, exist_ok=True)
        run_folder = NODE_ROOT / name / "run"
        for folder in ("lock", "tmp", "kubelet"):
            (run_folder / folder).mkdir(parents=True, exist_ok=True)
        await processes.run("ip", "netns", "add", name)
        await processes.ip_batch(shape.plug_commands(self.topology, node))
        await processes.ip_batch(shape.node_commands(self.topology, node), name)
        anchor = subprocess.Popen(
            [self.enter_program, "--cgroup", str(cgroup / "system"), "--net", f"/run/netns/{name}",
             "--private-mounts", "--bind", str(run_folder), "/run", "--", "sh", "-c", NODE_SETUP],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if await asyncio.to_thread(anchor.stdout.readline) != b"on\n":
            raise processes.CommandFailed(f"{name} did not start; see agent.log")
        self.anchors[name] = anchor
        self.boots[name] = self.boots.get(name, 0) + 1

    def is_on(self, name):
        """Whether a node has power."""
        return name in self.anchors

    async def kill_node(self, name):
        """Power loss: the cable is dead first, so that nobody hears of the processes' end."""
        node = self.topology.node(name)
        if not self.is_on(name):
            raise LookupError(f"{name} is already off")
        await processes.ip_batch([f"link set {port} down" for port in shape.ports_of(self.topology, node)])
        (CGROUPS / name / "cgroup.kill").write_text("1", encoding="ascii")
        anchor = self.anchors.pop(name)
        await processes.exit_status(anchor)
        anchor.stdout.close()

    async def restore_node(self, name):
        """Power is back: a new kernel state and an empty /run."""
        node = self.topology.node(name)
        if self.is_on(name):
            raise LookupError(f"{name} is on")
        await processes.ip_batch([f"link delete {port}" for port in shape.ports_of(self.topology, node)])
        await processes.run("ip", "netns", "delete", name)
        await processes.run("rm", "-rf", str(NODE_ROOT / name))
        await self.start_node(name)

    async def set_cable(self, name, interface, plugged):
        """Plugs the cable of one interface in or out: the machine sees its carrier come or go."""
        machine = next(machine for machine in (*self.topology.nodes, *self.topology.hosts) if machine.name == name)
        if interface not in self.topology.interfaces(machine):
            raise LookupError(f"{name} has no {interface} on a switch")
        await processes.run("ip", "link", "set", shape.port_of(name, interface), "up" if plugged else "down")

    async def partition(self, one, other):
        """The switch drops every frame between two machines; both keep talking to all others."""
        machines = {machine.name: machine for machine in (*self.topology.nodes, *self.topology.hosts,
                                                          self.topology.router)}
        for near, far in ((one, other), (other, one)):
            port, source = shape.port_of(near), machines[far].mac
            if "clsact" not in await processes.run("tc", "qdisc", "show", "dev", port):
                await processes.run("tc", "qdisc", "add", "dev", port, "clsact")
            await processes.run("tc", "filter", "add", "dev", port, "egress", "protocol", "all", "flower",
                                "src_mac", source, "action", "drop")

    async def heal(self):
        """Ends every partition."""
        for machine in (*self.topology.nodes, *self.topology.hosts, self.topology.router):
            port = shape.port_of(machine.name)
            if "clsact" in await processes.run("tc", "qdisc", "show", "dev", port):
                await processes.run("tc", "qdisc", "delete", "dev", port, "clsact")

    def enter(self, name, cgroup="system"):
        """The command prefix that runs a program on a machine (None: on the switch itself)."""
        if name is None:
            return []
        if name not in self.topology.names():
            raise LookupError(f"no machine {name}; there are {', '.join(self.topology.names())}")
        folder = CGROUPS / name
        options = [self.enter_program, "--net", f"/run/netns/{name}"]
        if name in [node.name for node in self.topology.nodes]:
            if not self.is_on(name):
                raise LookupError(f"{name} is off")
            folder = folder / cgroup
            options += ["--mnt", f"/proc/{self.anchors[name].pid}/ns/mnt"]
        os.makedirs(folder, exist_ok=True)
        return [*options, "--cgroup", str(folder), "--"]
