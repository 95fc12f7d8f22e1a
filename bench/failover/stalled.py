"""A stalled owner: stopped for some seconds, then continued. It must not answer for what it lost meanwhile.

While it is stopped its node gets the label that excludes it from announcing, so that the others keep what they took
over, and whatever the stalled one answers afterwards is stale: it has to find out by itself, or by reading the API.
"""

import signal
import time
from dataclasses import dataclass, field

OBSERVE_SECONDS = 3.0


@dataclass
class Stalls:
    """One entry a trial."""
    gap_ms: list = field(default_factory=list)
    stale_answers: list = field(default_factory=list)


def _stall(cluster, address, victim, seconds):
    """What the prober measured, and when the victim went on, in its milliseconds."""
    speaker, others = cluster.speakers[victim], cluster.nodes.keys() - {victim}
    with cluster.probe(address, arp=True) as arp:
        arp.wait("the owner answers", lambda p: cluster.answered_only_by(p, address, {victim}))
        stopped = time.monotonic()
        speaker.signal(signal.SIGSTOP)
        try:
            arp.wait("somebody takes over", lambda p: cluster.answered_only_by(p, address, others))
            cluster.api.exclude(victim, True)
            time.sleep(max(0.0, stopped + seconds - time.monotonic()))
        finally:
            resumed = time.monotonic() * 1000
            speaker.signal(signal.SIGCONT)
        time.sleep(OBSERVE_SECONDS)
        return arp.result()[address], resumed


def run(cluster, trials, seconds, progress):
    """Stops the owners of different addresses in turn."""
    stalls = Stalls()
    for number, (address, victim) in enumerate(cluster.victims(trials), 1):
        seen, resumed = _stall(cluster, address, victim, seconds)
        mine = seen["macs"].get(cluster.nodes[victim].mac, [])
        stalls.gap_ms.append(seen["gap_ms"])
        stalls.stale_answers.append(sum(count for _, to, count in mine if to >= resumed))
        progress(f"stalled owner {number}/{trials}: {victim}: gap {seen['gap_ms']:.0f} ms, "
                 f"{stalls.stale_answers[-1]} stale answers")
        cluster.api.exclude(victim, False)
        cluster.wait_home()
    return stalls
