"""What neighbours on the LAN see: arping, ndisc6 and neighbour unreachability detection are answered by the
announcing node alone; a foreign claim of the address is defended once and reported.
"""

import signal
import time

from cluster import expect
from manifests import advertisement, balancer, passed, pool_object, start_pods

FOUR, SIX = "192.168.100.200", "fd00:192:168:100::c8"
LISTEN_SECONDS = 5


def drills(cluster):
    owner4, owner6 = cluster.wait_owner(FOUR), cluster.wait_owner(SIX)
    answers = cluster.wait_for("answers to arping", lambda: len(now := cluster.arping(FOUR, count=3)) >= 2 and now)
    expect(set(answers) == {cluster.mac_of(owner4)}, f"arping got {answers}")
    passed(f"arping: {len(answers)} answers, all from {owner4}")

    out = cluster.run("client", "ndisc6", "-m", "-r", "3", SIX, "eth0")
    expect(cluster.mac_of(owner6) in out.lower() and out.count("link-layer") == 1, f"ndisc6 says: {out}")
    passed(f"ndisc6: one answer, from {owner6}")

    for options, what in (({"to": cluster.mac_of(owner6)}, "unicast"),
                          ({"to": cluster.mac_of(owner6), "bare": True}, "unicast without its link-layer option")):
        answers = cluster.wait_for(f"answer to a solicitation that is {what}",
                                   lambda how=options: cluster.ask(SIX, **how))
        expect(answers == [cluster.mac_of(owner6)], f"a solicitation that is {what} is answered by {answers}")
        passed(f"a solicitation that is {what} (NUD) is answered")
    others = [node.name for node in cluster.topology.nodes if node.name != owner6]
    for node in others:
        expect(cluster.ask(SIX, to=cluster.mac_of(node)) == [], f"{node} answers for {SIX}")
    for node in [node.name for node in cluster.topology.nodes if node.name != owner4]:
        expect(cluster.ask(FOUR, to=cluster.mac_of(node)) == [], f"{node} answers for {FOUR}")
    passed("no other node answers, even when asked itself")

    for address in (FOUR, SIX):
        out = cluster.run("client", "ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", address)
        expect("3 received" in out, f"ping says: {out}")
    passed("ping is answered, both families")

    # The kernel's own way: the entry goes stale, is probed by unicast and found reachable.
    cluster.wait_for("answer", lambda: cluster.curl("client", SIX))
    cluster.run("client", "ip", "neigh", "change", SIX, "lladdr", cluster.mac_of(owner6), "dev", "eth0", "nud", "probe")
    cluster.wait_for("state REACHABLE in the client's kernel", lambda: "REACHABLE" in cluster.run(
        "client", "ip", "neigh", "show", SIX, "dev", "eth0"))
    passed("the client's kernel confirms its neighbour")


def conflicts_of(cluster, node, address):
    """How many foreign claims of the address a speaker has counted."""
    return cluster.metrics(node).get(f'steelyard_layer2_conflicts_total{{ip="{address}"}}', 0)


def wait_quiet(cluster, node, address):
    """Waits until the packets that go with taking an address over have all been sent."""
    counts = []

    def quiet():
        counts.append(cluster.metrics(node).get(f'metallb_layer2_gratuitous_sent{{ip="{address}"}}', 0))
        return len(counts) > 1 and counts[-1] == counts[-2]
    cluster.wait_for("end of the takeover's packets", quiet, 30, interval=3)


def conflict(cluster, address):
    owner = cluster.wait_owner(address)
    intruder = cluster.topology.host("client").mac
    wait_quiet(cluster, owner, address)
    before = conflicts_of(cluster, owner, address)
    kind = "arp" if address == FOUR else "icmp6 and ip6[40] == 136"
    dump = cluster.popen("router", ["timeout", "60", "tcpdump", "-lnei", "eth0", kind])
    cluster.wait_for("tcpdump", lambda: "listening" in dump.stderr.readline(), 10)
    for _ in range(3):
        cluster.claim(address)
    claimed = time.monotonic()
    message = cluster.wait_for("Event addressConflict", lambda: [
        text for reason, text in cluster.events("web") if reason == "addressConflict" and address in text])[-1]
    expect(intruder in message, f"the Event does not name {intruder}: {message}")
    cluster.wait_for("count of the conflict", lambda: conflicts_of(cluster, owner, address) > before)
    cluster.wait_for("time for more packets of defence", lambda: time.monotonic() - claimed > LISTEN_SECONDS)
    dump.send_signal(signal.SIGINT)
    out, _ = dump.communicate(timeout=60)
    defences = [line for line in out.splitlines() if f" {cluster.mac_of(owner)} >" in line and address in line
                and ("33:33:00:00:00:01" in line or "ff:ff:ff:ff:ff:ff" in line)]
    cluster.wait_owner(address, owner)
    print(f"  addressConflict: {message}")
    for line in defences:
        print(f"  {line}")
    return len(defences)


def conflicts(cluster):
    for address in (FOUR, SIX):
        count = conflict(cluster, address)
        print(f"  {count} packet(s) of defence after 3 false claims of {address}")
        expect(count >= 1, "the address was not defended")
        expect(count <= 2, f"{count} packets of defence: RFC 5227 allows one in ten seconds")
        passed(f"a foreign claim of {address}: an Event, a count, one defence; the address stays")
    cluster.wait_for("conflict in the status", lambda: any(
        "conflict" in key.lower() for item in cluster.items("ServiceL2Status") for key in item.get("status", {})))
    passed("ServiceL2Status tells the conflict")


def run(cluster):
    start_pods(cluster)
    cluster.put(pool_object("first", f"{FOUR}/32", f"{SIX}/128"), advertisement(),
                balancer("web", ipFamilyPolicy="RequireDualStack"))
    cluster.wait_for("two addresses", lambda: cluster.addresses("web") == [FOUR, SIX])
    drills(cluster)
    conflicts(cluster)
