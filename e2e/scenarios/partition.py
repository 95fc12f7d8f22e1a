"""Nodes that do not hear each other, and then do again: in the end every address has one owner.

A node that nobody hears, but that the clients still hear, is the worst case: each side may announce, at most
once, and the moment the network heals one of them stops.
"""

import time

from cluster import expect
from manifests import advertisement, balancer, passed, pool_object, start_pods

LONG_WAIT_MS = 400


def run(cluster):
    start_pods(cluster)
    cluster.put(pool_object("first", "192.168.100.200-192.168.100.205"), advertisement(),
                *(balancer(f"web{number}") for number in range(6)))
    addresses = [cluster.wait_external_ip(f"web{number}") for number in range(6)]
    before = {address: cluster.wait_owner(address) for address in addresses}

    # Two nodes that do not hear each other: the third speaks for both, nobody takes anything from them.
    cluster.partition("node1", "node2")
    starved = dict.fromkeys(addresses, cluster.starved_ms())  # at the last look at each
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        for address in addresses:
            owners, before_look = cluster.owners(address), starved[address]
            starved[address] = cluster.starved_ms()
            if len(owners) != 1:
                # Nodes that wait for a CPU are taken for dead, and that is right; but not for long.
                expect(starved[address] - before_look > LONG_WAIT_MS, f"{address} is answered by {owners}")
                cluster.wait_for(f"one owner of {address} again",
                                 lambda one=address: len(cluster.owners(one)) == 1, 3)
    passed("two nodes that do not hear each other, but a third: every address keeps one owner")
    cluster.heal()

    # One node hears neither of the others: each side serves what it can, the clients hear both.
    for other in ("node2", "node3"):
        cluster.partition("node1", other)
    # An answer may come too late to be heard beside the other side's: asked again.
    cluster.wait_for("one owner on the larger side", lambda: all(
        len(set(cluster.owners(address)) & {"node2", "node3"}) == 1 for address in addresses), 30)
    passed("one node apart: on the side of the other two every address has one owner")
    cluster.heal()
    healed = time.monotonic()
    cluster.wait_for("one owner for every address", lambda: all(
        len(cluster.owners(address)) == 1 for address in addresses), 30)
    print(f"  one owner each {time.monotonic() - healed:.1f} s after healing (asking took "
          f"{0.3 * len(addresses):.1f} s of it)")
    cluster.wait_for("owners as before", lambda: {
        address: cluster.owner(address) for address in addresses} == before, 40)
    passed("after healing every address has one owner again, the one it had")
