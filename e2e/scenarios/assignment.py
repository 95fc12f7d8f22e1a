"""Addresses find their Services: freed, shared, kept over a restart, and taken only from pools that allow it.

The cases of serviceAllocation: by namespace, by priority alone, by namespace labels, by Service labels, and both
pairs of them; each with the pool that comes next when the first one is full.
"""

from cluster import NAMESPACE, expect
from manifests import balancer, match_labels, namespace_object, passed, pool_object, wait_pools


def settled(cluster, name, namespace="default"):
    """The Service's addresses, once the controller has said in its condition whether it has any."""
    def said():
        conditions = cluster.read("Service", name, namespace).get("status", {}).get("conditions", [])
        return any(entry["type"] == "steelyard.io/AddressAssigned" for entry in conditions)
    cluster.wait_for(f"verdict on {name}", said)
    return cluster.addresses(name, namespace)


def expect_address(cluster, name, address, namespace="default"):
    """Waits until the Service has exactly this address."""
    cluster.wait_for(f"{address} for {namespace}/{name}",
                     lambda: cluster.addresses(name, namespace) == [address])


def freed(cluster):
    cluster.put(pool_object("one", "10.50.0.1/32"), balancer("first"))
    expect_address(cluster, "first", "10.50.0.1")
    cluster.put(balancer("second"))
    expect(settled(cluster, "second") == [], "second has an address although the pool has none")
    cluster.put(balancer("first", type="ClusterIP"))
    expect_address(cluster, "second", "10.50.0.1")
    cluster.wait_for("end of first's address", lambda: cluster.addresses("first") == [])
    passed("the address of a Service that becomes ClusterIP goes to one that waits")
    cluster.put(balancer("first"))
    expect(settled(cluster, "first") == [], "first has an address although the pool has none")
    cluster.delete("Service", "second")
    expect_address(cluster, "first", "10.50.0.1")
    passed("the address of a deleted Service goes to one that waits")


def kept(cluster):
    cluster.put(balancer("a-waiting"), balancer("z-waiting"))
    expect(settled(cluster, "a-waiting") == settled(cluster, "z-waiting") == [], "the pool has more than one address")
    cluster.kubectl("-n", NAMESPACE, "delete", "pod", "-l", "component=controller", "--wait=true")
    cluster.wait_installed()
    cluster.put(balancer("later"))
    expect(settled(cluster, "later") == [], "a Service made after the restart took an address that is held")
    expect(cluster.addresses("first") == ["10.50.0.1"], "first lost its address over a restart of the controller")
    expect(cluster.addresses("a-waiting") == [] == cluster.addresses("z-waiting"), "an address was given twice")
    passed("a Service keeps its address over a restart of the controller while others wait for it")
    cluster.delete("Service", "first", "a-waiting", "z-waiting", "later")


def shared(cluster):
    key = {"allow_shared_ip": "together"}
    cluster.put(balancer("first", annotations=key))
    expect_address(cluster, "first", "10.50.0.1")
    cluster.put(balancer("second", annotations=key))
    expect(settled(cluster, "second") == [], "two Services share an address and a port")
    cluster.put(balancer("second", ports=(81,), annotations=key))
    expect_address(cluster, "second", "10.50.0.1")
    cluster.put(balancer("third", ports=(82,)))
    expect(settled(cluster, "third") == [], "a Service without the key shares the address")
    cluster.put(balancer("third", ports=(82,), annotations=key))
    expect_address(cluster, "third", "10.50.0.1")
    passed("a Service that changes its port or its key gets in with those who share")
    cluster.delete("Service", "first", "second", "third")


def pools_removed(cluster):
    cluster.put(balancer("first"))
    expect_address(cluster, "first", "10.50.0.1")
    cluster.put(pool_object("two", "10.50.1.1/32"))
    cluster.delete("IPAddressPool", "one")
    expect_address(cluster, "first", "10.50.1.1")
    passed("a Service whose pool is removed gets an address of another pool")
    cluster.delete("IPAddressPool", "two")
    cluster.wait_for("end of the address", lambda: cluster.addresses("first") == [])
    passed("a Service has no address when all pools are removed")
    cluster.delete("Service", "first")


