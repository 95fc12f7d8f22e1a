"""A whole table to one and to eight BIRD peers, by our node and by BIRD in turn: time, bytes, messages, memory."""

import math
from dataclasses import dataclass

import lab
import tap
from report import percentile, table

SENDERS = (lab.OurSender, lab.BirdSender)
PER_MESSAGE = 810


@dataclass
class Trial:
    """Seconds, bytes and messages of one sender."""

    told: float        # order to announce until the last UPDATE is on the wire
    span: float        # first to last UPDATE of it
    taken: float       # order until every receiver's table is full
    again: float       # a new session: up until its last UPDATE, the slowest receiver
    size: int          # bytes on all cables, of the announcement
    messages: int      # UPDATEs with routes, one receiver
    withdrawals: int   # UPDATEs that take all back, one receiver
    resident: int      # growth of memory by the routes
    table: int         # the same by its own word
    sessions: int      # growth of memory by the sessions, before there are routes


def _updates(heard):
    return [[one for one in messages if one.kind == tap.UPDATE and one.announced] for messages in heard]


def _wait_counts(receivers, number):
    lab.wait(f"{number} routes at every receiver", lambda: all(one.count() == number for one in receivers))


def _sessions_up(receivers):
    return all("Established" in one.ask("show protocols sender") for one in receivers)


def trial(sender_class, routes, peers):
    """One sender's turn, in namespaces of its own."""
    wires = lab.Wires(peers)
    receivers, sender = [], None
    try:
        receivers = [lab.receiver(wires, number) for number in range(1, peers + 1)]
        sender = sender_class(wires, routes)
        return _measure(wires, receivers, sender, routes)
    finally:
        for one in [*([sender] if sender else []), *receivers]:
            one.close()
        wires.close()


def _measure(wires, receivers, sender, routes):
    alone = sender.resident()
    sender.connect()
    lab.wait("sessions", lambda: _sessions_up(receivers), 0.05)
    connected, empty = sender.resident(), sender.table()
    wires.hear()
    before = wires.sent_bytes()
    began = lab.now()
    sender.announce()
    _wait_counts(receivers, routes)
    taken = lab.now() - began
    size = wires.sent_bytes() - before
    told = _updates(wires.hear())
    resident, full = sender.resident() - connected, sender.table() - empty
    sender.disconnect()
    _wait_counts(receivers, 0)
    wires.hear()
    sender.connect()
    _wait_counts(receivers, routes)
    again = max(_after_up(messages) for messages in wires.hear())
    sender.withdraw()
    _wait_counts(receivers, 0)
    gone = [one for one in wires.hear()[0] if one.kind == tap.UPDATE and one.withdrawn]
    for messages in told:
        assert sum(one.announced for one in messages) == routes, "routes were told twice or not at all"
    last = max(messages[-1].at for messages in told)
    return Trial(told=last - began, span=last - min(messages[0].at for messages in told), taken=taken, again=again,
                 size=size, messages=len(told[0]), withdrawals=len(gone), resident=resident,
                 table=full, sessions=connected - alone)


def _after_up(messages):
    told = [one.at for one in messages if one.announced]
    return told[-1] - max(one.at for one in messages if one.kind == tap.KEEPALIVE and one.at <= told[0])


def run(routes, peers, pairs, progress):
    """`pairs` turns of each sender, alternating; {sender name: trials}."""
    trials = {sender.name: [] for sender in SENDERS}
    for number in range(pairs):
        for sender in SENDERS[::1 if number % 2 else -1]:
            trials[sender.name].append(trial(sender, routes, peers))
            one = trials[sender.name][-1]
            progress(f"{routes} routes, {peers} peers, {number + 1}/{pairs}: {sender.name}: told {one.told * 1e3:.1f} "
                     f"ms, taken {one.taken * 1e3:.1f} ms, again {one.again * 1e3:.1f} ms, {one.size} bytes, "
                     f"{one.messages} messages")
    return routes, peers, trials


def _median(trials, what):
    return percentile([getattr(one, what) for one in trials], 50)


ROWS = (("order to last UPDATE", "told", 1e3, "ms", 1.0), ("first to last UPDATE", "span", 1e3, "ms", None),
        ("order until receivers have all", "taken", 1e3, "ms", 1.0),
        ("new session: up to last UPDATE", "again", 1e3, "ms", 1.0), ("bytes on the wire", "size", 1, "", 1.02))


def render(results):
    """Tables of medians and ratios."""
    rows = []
    for routes, peers, trials in results:
        ours, bird = trials["Steelyard"], trials["BIRD"]
        where = f"{routes} to {peers}"
        for text, what, factor, unit, aim in ROWS:
            mine, theirs = _median(ours, what), _median(bird, what)
            ratio = mine / theirs
            verdict = "" if aim is None else f"{aim:.2f}: {'yes' if ratio <= aim else 'MISSED'}"
            digits = 1 if unit else 0
            rows.append([where, text, f"{mine * factor:.{digits}f} {unit}", f"{theirs * factor:.{digits}f} {unit}",
                         f"{ratio:.2f}", verdict])
        most = math.ceil(routes / PER_MESSAGE) + 1
        for text, what in (("UPDATEs", "messages"), ("UPDATEs to withdraw all", "withdrawals")):
            mine, theirs = _median(ours, what), _median(bird, what)
            verdict = f"{most} messages: {'yes' if mine <= most else 'MISSED'}" if what == "messages" else ""
            rows.append([where, text, f"{mine}", f"{theirs}", f"{mine / theirs:.2f}", verdict])
        for text, what in (("memory a route, by its own word", "table"), ("memory a route, RSS", "resident")):
            mine, theirs = (_median(one, what) / routes for one in (ours, bird))
            rows.append([where, text, f"{mine:.0f} B", f"{theirs:.0f} B", f"{mine / theirs:.2f}",
                         f"0.50: {'yes' if mine <= theirs / 2 else 'MISSED'}"])
        mine, theirs = (_median(one, "sessions") / peers / 1024 for one in (ours, bird))
        rows.append([where, "memory a session, RSS", f"{mine:.0f} KiB", f"{theirs:.0f} KiB", "", ""])
    return table(["/32s to BIRD peers", "what", "Steelyard", "BIRD", "ratio", "aim"], rows)
