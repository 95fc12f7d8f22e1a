"""Addresses that a pool may not give, a namespace's share, and an address that waits for its Service to come back."""

from cluster import NAMESPACE, expect
from manifests import advertisement, balancer, namespace_object, passed, pool_object


def policy(**spec):
    """The one AllocationPolicy here."""
    return {"apiVersion": "steelyard.io/v1alpha1", "kind": "AllocationPolicy",
            "metadata": {"name": "policy", "namespace": NAMESPACE}, "spec": spec}


def reason(cluster, name, namespace="default"):
    """Why the Service has no address, in a word; "" while nothing is said."""
    conditions = ((cluster.read("Service", name, namespace) or {}).get("status") or {}).get("conditions") or []
    return next((item["reason"] for item in conditions if item["type"] == "steelyard.io/AddressAssigned"), "")


def reservation(cluster, name):
    """The kept address of a Service of the namespace default, or None."""
    return cluster.read("AddressReservation", f"default.{name}", NAMESPACE)


def run(cluster):
    cluster.put(pool_object("first", "192.168.100.200-192.168.100.203"), advertisement(), namespace_object("team"))
    cluster.put(policy(exclude=["192.168.100.200"], keepAfterDelete="1h",
                       quotas=[{"namespaces": ["team"], "addresses": 1}]))
    # A verdict may be that of before the policy; the counters are the policy's own.
    cluster.wait_for("pool without the excluded address", lambda: cluster.read("IPAddressPool", "first")["status"][
        "availableIPv4"] == 3)
    cluster.wait_for("verdict", lambda: (cluster.read("ConfigurationState", "controller", NAMESPACE) or {}).get(
        "status", {}).get("result") == "Valid")
    cluster.put(balancer("web"))
    address = cluster.wait_external_ip("web")
    expect(address == "192.168.100.201", f"web got {address}: .200 is excluded, .201 is the lowest")
    passed("an excluded address is not given")

    cluster.put(balancer("one", namespace="team"))
    cluster.wait_external_ip("one", namespace="team")
    cluster.put(balancer("two", namespace="team"))
    why = cluster.wait_for("reason", lambda: reason(cluster, "two", "team"))
    expect("Quota" in why, f"the second Service of the namespace waits because of {why}")
    passed(f"a namespace has its share: {why}")

    cluster.wait_for("reservation", lambda: reservation(cluster, "web"))
    cluster.delete("Service", "web", namespace="default")
    cluster.wait_for("release", lambda: (reservation(cluster, "web") or {}).get("status", {}).get("expiresAt"))
    cluster.put(balancer("other"))
    other = cluster.wait_external_ip("other")
    expect(other not in (address, "192.168.100.200"), f"another Service got {other}")
    cluster.put(balancer("third"))
    why = cluster.wait_for("reason", lambda: reason(cluster, "third"))
    passed(f"the address is kept, others wait: {why}")
    cluster.put(balancer("web"))
    expect(cluster.wait_external_ip("web") == address, "web came back and got another address")
    passed("the Service comes back to its address")
    print(cluster.kubectl("-n", NAMESPACE, "get", "ares,alp"), flush=True)
