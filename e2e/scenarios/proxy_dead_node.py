"""A node loses its power: the other nodes stop sending to its pods within half a second, and nothing else suffers.

The API server does not know for many seconds; the speakers do. Measured in the guest, from the moment the node's
switch port goes down until IPVS on each other node has no real server of it with a weight.
"""

import ipaddress

from cluster import expect
from manifests import expect_nothing_lost, passed
from proxy_support import Stage, pod, service

LIMIT_MS = 500
DEAD = "node2"


def run(cluster):
    with Stage(cluster) as stage:
        stage.start(*(pod(f"web-{number}", f"node{number}") for number in (1, 2, 3)),
                    pod("asker", "node3", app="asker"), pool=False)
        cluster.put(service("web", "NodePort", ports=((80, "TCP"), (80, "UDP")), ipFamilyPolicy="RequireDualStack"),
                    service("elsewhere", "NodePort", selector={"pod": "web-3"}))
        address, port = stage.cluster_ip("web"), stage.node_port("web")
        others = [node for node in stage.nodes if node != DEAD]
        stage.soon("all endpoints", lambda *outcomes: all(len(each.shares) == 3 for each in outcomes), *(
            stage.one(node, address, count=6, protocol=protocol) for node in others for protocol in ("TCP", "UDP")),
            *(stage.one(node, stage.cluster_ip("web", 1), count=6) for node in others))

        # Connections that have nothing to do with the dead node; of eight, some lead to web-1 and some to web-3.
        kept = {f"kept-{number}": stage.keep(f"kept-{number}", "client", stage.node_ip("node1"), port)
                for number in range(9)}
        untouched = cluster.prober("client", stage.node_ip("node1"), stage.node_port("elsewhere"))
        six = [stage.ip("web-2", "IPv6")]
        prefixes = [stage.ip("web-2"), *six, *(long_form(text) for text in six)]
        stage.talker.request("start", name="watch", switch_port=f"lan-{DEAD}", nodes=others, prefixes=prefixes)
        starved = cluster.starved_ms()
        cluster.kill(DEAD)
        times = stage.talker.request("stop", name="watch")
        starved = cluster.starved_ms() - starved
        expect("power" in times, "the node's switch port did not go down")
        late = {node: times.get(node, "never") for node in others}
        print("  real servers out of rotation after " + ", ".join(f"{late[node]} ms on {node}" for node in others)
              + f"; the guest has waited {starved:.0f} ms for a CPU meanwhile", flush=True)
        expect(all(isinstance(when, float | int) and when < LIMIT_MS + starved for when in late.values()),
               f"too late: {late}, of which the guest may have waited {starved:.0f} ms for a CPU of this machine")
        passed(f"the dead node's real servers are out of rotation within {LIMIT_MS} ms, both families, TCP and UDP")

        outcomes = stage.ask_all(*(stage.one(via, address, count=12, protocol=protocol, timeout=1)
                                   for via in ("asker", "node1", "node3") for protocol in ("TCP", "UDP")))
        expect(all(set(each.words) == {"web-1", "web-3"} for each in outcomes), f"new connections: {outcomes}")
        ready = [each for item in cluster.items("EndpointSlice") for each in item["endpoints"] or []
                 if each.get("nodeName") == DEAD and each["conditions"]["ready"]]
        expect(ready, "the API server knew already: nothing was shown")
        passed("new connections go to living pods alone, while the API server still calls the dead ones ready")
        for name, word in kept.items():
            if word != "web-2":
                expect(stage.again(name) == word, f"the connection to {word} is gone")
        expect_nothing_lost("connections elsewhere", untouched)
        passed("connections to pods of living nodes go on")

        cluster.restore(DEAD)
        cluster.wait_installed(60)
        stage.soon("the endpoint that is back", lambda *all_of: all("web-2" in each.shares for each in all_of),
                   *(stage.one(node, address, count=6) for node in others), deadline=40)
        passed("its pods are back in rotation when the node is")


def long_form(address):
    """An IPv6 address as /proc/net/ip_vs writes it."""
    return ipaddress.IPv6Address(address).exploded
