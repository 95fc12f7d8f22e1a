"""What a Service gets from layer 2: both protocols, both families, a common announcer, a status, counters.

All of it goes away with the Service.
"""

from cluster import NAMESPACE
from controller_replicas import holder
from manifests import advertisement, balancer, passed, pool_object, start_pods

FOUR, SIX = "192.168.100.{}", "fd00:192:168:100::{:x}"


def answers(cluster, address, port=80):
    """Whether the Service answers the client there."""
    return cluster.curl("client", address, port)


def wait_answer(cluster, address, port=80):
    return cluster.wait_for(f"answer from {address}:{port}", lambda: answers(cluster, address, port))


def mixed_protocols(cluster):
    cluster.put(balancer("mixed", ports=(80, (80, "UDP"))))
    address = cluster.wait_external_ip("mixed")
    wait_answer(cluster, address)
    cluster.wait_for("answer to a datagram", lambda: cluster.datagram("client", address, 80))
    passed("TCP and UDP on one address both work")
    cluster.delete("Service", "mixed")


def shared_address(cluster, family, wanted):
    key = {"allow_shared_ip": "k", "loadBalancerIPs": wanted}
    names = [f"shared-{number}" for number in range(3)]
    cluster.put(*(balancer(name, ports=(80 + number,), annotations=key, ipFamilies=[family])
                  for number, name in enumerate(names)))
    for number, name in enumerate(names):
        cluster.wait_for(f"{wanted} for {name}", lambda one=name: cluster.addresses(one) == [wanted])
        wait_answer(cluster, wanted, 80 + number)
    owner = cluster.wait_owner(wanted)

    def announcers():
        return {status["serviceName"]: status["node"] for status in cluster.statuses("ServiceL2Status")
                if status["serviceName"] in names}
    cluster.wait_for(f"status of all three on {owner}", lambda: announcers() == {name: owner for name in names})
    cluster.delete("Service", names[0])
    cluster.wait_owner(wanted, owner)
    cluster.wait_for("end of one status", lambda: len(announcers()) == 2)
    passed(f"Services that share an address are announced by one node ({family}), each with its ServiceL2Status")
    cluster.delete("Service", *names[1:])
    cluster.wait_silence(wanted)
    cluster.wait_for("end of the statuses", lambda: not announcers())
    passed(f"silence and no status when the last one is gone ({family})")


def pool_forms(cluster):
    for form, addresses, wanted in (("prefix", FOUR.format(216) + "/29", FOUR.format(216)),
                                    ("range", f"{FOUR.format(240)}-{FOUR.format(245)}", FOUR.format(240))):
        cluster.put(pool_object("form", addresses), balancer("formed", annotations={"address_pool": "form"}))
        cluster.wait_for(f"{wanted} for formed", lambda one=wanted: cluster.addresses("formed") == [one])
        wait_answer(cluster, wanted)
        cluster.delete("Service", "formed")
        cluster.delete("IPAddressPool", "form")
        passed(f"a pool that is a {form} works")


def controller_metrics(cluster):
    """The samples of the controller that leads: the other one has no allocator."""
    pod = next(pod for pod in cluster.pods("component=controller", NAMESPACE)
               if pod["metadata"]["name"] == holder(cluster))
    return cluster.metrics("node1", f"http://{pod['status']['podIP']}:9120/metrics")


def has_samples(samples, **wanted):
    """Whether each sample (label text -> value; None: no such sample) is there; `name` is the metric's."""
    return all(samples.get(name) == value for name, value in wanted.items())


def metrics(cluster, family, address):
    short = "ipv4" if family == "IPv4" else "ipv6"
    allocator = [f'metallb_allocator_{infix}addresses_in_use_total{{pool="{short}"}}' for infix in ("", f"{short}_")]
    total = f'metallb_allocator_{short}_addresses_total{{pool="{short}"}}'
    cluster.put(pool_object(short, address + ("/32" if short == "ipv4" else "/128")),
                balancer("measured", annotations={"address_pool": short}, ipFamilies=[family]))
    cluster.wait_external_ip("measured")
    wait_answer(cluster, address)
    owner = cluster.wait_owner(address)
    announced = f'metallb_speaker_announced{{ip="{address}",node="{owner}",protocol="layer2",service="default/measured"}}'
    counters = [f'metallb_layer2_{what}{{ip="{address}"}}'
                for what in ("requests_received", "responses_sent", "gratuitous_sent")]

    def ordered(samples):
        """Labels in the order of their names."""
        return {name.partition("{")[0] + "{" + ",".join(sorted(name.partition("{")[2].rstrip("}").split(","))) + "}":
                value for name, value in samples.items()}
    cluster.wait_for("the controller's gauges", lambda: has_samples(
        controller_metrics(cluster), **{total: 1, **dict.fromkeys(allocator, 1)}))
    cluster.wait_for("the speaker's gauge and counters", lambda: (seen := ordered(cluster.metrics(owner))).get(
        announced) == 1 and all(seen.get(name, 0) > 0 for name in counters))
    cluster.delete("Service", "measured")
    cluster.wait_for("gauges at 0", lambda: has_samples(
        controller_metrics(cluster), **{total: 1, **dict.fromkeys(allocator, 0)}))
    cluster.wait_for("end of the speaker's samples", lambda: not any(
        address in name for name in cluster.metrics(owner)))
    cluster.delete("IPAddressPool", short)
    cluster.wait_for("end of the controller's samples", lambda: total not in controller_metrics(cluster))
    passed(f"metrics of controller and speaker come and go with the Service and its pool ({family})")


def run(cluster):
    start_pods(cluster)
    cluster.put(pool_object("four", FOUR.format(200) + "/30"), pool_object("six", SIX.format(200) + "/126"),
                advertisement())
    mixed_protocols(cluster)
    shared_address(cluster, "IPv4", FOUR.format(202))
    shared_address(cluster, "IPv6", SIX.format(202))
    pool_forms(cluster)
    metrics(cluster, "IPv4", FOUR.format(230))
    metrics(cluster, "IPv6", SIX.format(0xe6))
