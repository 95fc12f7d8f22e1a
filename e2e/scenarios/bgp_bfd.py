"""BFD finds a dead node in a fraction of a second, and a dead way to the router as well.

FRR shows what a BFDProfile becomes on the wire; BIRD is the router of a node that loses its power while a client
asks every 10 ms.
"""

from bgp import (NODES_ASN, TOR_ASN, answering_nodes, bfd_profile, expect_spread, host_route, measured_loss, node_names,
                 peer, serve, wait_session_state)
from cluster import expect
from manifests import balancer, passed
from router_config import Bfd
from routers import Router

INTERVAL, MULTIPLIER = 200, 4
SLOW = 800  # ms
INTERVAL_OF_PROBER_MS = 10
# A guest whose only CPU is busy sees its own timers late, and has connections that time out after a second; a hold
# timer would take 90 s.
LONGEST_LOSS_MS = 3000


def profiles(cluster):
    """What FRR sees of a profile's numbers, with echo and passive."""
    tor = Router(cluster, "frr")
    # The router is patient, so that what it is told can be seen on a busy machine, too.
    tor.start(tor.setup(TOR_ASN, NODES_ASN, bfd=True, bfd_timers=Bfd(1000, 5), restart_seconds=0))
    tor.wait_established()
    table = [("usual", {}, {"remote-receive-interval": 300, "remote-transmit-interval": 300,
                            "remote-detect-multiplier": 3}),
             ("full", {"receiveInterval": 80, "transmitInterval": 90, "detectMultiplier": 7, "minimumTtl": 254},
              {"remote-receive-interval": 80, "remote-transmit-interval": 90, "remote-detect-multiplier": 7}),
             ("patient", {"passiveMode": True, "receiveInterval": 120}, {"remote-receive-interval": 120}),
             ("echoing", {"echoMode": True, "echoInterval": 60, "receiveInterval": 200, "transmitInterval": 200,
                          "detectMultiplier": 50}, {"remote-echo-receive-interval": 60})]
    since = None
    for name, spec, wanted in table:
        cluster.put(bfd_profile(name, **spec), peer(bfdProfile=name))
        cluster.wait_for(f"BFD sessions of profile {name}", lambda numbers=wanted: (now := tor.bfd()) and all(
            session.up and numbers.items() <= session.details.items() for session in now.values()) and len(now) == 3)
        wait_session_state(cluster, "node1", "tor", lambda now: now["bfd"] == "Up", "BFD is up")
        sessions = {key: session.since for key, session in tor.sessions().items()}
        expect(since in (None, sessions), f"profile {name} reset the BGP sessions")
        since = sessions
        passed(f"a BFD profile as FRR sees it: {name} {spec or ''}".rstrip())
    for name in ("metallb_bfd_session_up", "metallb_bfd_control_packet_input", "metallb_bfd_control_packet_output",
                 "metallb_bfd_echo_packet_input", "metallb_bfd_echo_packet_output"):
        cluster.wait_for(name, lambda one=name: any(
            key.startswith(one + "{") and value > 0 for key, value in cluster.metrics("node1").items()))
    passed("metallb_bfd_* tell sessions and packets, and echoes come back")
    cluster.put(peer())
    cluster.wait_for("end of BFD on node1", lambda: not any(session.up for session in tor.bfd().values()))
    # FRR takes the end for a failure, as long as its own neighbours ask for BFD.
    wait_session_state(cluster, "node1", "tor", lambda now: now["bfd"] == "N/A", "no BFD")
    passed("BFD ends with the peer's bfdProfile")
    tor.stop()


def power_cut(cluster, address):
    """A node dies: the router must not send anything there for long."""
    tor = Router(cluster, "bird")
    tor.start(tor.setup(TOR_ASN, NODES_ASN, bfd=True, bfd_timers=Bfd(INTERVAL, MULTIPLIER), restart_seconds=0))
    cluster.put(bfd_profile("fast", receiveInterval=INTERVAL, transmitInterval=INTERVAL, detectMultiplier=MULTIPLIER),
                peer(bfdProfile="fast"))
    cluster.wait_for("fast BFD sessions", lambda: (now := tor.bfd()) and len(now) == 3 and all(
        session.up and session.details["timeout"] == INTERVAL * MULTIPLIER for session in now.values()))
    tor.wait_next_hops(host_route(address), *node_names(cluster))
    cluster.wait_for("requests through every node", lambda: expect_spread(cluster, address))
    answering_nodes(cluster, address)  # a wait hides failed requests
    starved = cluster.starved_ms()
    prober = cluster.prober("remote", address, 80, "--timeout-ms", "1000")
    cluster.kill("node3")
    tor.wait_next_hops(host_route(address), "node1", "node2")
    measured, starved = prober.stop(), cluster.starved_ms() - starved
    lost = measured["failed"] + measured["pending"]
    lost_ms = lost * INTERVAL_OF_PROBER_MS * len(node_names(cluster))
    print(f"  power cut with BFD {INTERVAL} ms x {MULTIPLIER}: {lost} of {measured['requests']} requests lost, about "
          f"{lost_ms} ms of the flows over the dead node; longest time without any answer {measured['gap_ms']:.0f} ms",
          flush=True)
    expect(lost_ms < LONGEST_LOSS_MS + starved, f"flows over the dead node were lost for {lost_ms} ms, in which the "
           f"guest may have waited {starved:.0f} ms for a CPU")
    # A node that boots keeps the guest's CPU from all others: nobody shall take one of them for dead.
    cluster.put(bfd_profile("fast", receiveInterval=SLOW, transmitInterval=SLOW, detectMultiplier=MULTIPLIER))
    cluster.wait_for("slow BFD sessions", lambda: [session.details["timeout"] for session in tor.bfd().values()
                                                   if session.up] == 2 * [SLOW * MULTIPLIER])
    prober = cluster.prober("remote", address)
    cluster.restore("node3")
    cluster.wait_installed()
    tor.wait_next_hops(host_route(address), *node_names(cluster))
    measured_loss("node3 is back", prober, moves=1)
    expect_spread(cluster, address)
    passed("a node without power loses its routes at once, and gets them back without a lost request")
    return tor


def way_cut(cluster, tor, address):
    """Node and router do not hear each other: both take it for a failure, and say which."""
    cluster.partition("node2", "router")
    tor.wait_next_hops(host_route(address), "node1", "node3")
    status = wait_session_state(cluster, "node2", "tor", lambda now: now["bgp"] != "Established"
                                and "BFD" in now.get("reason", "") + now.get("message", ""), "BFD ended it")
    print(f"  node2 says: {status.get('reason')}: {status.get('message')}", flush=True)
    cluster.heal()
    tor.wait_next_hops(host_route(address), *node_names(cluster))
    wait_session_state(cluster, "node2", "tor", lambda now: now["bgp"] == "Established" and now["bfd"] == "Up", "up")
    passed("a way that is cut ends the session on both sides, which comes back with the way")


def run(cluster):
    cluster.put(peer())
    address, = serve(cluster, balancer("web"))
    profiles(cluster)
    way_cut(cluster, power_cut(cluster, address), address)
