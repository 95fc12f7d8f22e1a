"""Wrong configuration is refused at the door, in one line, and old BGPPeers are understood; without a controller the
door is open and the daemons judge."""

import json

from cluster import NAMESPACE, expect
from manifests import advertisement, passed, pool_object


def custom(kind, name, namespace=NAMESPACE, version="v1beta1", **spec):
    """An object of the group metallb.io."""
    return {"apiVersion": f"metallb.io/{version}", "kind": kind,
            "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def peer(name, address="192.0.2.1", version="v1beta2", **spec):
    """A BGPPeer that never answers."""
    return custom("BGPPeer", name, version=version, myASN=64512, peerASN=64513, peerAddress=address, **spec)


def apply(cluster, item):
    """kubectl apply of one object: (accepted, what it printed)."""
    status, out, err = cluster.try_run("client", "kubectl", "apply", "-f", "-", text=json.dumps(item))
    return status == 0, (out + err).strip()


def refused(cluster, what, item, *words):
    """The object is refused by a line that has these words."""
    accepted, line = apply(cluster, item)
    expect(not accepted, f"{what}: accepted: {line}")
    for word in words:
        expect(word in line, f"{what}: the refusal does not say {word}: {line}")
    passed(f"{what}: {line.splitlines()[-1][:150]}")


def accepted(cluster, what, item):
    """The object is taken."""
    taken, line = apply(cluster, item)
    expect(taken, f"{what}: {line}")


def refused_cases(cluster):
    """What MetalLB's webhooks refuse, and what they let through."""
    refused(cluster, "overlapping pools", pool_object("second", "192.168.100.205/32"), "192.168.100.205/32")
    refused(cluster, "aggregation shorter than a pool's range",
            custom("BGPAdvertisement", "wide", aggregationLength=16, ipAddressPools=["small"]), "aggregationLength")
    refused(cluster, "service selectors with aggregation",
            custom("BGPAdvertisement", "both", aggregationLength=24, serviceSelectors=[{"matchLabels": {"a": "b"}}]),
            "serviceSelectors")
    refused(cluster, "an address that is none", peer("bad", address="192.0.2.400"), "192.0.2.400")
    refused(cluster, "a community that is none",
            custom("Community", "bad", communities=[{"name": "a", "value": "99999999:1"}]), "99999999:1")
    refused(cluster, "a community alias twice",
            custom("Community", "again", communities=[{"name": "known", "value": "64512:2"}]), "known")
    refused(cluster, "a community edited into nonsense",
            custom("Community", "aliases", communities=[{"name": "known", "value": "x:y"}]), "x:y")
    refused(cluster, "a pool edit that breaks an advertisement",
            pool_object("small", "192.168.101.0-192.168.101.3"), "aggregationLength")
    for kind, spec in (("IPAddressPool", {"addresses": ["192.168.102.0/24"]}), ("L2Advertisement", {}),
                       ("BGPAdvertisement", {}), ("BFDProfile", {}), ("Community", {"communities": []})):
        refused(cluster, f"{kind} in another namespace", custom(kind, "lost", namespace="default", **spec), "default")
    refused(cluster, "BGPPeer in another namespace", {**peer("lost"), "metadata": {
        "name": "lost", "namespace": "default"}}, "default")


def run(cluster):
    for item in (pool_object("first", "192.168.100.200-192.168.100.210"), advertisement(),
                 pool_object("small", "192.168.101.0/24"),
                 custom("BGPAdvertisement", "sums", aggregationLength=24, ipAddressPools=["small"]),
                 custom("Community", "aliases", communities=[{"name": "known", "value": "64512:1"}]),
                 custom("BFDProfile", "fast", receiveInterval=100),
                 peer("watched", bfdProfile="fast")):
        accepted(cluster, item["kind"], item)
    refused_cases(cluster)

    status, out, err = cluster.try_run("client", "kubectl", "-n", NAMESPACE, "delete", "bfdprofile", "fast")
    expect(status != 0 and "watched" in out + err, f"a BFDProfile in use was deleted: {out}{err}")
    passed(f"a BFDProfile in use: {err.strip()[:150]}")

    accepted(cluster, "an old BGPPeer", peer("old", address="192.0.2.9", version="v1beta1", holdTime="90s"))
    new = cluster.get("bgppeers.v1beta2.metallb.io", "old", "-n", NAMESPACE)
    expect(new["spec"].get("holdTime", "").startswith(("90s", "1m30s")), f"holdTime became {new['spec']}")
    expect("keepaliveTime" not in new["spec"], f"a timer came from nowhere: {new['spec']}")
    cluster.patch("BGPPeer", "old", {"spec": {"vrf": "blue"}}, namespace=NAMESPACE)
    seen = cluster.get("bgppeers.v1beta1.metallb.io", "old", "-n", NAMESPACE)
    expect("vrf" not in seen["spec"], f"v1beta1 has a field it does not know: {seen['spec']}")
    passed("BGPPeer v1beta1 is read as v1beta2 and back, nothing lost")

    cluster.kubectl("-n", NAMESPACE, "scale", "deployment/controller", "--replicas=0")
    cluster.wait_for("end of the controllers", lambda: not cluster.items(
        "Pod", NAMESPACE, "component=controller"), 30)
    accepted(cluster, "without a controller", pool_object("second", "192.168.100.205/32"))
    cluster.wait_for("verdict of the speakers", lambda: all(
        item.get("status", {}).get("result") == "Invalid" for item in cluster.items("ConfigurationState", NAMESPACE,
                                                                          "metallb.io/component-type=speaker")), 30)
    passed("without a controller the door is open and the speakers say what is wrong")
    cluster.kubectl("-n", NAMESPACE, "scale", "deployment/controller", "--replicas=2")
    cluster.wait_installed(60)
    cluster.wait_for("verdict of the controller", lambda: (
        cluster.read("ConfigurationState", "controller", NAMESPACE) or {}).get("status", {}).get("result") == "Invalid")
    accepted(cluster, "an edit that mends it", pool_object("second", "192.168.103.0/24"))
    cluster.wait_for("all verdicts Valid", lambda: {
        item.get("status", {}).get("result") for item in cluster.items("ConfigurationState", NAMESPACE)} == {"Valid"}, 30)
    passed("what was wrong before can be mended through the door")
