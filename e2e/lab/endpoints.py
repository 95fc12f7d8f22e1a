"""Services with selectors and their pods -> EndpointSlices, as the EndpointSlice controller makes them.

Pure. One slice per Service, family and set of ports; the lab's Services are small.
"""

import hashlib
import json

MANAGED_BY = "endpointslice-controller.k8s.io"


def condition(item, kind):
    """Whether a condition of an object's status is True."""
    return any(entry["type"] == kind and entry["status"] == "True"
               for entry in item.get("status", {}).get("conditions", []))


def selects(selector, labels):
    """Whether a plain equality selector matches; an empty one matches nothing."""
    return bool(selector) and all(labels.get(name) == value for name, value in selector.items())


def is_over(pod):
    """Whether a pod has ended for good."""
    return pod.get("status", {}).get("phase") in ("Failed", "Succeeded")


def addresses_of(pod):
    """A pod's addresses by family."""
    addresses = [entry["ip"] for entry in pod["status"].get("podIPs") or [{"ip": pod["status"]["podIP"]}]]
    return {"IPv6" if ":" in address else "IPv4": address for address in addresses}


def endpoint(pod, publish_not_ready, family="IPv4", zone="", distribution=""):
    """The endpoint of one pod that has an address of that family; `zone` is its node's."""
    terminating = "deletionTimestamp" in pod["metadata"]
    serving = condition(pod, "Ready")
    item = {
        "addresses": [addresses_of(pod)[family]],
        "conditions": {"ready": publish_not_ready or (serving and not terminating), "serving": serving,
                       "terminating": terminating},
        "nodeName": pod["spec"]["nodeName"],
        "targetRef": {"kind": "Pod", "namespace": pod["metadata"]["namespace"], "name": pod["metadata"]["name"],
                      "uid": pod["metadata"]["uid"]},
    }
    if zone:
        item["zone"] = zone
    if (told := hints(distribution, pod["spec"]["nodeName"], zone)):
        item["hints"] = told
    return item


def hints(distribution, node, zone):
    """What a Service's trafficDistribution makes of an endpoint's place; {} for nothing."""
    told = {}
    if zone and distribution in ("PreferClose", "PreferSameZone", "PreferSameNode"):
        told["forZones"] = [{"name": zone}]
    if distribution == "PreferSameNode":
        told["forNodes"] = [{"name": node}]
    return told


def resolve_ports(service, pod):
    """The slice's ports for a pod, or None when a named target port is not one of the pod's."""
    ports = []
    for port in service["spec"].get("ports", []):
        target = port.get("targetPort", port["port"])
        if isinstance(target, str) and not target.isdigit():
            numbers = [entry["containerPort"] for container in pod["spec"]["containers"]
                       for entry in container.get("ports", []) if entry.get("name") == target]
            if not numbers:
                return None
            target = numbers[0]
        ports.append({"name": port.get("name", ""), "port": int(target), "protocol": port.get("protocol", "TCP")})
    return ports


def slices_of(service, pods, zones=None):
    """name -> EndpointSlice wanted for a Service; {} when it has no selector. `zones`: node name -> its zone."""
    spec, meta = service["spec"], service["metadata"]
    if not spec.get("selector") or spec.get("type") == "ExternalName":
        return {}
    groups = {}  # (family, ports) -> endpoints
    families = spec.get("ipFamilies") or ["IPv4"]
    for pod in sorted(pods, key=lambda pod: pod["metadata"]["name"]):
        if (pod["metadata"]["namespace"] != meta["namespace"] or is_over(pod)
                or not pod.get("status", {}).get("podIP") or not pod["spec"].get("nodeName")
                or not selects(spec["selector"], pod["metadata"].get("labels", {}))):
            continue
        ports = resolve_ports(service, pod)
        if ports is None:
            continue
        for family in addresses_of(pod).keys() & set(families):
            groups.setdefault((family, json.dumps(ports)), []).append(
                endpoint(pod, bool(spec.get("publishNotReadyAddresses")), family,
                         (zones or {}).get(pod["spec"]["nodeName"], ""), spec.get("trafficDistribution", "")))
    for family in set(families) - {family for family, _ in groups}:
        groups[family, json.dumps(resolve_ports(service, {"spec": {"containers": []}}) or [])] = []
    return {name: item for name, item in (_slice(service, family, json.loads(ports), endpoints)
                                          for (family, ports), endpoints in groups.items())}


def _slice(service, family, ports, endpoints):
    meta = service["metadata"]
    suffix = hashlib.sha1(f"{meta['uid']}{family}{ports}".encode()).hexdigest()[:5]
    name = f"{meta['name']}-{suffix}"
    return name, {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
        "metadata": {
            "name": name, "namespace": meta["namespace"],
            "labels": {"kubernetes.io/service-name": meta["name"],
                       "endpointslice.kubernetes.io/managed-by": MANAGED_BY},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": meta["name"], "uid": meta["uid"],
                                 "controller": True, "blockOwnerDeletion": True}]},
        "endpoints": endpoints, "ports": ports}


def differs(wanted, known):
    """Whether a slice has to be written."""
    return any(wanted[field] != known.get(field, []) for field in ("endpoints", "ports")) \
        or wanted["metadata"]["labels"].items() - known["metadata"].get("labels", {}).items()
