"""Planned hand-over: an owner is told to stop or to drain and later comes back; nothing may be lost."""

import time
from dataclasses import dataclass

MOVE_SECONDS = 30.0


@dataclass
class Moves:
    """Totals over all moves."""
    moves: int
    sent: int
    lost: int
    lost_runs: list
    arp_gap_ms: float
    echo_gap_ms: float
    two_owners_ms: list  # each window in which two nodes answered


def _terminated(cluster, owner):
    cluster.speakers[owner].terminate()


def _restarted(cluster, owner):
    cluster.speakers[owner].wait()
    cluster.speakers[owner].start()


def _drained(cluster, owner):
    cluster.api.drain(owner, True)


def _undrained(cluster, owner):
    cluster.api.drain(owner, False)


WAYS = {"SIGTERM": (_terminated, _restarted), "drain annotation": (_drained, _undrained)}


def _during(marks, when):
    """Which move a moment belongs to."""
    begun = [mark for mark in marks if mark[0] <= when]
    if not begun:
        return "before the first move"
    _, away, way = begun[-1]
    return way if when <= away else f"{way} undone"


def run(cluster, moves, echo_interval_us, observe, progress, ways=tuple(WAYS)):
    """Away and back again, so two moves each time, alternating between the ways; `observe` seconds after each."""
    address, owner = cluster.victims(1)[0]
    others = cluster.nodes.keys() - {owner}
    marks = []  # (told to go, gone, way)
    with cluster.probe(address, arp=True) as arp, \
            cluster.probe(address, arp=False, interval_us=echo_interval_us) as echo:
        arp.wait("the owner answers", lambda p: cluster.answered_only_by(p, address, {owner}))
        for number in range(moves // 2):
            way = ways[number % len(ways)]
            go, come_back = WAYS[way]
            begin = time.monotonic()
            go(cluster, owner)
            arp.wait(f"{way}: another owner", lambda p: cluster.answered_only_by(p, address, others), MOVE_SECONDS)
            away = time.monotonic()
            time.sleep(observe)
            come_back(cluster, owner)
            arp.wait(f"{way} undone: the first owner again",
                     lambda p: cluster.answered_only_by(p, address, {owner}), MOVE_SECONDS)
            cluster.wait_home()
            progress(f"hand-over {2 * number + 2}/{moves}: {way}: moved after {away - begin:.2f} s, "
                     f"back after {time.monotonic() - away:.2f} s")
            time.sleep(observe)
            marks.append((begin * 1000, away * 1000, way))
        seen, felt = arp.result()[address], echo.result()[address]
    for since, to, _, _ in seen["two_owners"]:
        progress(f"two answered for {to - since:.1f} ms: {_during(marks, since)}")
    return Moves(moves // 2 * 2, felt["sent"], felt["lost"], felt["lost_runs"], seen["gap_ms"], felt["gap_ms"],
                 [to - since for since, to, _, _ in seen["two_owners"]])
