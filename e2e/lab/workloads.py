"""Deployments, DaemonSets and the scheduler as pure functions: the cluster's objects in, what to create,
delete, bind and report out."""

import copy
import hashlib
import json
import random

from endpoints import condition, is_over

# Keeps a deleted pod's object until its kubelet has stopped the processes, as grace periods do in Kubernetes.
FINALIZER = "lab.steelyard.io/kubelet"
# What the DaemonSet controller adds to its pods.
DAEMON_TOLERATIONS = [{"key": f"node.kubernetes.io/{name}", "operator": "Exists"} for name in (
    "not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable",
    "network-unavailable")]
HASH_LABELS = {"Deployment": "pod-template-hash", "DaemonSet": "controller-revision-hash"}


def template_hash(workload):
    """Changes with the pod template and with nothing else."""
    text = json.dumps(workload["spec"]["template"], sort_keys=True)
    return hashlib.sha1(text.encode()).hexdigest()[:10]


def owned(workload, pods):
    """The pods a workload has made."""
    uid = workload["metadata"]["uid"]
    return [pod for pod in pods
            if any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences", []))]


def is_active(pod):
    """Neither ended nor being deleted."""
    return "deletionTimestamp" not in pod["metadata"] and not is_over(pod)


def is_ready(pod):
    """Ready and not on its way out."""
    return is_active(pod) and condition(pod, "Ready")


def make_pod(workload, node=None, rng=random):
    """A new pod from the workload's template, for a node when one is named."""
    template = copy.deepcopy(workload["spec"]["template"])
    meta = template.get("metadata") or {}
    revision = template_hash(workload)
    suffix = "".join(rng.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(5))
    kind = workload["kind"]
    name = workload["metadata"]["name"]
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": template["spec"], "metadata": {
        "name": f"{name}-{revision}-{suffix}" if kind == "Deployment" else f"{name}-{suffix}",
        "namespace": workload["metadata"]["namespace"],
        "labels": {**meta.get("labels", {}), HASH_LABELS[kind]: revision},
        "annotations": meta.get("annotations", {}), "finalizers": [FINALIZER],
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": kind, "name": name, "controller": True,
                             "uid": workload["metadata"]["uid"], "blockOwnerDeletion": True}]}}
    if node:
        pod["spec"]["nodeName"] = node
    return pod


