"""A partition: some nodes' LAN cables move to a second bridge, and back. The API server stays reachable to all,
so nothing but gossip and heartbeats tells the sides apart."""

import time
from dataclasses import dataclass

PACE_US = 5000       # each address, on each side
SPLIT_SECONDS = 60.0
HEAL_SECONDS = 60.0
SETTLED_SECONDS = 2.0


@dataclass
class Healing:
    """Milliseconds."""
    sides: tuple
    owned_after: float       # from the split until each side answered for every address
    two_on_one_side: float   # the longest time two nodes of one side answered for one address
    one_owner_after: float   # from the joining until no address was answered by two any more
    gap_after: float         # the longest silence of an address after the joining


def _one_each(cluster, prober):
    return all(len(prober.answering(address)) == 1 for address in cluster.virtual)


def _wait_one_each(cluster, probers, seconds, steady):
    """Until each prober has heard exactly one answerer of every address for `steady` seconds."""
    end, since = time.monotonic() + seconds, time.monotonic()
    while time.monotonic() - since < steady:
        if not all(_one_each(cluster, prober) for prober in probers):
            since = time.monotonic()
            if since > end:
                raise TimeoutError(f"not one owner of every address within {seconds:g} s: "
                                   f"{[prober.latest for prober in probers]}")
        time.sleep(0.01)
    return since


def _windows(results, begin, end):
    return [(since, to) for result in results for entry in result.values()
            for since, to, _, _ in entry["two_owners"] if to >= begin and since <= end]


def run(cluster, away, hold_seconds, progress):
    """Splits `away` nodes off, holds, joins them again."""
    far = cluster.network.clients.get("far") or cluster.network.add_client("far", "lan2")
    movers = cluster.network.nodes[-away:]
    with cluster.probe(*cluster.virtual, arp=True, interval_us=PACE_US) as near, \
            cluster.probe(*cluster.virtual, arp=True, interval_us=PACE_US, machine=far) as other:
        near.wait("every address answers", lambda p: _one_each(cluster, p))
        split = time.monotonic()
        cluster.network.move(movers, "lan2")
        owned = _wait_one_each(cluster, (near, other), SPLIT_SECONDS, 0.5)
        time.sleep(hold_seconds)
        results = [other.result()]
        joined = time.monotonic()
        cluster.network.move(movers, "lan")
        _wait_one_each(cluster, (near,), HEAL_SECONDS, SETTLED_SECONDS)
        results.append(near.result())
    cluster.wait_home()
    healed = _windows(results[1:], joined * 1000, float("inf"))
    apart = _windows(results, split * 1000, joined * 1000 - 1)
    measured = Healing(
        (cluster.count - away, away), (owned - split) * 1000,
        max((min(to, joined * 1000) - since for since, to in apart), default=0.0),
        max((to - joined * 1000 for _, to in healed), default=0.0),
        max((entry["gap_ms"] for entry in results[1].values() if entry["gap_at_ms"] > joined * 1000 - PACE_US / 1000),
            default=PACE_US / 1000))
    progress(f"partition {cluster.count - away}|{away}: one owner again after {measured.one_owner_after:.0f} ms")
    return measured
