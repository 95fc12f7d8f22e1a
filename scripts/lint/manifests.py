"""manifests/steelyard*.yaml are what their pieces give; the samples use only fields that exist; no right is a wildcard."""
import shutil
import subprocess

from tree import Skip

try:
    import yaml
except ImportError:
    yaml = None

# Folder with the pieces -> the one file made of them.
_RENDERED = {"manifests": "manifests/steelyard.yaml",
             "manifests/replace-kube-proxy": "manifests/steelyard-replace-kube-proxy.yaml"}


def _documents(text):
    return [d for d in yaml.safe_load_all(text) if d]


def _key(document):
    metadata = document["metadata"]
    return document["kind"], metadata.get("namespace", ""), metadata["name"]


def _stale(tree, folder, one_file):
    """Objects, not text: kubectl's releases differ in the order of keys."""
    result = subprocess.run(["kubectl", "kustomize", folder], cwd=tree.root,
                            capture_output=True, text=True, check=False)
    if result.returncode != 0:
        yield f"{folder}/kustomization.yaml: {result.stderr.strip()}"
        return
    rendered = {_key(d): d for d in _documents(result.stdout)}
    kept = {_key(d): d for d in _documents(tree.text(one_file))}
    for key in sorted(rendered.keys() | kept.keys()):
        if rendered.get(key) != kept.get(key):
            yield f"{one_file}: {' '.join(key)} differs from its piece; run scripts/render-manifests.sh"


def _wildcards(tree, one_file):
    for document in _documents(tree.text(one_file)):
        for rule in document.get("rules", []):
            if any("*" in rule.get(part, []) for part in ("apiGroups", "resources", "verbs")):
                yield f"{one_file}: {' '.join(_key(document))}: a right to everything (*)"


def _schemas(tree):
    schemas = {}
    for path in tree.select(".yaml", under=("crds/",)):
        spec = yaml.safe_load(tree.text(path))["spec"]
        for version in spec["versions"]:
            key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
            schemas[key] = version["schema"]["openAPIV3Schema"]
    return schemas


def _unknown(value, schema, where):
    """Fields of `value` that `schema` does not have."""
    if isinstance(value, list):
        for item in value:
            yield from _unknown(item, schema.get("items", {}), f"{where}[]")
    elif isinstance(value, dict) and "properties" in schema:
        for name, below in value.items():
            if name not in schema["properties"]:
                yield f"{where}.{name}"
            else:
                yield from _unknown(below, schema["properties"][name], f"{where}.{name}")


def _samples(tree):
    schemas = _schemas(tree)
    for path in tree.select(".yaml", under=("manifests/samples/",)):
        for document in _documents(tree.text(path)):
            schema = schemas.get((document["apiVersion"], document["kind"]))
            if schema is None and document["apiVersion"].startswith("metallb.io/"):
                yield f"{path}: there is no {document['apiVersion']} {document['kind']}"
            for field in _unknown(document, schema or {}, ""):
                yield f"{path}: {document['kind']} has no field {field}"


def check(tree):
    if yaml is None:
        raise Skip("python3-yaml is not installed")
    kept = {folder: file for folder, file in _RENDERED.items() if file in tree.paths}
    findings = [finding for file in kept.values() for finding in _wildcards(tree, file)]
    findings += _samples(tree)
    if shutil.which("kubectl"):
        findings += [finding for folder, file in kept.items() for finding in _stale(tree, folder, file)]
    elif not findings:
        raise Skip("kubectl is not installed, so the rendered files were not compared")
    return findings
