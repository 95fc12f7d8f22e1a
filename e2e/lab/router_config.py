"""Configuration files of real routers (BIRD 2, FRR 8, GoBGP 3), written from one description of a router.

Pure: values in, {file name: text} out. A router takes every route of its neighbours and hands on only its own
`networks`. Several nodes with the same route make an ECMP group.
"""

from dataclasses import dataclass, field

KINDS = ("bird", "frr", "gobgp")
GRACEFUL_SHUTDOWN = (65535, 0)  # RFC 8326: the least preferred way


@dataclass(frozen=True)
class Neighbour:
    """A neighbour of the router; `interface` instead of an address where none is configured (FRR only)."""

    name: str
    asn: int
    address: str = ""
    interface: str = ""
    families: tuple = ("ipv4", "ipv6")
    password: str = ""
    bfd: bool = False
    multihop: int = 0  # how many hops away at most; 0: on the same link
    passive: bool = False
    port: int = 179  # where we dial it
    ttl_security: bool = False


@dataclass(frozen=True)
class Bfd:
    """Timers of the router's BFD sessions, in ms."""

    interval: int = 300
    multiplier: int = 3
    echo: bool = False
    passive: bool = False


@dataclass(frozen=True)
class Setup:
    """A router: its own number, its neighbours and the networks it announces to them."""

    asn: int
    router_id: str
    neighbours: tuple
    port: int = 179
    networks: tuple = ()
    bfd: Bfd = field(default_factory=Bfd)
    fib: bool = True  # routes go into the kernel
    hold_seconds: int = 90
    restart_seconds: int = 120  # as graceful restart's helper; 0: no graceful restart at all


def files(kind, setup, folder):
    """{name: text} of the configuration; `folder` is where the router keeps its files."""
    return {"bird": _bird, "frr": _frr, "gobgp": _gobgp}[kind](setup, folder)


def family_of(prefix):
    """ipv4 or ipv6, of an address or a prefix."""
    return "ipv6" if ":" in prefix else "ipv4"


# --- BIRD


def _bird(setup, folder):
    lines = [f'log "{folder}/bird.log" all;', f"router id {setup.router_id};", "timeformat protocol iso long ms;",
             "protocol device { scan time 2; }", "filter taken {",
             f"  if ({GRACEFUL_SHUTDOWN[0]}, {GRACEFUL_SHUTDOWN[1]}) ~ bgp_community then bgp_local_pref = 0;",
             "  accept;", "}"]
    for family in ("ipv4", "ipv6"):
        if setup.fib:
            lines.append(f"protocol kernel {{ {family} {{ import none; export where source = RTS_BGP; }}; "
                         "merge paths yes limit 16; }")
        own = [network for network in setup.networks if family_of(network) == family]
        if own:
            routes = " ".join(f"route {network} blackhole;" for network in own)
            lines.append(f"protocol static {{ {family}; {routes} }}")
    if any(neighbour.bfd for neighbour in setup.neighbours):
        timers = (f"interval {setup.bfd.interval} ms; idle tx interval 300 ms; multiplier {setup.bfd.multiplier};"
                  + (" passive yes;" if setup.bfd.passive else ""))
        lines.append(f'protocol bfd {{ interface "*" {{ {timers} }}; multihop {{ {timers} }}; }}')
    for neighbour in setup.neighbours:
        lines += _bird_neighbour(setup, neighbour)
    return {"bird.conf": "\n".join(lines) + "\n"}


def _bird_neighbour(setup, neighbour):
    address = neighbour.address + (f"%{neighbour.interface}" if neighbour.interface else "")
    restart = f"on; graceful restart time {setup.restart_seconds}" if setup.restart_seconds else "off"
    # BFD over several hops needs to know the own address, which is the router's number here.
    own = f"{setup.router_id} " if neighbour.bfd and neighbour.multihop else ""
    lines = [f"protocol bgp {neighbour.name} {{", f"  local {own}port {setup.port} as {setup.asn};",
             f"  neighbor {address} port {neighbour.port} as {neighbour.asn};", f"  hold time {setup.hold_seconds};",
             "  connect delay time 1; connect retry time 1; error wait time 1, 2;", f"  graceful restart {restart};"]
    lines += [f"  multihop {neighbour.multihop};"] if neighbour.multihop else ["  direct;"]
    lines += [f'  password "{neighbour.password}";'] if neighbour.password else []
    lines += ["  passive on;"] if neighbour.passive else []
    # A speaker that restarts gracefully takes its BFD session down with it (RFC 5882, 4.3.2).
    lines += [f"  bfd {'graceful' if setup.restart_seconds else 'on'};"] if neighbour.bfd else []
    lines += ["  ttl security on;"] if neighbour.ttl_security else []
    for family in neighbour.families:
        lines.append(f"  {family} {{ import filter taken; export where source = RTS_STATIC; }};")
    return [*lines, "}"]


# --- FRR: a file for each of its programs


