"""The shape of the lab's network, read from a small JSON file, and the `ip` commands that build it.

Pure: text in, values and command lines out.

File: {"lan": NETWORK, "pods": NETWORK, "services": NETWORK, "nodes": [{"name", "address", "pods"}],
"hosts": [{"name", "address"}], "router": {"name", "address", "outside"}, "remote": {"name", "address"}},
and as you like "lan6" and "pods6" (IPv6 networks; then everybody on the LAN and every pod has an address of
both families), with them "outside6" of the router (then remote has an IPv6 address, too), and "second_lan"
(another switch, on eth1 of the nodes and the client).
Everything hangs on one LAN bridge; the router joins it to the outside network where `remote` lives. Hosts
named "control-plane" and "client" are expected by the rest of the lab. Addresses that the file does not name
have the last byte of the machine's LAN address.
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
    address6: ipaddress.IPv6Address | None = None
    pods6: ipaddress.IPv6Network | None = None

    @property
    def gateway(self):
        """The address of cni0, the bridge of the node's pods."""
        return self.pods[1]

    def pod_address6(self, address):
        """The IPv6 address of the pod that has this IPv4 address; None in a lab without IPv6."""
        last = ipaddress.IPv4Address(address).packed[-1]
        return self.pods6[last] if self.pods6 else None


@dataclass(frozen=True)
class Host:
    """Another machine: on the LAN, or (remote) behind the router."""

    name: str
    address: ipaddress.IPv4Address
    mac: str
    address6: ipaddress.IPv6Address | None = None


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
    lan6: ipaddress.IPv6Network | None = None
    second_lan: ipaddress.IPv4Network | None = None
    outside6: ipaddress.IPv6Interface | None = None

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


    def interfaces(self, machine):
        """A machine's interface names on the lab's switches."""
        second = self.second_lan and (machine in self.nodes or machine.name == CLIENT)
        return ["eth0", "eth1"] if second else ["eth0"]


def mac_of(machine, interface="eth0"):
    """A fixed MAC, so that a node has the same one after a restart: locally administered, then the address."""
    return f"{'06' if interface == 'cni0' else '02'}:{interface[-1:].zfill(2)}:" + ":".join(f"{byte:02x}" for byte in machine.address.packed)


def _network(value, where, kind=ipaddress.IPv4Network):
    try:
        return kind(value)
    except (ValueError, TypeError) as error:
        raise TopologyError(f"{where}: {error}") from None


def _optional(raw, name, kind):
    return _network(raw[name], name, kind) if name in raw else None


def _host(entry, where, network, network6=None):
    try:
        name, address = entry["name"], ipaddress.IPv4Address(entry["address"])
    except (KeyError, TypeError, ValueError) as error:
        raise TopologyError(f"{where}: needs a name and an IPv4 address ({error})") from None
    if address not in network:
        raise TopologyError(f"{where}: address {address} is not in {network}")
    mac = mac_of(Host(name, address, ""))
    return Host(name, address, mac, network6[address.packed[-1]] if network6 else None)


def parse(text):
    """The topology a file describes; raises TopologyError with one line."""
    try:
        raw = json.loads(text)
        lan = _network(raw["lan"], "lan")
        pods = _network(raw["pods"], "pods")
        lan6 = _optional(raw, "lan6", ipaddress.IPv6Network)
        pods6 = _optional(raw, "pods6", ipaddress.IPv6Network)
        if bool(lan6) != bool(pods6):
            raise TopologyError("lan6 and pods6: one needs the other")
        outside = ipaddress.IPv4Interface(raw["router"]["outside"])
        outside6 = _optional(raw["router"], "outside6", ipaddress.IPv6Interface)
        if outside6 and not lan6:
            raise TopologyError("router.outside6: needs lan6")
        nodes = []
        for index, entry in enumerate(raw["nodes"]):
            host = _host(entry, f"nodes[{index}]", lan, lan6)
            own = _network(entry.get("pods"), f"nodes[{index}].pods")
            if not own.subnet_of(pods):
                raise TopologyError(f"nodes[{index}].pods: {own} is not in {pods}")
            own6 = ipaddress.IPv6Network((pods6[(index + 1) << 64], 64)) if pods6 else None
            nodes.append(Node(host.name, host.address, own, host.mac, host.address6, own6))
        topology = Topology(lan, pods, _network(raw["services"], "services"), tuple(nodes),
                            tuple(_host(entry, f"hosts[{i}]", lan, lan6) for i, entry in enumerate(raw["hosts"])),
                            _host(raw["router"], "router", lan, lan6), outside,
                            _host(raw["remote"], "remote", outside.network, outside6 and outside6.network), lan6,
                            _optional(raw, "second_lan", ipaddress.IPv4Network), outside6)
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


