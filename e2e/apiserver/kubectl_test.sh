#!/bin/bash
# Runs the real kubectl against the program on 127.0.0.1 and checks what people see.
#   PROGRAM=path/to/steelyard-apiserver [KUBECTL=kubectl] e2e/apiserver/kubectl_test.sh
# Works with kubectl 1.20 and 1.32; prints one line a check and ends with the number of failures.
set -u
KUBECTL=${KUBECTL:-kubectl}
PROGRAM=${PROGRAM:?set PROGRAM to the steelyard-apiserver binary}
if ! command -v "$KUBECTL" >/dev/null; then
    echo "skipped: there is no $KUBECTL"
    exit 77
fi
work=$(mktemp -d)
"$PROGRAM" --port 0 --state-dir "$work/state" >"$work/server.log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 50); do
    [ -s "$work/state/kubeconfig" ] && grep -q serving "$work/server.log" && break
    sleep 0.1
done
export KUBECONFIG=$work/state/kubeconfig HOME=$work
failures=0

# check NAME WANTED-REGEX COMMAND...: the output, errors included, has a line like WANTED.
check() {
    local name=$1 wanted=$2 output
    shift 2
    output=$("$@" 2>&1)
    if grep -Eq -- "$wanted" <<<"$output"; then
        echo "ok   $name"
    else
        echo "FAIL $name: want /$wanted/, got:"
        sed 's/^/     /' <<<"$output" | head -20
        failures=$((failures + 1))
    fi
}
# refuse NAME UNWANTED-REGEX COMMAND...: no line like UNWANTED.
refuse() {
    local name=$1 unwanted=$2 output
    shift 2
    output=$("$@" 2>&1)
    if grep -Eq -- "$unwanted" <<<"$output"; then
        echo "FAIL $name: did not want /$unwanted/, got:"
        sed 's/^/     /' <<<"$output" | head -20
        failures=$((failures + 1))
    else
        echo "ok   $name"
    fi
}
k() { "$KUBECTL" "$@"; }

cat >"$work/web.yaml" <<'Y'
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: nginx, ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports:
  - {name: http, port: 80}
  - {name: https, port: 443, targetPort: 8443}
---
apiVersion: v1
kind: Event
metadata: {name: web.1, namespace: shop}
involvedObject: {kind: Service, name: web, namespace: shop, apiVersion: v1}
reason: IPAllocated
message: Assigned IP
type: Normal
Y
cat >"$work/crd.yaml" <<'Y'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: pools.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Pool, plural: pools, singular: pool, shortNames: [pl]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Auto, type: boolean, jsonPath: .spec.auto}
    - {name: Addresses, type: string, jsonPath: .spec.addresses}
    - {name: Weight, type: integer, jsonPath: .spec.weight, priority: 1}
    schema:
      openAPIV3Schema:
        type: object
        description: A pool of addresses.
        required: [spec]
        properties:
          spec:
            type: object
            required: [addresses]
            properties:
              addresses: {type: array, minItems: 1, items: {type: string}}
              auto: {type: boolean, default: true}
              weight: {type: integer, format: int32, minimum: 0, description: How much it counts.}
              mode: {type: string, enum: [fast, safe]}
          status: {type: object, properties: {used: {type: integer}}}
Y
pool() {
    printf 'apiVersion: example.org/v1\nkind: Pool\nmetadata: {name: %s, namespace: shop}\nspec: %s\n' \
        "$1" "$2" >"$work/pool.yaml"
}

check 'cluster-info names the server' 'is running at' k cluster-info
check 'api-resources lists endpointslices' 'endpointslices .*EndpointSlice' k api-resources
check 'apply creates' 'service/web created' k apply -f "$work/web.yaml"
check 'a second apply changes nothing' 'service/web unchanged' k apply -f "$work/web.yaml"
check 'get -o wide prints the selector' 'web +LoadBalancer +10\.96\.[0-9.]+ +<pending> +80:3[0-9]+/TCP,443:3[0-9]+/TCP .*app=web' \
    k get svc -n shop -o wide
sed -i 's/port: 80}/port: 8080}/' "$work/web.yaml"
check 'apply changes a port' 'service/web configured' k apply -f "$work/web.yaml"
check 'the other port stays' '^8080 443$' k get svc web -n shop -o 'jsonpath={.spec.ports[*].port}{"\n"}'
check 'label selector' 'deployment.apps/web' k get deploy -n shop -l app=web -o name
refuse 'label selector leaves out others' 'web' k get deploy -n shop -l app=other -o name
check 'field selector by name' 'service/web' k get svc -n shop --field-selector metadata.name=web -o name
check 'events of an object' 'IPAllocated' k get events -n shop --field-selector involvedObject.name=web
check 'describe service' 'NodePort: +http +3[0-9]+/TCP' k describe svc web -n shop
uid=$(k get svc web -n shop -o 'jsonpath={.metadata.uid}')
k patch event web.1 -n shop --type=merge -p "{\"involvedObject\":{\"uid\":\"$uid\"}}" >/dev/null
check 'describe shows events' 'Assigned IP' k describe svc web -n shop
check 'label' 'service/web labeled' k label svc web -n shop tier=front
check 'annotate' 'service/web annotated' k annotate svc web -n shop note=x
check 'strategic patch keys ports' '^8080:31888' bash -c "$KUBECTL patch svc web -n shop \
    -p '{\"spec\":{\"ports\":[{\"port\":8080,\"nodePort\":31888}]}}' >/dev/null; \
    $KUBECTL get svc web -n shop -o 'jsonpath={.spec.ports[0].port}:{.spec.ports[0].nodePort}'"
