#!/bin/sh
# Writes the files for `kubectl apply -f`, manifests/steelyard*.yaml, from the pieces beside them.
# The lint `manifests` fails when that was forgotten.
set -eu
cd "$(dirname "$0")/.."
render() {
    kubectl kustomize "$1" > "$2.new"
    mv "$2.new" "$2"
}
render manifests manifests/steelyard.yaml
render manifests/replace-kube-proxy manifests/steelyard-replace-kube-proxy.yaml