def switch_commands(topology):
    """`ip -batch` for the guest's first namespace, which is nothing but the switches."""
    switches = ["lan", "lan2"] if topology.second_lan else ["lan"]
    return [line for name in switches
            for line in (f"link add {name} type bridge forward_delay 0 mcast_snooping 0", f"link set {name} up")]


def port_of(name, interface="eth0"):
    """The switch's interface for a machine (an interface name has at most 15 characters)."""
    return f"{'lan' if interface == 'eth0' else 'lan2'}-{name}"[:15]


def ports_of(topology, machine):
    """Every port a machine is plugged into."""
    return [port_of(machine.name, interface) for interface in topology.interfaces(machine)]


def plug_commands(topology, machine):
    """`ip -batch` that plugs a machine into the switches."""
    lines = []
    for interface in topology.interfaces(machine):
        port, mac = port_of(machine.name, interface), mac_of(machine, interface)
        lines += [f"link add {port} type veth peer name {interface} address {mac} netns {machine.name}",
                  f"link set {port} master {port.split('-', maxsplit=1)[0]} up"]
    return lines


def _ends(address, network):
    return ["link set lo up", f"address add {address}/{network.prefixlen} dev eth0", "link set eth0 up"]


def _joins(topology, machine):
    """Addresses on the switches, on all that a machine is plugged into."""
    lines = _ends(machine.address, topology.lan)
    if topology.lan6:
        lines.append(f"address add {machine.address6}/{topology.lan6.prefixlen} dev eth0 nodad")
    if "eth1" in topology.interfaces(machine):
        second = topology.second_lan
        lines += [f"address add {second[machine.address.packed[-1]]}/{second.prefixlen} dev eth1", "link set eth1 up"]
    return lines


def _default_routes(topology):
    six = [f"route add default via {topology.router.address6}"] if topology.outside6 else []
    return [f"route add default via {topology.router.address}", *six]


def _pod_routes(topology, but=None):
    others = [node for node in topology.nodes if node is not but]
    return [f"route add {node.pods} via {node.address}" for node in others] + \
        [f"route add {node.pods6} via {node.address6}" for node in others if node.pods6]


def node_commands(topology, node):
    """`ip -batch` inside a node: LAN, bridge for its pods, routes to the other nodes' pods."""
    gateway6 = [f"address add {node.pods6[1]}/64 dev cni0 nodad"] if node.pods6 else []
    return [*_joins(topology, node), *_default_routes(topology),
            # Of its own, or it would be the lowest of its pods' and change with them.
            f"link add cni0 address {mac_of(node, 'cni0')} type bridge forward_delay 0 mcast_snooping 0",
            f"address add {node.gateway}/{node.pods.prefixlen} dev cni0", *gateway6, "link set cni0 up",
            *_pod_routes(topology, node)]


def host_commands(topology, host):
    """`ip -batch` inside a host on the LAN. Only the control plane knows the pods' networks."""
    own = _pod_routes(topology) if host.name == CONTROL_PLANE else []
    return [*_joins(topology, host), *_default_routes(topology), *own]


def router_commands(topology):
    """`ip -batch` inside the router; it knows the way to the pods, which nobody masquerades."""
    outside6 = [f"address add {topology.outside6} dev eth1 nodad"] if topology.outside6 else []
    return [*_joins(topology, topology.router), *_pod_routes(topology),
            f"link add eth1 type veth peer name eth0 address {topology.remote.mac} netns {topology.remote.name}",
            f"address add {topology.outside} dev eth1", *outside6, "link set eth1 up"]


def remote_commands(topology):
    """`ip -batch` inside the client behind the router."""
    lines = [*_ends(topology.remote.address, topology.outside.network),
             f"route add default via {topology.outside.ip}"]
    if topology.outside6:
        lines += [f"address add {topology.remote.address6}/{topology.outside6.network.prefixlen} dev eth0 nodad",
                  f"route add default via {topology.outside6.ip}"]
    return lines


def pod_commands(node, port, namespace, address):
    """(`ip -batch` inside the node, `ip -batch` inside the pod) that wire a pod to cni0, as a bridge CNI
    plugin does, hairpin included."""
    outside = [f"link add {port} type veth peer name eth0 netns {namespace}",
               f"link set {port} master cni0 up", f"link set {port} type bridge_slave hairpin on"]
    inside = ["link set lo up", f"address add {address}/{node.pods.prefixlen} dev eth0", "link set eth0 up",
              f"route add default via {node.gateway}"]
    if node.pods6:
        inside += [f"address add {node.pod_address6(address)}/64 dev eth0 nodad",
                   f"route add default via {node.pods6[1]}"]
    return outside, inside
