"""The one table of rooms, from the ground up, and what each may include.

A room may include itself and any room of a lower tier. Rooms of one tier do not see each other, but
their tests may. The daemons never see each other, `common` sees neither, and only e2e and the integration
tests see e2e.
"""

TIERS = [
    ["common/base"],
    ["common/net", "common/wire", "common/yaml"],
    ["common/metrics", "common/kube/model"],
    ["common/kube/watch", "common/kube/lease", "common/config"],
    ["speaker/gossip/wire", "speaker/bgp/wire", "speaker/proxy/select"],
    ["controller/ipam", "controller/admission",
     "speaker/gossip", "speaker/ring", "speaker/elect", "speaker/l2", "speaker/bfd", "speaker/bgp/discovery",
     "speaker/bgp/session", "speaker/bgp/rib", "speaker/proxy", "speaker/health"],
    ["speaker/proxy/conntrack"],
    ["controller/plan", "controller/certs", "speaker/plan", "speaker/netlink",
     "speaker/proxy/diff", "speaker/proxy/rules"],
    ["common/log", "common/rt"],
    ["common/http/beast"],
    ["common/http/client", "common/http/server"],
    ["common/kube/client", "speaker/io"],
    ["common/daemon"],
    ["controller/write", "controller/webhook", "controller/check", "speaker/options"],
    ["controller/app", "speaker/app"],
    ["controller", "speaker", "controller/integration", "speaker/integration",
     "controller/sim", "speaker/sim", "common/kube/faults"],
]

# Fakes and scripts for tests: only tests and e2e include it.
TESTING = "common/testing"

# Tests of a daemon as a whole: they stand on what e2e has.
INTEGRATION = ("controller/integration", "speaker/integration", "common/kube/faults")

# Libraries that stay in a few places: header prefix -> where it may be included. Programs (files with
# main) stand above the rooms and may use any.
CONFINED = {
    "boost/beast": ("common/http", "e2e"),
    "netlink/": ("speaker/io", "e2e"),
    "linux/": ("speaker/io", "speaker/netlink", "common/rt", "speaker/proxy", "bench", "e2e"),
    "spdlog/": ("common/log", "e2e"),
    "nlohmann/": ("common/kube", "common/yaml", "common/config", "common/log", "common/testing",
                  "controller/admission", "controller/app", "controller/write", "controller/webhook", "controller/check", "controller/sim",
                  "speaker/app", "speaker/options", "speaker/health", "speaker/sim", "bench", "e2e"),
}

_TIER = {room: tier for tier, rooms in enumerate(TIERS) for room in rooms}


def daemon(room):
    """Which daemon a room belongs to; common belongs to none."""
    top = room.split("/")[0]
    return top if top in ("controller", "speaker") else None


def room_of(path):
    """The room a file lies in: the longest known folder above it; None when the table lacks it."""
    parts = path.split("/")[:-1]
    if parts and parts[0] in ("e2e", "bench"):  # both stand above every room
        return "e2e"
    while parts:
        room = "/".join(parts)
        if room in _TIER or room == TESTING:
            return room
        parts.pop()
    return None


def objection(source, target, in_test):
    """Why `source` may not include `target`, or None."""
    if source == target or source == "e2e":
        return None
    if target == "e2e":
        return None if source in INTEGRATION else "only e2e and integration tests include e2e"
    if target == TESTING:
        return None if in_test else "only tests include common/testing"
    if source == TESTING:
        return "common/testing knows no daemon" if daemon(target) else None
    if daemon(target) and daemon(target) != daemon(source):
        return f"{daemon(source) or 'common'} does not know {daemon(target)}"
    if _TIER[target] > _TIER[source]:
        return "points upwards"
    if _TIER[target] == _TIER[source] and not in_test:
        return "siblings do not see each other"
    return None
