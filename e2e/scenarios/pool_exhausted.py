"""A pool has no address left: the Service says so, waits, and gets the address that becomes free."""

from cluster import expect
from manifests import deployment, pool, service


def run(cluster):
    cluster.apply("---".join([pool("192.168.100.200/32"), deployment(replicas=1), service("first", "web")]))
    address = cluster.wait_external_ip("first")
    expect(address == "192.168.100.200", f"first got {address}")

    cluster.apply(service("second", "web"))
    message = cluster.wait_for("Event AllocationFailed", lambda: [
        text for reason, text in cluster.events("second") if reason == "AllocationFailed"])[0]
    print(f"  AllocationFailed: {message}")
    expect(cluster.external_ip("second") is None, "second has an address although the pool has none")
    out = cluster.kubectl("get", "service", "second")
    expect("<pending>" in out, f"second is not shown as pending: {out}")

    cluster.kubectl("delete", "service", "first")
    expect(cluster.wait_external_ip("second") == address, "second did not get the freed address")
    cluster.wait_for("announcement", lambda: cluster.owner(address))
