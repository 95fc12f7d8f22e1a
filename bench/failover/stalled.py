"""A stalled owner: stopped for some seconds, then continued. It must not answer for what it lost meanwhile."""

import signal
import time
from dataclasses import dataclass, field

OBSERVE_SECONDS = 3.0
# A node that comes back gets nothing for a minute, so whatever it answers in that time is stale.
FLAGS = ("--failback-delay=60s",)


@dataclass
class Stalls:
    """One entry a trial."""
    gap_ms: list = field(default_factory=list)
    stale_answers: list = field(default_factory=list)


def run(cluster, trials, stop_seconds, progress):
    """Stops the owners of different addresses in turn."""
    stalls = Stalls()
    for number, (address, _) in enumerate(cluster.victims(trials), 1):
        victim = cluster.wait_settled()[address]
        mac = cluster.nodes[victim].mac
        others = cluster.nodes.keys() - {victim}
        with cluster.probe(address, arp=True) as arp:
            arp.wait("the owner answers", lambda p, name=victim, vip=address: cluster.answered_only_by(p, vip, {name}))
            stopped = time.monotonic()
            cluster.speakers[victim].signal(signal.SIGSTOP)
            try:
                arp.wait("somebody takes over",
                         lambda p, names=others, vip=address: cluster.answered_only_by(p, vip, names))
                time.sleep(max(0.0, stopped + stop_seconds - time.monotonic()))
            finally:
                resumed = time.monotonic()
                cluster.speakers[victim].signal(signal.SIGCONT)
            time.sleep(OBSERVE_SECONDS)
            seen = arp.result()[address]
        stalls.gap_ms.append(seen["gap_ms"])
        stalls.stale_answers.append(sum(count for since, to, count in seen["macs"].get(mac, [])
                                        if to >= resumed * 1000))
        progress(f"stalled owner {number}/{trials}: {victim}: {stalls.stale_answers[-1]} stale answers")
    return stalls
