"""Each daemon tells in its ConfigurationState whether it accepts the configuration, on its own node too."""

from cluster import NAMESPACE, expect
from manifests import advertisement, on_nodes, passed, pool_object


def custom(kind, name, version="v1beta1", **spec):
    """An object of the group metallb.io."""
    return {"apiVersion": f"metallb.io/{version}", "kind": kind,
            "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def peer(name, **spec):
    """A BGPPeer that never answers."""
    return custom("BGPPeer", name, version="v1beta2", myASN=64512, peerASN=64513, peerAddress="192.0.2.1", **spec)


def secret(kind):
    """A Secret of some type with a password."""
    return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": "word", "namespace": NAMESPACE},
            "data": {"username": "", "password": "c2VjcmV0"}}


def verdicts(cluster):
    """{name of the object: result}."""
    return {item["metadata"]["name"]: item.get("status", {}).get("result")
            for item in cluster.items("ConfigurationState", NAMESPACE)}


def wait_verdicts(cluster, what, invalid=()):
    """Until exactly these say Invalid and all others Valid; every daemon has an object."""
    names = {"controller"} | {f"speaker-{node.name}" for node in cluster.topology.nodes}
    wanted = {name: "Invalid" if name in invalid else "Valid" for name in names}
    cluster.wait_for(f"verdicts {wanted}, seen last {verdicts(cluster)}", lambda: verdicts(cluster) == wanted, 30)
    passed(what)


def summary(cluster, name):
    """What the object says is wrong."""
    return (cluster.read("ConfigurationState", name, NAMESPACE) or {}).get("status", {}).get("errorSummary", "")


def run(cluster):
    speakers = [f"speaker-{node.name}" for node in cluster.topology.nodes]
    everybody = ["controller", *speakers]
    cluster.put(pool_object("first", "192.168.100.200/29"), advertisement())
    wait_verdicts(cluster, "a right configuration is Valid everywhere")

    cluster.put(secret("Opaque"))
    cluster.put(peer("one", passwordSecret={"name": "word"}, nodeSelectors=on_nodes("node1")))
    wait_verdicts(cluster, "a Secret of the wrong type concerns the selected node alone", ["speaker-node1"])
    expect("word" in summary(cluster, "speaker-node1"), "the Secret is not named: " + summary(cluster, "speaker-node1"))
    cluster.delete("BGPPeer", "one")
    wait_verdicts(cluster, "without the peer all is right again")

    cluster.put(peer("one", bfdProfile="missing"))
    wait_verdicts(cluster, "a missing BFDProfile concerns everybody", everybody)
    expect("missing" in summary(cluster, "controller"), "the profile is not named: " + summary(cluster, "controller"))
    cluster.put(custom("BFDProfile", "missing", receiveInterval=300))
    wait_verdicts(cluster, "the profile arrives")
    cluster.delete("BGPPeer", "one")

    cluster.put(custom("BGPAdvertisement", "sums", communities=["later"]))
    wait_verdicts(cluster, "an alias that nobody defines", everybody)
    cluster.put(custom("Community", "aliases", communities=[{"name": "later", "value": "64512:1"}]))
    wait_verdicts(cluster, "the Community arrives")

    cluster.delete("ConfigurationState", "controller", *speakers)
    wait_verdicts(cluster, "deleted objects come back")
    times = {item["metadata"]["name"]: item["status"]["conditions"][0]["lastTransitionTime"]
             for item in cluster.items("ConfigurationState", NAMESPACE)}
    cluster.put(pool_object("second", "192.168.101.0/24"))
    cluster.wait_for("pool in use", lambda: (cluster.read("IPAddressPool", "second") or {}).get("status"))
    again = {item["metadata"]["name"]: item["status"]["conditions"][0]["lastTransitionTime"]
             for item in cluster.items("ConfigurationState", NAMESPACE)}
    expect(times == again, f"the verdict's time moved without another verdict: {times} became {again}")
    passed("the time of a verdict moves only with the verdict")
