"""Puts GoBGP's routes into the kernel of the machine it runs on, ECMP included: GoBGP itself only talks BGP.

    gobgp_fib.py API_ADDRESS

Follows `gobgp monitor` and, whenever anything moved, brings `ip route` (protocol bgp) in line with the tables.
"""

import json
import select
import subprocess
import sys

SETTLE_SECONDS = 0.02


def wanted(table):
    """`gobgp global rib -j` -> {prefix: next hops}: the best path and those as good as it."""
    routes = {}
    for prefix, paths in table.items():
        learnt = [path for path in paths if path.get("neighbor-ip", "<nil>") not in ("<nil>", "")]
        ranks = {_rank(path) for path in learnt}
        hops = {_hop(path) for path in learnt if _rank(path) == min(ranks)}
        if hops:
            routes[prefix] = frozenset(hops)
    return routes


def _attribute(path, number, name, default):
    return next((entry.get(name, default) for entry in path["attrs"] if entry["type"] == number), default)


def _rank(path):
    """The steps of the decision process that keep paths from sharing: lower is better."""
    segments = _attribute(path, 2, "as_paths", None) or []
    return (-_attribute(path, 5, "value", 100), sum(segment["num"] for segment in segments),
            _attribute(path, 4, "metric", 0))


def _hop(path):
    return _attribute(path, 3, "nexthop", "") or _attribute(path, 14, "nexthop", "")


def commands(now, then):
    """`ip -batch` lines that lead from one set of routes to another."""
    lines = [f"route delete {prefix} proto bgp" for prefix in sorted(now.keys() - then.keys())]
    for prefix, hops in sorted(then.items()):
        if now.get(prefix) != hops:
            lines.append(f"route replace {prefix} proto bgp"
                         + "".join(f" nexthop via {hop}" for hop in sorted(hops)))
    return lines


def main(address):
    host, _, port = address.rpartition(":")
    gobgp = ["gobgp", "--host", host, "--port", port]
    for version in (4, 6):  # of a run before this one
        subprocess.run(["ip", f"-{version}", "route", "flush", "proto", "bgp"], check=False)
    with subprocess.Popen([*gobgp, "monitor", "global", "rib", "-j"], stdout=subprocess.PIPE) as monitor:
        held = {4: {}, 6: {}}
        while True:
            for version in held:
                table = json.loads(subprocess.run([*gobgp, "global", "rib", "-a", f"ipv{version}", "-j"], check=True,
                                                  capture_output=True).stdout or "{}")
                then = wanted(table)
                lines = commands(held[version], then)
                if lines:
                    subprocess.run(["ip", f"-{version}", "-force", "-batch", "-"], check=False,
                                   input="\n".join([*lines, ""]).encode())
                held[version] = then
            if not monitor.stdout.read1(65536):
                return
            while select.select([monitor.stdout], [], [], SETTLE_SECONDS)[0]:
                if not monitor.stdout.read1(65536):
                    return


if __name__ == "__main__":
    main(sys.argv[1])
