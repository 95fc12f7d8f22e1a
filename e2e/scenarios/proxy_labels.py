"""Labels that keep the proxy's hands off: service-proxy-name on a Service, headless on its EndpointSlices.

Both are switched while the cluster runs, beside a Service that always answers.
"""

from manifests import passed
from proxy_objects import (SERVICE_NAME, answering, cluster_ip, pod_object, service_object, start, wait_pods,
                           wait_unanswered)

PODS = {"web-1", "web-2"}
PROXY_NAME = "service.kubernetes.io/service-proxy-name"
HEADLESS = "service.kubernetes.io/headless"


def expect_served(cluster, address):
    for where in ("pod/asker", "node2"):
        wait_pods(cluster, where, address, PODS)


def expect_unserved(cluster, address):
    for where in ("pod/asker", "node2"):
        wait_unanswered(cluster, where, address)


def proxy_name(cluster):
    cluster.put(service_object("steady"), service_object("foreign", labels={PROXY_NAME: "somebody-else"}),
                service_object("ours"))
    ours, foreign, steady = (cluster_ip(cluster, name) for name in ("ours", "foreign", "steady"))
    expect_served(cluster, ours)
    expect_unserved(cluster, foreign)
    passed("a Service of another proxy is left alone")
    cluster.patch("Service", "foreign", {"metadata": {"labels": {PROXY_NAME: None}}})
    expect_served(cluster, foreign)
    passed("it is served when the label goes")
    cluster.patch("Service", "ours", {"metadata": {"labels": {PROXY_NAME: "somebody-else"}}})
    expect_unserved(cluster, ours)
    cluster.wait_for("end of its virtual server", lambda: cluster.virtual_server("node3", ours, 80) is None)
    answering(cluster, "pod/asker", steady)
    passed("a Service that gets the label is no longer served, the one beside it is")


def headless(cluster):
    cluster.put(service_object("faceless"))
    address = cluster_ip(cluster, "faceless")
    expect_served(cluster, address)
    slices = [item["metadata"]["name"] for item in
              cluster.items("EndpointSlice", selector=f"{SERVICE_NAME}=faceless")]
    for value in ("", None):
        for name in slices:
            cluster.patch("EndpointSlice", name, {"metadata": {"labels": {HEADLESS: value}}})
        (expect_served if value is None else expect_unserved)(cluster, address)
    passed("EndpointSlices marked as headless are not used, and are again without the mark")


def run(cluster):
    start(cluster, pod_object("asker", "node1", app="asker"), pod_object("web-1", "node1"),
          pod_object("web-2", "node2"))
    proxy_name(cluster)
    headless(cluster)