def _bound(value, default, total, up):
    """maxSurge and maxUnavailable: a number or a percentage."""
    value = default if value is None else value
    if isinstance(value, int):
        return value
    share = int(value.rstrip("%")) * total
    return -(-share // 100) if up else share // 100


def plan_deployment(deployment, pods):
    """(number of pods to create, pods to delete, status)."""
    spec, revision = deployment["spec"], template_hash(deployment)
    wanted = spec.get("replicas", 1)
    mine = owned(deployment, pods)
    active = [pod for pod in mine if is_active(pod)]
    new = [pod for pod in active if pod["metadata"]["labels"].get(HASH_LABELS["Deployment"]) == revision]
    old = [pod for pod in active if pod not in new]
    # Superfluous ones go first: not ready before ready.
    surplus = sorted(new, key=is_ready)[:max(0, len(new) - wanted)]
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        leaving = [pod for pod in mine if pod not in new and not is_over(pod)]
        create = 0 if leaving else max(0, wanted - len(new))
        delete = old + surplus
    else:
        rolling = strategy.get("rollingUpdate") or {}
        surge = _bound(rolling.get("maxSurge"), "25%", wanted, True)
        unavailable = _bound(rolling.get("maxUnavailable"), "25%", wanted, False)
        if surge == 0 and unavailable == 0:
            unavailable = 1
        create = max(0, min(wanted - len(new), wanted + surge - len(active)))
        spare = sum(map(is_ready, active)) - (wanted - unavailable)
        delete = surplus + [pod for pod in old if not is_ready(pod)] \
            + [pod for pod in old if is_ready(pod)][:max(0, spare)]
    ready = sum(map(is_ready, active))
    available = "True" if ready >= wanted - _bound(None, "25%", wanted, False) else "False"
    status = {"observedGeneration": deployment["metadata"].get("generation", 1), "replicas": len(active),
              "updatedReplicas": len(new), "readyReplicas": ready, "availableReplicas": ready,
              "unavailableReplicas": max(0, wanted - ready),
              "conditions": [{"type": "Available", "status": available, "reason": "MinimumReplicasAvailable"
                              if available == "True" else "MinimumReplicasUnavailable"},
                             {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"
                              if len(new) == wanted == ready == len(active) else "ReplicaSetUpdated"}]}
    return create, delete, status


def fits(pod_spec, node):
    """Whether the node has the labels a pod wants, and is the node that the DaemonSet controller made it for."""
    labels = node["metadata"].get("labels", {})
    affinity = ((pod_spec.get("affinity") or {}).get("nodeAffinity") or {})
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms")
    names = [field["values"] for term in terms or [] for field in term.get("matchFields") or []
             if field["key"] == "metadata.name" and field["operator"] == "In"]
    return all(labels.get(name) == value for name, value in (pod_spec.get("nodeSelector") or {}).items()) \
        and (not names or any(node["metadata"]["name"] in values for values in names))


def tolerates(tolerations, taint):
    """Whether one of the tolerations covers the taint."""
    return any(entry.get("effect", "") in ("", taint["effect"])
               and (entry.get("key", "") == taint["key"] or not entry.get("key"))
               and (entry.get("operator", "Equal") == "Exists" or entry.get("value", "") == taint.get("value", ""))
               for entry in tolerations)


def repelled(pod_spec, node, effects, extra=()):
    """Whether a taint with one of these effects keeps the pod off the node."""
    tolerations = [*(pod_spec.get("tolerations") or []), *extra]
    return any(taint["effect"] in effects and not tolerates(tolerations, taint)
               for taint in node["spec"].get("taints") or [])


def plan_daemonset(daemonset, pods, nodes):
    """(names of nodes that need a pod, pods to delete, status)."""
    revision, spec = template_hash(daemonset), daemonset["spec"]["template"]["spec"]
    hosts = sorted(node["metadata"]["name"] for node in nodes
                   if fits(spec, node) and not repelled(spec, node, ("NoExecute",), DAEMON_TOLERATIONS))
    closed = {node["metadata"]["name"] for node in nodes if repelled(spec, node, ("NoSchedule",), DAEMON_TOLERATIONS)}
    mine = owned(daemonset, pods)
    create, delete, current = [], [pod for pod in mine if is_active(pod)
                                   and pod["spec"].get("nodeName") not in hosts], []
    # A taint of the weaker kind only keeps new pods away.
    hosts = [host for host in hosts if host not in closed
             or any(pod["spec"].get("nodeName") == host and is_active(pod) for pod in mine)]
    for host in hosts:
        here = [pod for pod in mine if pod["spec"].get("nodeName") == host]
        active = [pod for pod in here if is_active(pod)]
        if not here:
            create.append(host)
        current += active[:1]
        delete += active[1:] + [pod for pod in here if is_over(pod) and "deletionTimestamp" not in pod["metadata"]]
    updated = [pod for pod in current if pod["metadata"]["labels"].get(HASH_LABELS["DaemonSet"]) == revision]
    outdated = [pod for pod in current if pod not in updated]
    strategy = daemonset["spec"].get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") == "RollingUpdate":
        limit = _bound((strategy.get("rollingUpdate") or {}).get("maxUnavailable"), 1, len(hosts), True)
        budget = limit - (len(hosts) - sum(map(is_ready, current)))
        broken = [pod for pod in outdated if not is_ready(pod)]
        delete += broken + [pod for pod in outdated if is_ready(pod)][:max(0, budget)]
    ready = sum(map(is_ready, current))
    status = {"observedGeneration": daemonset["metadata"].get("generation", 1),
              "desiredNumberScheduled": len(hosts), "currentNumberScheduled": len(current),
              "updatedNumberScheduled": len(updated), "numberReady": ready, "numberAvailable": ready,
              "numberUnavailable": len(hosts) - ready, "numberMisscheduled": 0}
    return create, delete, status


def choose_node(pod, pods, nodes):
    """The node for a new pod: ready, with the wanted labels, with fewest pods of the same owner, then fewest
    of all; None when there is no such node."""
    owners = {owner["uid"] for owner in pod["metadata"].get("ownerReferences", [])}
    labels = pod["metadata"].get("labels", {})

    def burden(node):
        here = [other for other in pods
                if other["spec"].get("nodeName") == node["metadata"]["name"] and is_active(other)]
        alike = [other for other in here
                 if owners & {owner["uid"] for owner in other["metadata"].get("ownerReferences", [])}
                 or (not owners and labels and labels.get("app") == other["metadata"].get("labels", {}).get("app"))]
        return len(alike), len(here), node["metadata"]["name"]

    able = [node for node in nodes if condition(node, "Ready") and fits(pod["spec"], node)
            and not node["spec"].get("unschedulable")
            and not repelled(pod["spec"], node, ("NoSchedule", "NoExecute"))]
    return min(able, key=burden)["metadata"]["name"] if able else None


def orphans(items, owners):
    """Objects whose owner is gone. owners: uid of everything that exists and can own."""
    return [item for item in items if "deletionTimestamp" not in item["metadata"]
            and item["metadata"].get("ownerReferences")
            and not any(owner["uid"] in owners for owner in item["metadata"]["ownerReferences"])]
