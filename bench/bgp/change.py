"""From one change to its UPDATE on the wire, and what a storm of changes becomes."""

import time

import lab
import tap
from report import percentile, table

SILENCE = 0.02  # between single changes
STORMS = 10
STORM_MS = 10
AIM_MS = 5.0
AIM_UPDATES = 3


def _next_update(wires, source, limit=5.0):
    """The time of the next UPDATE on the first cable."""
    end = lab.now() + limit
    while lab.now() < end:
        for message in wires.taps[0].messages(timeout=0.2):
            if message.source == source and message.kind == tap.UPDATE:
                return message.at
    raise AssertionError("no UPDATE was seen")


def _single(wires, sender, number):
    """Milliseconds from the order of a change until its UPDATE."""
    time.sleep(SILENCE)
    wires.hear()
    began = lab.now()
    if number % 2 == 0:
        sender.node.announce(lab.prefix(number // 2))
    else:
        sender.node.withdraw(lab.prefix(number // 2))
    return (_next_update(wires, "10.11.0.1") - began) * 1e3


def _storm(wires, sender, first):
    """How many UPDATEs a thousand changes become."""
    time.sleep(SILENCE)
    wires.hear()
    sender.node.generate(first, 1000, spread_ms=STORM_MS)
    found = []

    def all_told():
        found.extend(one for one in wires.hear()[0] if one.kind == tap.UPDATE)
        return sum(one.announced for one in found) >= 1000
    lab.wait("a thousand routes on the wire", all_told)
    return len(found)


def run(changes, others, progress):
    """Changes one at a time beside `others` routes that stay; then storms. Milliseconds each, UPDATEs a storm."""
    wires = lab.Wires(1)
    receiver = sender = None
    try:
        receiver = lab.receiver(wires, 1)
        sender = lab.OurSender(wires, others)
        sender.connect()
        sender.node.until_up(peer="p1")
        sender.node.generate("10.64.0.0", others)
        lab.wait("the other routes", lambda: receiver.count() == others)
        times = [_single(wires, sender, number) for number in range(changes)]
        progress(f"{changes} changes beside {others} routes: p50 {percentile(times, 50):.2f} ms, "
                 f"p99 {percentile(times, 99):.2f} ms")
        storms = [_storm(wires, sender, f"10.{200 + number}.0.0") for number in range(STORMS)]
        progress(f"storms of 1000 changes in {STORM_MS} ms: {storms} UPDATEs")
        return others, times, storms
    finally:
        for one in (sender, receiver):
            if one is not None:
                one.close()
        wires.close()


def render(result):
    """One table."""
    others, times, storms = result
    p50, p99, most = percentile(times, 50), percentile(times, 99), max(storms)
    return table(["change to UPDATE", "count", "figure", "aim"], [
        [f"one change beside {others} routes", str(len(times)), f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, max "
         f"{max(times):.2f} ms", f"p99 {AIM_MS:g} ms: {'yes' if p99 <= AIM_MS else 'MISSED'}"],
        [f"1000 changes in {STORM_MS} ms", str(len(storms)), f"{percentile(storms, 50)} UPDATEs, at most {most}",
         f"{AIM_UPDATES}: {'yes' if most <= AIM_UPDATES else 'MISSED'}"]])
