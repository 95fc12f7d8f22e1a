"""Unplanned failover: a speaker is killed, or its node loses its cables; how long nobody answers."""

import signal
import time
from dataclasses import dataclass, field

TAKEOVER_SECONDS = 90.0
CACHE_SECONDS = 3.0    # in which a client's kernel must have learnt of the owner
OBSERVE_SECONDS = 0.2  # after the takeover


@dataclass
class Gaps:
    """Silences in ms, one each trial: as ARP requests see it, and as packets through the kernel's cache do."""
    arp: list = field(default_factory=list)
    echo: list = field(default_factory=list)
    both_ms: list = field(default_factory=list)  # each window in which two nodes answered
    misled: int = 0  # trials before which the client's cache named another node than the owner


class Killed:
    """SIGKILL. The node's kernel goes on forwarding, so only ARP falls silent."""
    name = "process killed"
    forwards = True

    @staticmethod
    def strike(cluster, victim):
        cluster.speakers[victim].signal(signal.SIGKILL)

    @staticmethod
    def repair(cluster, victim):
        cluster.speakers[victim].wait()
        cluster.speakers[victim].start()


class CutOff:
    """Both cables pulled: the LAN's and the API server's."""
    name = "node cut off"
    forwards = False

    @staticmethod
    def strike(cluster, victim):
        cluster.network.cut(cluster.nodes[victim])

    @staticmethod
    def repair(cluster, victim):
        cluster.network.plug(cluster.nodes[victim])


def check_cache(cluster, address, owner, echo, gaps):
    """Counts a client that was never told of the owner; sets it right, so that the gap is a gap."""
    try:
        cluster.wait("the client's cache", lambda: cluster.cached_owner(address) == owner, CACHE_SECONDS)
    except TimeoutError:
        gaps.misled += 1
        cluster.network.forget(cluster.pinger, address)
        echo.wait("the client's cache", lambda p: cluster.cached_owner(address) == owner)


def trial(cluster, address, victim, kind, gaps):
    """One strike; appends to `gaps` and returns when all is as before."""
    others = cluster.nodes.keys() - {victim}
    with cluster.probe(address, arp=True) as arp, cluster.probe(address, arp=False) as echo:
        arp.wait("the owner answers", lambda p: cluster.answered_only_by(p, address, {victim}))
        echo.wait("echo answers", lambda p: p.answering(address))
        check_cache(cluster, address, victim, echo, gaps)
        struck = time.monotonic() * 1000
        kind.strike(cluster, victim)
        try:
            arp.wait("somebody takes over", lambda p: cluster.answered_only_by(p, address, others), TAKEOVER_SECONDS)
            echo.wait("echo answers again", lambda p: p.answering(address), TAKEOVER_SECONDS)
            time.sleep(OBSERVE_SECONDS)
            seen, felt = arp.result()[address], echo.result()[address]
        finally:
            kind.repair(cluster, victim)
    gaps.arp.append(seen["gap_ms"])
    gaps.echo.append(felt["gap_ms"])
    gaps.both_ms += [to - since for since, to, _, _ in seen["two_owners"] if to > struck]
    cluster.wait_home()


def run(cluster, kind, trials, progress):
    """`trials` strikes, victims in turn."""
    gaps = Gaps()
    for number, (address, victim) in enumerate(cluster.victims(trials), 1):
        trial(cluster, address, victim, kind, gaps)
        progress(f"{kind.name}, {cluster.count} nodes, {number}/{trials}: {victim}: "
                 f"ARP {gaps.arp[-1]:.0f} ms, echo {gaps.echo[-1]:.0f} ms")
    return gaps