check 'json patch' 'service/web patched' k patch svc web -n shop --type=json \
    -p '[{"op":"replace","path":"/spec/type","value":"ClusterIP"}]'
check 'node ports are freed' '^8080 $' k get svc web -n shop \
    -o 'jsonpath={.spec.ports[0].port} {.spec.ports[0].nodePort}{"\n"}'
check 'merge patch' 'service/web patched' k patch svc web -n shop --type=merge \
    -p '{"spec":{"type":"LoadBalancer"}}'
check 'scale' 'scaled' k scale deploy web -n shop --replicas=5
check 'edit' 'edited' env KUBE_EDITOR='sed -i s/nginx/httpd/' "$KUBECTL" edit deploy web -n shop
check 'the edit is there' 'httpd' k get deploy -n shop -o wide
check 'server-side apply' 'serverside-applied' k apply --server-side --force-conflicts -f "$work/web.yaml"
sed 's/port: 8080}/port: 70000}/' "$work/web.yaml" >"$work/bad.yaml"
check 'bad service is refused' 'spec.ports\[0\].port: Invalid value: 70000' k apply -f "$work/bad.yaml"

check 'crd' 'created' k apply -f "$work/crd.yaml"
check 'crd is established' 'condition met' k wait --for condition=established --timeout=5s crd/pools.example.org
pool a '{addresses: [10.0.0.0/24]}'
check 'custom object' 'pool.example.org/a created' k apply -f "$work/pool.yaml"
check 'custom object unchanged' 'unchanged' k apply -f "$work/pool.yaml"
check 'printer columns and default' 'a +true +\["10.0.0.0/24"\]' k get pl -n shop
check 'wide printer column' 'WEIGHT' k get pl -n shop -o wide
pool b '{weight: 1}'
check 'required' 'spec\.addresses: Required value|missing required field "addresses"' k create -f "$work/pool.yaml"
pool b '{addresses: [x], mode: odd}'
check 'enum' 'spec\.mode: Unsupported value: "odd": supported values: "fast", "safe"' k create --validate=false -f "$work/pool.yaml"
pool b '{addresses: [x], weight: "1"}'
check 'type' 'spec\.weight in body must be of type integer: "string"' k create --validate=false -f "$work/pool.yaml"
pool b '{addresses: [x], colour: red}'
check 'unknown field' 'unknown field "(spec\.)?colour"' k create -f "$work/pool.yaml"
check 'explain custom' 'How much it counts' k explain pool.spec.weight
check 'explain built-in' 'Service' k explain service
check 'watch sees a change' 'b +true' bash -c "
    timeout 3 $KUBECTL get pl -n shop -w & sleep 0.7
    printf 'apiVersion: example.org/v1\nkind: Pool\nmetadata: {name: b, namespace: shop}\nspec: {addresses: [z]}\n' |
        $KUBECTL create -f - >/dev/null; wait"

check 'create namespace' 'namespace/extra created' k create namespace extra
check 'create configmap' 'configmap/c created' k create configmap c -n extra --from-literal=a=b
check 'create serviceaccount' 'serviceaccount/s created' k create serviceaccount s -n extra
check 'create role' 'created' k create clusterrole reader --verb=get,list --resource=services
check 'create deployment' 'created' k create deployment d -n extra --image=nginx
check 'expose' 'service/d exposed' k expose deployment d -n extra --port=80
check 'can-i' 'yes' k auth can-i get services
cat >"$work/lease.yaml" <<'Y'
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: leader, namespace: extra}
spec: {holderIdentity: me, leaseDurationSeconds: 15, renewTime: "2026-01-02T03:04:05.000006Z"}
Y
check 'lease' 'lease.coordination.k8s.io/leader created' k apply -f "$work/lease.yaml"
check 'lease shows its holder' 'leader +me ' k get leases -n extra
check 'a chunked list is whole' '^5$' bash -c "$KUBECTL get ns --chunk-size=2 -o name | grep -Ec \
    'default|kube-system|kube-public|kube-node-lease|extra'"
cat >"$work/hook.yaml" <<'Y'
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: guard}
webhooks:
- name: maps.example.org
  clientConfig: {service: {name: none, namespace: extra, path: /v}}
  rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [configmaps]}]
  sideEffects: None
  admissionReviewVersions: [v1]
Y
check 'webhook configuration' 'created' k apply -f "$work/hook.yaml"
check 'webhook out of reach' 'failed calling webhook "maps.example.org": failed to call webhook: Post "https://none.extra.svc:443/v\?timeout=10s": service "none" not found' \
    k create configmap guarded -n extra
k patch validatingwebhookconfiguration guard --type=json \
    -p '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]' >/dev/null
check 'webhook out of reach is ignored' 'created' k create configmap guarded -n extra
sed -e 's/served: true/served: true\n    deprecated: true/' -e 's/pools/ponds/; s/Pool\b/Pond/; s/singular: pool/singular: pond/; s/pl\]/pd]/' \
    "$work/crd.yaml" >"$work/old.yaml"
check 'crd with a deprecated version' 'created' k apply -f "$work/old.yaml"
check 'a deprecated version warns' 'Warning: example.org/v1 Pond is deprecated' k get ponds -A
check 'delete' 'service "web" deleted' k delete svc web -n shop
check 'deleted is gone' 'NotFound' k get svc web -n shop
check 'delete namespace' 'namespace "shop" deleted' k delete ns shop
check 'its content is gone' 'No resources found' k get pl -A

echo "$failures failures"
exit $((failures > 0))
