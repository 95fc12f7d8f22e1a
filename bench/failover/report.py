"""Figures as Markdown."""

import math


def percentile(values, percent):
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def _line(cells):
    return "| " + " | ".join(cells) + " |"


def table(head, rows):
    """A Markdown table."""
    return "\n".join([_line(head), _line(["---"] * len(head)), *map(_line, rows)])


def _spread(values):
    return [f"{percentile(values, 50):.0f}", f"{percentile(values, 99):.0f}", f"{max(values):.0f}"]


def _windows(values):
    return f"{max(values):.1f} ms ({len(values)})" if values else "none"


def unplanned(results):
    """results: (timing, kind, nodes, Gaps)."""
    rows = []
    for timing, kind, nodes, gaps in results:
        rows.append([timing, kind.name, str(nodes), str(len(gaps.arp)), *_spread(gaps.arp),
                     " / ".join(_spread(gaps.echo)), _windows(gaps.both_ms), str(gaps.misled)])
    return table(["timing", "failure", "nodes", "trials", "p50 ms", "p99 ms", "max ms",
                  "echo p50 / p99 / max ms", "two answered, longest (windows)", "stale caches"], rows)


def planned(results):
    """results: (nodes, Moves)."""
    return table(["hand-over", "moves", "packets", "lost", "longest silence, echo", "longest silence, ARP",
                  "two answered, longest (windows)"],
                 [[f"{nodes} nodes", str(m.moves), str(m.sent), str(m.lost), f"{m.echo_gap_ms:.1f} ms",
                   f"{m.arp_gap_ms:.1f} ms", _windows(m.two_owners_ms)] for nodes, m in results])


def partitions(results):
    """results: Healing each."""
    return table(["partition", "both sides serve after", "two of one side answered, longest",
                  "one owner after healing", "longest silence after healing"],
                 [["\\|".join(map(str, h.sides)), f"{h.owned_after:.0f} ms", f"{h.two_on_one_side:.1f} ms",
                   f"{h.one_owner_after:.0f} ms", f"{h.gap_after:.0f} ms"] for h in results])


def stalls(results):
    """results: (nodes, seconds, Stalls)."""
    return table(["stalled owner", "trials", "gap p50 ms", "gap p99 ms", "gap max ms", "stale answers"],
                 [[f"{nodes} nodes, {seconds:g} s", str(len(s.gap_ms)), *_spread(s.gap_ms),
                   str(sum(s.stale_answers))] for nodes, seconds, s in results])


def costs(results):
    """results: (timing, nodes, Cost)."""
    return table(["timing", "nodes", "packets/s a node", "bytes/s a node", "CPU mean (max)", "RSS mean (max)"],
                 [[timing, str(nodes), f"{c.packets:.1f}", f"{c.bytes:.0f}",
                   f"{c.cpu_percent:.2f} % ({c.cpu_percent_max:.2f} %)",
                   f"{c.resident_mib:.0f} MiB ({c.resident_mib_max:.0f} MiB)"] for timing, nodes, c in results])
