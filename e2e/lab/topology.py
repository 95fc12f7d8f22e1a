"""The shape of the lab's network, read from a small JSON file, and the `ip` commands that build it.

Pure: text in, values and command lines out.

File: {"lan": NETWORK, "pods": NETWORK, "services": NETWORK, "nodes": [{"name", "address", "pods"}],
"hosts": [{"name", "address"}], "router": {"name", "address", "outside"}, "remote": {"name", "address"}}.
Everything hangs on one LAN bridge; the router joins it to the outside network where `remote` lives. Hosts
named "control-plane" and "client" are expected by the rest of the lab.
"""

import ipaddress
import json
from dataclasses import dataclass

CONTROL_PLANE = "control-plane"
CLIENT = "client"


class TopologyError(ValueError):
    """The file is wrong; the text says where."""


@dataclass(frozen=True)
class Node:
    """A Kubernetes node: its address on the LAN and the network of its pods."""

    name: str
    address: ipaddress.IPv4Address
    pods: ipaddress.IPv4Network
    mac: str

    @property
    def gateway(self):
        """The address of cni0, the bridge of the node's pods."""
        return self.pods[1]


@dataclass(frozen=True)
class Host:
    """Another machine: on the LAN, or (remote) behind the router."""

    name: str
    address: ipaddress.IPv4Address
    mac: str


@dataclass(frozen=True)
class Topology:
    """A whole lab."""

    lan: ipaddress.IPv4Network
    pods: ipaddress.IPv4Network
    services: ipaddress.IPv4Network
    nodes: tuple
    hosts: tuple
    router: Host
    outside: ipaddress.IPv4Interface
    remote: Host

    def node(self, name):
        """The node of that name."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise LookupError(f"no node {name}; there are {', '.join(node.name for node in self.nodes)}")

    def host(self, name):
        """The host of that name."""
        return next(host for host in self.hosts if host.name == name)

    def names(self):
        """Every machine."""
        return [machine.name for machine in (*self.nodes, *self.hosts, self.router, self.remote)]


def _mac(address):
    """A fixed MAC, so that a node has the same one after a restart: locally administered, then the address."""
    return "02:00:" + ":".join(f"{byte:02x}" for byte in address.packed)


def _network(value, where):
    try:
        return ipaddress.IPv4Network(value)
    except (ValueError, TypeError) as error:
        raise TopologyError(f"{where}: {error}") from None


def _host(entry, where, network):
    try:
        name, address = entry["name"], ipaddress.IPv4Address(entry["address"])
    except (KeyError, TypeError, ValueError) as error:
        raise TopologyError(f"{where}: needs a name and an IPv4 address ({error})") from None
    if address not in network:
        raise TopologyError(f"{where}: address {address} is not in {network}")
    return Host(name, address, _mac(address))


def parse(text):
    """The topology a file describes; raises TopologyError with one line."""
    try:
        raw = json.loads(text)
        lan = _network(raw["lan"], "lan")
        pods = _network(raw["pods"], "pods")
        outside = ipaddress.IPv4Interface(raw["router"]["outside"])
        nodes = []
        for index, entry in enumerate(raw["nodes"]):
            host = _host(entry, f"nodes[{index}]", lan)
            own = _network(entry.get("pods"), f"nodes[{index}].pods")
            if not own.subnet_of(pods):
                raise TopologyError(f"nodes[{index}].pods: {own} is not in {pods}")
            nodes.append(Node(host.name, host.address, own, host.mac))
        topology = Topology(lan, pods, _network(raw["services"], "services"), tuple(nodes),
                            tuple(_host(entry, f"hosts[{i}]", lan) for i, entry in enumerate(raw["hosts"])),
                            _host(raw["router"], "router", lan), outside,
                            _host(raw["remote"], "remote", outside.network))
    except KeyError as error:
        raise TopologyError(f"missing {error}") from None
    except json.JSONDecodeError as error:
        raise TopologyError(f"not JSON: {error}") from None
    names = topology.names()
    double = {name for name in names if names.count(name) > 1}
    if double:
        raise TopologyError(f"names used twice: {', '.join(sorted(double))}")
    for wanted in (CONTROL_PLANE, CLIENT):
        if wanted not in names:
            raise TopologyError(f"hosts: one must be called {wanted}")
    return topology


def switch_commands():
    """`ip -batch` for the guest's first namespace, which is nothing but the switch."""
    return ["link add lan type bridge forward_delay 0 mcast_snooping 0", "link set lan up"]


def port_of(name):
    """The switch's interface for a machine (an interface name has at most 15 characters)."""
    return f"lan-{name}"[:15]


def plug_commands(topology, machine):
    """`ip -batch` that plugs a machine into the switch."""
    return [f"link add {port_of(machine.name)} type veth peer name eth0 address {machine.mac} netns {machine.name}",
            f"link set {port_of(machine.name)} master lan up"]


def _ends(address, network):
    return ["link set lo up", f"address add {address}/{network.prefixlen} dev eth0", "link set eth0 up"]


def _pod_routes(topology, but=None):
    return [f"route add {node.pods} via {node.address}" for node in topology.nodes if node is not but]


def node_commands(topology, node):
    """`ip -batch` inside a node: LAN, bridge for its pods, routes to the other nodes' pods."""
    return [*_ends(node.address, topology.lan), f"route add default via {topology.router.address}",
            "link add cni0 type bridge forward_delay 0 mcast_snooping 0",
            f"address add {node.gateway}/{node.pods.prefixlen} dev cni0", "link set cni0 up",
            *_pod_routes(topology, node)]


def host_commands(topology, host):
    """`ip -batch` inside a host on the LAN. Only the control plane knows the pods' networks."""
    own = _pod_routes(topology) if host.name == CONTROL_PLANE else []
    return [*_ends(host.address, topology.lan), f"route add default via {topology.router.address}", *own]


def router_commands(topology):
    """`ip -batch` inside the router; it knows the way to the pods, which nobody masquerades."""
    return [*_ends(topology.router.address, topology.lan), *_pod_routes(topology),
            f"link add eth1 type veth peer name eth0 address {topology.remote.mac} netns {topology.remote.name}",
            f"address add {topology.outside} dev eth1", "link set eth1 up"]


def remote_commands(topology):
    """`ip -batch` inside the client behind the router."""
    return [*_ends(topology.remote.address, topology.outside.network),
            f"route add default via {topology.outside.ip}"]


def pod_commands(node, port, namespace, address):
    """(`ip -batch` inside the node, `ip -batch` inside the pod) that wire a pod to cni0, as a bridge CNI
    plugin does, hairpin included."""
    outside = [f"link add {port} type veth peer name eth0 netns {namespace}",
               f"link set {port} master cni0 up", f"link set {port} type bridge_slave hairpin on"]
    inside = ["link set lo up", f"address add {address}/{node.pods.prefixlen} dev eth0", "link set eth0 up",
              f"route add default via {node.gateway}"]
    return outside, inside