def service_allocation(cluster):
    cluster.put(namespace_object("blue", team="blue"), namespace_object("red", team="red"))
    team, gold = match_labels(team="blue"), match_labels(tier="gold")
    cases = [  # what, allocation of the pool, namespace and labels of a Service that may, and of one that may not
        ("namespace", {"namespaces": ["blue"]}, ("blue", {}), ("red", {})),
        ("namespace labels", {"namespaceSelectors": team}, ("blue", {}), ("red", {})),
        ("Service labels", {"serviceSelectors": gold}, ("red", {"tier": "gold"}), ("red", {})),
        ("namespace and Service labels", {"namespaces": ["blue"], "serviceSelectors": gold},
         ("blue", {"tier": "gold"}), ("blue", {})),
        ("namespace labels and Service labels", {"namespaceSelectors": team, "serviceSelectors": gold},
         ("blue", {"tier": "gold"}), ("red", {"tier": "gold"})),
        ("namespaces and namespace labels", {"namespaces": ["red"], "namespaceSelectors": team},
         ("red", {}), ("default", {})),
    ]
    # First, spilled and other belong to three pools: the chosen one, the next by priority, and everybody's.
    cluster.put(pool_object("everybody", "10.50.9.0/24"))
    for what, allocation, (right, labels), (wrong, wrong_labels) in cases:
        cluster.put(pool_object("chosen", "10.50.2.1/32", serviceAllocation={"priority": 10, **allocation}),
                    pool_object("next", "10.50.3.1/32", serviceAllocation={"priority": 20, **allocation}))
        wait_pools(cluster, "everybody", "chosen", "next")
        cluster.put(balancer("other", namespace=wrong, labels=wrong_labels))
        expect_address(cluster, "other", "10.50.9.0", wrong)
        for name, address in (("first", "10.50.2.1"), ("second", "10.50.3.1"), ("third", "10.50.9.1")):
            cluster.put(balancer(name, namespace=right, labels=labels))
            expect_address(cluster, name, address, right)
        cluster.delete("Service", "first", "second", "third", namespace=right)
        cluster.delete("Service", "other", namespace=wrong)
        cluster.delete("IPAddressPool", "chosen", "next")
        passed(f"serviceAllocation by {what}: chosen pool, then by priority, then the common one")
    cluster.put(pool_object("late", "10.50.2.1/32", serviceAllocation={"priority": 20}),
                pool_object("early", "10.50.3.1/32", serviceAllocation={"priority": 10}))
    wait_pools(cluster, "late", "early")
    for name, address in (("first", "10.50.3.1"), ("second", "10.50.2.1"), ("third", "10.50.9.0")):
        cluster.put(balancer(name))
        expect_address(cluster, name, address)
    passed("serviceAllocation by priority alone: lowest number first")
    cluster.delete("Service", "first", "second", "third")
    cluster.delete("IPAddressPool", "late", "early", "everybody")


def by_annotation(cluster):
    cluster.put(pool_object("automatic", "10.50.4.0/24"), pool_object("by-hand", "10.50.5.0/24", autoAssign=False))
    wait_pools(cluster, "automatic", "by-hand")
    cluster.put(balancer("plain"), balancer("asks-automatic", annotations={"address_pool": "automatic"}),
                balancer("asks-by-hand", annotations={"address_pool": "by-hand"}))
    for name, start in (("plain", "10.50.4."), ("asks-automatic", "10.50.4."), ("asks-by-hand", "10.50.5.")):
        address = cluster.wait_external_ip(name)
        expect(address.startswith(start), f"{name} got {address}")
    passed("the annotation address-pool is honoured, whether the pool is autoAssign or not")
    cluster.delete("IPAddressPool", "automatic")
    cluster.wait_for("no address for plain", lambda: cluster.addresses("plain") == [])
    passed("a pool that is not autoAssign gives nothing unasked")
    cluster.delete("Service", "plain", "asks-automatic", "asks-by-hand")
    cluster.delete("IPAddressPool", "by-hand")


def load_balancer_class(cluster):
    cluster.put(pool_object("one", "10.50.0.1/32"), balancer("foreign", loadBalancerClass="example.com/other"))
    cluster.put(balancer("ours"))
    expect_address(cluster, "ours", "10.50.0.1")
    cluster.delete("Service", "ours")
    cluster.put(balancer("ours-too"))
    expect_address(cluster, "ours-too", "10.50.0.1")
    expect(cluster.addresses("foreign") == [], "a Service of another class got an address")
    passed("a Service of another loadBalancerClass gets none")


def run(cluster):
    freed(cluster)
    kept(cluster)
    shared(cluster)
    pools_removed(cluster)
    service_allocation(cluster)
    by_annotation(cluster)
    load_balancer_class(cluster)
