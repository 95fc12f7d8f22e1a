"""What BIRD, FRR and GoBGP say about sessions, routes and BFD, as plain values. Pure.

Communities are texts as in a BGPAdvertisement without its keywords: "65000:100", large "1:2:3", extended
"rt:64512:5", "soo:...", or the eight bytes in hexadecimal digits.
"""

import json
import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Session:
    """A BGP session as the router sees it. `since` is another text for every new session, "" while it is down."""

    state: str
    since: str = ""
    remote_restarts: bool = False  # the neighbour announced graceful restart

    @property
    def up(self):
        """Established."""
        return self.state == "Established"


@dataclass(frozen=True)
class Path:
    """One way to a prefix."""

    neighbour: str  # its address, or its name where the router knows it by one
    next_hop: str
    as_path: tuple = ()
    communities: frozenset = frozenset()
    large: frozenset = frozenset()
    extended: frozenset = frozenset()
    local_pref: int | None = None
    med: int | None = None
    stale: bool = False


@dataclass(frozen=True)
class BfdSession:
    """A BFD session as the router sees it; intervals in ms, None where it does not tell."""

    state: str
    details: dict = field(default_factory=dict, compare=False)

    @property
    def up(self):
        """Both sides are."""
        return self.state.lower() == "up"


def _number(text):
    return None if text is None else int(text)


# --- BIRD: text

_BIRD_ROUTE = re.compile(r"^(?P<prefix>\S+)?\s+(?:unicast|blackhole|unreachable|prohibit) "
                         r"\[(?P<protocol>\S+) [^\]]*\](?: [*!])?(?: \(\d+(?:/[-\d?]+)?(?P<stale>s?)\))?")
_PAIR = re.compile(r"\(([^)]*)\)")


def _lists(text):
    """The text of each parenthesis: `(65000,100) (65535,0)` -> 65000:100, 65535:0."""
    return frozenset(":".join(word.strip() for word in inner.split(",")) for inner in _PAIR.findall(text))


def _bird_extended(text):
    """BIRD's `(rt, 64512, 5)`, `(ro, ...)` is a site of origin, `(generic, 0x40040000, 0x1)` the two halves."""
    found = set()
    for inner in _PAIR.findall(text):
        kind, first, second = (word.strip() for word in inner.split(","))
        if kind == "generic":
            found.add(f"{int(first, 16):08x}{int(second, 16):08x}")
        else:
            found.add(f"{ {'ro': 'soo'}.get(kind, kind)}:{first}:{second}")
    return frozenset(found)


def bird_routes(text):
    """`birdc show route all for|PREFIX`: prefix -> paths that came from BGP."""
    routes, prefix, blocks = {}, None, []
    for line in text.splitlines():
        if match := _BIRD_ROUTE.match(line):
            prefix = match["prefix"] or prefix
            blocks.append((prefix, match["protocol"], match["stale"] == "s", {}))
        elif blocks and line.startswith("\tBGP."):
            name, _, value = line[5:].partition(":")
            blocks[-1][3][name] = value.strip()
        elif blocks and (via := re.match(r"\tvia (\S+)", line)):
            blocks[-1][3].setdefault("via", via[1])
    for where, protocol, stale, attributes in blocks:
        if "origin" not in attributes:
            continue
        routes.setdefault(where, []).append(Path(
            neighbour=protocol, next_hop=attributes.get("via") or attributes.get("next_hop", "").split(" ")[0],
            as_path=tuple(int(word) for word in attributes.get("as_path", "").split()),
            communities=_lists(attributes.get("community", "")), large=_lists(attributes.get("large_community", "")),
            extended=_bird_extended(attributes.get("ext_community", "")),
            local_pref=_number(attributes.get("local_pref")), med=_number(attributes.get("med")), stale=stale))
    return routes


def bird_sessions(text):
    """`birdc show protocols all`: protocol -> Session."""
    sessions, name, since, neighbour_side = {}, None, "", False
    for line in text.splitlines():
        if line and not line[0].isspace():
            words = line.split()
            name = words[0] if len(words) > 4 and words[1] == "BGP" else None
            since, neighbour_side = " ".join(words[4:6]) if name else "", False
        elif name is None:
            continue
        elif match := re.match(r"\s+BGP state:\s+(\S+)", line):
            sessions[name] = Session(match[1], since if match[1] == "Established" else "")
        elif line.strip() in ("Neighbor capabilities", "Local capabilities"):
            neighbour_side = line.strip() == "Neighbor capabilities"
        elif neighbour_side and line.strip() == "Graceful restart":
            sessions[name] = Session(sessions[name].state, since, True)
    return sessions


def bird_bfd(text):
    """`birdc show bfd sessions`: address -> BfdSession."""
    sessions = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 7 and ("." in words[0] or ":" in words[0]) and words[2] in ("Up", "Down", "Init", "AdminDown"):
            sessions[words[0]] = BfdSession(words[2], {"interval": round(float(words[-2]) * 1000),
                                                       "timeout": round(float(words[-1]) * 1000)})
    return sessions


# --- FRR: JSON


