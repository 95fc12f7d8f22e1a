"""Network namespaces on the host: nodes and clients on a LAN, the nodes also on a management network.

One namespace, the switch, holds the bridges `lan`, `lan2` (the other side of a partition) and `mgmt`. Every
name begins with this process's own prefix, and the switch's ports have no address in the host's own network:
nothing of the host is touched. What a run that was killed left behind, the next one removes.
"""

import contextlib
import ctypes
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

LAN = "10.200"
MANAGEMENT = "10.201"
HOME = f"{MANAGEMENT}.0.1"  # the switch namespace's own address: the API server's and the benchmark's
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_NAMES = re.compile(r"^syfo(\d+)-")


def _ip(*arguments, text=None):
    result = subprocess.run(["ip", *arguments], input=text, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"ip {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout


def _setns(fd):
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"setns: {os.strerror(error)}")


def _enter(name):
    fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def _inside(name):
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(name)
        yield
    finally:
        _setns(home)
        os.close(home)


def _sysctl(path, value):
    with open(f"/proc/sys/net/{path}", "w", encoding="ascii") as setting:
        setting.write(str(value))


def _is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def state_folder():
    """A folder for this process's files, made now."""
    return Path(tempfile.mkdtemp(prefix=f"syfo{os.getpid()}-"))


def remove_leftovers():
    """Deletes namespaces and folders of benchmark processes that are gone."""
    def left(names):
        return [name for name in names if (match := _NAMES.match(name)) and _is_gone(match.group(1))]
    for name in left(line.split()[0] for line in _ip("netns", "list").splitlines()):
        _ip("netns", "del", name)
    for name in left(os.listdir(tempfile.gettempdir())):
        shutil.rmtree(Path(tempfile.gettempdir()) / name, ignore_errors=True)


class Machine:
    """A namespace with eth0 on the LAN; nodes have eth1 on the management network."""

    def __init__(self, name, namespace, number, kind):
        self.name = name
        self.namespace = namespace
        self.address = f"{LAN}.{kind}.{number}"
        self.management = f"{MANAGEMENT}.{kind}.{number}"
        self.mac = f"02:5f:00:00:{kind:02x}:{number:02x}"
        self.port = f"d{kind}-{number}"
        self.management_port = f"m{kind}-{number}"

    def command(self, argv):
        """The command line that runs there and dies with this process."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}", "setpriv", "--pdeathsig", "KILL", "--", *argv]


class Network:
    """`count` nodes named n1, n2, ... and clients. close() removes everything."""

    def __init__(self, count, virtual):
        self.prefix = f"syfo{os.getpid()}-"
        self.switch = f"{self.prefix}sw"
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.namespaces = []
        self.nodes = []
        self.clients = {}
        try:
            self._make_switch()
            for number in range(1, count + 1):
                self.nodes.append(self._add(f"n{number}", number, 1))
            self._know_each_other()
            for node in self.nodes:
                self._serve(node, virtual)
        except BaseException:
            self.close()
            raise

    def _make_switch(self):
        self._add_namespace(self.switch)
        _enter(self.switch)
        for path in ("ipv6/conf/all/disable_ipv6", "ipv6/conf/default/disable_ipv6"):
            _sysctl(path, 1)
        lines = []
        for bridge in ("lan", "lan2", "mgmt"):
            lines += [f"link add {bridge} type bridge forward_delay 0 mcast_snooping 0", f"link set {bridge} up"]
        _ip("-batch", "-", text="\n".join([*lines, "link set lo up", f"address add {HOME}/16 dev mgmt"]))

    def _add_namespace(self, name):
        _ip("netns", "add", name)
        self.namespaces.append(name)

    def _add(self, name, number, kind, bridge="lan"):
        machine = Machine(name, f"{self.prefix}{name}", number, kind)
        self._add_namespace(machine.namespace)
        with _inside(machine.namespace):
            for path in ("ipv6/conf/all/disable_ipv6", "ipv6/conf/default/disable_ipv6"):
                _sysctl(path, 1)
        outside = [f"link add {machine.port} type veth peer name eth0 address {machine.mac} netns {machine.namespace}",
                   f"link set {machine.port} master {bridge} up"]
        inside = ["link set lo up", f"address add {machine.address}/16 dev eth0", "link set eth0 up"]
        if kind == 1:
            port = machine.management_port
            outside += [f"link add {port} type veth peer name eth1 netns {machine.namespace}",
                        f"link set {port} master mgmt up"]
            inside += [f"address add {machine.management}/16 dev eth1", "link set eth1 up"]
        _ip("-batch", "-", text="\n".join(outside))
        _ip("-n", machine.namespace, "-batch", "-", text="\n".join(inside))
        return machine

    def _know_each_other(self):
        """Fixed neighbour entries between nodes: the kernel's table is one for all namespaces, and a hundred
        nodes that learn each other would overflow it, as they do on no real network."""
        for node in self.nodes:
            lines = [f"neighbour replace {other.address} lladdr {other.mac} dev eth0 nud permanent"
                     for other in self.nodes if other is not node]
            _ip("-n", node.namespace, "-batch", "-", text="\n".join(lines))

    @staticmethod
    def _serve(node, virtual):
        """The virtual addresses belong to the node, but its kernel does not answer ARP for them."""
        with _inside(node.namespace):
            _sysctl("ipv4/conf/all/arp_ignore", 1)
            _sysctl("ipv4/conf/all/arp_announce", 2)
        _ip("-n", node.namespace, "-batch", "-", text="\n".join(f"address add {ip}/32 dev lo" for ip in virtual))

    def add_client(self, name, bridge="lan"):
        """A machine that is no node."""
        self.clients[name] = self._add(name, len(self.clients) + 1, 2, bridge)
        return self.clients[name]

    def cut(self, node, management=True):
        """Pulls the node's cables."""
        self._links([f"link set {port} down" for port in self._cables(node, management)])

    def plug(self, node, management=True):
        """Puts them back."""
        self._links([f"link set {port} up" for port in self._cables(node, management)])

    @staticmethod
    def _cables(node, management):
        return [node.port, node.management_port] if management else [node.port]

    def move(self, nodes, bridge):
        """Moves nodes' LAN cables to a bridge."""
        self._links([f"link set {node.port} master {bridge}" for node in nodes])

    def _links(self, lines):
        _ip("-n", self.switch, "-batch", "-", text="\n".join(lines))

    @staticmethod
    def cached(machine, address):
        """The MAC in its neighbour cache for the address, or None."""
        entries = json.loads(_ip("-n", machine.namespace, "-j", "neighbour", "show", "to", address) or "[]")
        return entries[0].get("lladdr") if entries else None

    @staticmethod
    def forget(machine, address):
        """Removes the address from its neighbour cache."""
        _ip("-n", machine.namespace, "neighbour", "flush", "to", address)

    def counters(self):
        """node name -> (packets, bytes) through its LAN cable, both directions."""
        links = json.loads(_ip("-n", self.switch, "-j", "-s", "link"))
        by_port = {link["ifname"]: link["stats64"] for link in links}
        return {node.name: tuple(by_port[node.port]["rx"][what] + by_port[node.port]["tx"][what]
                                 for what in ("packets", "bytes")) for node in self.nodes}

    def close(self):
        """Removes every namespace; what ran in them must be gone."""
        _setns(self.home)
        os.close(self.home)
        for name in reversed(self.namespaces):
            with contextlib.suppress(RuntimeError):
                _ip("netns", "del", name)
        self.namespaces = []
