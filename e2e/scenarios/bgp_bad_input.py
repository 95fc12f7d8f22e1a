"""What is wrong with a peer is said in one clear line, once, where one looks for it; the other peers go on.

The good peer's session, routes and traffic are watched from the first mistake to the last.
"""

from bgp import (NODES_ASN, OTHER_ASN, TOR_ASN, host_route, measured_loss, node_names, password_secret, peer, serve,
                 speaker_log, wait_answer, wait_session_state)
from cluster import NAMESPACE, ScenarioFailed, expect
from manifests import balancer, passed
from routers import Router

SECOND = "192.168.100.50"  # GoBGP on `client`
NOBODY, NOBODY_ELSE = "192.168.100.99", "192.168.100.98"
REFUSED, RIGHT_AGAIN = "configuration refused", "configuration is right again"
LONGEST_LINES = 2  # in a log, for one trouble of one peer


def broken_sessions(cluster, second):
    """Sessions that cannot come up: reason and message of BGPSessionState, one Event, one line in the log."""
    table = [("wrong-as", {"peerAddress": SECOND, "peerASN": 64999}, ["64999", str(OTHER_ASN)]),
             ("unreachable", {"peerAddress": NOBODY}, [NOBODY]),
             ("wrong-password", {"peerAddress": SECOND, "peerASN": OTHER_ASN, "password": "nonsense"},
              ["password"]),
             ("refused", {"peerAddress": SECOND, "peerASN": OTHER_ASN, "peerPort": 1234}, [SECOND, "1234"])]
    for name, spec, words in table:
        cluster.put(peer(name, **spec))
        status = wait_session_state(cluster, "node1", name, lambda now, wanted=tuple(words): now["bgp"] != "Established"
                                    and all(word in now.get("message", "") for word in wanted),
                                    f"{' and '.join(words)}")
        print(f"  {name}: {status['bgp']}, {status.get('reason')}: {status['message']}", flush=True)
        expect("\n" not in status["message"], f"more than one line: {status['message']!r}")
        cluster.wait_for(f"Event about {name}", lambda one=name: events_about(cluster, one))
        passed(f"a peer that is {name} says so")
        if spec["peerAddress"] == SECOND:
            cluster.delete("BGPPeer", name)
    cluster.put(peer("mended", peerAddress=SECOND, peerASN=OTHER_ASN))
    second.wait_established()
    passed("a peer that is mended comes up")


def events_about(cluster, name):
    """Messages of the Events that name a peer."""
    return [item.get("message") or item.get("note", "") for item in cluster.items("Event", NAMESPACE)
            if name in (item.get("message") or item.get("note", ""))
            or (item.get("involvedObject") or item.get("regarding") or {}).get("name") == name]


def broken_configuration(cluster, tor, since):
    """Objects that contradict or miss something: refused at the door, or told in the log; the last good ones stay."""
    table = [("no-profile", {"bfdProfile": "nowhere"}, ["no-profile", "spec.bfdProfile", "nowhere"]),
             ("no-secret", {"passwordSecret": {"name": "nowhere"}}, ["no-secret", "spec.passwordSecret", "nowhere"]),
             ("no-number", {"myASN": 0}, ["no-number", "spec.myASN"]),
             ("two-ways", {"interface": "eth0"}, ["two-ways", "peerAddress", "interface"]),
             ("bad-hold", {"holdTime": "2s"}, ["bad-hold", "spec.holdTime", "2s"]),
             ("twice", {"peerAddress": SECOND}, ["twice", SECOND])]
    for name, spec, words in table:
        mended = len(log_lines(cluster, RIGHT_AGAIN))
        try:
            cluster.put(peer(name, **{"peerAddress": NOBODY_ELSE, **spec}))
        except ScenarioFailed as refusal:
            line = str(refusal).strip().splitlines()[-1]
            expect(all(word in line for word in words), f"the refusal of {name}: {refusal}")
        else:
            line = cluster.wait_for(f"complaint about {name}",
                                    lambda wanted=tuple(words): log_lines(cluster, REFUSED, *wanted))[0]
            cluster.delete("BGPPeer", name)
            cluster.wait_for("a right configuration", lambda before=mended: len(
                log_lines(cluster, RIGHT_AGAIN)) > before)
        print(f"  {name}: {line[line.find('problem') + 10:] if 'problem' in line else line}", flush=True)
        passed(f"a peer with {name.replace('-', ' ')} is told in one line")
        expect(unmoved(tor, since), f"{name} reset the good sessions")


def log_lines(cluster, *words):
    """Lines of node1's speaker that have all the words."""
    return [line for line in speaker_log(cluster, "node1") if all(word in line for word in words)]


def unmoved(tor, since):
    """Whether the good sessions are those of the beginning."""
    return {name: session.since for name, session in tor.sessions().items()} == since


def run(cluster):
    tor = Router(cluster, "bird")
    tor.start(tor.setup(TOR_ASN, NODES_ASN, password="right"))
    second = Router(cluster, "gobgp", "client")
    second.start(second.setup(OTHER_ASN, NODES_ASN, passive=True))
    cluster.put(password_secret("tor", "wrong"), peer(passwordSecret={"name": "tor"}))
    address, = serve(cluster, balancer("web"))
    wait_session_state(cluster, "node1", "tor", lambda now: "password" in now.get("message", ""), "password")
    expect(not any(session.up for session in tor.sessions().values()), "a session in spite of a wrong password")
    cluster.put(password_secret("tor", "right"))
    tor.wait_established(deadline=30)
    tor.wait_next_hops(host_route(address), *node_names(cluster))
    wait_answer(cluster, address)
    passed("a wrong password is told; the right one in the Secret mends it")

    since = {name: session.since for name, session in tor.sessions().items()}
    prober = cluster.prober("remote", address)
    broken_sessions(cluster, second)
    broken_configuration(cluster, tor, since)
    measured_loss("all the while, through the good peer", prober)
    tor.wait_routes(host_route(address), *node_names(cluster))
    expect(unmoved(tor, since), "the good sessions were reset")
    lines = log_lines(cluster, "peer unreachable:", NOBODY)
    expect(1 <= len(lines) <= LONGEST_LINES, f"{len(lines)} lines about the unreachable peer: {lines[:5]}")
    passed("the good peer noticed nothing, and the log says each trouble once")
