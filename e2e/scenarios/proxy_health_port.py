"""What load balancers outside ask a node: the Service's healthCheckNodePort, and /healthz and /livez on port 10256.

The first tells whether this node has ready endpoints of a Service with externalTrafficPolicy Local, and how many; the
second whether the node's proxy works and the node stays; the third only the former.
"""

import json

from cluster import expect
from manifests import passed
from proxy_support import Stage, endpoint_slice, pod, service

LEAVING = {"key": "ToBeDeletedByClusterAutoscaler", "value": "1", "effect": "NoSchedule"}


def reply(stage, address, port, path="/"):
    """(status, headers, body) of a response; (None, {}, error) without one."""
    result = stage.ask("client", address, port, path=path, raw=True).results[0]
    if "error" in result:
        return None, {}, result["error"]
    head, _, body = result["said"].partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, value in headers.items()}, body


def wait_reply(stage, what, address, port, wanted, path="/"):
    """Until the response is so; returns it."""
    last = []

    def holds():
        last[:] = reply(stage, address, port, path)
        return wanted(*last)
    try:
        stage.cluster.wait_for(what, holds, 12)
    except AssertionError as error:
        raise type(error)(f"{error}: {last}") from None
    return last


def wait_count(stage, node, port, count, family="IPv4"):
    """Until the node says it has so many local endpoints; checks the whole response."""
    status, headers, body = wait_reply(
        stage, f"{count} endpoints on {node}", stage.node_ip(node, family), port,
        lambda code, fields, _: code and fields.get("x-load-balancing-endpoint-weight") == str(count), "/any/path")
    expect(status == (200 if count else 503), f"{node} has {count} endpoints and answers {status}")
    expect(headers.get("content-type") == "application/json" and headers.get("x-content-type-options") == "nosniff",
           f"headers {headers}")
    wanted = {"service": {"namespace": "default", "name": "web"}, "localEndpoints": count, "serviceProxyHealthy": True}
    expect(json.loads(body) == wanted and body == json.dumps(wanted, indent="\t"), f"body {body!r}")


def of_service(stage):
    stage.cluster.put(service("web", "LoadBalancer", app=None, externalTrafficPolicy="Local"))
    ends = [stage.endpoint(name) for name in ("web-1", "web-2", "web-3")]
    stage.put_slice(endpoint_slice("web", ends))
    port = stage.spec("web")["healthCheckNodePort"]
    for node, count in (("node1", 2), ("node2", 1), ("node3", 0)):
        wait_count(stage, node, port, count)
    passed("200 and the weight on nodes with ready endpoints, 503 and weight 0 on the others, whatever the path")
    wait_count(stage, "node1", port, 2, "IPv6")
    passed("by IPv6, too")

    leaving = [stage.endpoint(name, ready=False, serving=True, terminating=True) for name in ("web-1", "web-2")]
    stage.put_slice(endpoint_slice("web", [*leaving, ends[2]]))
    wait_count(stage, "node1", port, 0)
    node_port = stage.node_port("web")
    stage.soon("answers of terminating endpoints", lambda each: set(each.words) == {"web-1", "web-2"}
               and each.seen == {stage.client}, stage.one("client", stage.node_ip("node1"), node_port, count=6))
    passed("503 as soon as all endpoints of the node are terminating, which still serve the clients that come")
    stage.put_slice(endpoint_slice("web", [ends[0], leaving[1], ends[2]]))
    wait_count(stage, "node1", port, 1)
    passed("terminating endpoints do not count beside ready ones")
    return port


def switched(stage, port):
    stage.change("web", externalTrafficPolicy="Cluster")
    for node in stage.nodes:
        wait_reply(stage, f"end of {node}'s port", stage.node_ip(node), port,
                   lambda code, _, text: code is None and text == "refused")
    stage.change("web", externalTrafficPolicy="Local")
    port = stage.spec("web")["healthCheckNodePort"]
    wait_count(stage, "node2", port, 1)
    wait_count(stage, "node3", port, 0)
    passed("the port is closed with policy Cluster, and open again with Local")
    stage.cluster.delete("Service", "web")
    wait_reply(stage, "end of the port", stage.node_ip("node2"), port, lambda code, _, text: text == "refused")
    passed("and closed when the Service is gone")


def of_proxy(stage):
    address = stage.node_ip("node2")
    healthy = wait_reply(stage, "a healthy proxy", address, 10256, lambda code, *_: code == 200, "/healthz")
    body = json.loads(healthy[2])
    expect(healthy[1].get("content-type") == "application/json"
           and healthy[1].get("x-content-type-options") == "nosniff", f"headers {healthy[1]}")
    expect(body["nodeEligible"] is True and body["healthy"] is True and {"lastUpdated", "currentTime"} <= body.keys()
           and body["status"]["IPv4"]["healthy"] is True and body["status"]["IPv6"]["healthy"] is True, f"body {body}")
    taints = stage.cluster.read("Node", "node2")["spec"].get("taints") or []
    stage.cluster.patch("Node", "node2", {"spec": {"taints": [*taints, LEAVING]}})
    refused = wait_reply(stage, "503 of a node that will go", address, 10256, lambda code, *_: code == 503, "/healthz")
    expect(json.loads(refused[2])["nodeEligible"] is False, f"body {refused[2]}")
    expect(reply(stage, address, 10256, "/livez")[0] == 200, "livez of a node that will go")
    expect(reply(stage, stage.node_ip("node1"), 10256, "/healthz")[0] == 200, "healthz of another node")
    stage.cluster.patch("Node", "node2", {"spec": {"taints": taints or None}})
    wait_reply(stage, "200 of a node that stays", address, 10256, lambda code, *_: code == 200, "/healthz")
    passed("/healthz is 503 while the node is about to be removed (taint), /livez is not")


def run(cluster):
    with Stage(cluster) as stage:
        stage.start(pod("web-1", "node1"), pod("web-2", "node1"), pod("web-3", "node2"))
        switched(stage, of_service(stage))
        of_proxy(stage)
