"""Services of two families: which pool, which address first, and a second address as soon as there is one.

All seven cases of ipFamilyPolicy PreferDualStack, and the pools' counters.
"""

from cluster import expect
from manifests import balancer, passed, pool_object, wait_pools

V4, V6 = "10.60.{}.0/30", "fd00:60:{}::/126"


def dual_pool(name, number, **spec):
    """A pool of both families."""
    return pool_object(name, V4.format(number), V6.format(number), **spec)


def families(addresses):
    """IPv4 or IPv6, address by address."""
    return ["IPv6" if ":" in address else "IPv4" for address in addresses]


def wait_families(cluster, name, *wanted):
    """Waits until the Service's addresses are of these families, in this order; returns them."""
    return cluster.wait_for(f"addresses of {name} ({', '.join(wanted)})", lambda: families(
        now := cluster.addresses(name)) == list(wanted) and now)


def prefer(name, **spec):
    """A Service that prefers two families."""
    return balancer(name, ipFamilyPolicy="PreferDualStack", **spec)


def wait_pool_of(cluster, name, pool):
    """Until the Service is said to have its addresses from that pool: a request of its own writes it."""
    cluster.wait_for(f"{name} of pool {pool}", lambda: cluster.read("Service", name)["metadata"]["annotations"][
        "metallb.io/ip-allocated-from-pool"] == pool)


def choice(cluster):
    cluster.put(pool_object("a-single", "10.60.0.0/30"), dual_pool("b-dual", 1))
    wait_pools(cluster, "a-single", "b-dual")
    cluster.put(prefer("web"))
    wait_families(cluster, "web", "IPv4", "IPv6")
    wait_pool_of(cluster, "web", "b-dual")
    passed("a pool of both families is chosen where there is one")
    cluster.delete("Service", "web")
    cluster.delete("IPAddressPool", "b-dual")
    cluster.put(pool_object("c-six", "fd00:60:9::/126"))
    cluster.put(prefer("web"))
    wait_families(cluster, "web", "IPv4")
    passed("without one, the family is IPv4 by default")
    cluster.delete("Service", "web")
    cluster.put(prefer("web", ipFamilies=["IPv6", "IPv4"]))
    wait_families(cluster, "web", "IPv6")
    passed("without one, the family is IPv6 where it is first in ipFamilies")
    cluster.delete("Service", "web")
    cluster.delete("IPAddressPool", "c-six")


def growth(cluster):
    cluster.put(prefer("web"))
    first = wait_families(cluster, "web", "IPv4")[0]
    cluster.put(dual_pool("b-dual", 1))
    cluster.put(balancer("mark", annotations={"address_pool": "b-dual"}))
    cluster.wait_external_ip("mark")  # the controller has seen the new pool
    expect(cluster.addresses("web") == [first], f"web left {first} for {cluster.addresses('web')}")
    passed("a Service does not jump to a pool of both families that comes later")
    cluster.delete("Service", "mark")
    cluster.put(dual_pool("a-single", 0))
    grown = wait_families(cluster, "web", "IPv4", "IPv6")
    expect(grown[0] == first, f"web had {first}, now {grown}")
    passed("a Service gets its second address when its pool gets the family, and keeps the first")
    return grown


def shrinking(cluster, grown):
    cluster.put(pool_object("a-single", "10.60.0.0/30"))
    moved = cluster.wait_for("two addresses of b-dual", lambda: (
        now := cluster.addresses("web")) != grown and len(now) == 2 and now)
    expect(families(moved) == ["IPv4", "IPv6"], f"web has {moved}")
    wait_pool_of(cluster, "web", "b-dual")
    passed("a Service moves to another pool of both families when its own loses one")
    cluster.delete("Service", "web")


def policies(cluster):
    cluster.delete("IPAddressPool", "b-dual")
    cluster.put(balancer("web", ipFamilyPolicy="RequireDualStack"))
    cluster.wait_for("refusal of RequireDualStack", lambda: any(
        reason == "AllocationFailed" for reason, _ in cluster.events("web")))
    cluster.wait_for("no address for RequireDualStack", lambda: cluster.addresses("web") == [])
    cluster.put(prefer("web"))
    wait_families(cluster, "web", "IPv4")
    cluster.put(balancer("web", ipFamilyPolicy="RequireDualStack"))
    cluster.wait_for("end of the single address", lambda: cluster.addresses("web") == [])
    passed("PreferDualStack is content with one family, RequireDualStack is not, and they may be switched")
    cluster.delete("Service", "web")


def counters(cluster):
    cluster.put(dual_pool("a-single", 0))
    cluster.put(prefer("two"), balancer("four"), balancer("shared", ports=(81,), annotations={"allow_shared_ip": "k"}),
                balancer("sharing", ports=(82,), annotations={"allow_shared_ip": "k", "loadBalancerIPs": "10.60.0.3"}))
    wanted = {"assignedIPv4": 4, "assignedIPv6": 1, "availableIPv4": 0, "availableIPv6": 3}

    def counted():
        return cluster.read("IPAddressPool", "a-single").get("status")
    cluster.wait_for(f"counters {wanted}", lambda: counted() == wanted, 30)
    cluster.delete("Service", "two")
    wanted = {"assignedIPv4": 3, "assignedIPv6": 0, "availableIPv4": 1, "availableIPv6": 4}
    cluster.wait_for(f"counters {wanted}", lambda: counted() == wanted, 30)
    passed("the pool's status counts addresses of both families")


def run(cluster):
    choice(cluster)
    shrinking(cluster, growth(cluster))
    policies(cluster)
    counters(cluster)
