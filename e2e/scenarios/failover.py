"""The announcing node loses its power; another one answers for the address, and the first one comes back.

The client sends a request every 10 ms all the while; the time it went without an answer is printed.
"""

from cluster import expect
from manifests import serve_web

LONGEST_GAP_MS = 3000
PATIENCE_SECONDS = 15  # with the looks at it, which take longer than the gap


def run(cluster):
    address = serve_web(cluster)
    owner = cluster.wait_for("owner", lambda: cluster.owner(address))
    starved = cluster.starved_ms()
    prober = cluster.prober("client", address, 80, "--timeout-ms", "1000")

    cluster.kill(owner)
    heir = cluster.wait_for("another owner", lambda: (new := cluster.owner(address)) != owner and new,
                            PATIENCE_SECONDS)
    cluster.wait_for("answers again", lambda: all(cluster.curl("client", address, 80, 1) for _ in range(6)),
                     PATIENCE_SECONDS)
    measured = prober.stop()

    print(f"  {owner} -> {heir}: no answer for {measured['gap_ms']:.0f} ms, "
          f"{measured['failed']} of {measured['requests']} requests failed")
    starved = cluster.starved_ms() - starved  # time in which the guest did not run
    expect(measured["gap_ms"] < LONGEST_GAP_MS + starved, f"no answer for {measured['gap_ms']:.0f} ms")

    cluster.restore(owner)
    cluster.wait_installed()
    cluster.wait_for("answer with all nodes back", lambda: cluster.curl("client", address))
    cluster.wait_owner(address)  # fails when two nodes answer
