"""Manifests the scenarios share, and the steps that most of them begin with."""

POOL = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: first-pool, namespace: metallb-system}}
spec:
  addresses: ["{addresses}"]
"""

ADVERTISEMENT = """
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: example, namespace: metallb-system}
"""

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      nodeSelector: {node_selector}
      containers:
      - name: {name}
        image: lab/pod
        env:
        - name: POD_NAME
          valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}
        ports: [{{name: http, containerPort: 8080}}]
        readinessProbe: {{httpGet: {{path: /, port: http}}, periodSeconds: 1}}
"""

SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  type: LoadBalancer
  externalTrafficPolicy: {policy}
  selector: {{app: {app}}}
  ports: [{{port: 80, targetPort: http}}]
"""


def pool(addresses="192.168.100.200-192.168.100.210"):
    """A pool announced by every node."""
    return POOL.format(addresses=addresses) + "---" + ADVERTISEMENT


def deployment(name="web", replicas=3, node=None):
    """Pods that answer with their name; on one node when it is named."""
    selector = f"{{kubernetes.io/hostname: {node}}}" if node else "{}"
    return DEPLOYMENT.format(name=name, replicas=replicas, node_selector=selector)


def service(name="web", app=None, policy="Cluster"):
    """A Service of type LoadBalancer in front of them."""
    return SERVICE.format(name=name, app=app or name, policy=policy)


def serve_web(cluster, replicas=3, node=None, policy="Cluster"):
    """Pool, pods and Service `web`, answering; returns its address."""
    cluster.apply("---".join([pool(), deployment(replicas=replicas, node=node), service(policy=policy)]))
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    address = cluster.wait_external_ip("web")
    cluster.wait_for(f"answer from {address}", lambda: cluster.curl("client", address), 20)
    return address
