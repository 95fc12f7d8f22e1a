#!/bin/sh
# Writes manifests/steelyard.yaml, the one file for `kubectl apply -f`, from the pieces beside it.
# The lint `manifests` fails when that was forgotten.
set -eu
cd "$(dirname "$0")/.."
kubectl kustomize manifests > manifests/steelyard.yaml.new
mv manifests/steelyard.yaml.new manifests/steelyard.yaml