def _frr(setup, _folder):
    bfd = setup.bfd
    timers = ["bfd", " profile lab", f"  receive-interval {bfd.interval}", f"  transmit-interval {bfd.interval}",
              f"  detect-multiplier {bfd.multiplier}", *(["  echo-mode"] if bfd.echo else []),
              *(["  passive-mode"] if bfd.passive else []), " exit", "exit"]
    lines = [f"router bgp {setup.asn}", f" bgp router-id {setup.router_id}", " no bgp ebgp-requires-policy",
             " no bgp default ipv4-unicast", " no bgp network import-check", " bgp bestpath as-path multipath-relax"]
    lines += [f" bgp graceful-restart restart-time {setup.restart_seconds}"] if setup.restart_seconds \
        else [" bgp graceful-restart-disable"]
    for neighbour in setup.neighbours:
        lines += [f" {line}" for line in _frr_neighbour(setup, neighbour)]
    for family in ("ipv4", "ipv6"):
        lines.append(f" address-family {family} unicast")
        lines += [f"  network {network}" for network in setup.networks if family_of(network) == family]
        lines += ["  maximum-paths 16", "  maximum-paths ibgp 16"]
        for neighbour in setup.neighbours:
            if family in neighbour.families:
                who = neighbour.address or neighbour.interface
                lines += [f"  neighbor {who} activate", f"  neighbor {who} prefix-list own-{family} out"]
        lines.append(" exit-address-family")
    lines.append("exit")
    for family, keyword in (("ipv4", "ip"), ("ipv6", "ipv6")):
        own = [network for network in setup.networks if family_of(network) == family]
        lines += [f"{keyword} prefix-list own-{family} permit {network}" for network in own] \
            or [f"{keyword} prefix-list own-{family} deny any"]
    return {"zebra.conf": "ip nht resolve-via-default\nipv6 nht resolve-via-default\n",
            "bgpd.conf": "\n".join(lines) + "\n", "bfdd.conf": "\n".join(timers) + "\n"}


def _frr_neighbour(setup, neighbour):
    who = f"neighbor {neighbour.address or neighbour.interface}"
    lines = [f"{who} interface remote-as {neighbour.asn}" if neighbour.interface and not neighbour.address
             else f"{who} remote-as {neighbour.asn}",
             f"{who} timers {max(1, setup.hold_seconds // 3)} {setup.hold_seconds}", f"{who} timers connect 1",
             f"{who} advertisement-interval 0"]
    lines += [f"{who} password {neighbour.password}"] if neighbour.password else []
    lines += [f"{who} ebgp-multihop {neighbour.multihop}"] if neighbour.multihop else []
    lines += [f"{who} passive"] if neighbour.passive else []
    lines += [f"{who} port {neighbour.port}"] if neighbour.port != 179 else []
    if neighbour.bfd:
        lines += [f"{who} bfd", f"{who} bfd profile lab"]
        lines += [f"{who} bfd check-control-plane-failure"] if setup.restart_seconds else []
    lines += [f"{who} ttl-security hops 1"] if neighbour.ttl_security else []
    return lines


# --- GoBGP


def _gobgp(setup, _folder):
    lines = ["[global.config]", f"as = {setup.asn}", f'router-id = "{setup.router_id}"', f"port = {setup.port}",
             "[global.use-multiple-paths.config]", "enabled = true"]
    for neighbour in setup.neighbours:
        lines += _gobgp_neighbour(setup, neighbour)
    return {"gobgpd.toml": "\n".join(lines) + "\n"}


def _gobgp_neighbour(setup, neighbour):
    helps = setup.restart_seconds > 0
    lines = ["[[neighbors]]", "[neighbors.config]", f'neighbor-address = "{neighbour.address}"',
             f"peer-as = {neighbour.asn}"]
    lines += [f'auth-password = "{neighbour.password}"'] if neighbour.password else []
    lines += ["[neighbors.timers.config]", f"hold-time = {setup.hold_seconds}",
              f"keepalive-interval = {max(1, setup.hold_seconds // 3)}", "connect-retry = 1",
              "idle-hold-time-after-reset = 1"]
    lines += ["[neighbors.transport.config]", f"remote-port = {neighbour.port}"]
    lines += ["passive-mode = true"] if neighbour.passive else []
    lines += ["[neighbors.ebgp-multihop.config]", "enabled = true", f"multihop-ttl = {neighbour.multihop}"] \
        if neighbour.multihop else []
    lines += ["[neighbors.ttl-security.config]", "enabled = true", "ttl-min = 255"] if neighbour.ttl_security else []
    lines += ["[neighbors.graceful-restart.config]", "enabled = true", "helper-only = true",
              f"restart-time = {setup.restart_seconds}"] if helps else []
    for family in neighbour.families:
        lines += ["[[neighbors.afi-safis]]", "[neighbors.afi-safis.config]", f'afi-safi-name = "{family}-unicast"']
        lines += ["[neighbors.afi-safis.mp-graceful-restart.config]", "enabled = true"] if helps else []
    return lines