def _frr_extended(text):
    """`RT:64512:5 SoO:64512:6 LB:64513:125000000 (1.000 Gbps)` in our way of writing."""
    words = [word for word in (text or "").split() if word.count(":") >= 2]
    return frozenset(word.partition(":")[0].lower() + ":" + word.partition(":")[2] for word in words)


def frr_routes(text):
    """`vtysh -c 'show bgp ipv4 unicast PREFIX json'`: prefix -> paths that came from neighbours."""
    found = json.loads(text) if text.strip() else {}
    paths = []
    for entry in found.get("paths", []):
        if entry.get("local") or entry.get("sourced"):
            continue
        used = [hop for hop in entry.get("nexthops", []) if hop.get("used")] or entry.get("nexthops", [{}])
        as_path = entry.get("aspath", {}).get("string", "")
        peer = entry.get("peer", {})
        paths.append(Path(
            neighbour=peer.get("interface") or peer.get("peerId", ""), next_hop=used[0].get("ip", ""),
            as_path=tuple(int(word) for word in as_path.split() if word.isdigit()),
            communities=frozenset(_frr_community(word) for word in entry.get("community", {}).get("list", [])),
            large=frozenset(entry.get("largeCommunity", {}).get("list", [])),
            extended=_frr_extended(entry.get("extendedCommunity", {}).get("string")),
            local_pref=entry.get("locPrf"), med=entry.get("metric"), stale=bool(entry.get("stale"))))
    return {found["prefix"]: paths} if paths else {}


_FRR_NAMES = {"gracefulShutdown": "65535:0", "noExport": "65535:65281", "noAdvertise": "65535:65282",
              "localAs": "65535:65283", "noPeer": "65535:65284", "blackhole": "65535:666", "acceptOwn": "65535:1"}


def _frr_community(word):
    return _FRR_NAMES.get(word, word)


def frr_sessions(text):
    """`vtysh -c 'show bgp neighbors json'`: address (or interface) -> Session."""
    sessions = {}
    for name, entry in (json.loads(text) if text.strip() else {}).items():
        if not isinstance(entry, dict) or "bgpState" not in entry:
            continue
        up = entry["bgpState"] == "Established"
        # Its time of establishment is reckoned anew at every question, a second more or less.
        since = f"session {entry.get('connectionsEstablished')}" if up else ""
        capability = entry.get("neighborCapabilities", {}).get("gracefulRestart", "")
        sessions[name] = Session(entry["bgpState"], since, "eceived" in capability)
    return sessions


def frr_bfd(text):
    """`vtysh -c 'show bfd peers json'`: address -> BfdSession."""
    return {entry["peer"]: BfdSession(entry["status"], entry)
            for entry in (json.loads(text) if text.strip() else [])}


# --- GoBGP: JSON

_GOBGP_STATES = ("Unknown", "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established")


def _gobgp_extended(entries):
    names = {(0, 2): "rt", (0, 3): "soo", (1, 2): "rt", (2, 2): "rt", (1, 3): "soo", (2, 3): "soo"}
    return frozenset(f"{names.get((entry.get('type'), entry.get('subtype')), entry.get('type'))}:{entry.get('value')}"
                     for entry in entries or [])


def gobgp_routes(text):
    """`gobgp global rib -a ipv4 PREFIX -j`: prefix -> paths that came from neighbours."""
    routes = {}
    for prefix, entries in (json.loads(text) if text.strip() else {}).items():
        for entry in entries:
            if entry.get("neighbor-ip", "<nil>") in ("<nil>", ""):
                continue
            by_type = {attribute["type"]: attribute for attribute in entry["attrs"]}
            hop = by_type.get(3, by_type.get(14, {})).get("nexthop", "")
            segments = by_type.get(2, {}).get("as_paths") or []
            routes.setdefault(prefix, []).append(Path(
                neighbour=entry["neighbor-ip"], next_hop=hop,
                as_path=tuple(asn for segment in segments for asn in segment["asns"]),
                communities=frozenset(f"{value >> 16}:{value & 0xffff}"
                                      for value in by_type.get(8, {}).get("communities", [])),
                large=frozenset(f"{value['ASN']}:{value['LocalData1']}:{value['LocalData2']}"
                                for value in by_type.get(32, {}).get("value", [])),
                extended=_gobgp_extended(by_type.get(16, {}).get("value")),
                local_pref=by_type.get(5, {}).get("value"), med=by_type.get(4, {}).get("metric"),
                stale=bool(entry.get("stale"))))
    return routes


_RESTART_CAPABILITY = "apipb.GracefulRestartCapability"


def gobgp_sessions(text):
    """`gobgp neighbor -j`: address -> Session."""
    sessions = {}
    for entry in json.loads(text) if text.strip().startswith("[") else []:
        state = entry["state"]
        name = _GOBGP_STATES[state.get("session_state", 0)]
        since = str(entry.get("timers", {}).get("state", {}).get("uptime", {}).get("seconds", ""))
        restarts = any(one["type_url"].endswith(_RESTART_CAPABILITY) for one in state.get("remote_cap", []))
        sessions[state["neighbor_address"]] = Session(name, since if name == "Established" else "", restarts)
    return sessions
