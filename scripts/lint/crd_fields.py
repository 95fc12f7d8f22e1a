"""crds/*.yaml hold exactly the fields, defaults, ranges and columns that crds/fields.txt lists.

The list is short enough to be read against the API's documentation; the schemas are not.
"""
from tree import Skip

try:
    import yaml
except ImportError:
    yaml = None

LIST = "crds/fields.txt"
_SELECTOR = {"matchExpressions", "matchLabels"}


def _type(node):
    """A type as the list writes it, and the node whose properties go on below it."""
    properties = node.get("properties", {})
    if set(properties) == _SELECTOR:
        return "selector", {}
    if node.get("type") == "array":
        inner, properties = _type(node["items"])
        return f"[]{inner}", properties
    return node.get("format", node["type"]), properties


def _facts(node):
    facts = []
    if "default" in node:
        facts.append(f"default={str(node['default']).lower()}")
    if "minimum" in node or "maximum" in node:
        facts.append(f"{node.get('minimum', '')}..{node.get('maximum', '')}")
    if "enum" in node:
        facts.append("|".join(node["enum"]))
    return facts


def _fields(prefix, properties, required):
    for name, node in properties.items():
        kind, below = _type(node)
        words = [f"{prefix}{name}", kind, *(["required"] if name in required else []), *_facts(node)]
        yield " ".join(words)
        inner = node["items"] if node.get("type") == "array" else node
        mark = "[]" if node.get("type") == "array" else ""
        yield from _fields(f"{prefix}{name}{mark}.", below, inner.get("required", []))


def _version_facts(version):
    flags = ["stored" if version["storage"] else "served",
             *(["deprecated"] if version.get("deprecated") else []),
             *(["status-subresource"] if "status" in version.get("subresources", {}) else [])]
    yield " ".join(flags)
    for column in version.get("additionalPrinterColumns", []):
        priority = f" priority={column['priority']}" if column.get("priority") else ""
        yield f"column {column['name']} = {column['jsonPath']} {column['type']}{priority}"
    root = version["schema"]["openAPIV3Schema"]
    shown = {k: v for k, v in root["properties"].items() if k in ("spec", "status")}
    yield from _fields("", shown, root.get("required", []))


def describe(tree):
    """The definitions in the words of the list."""
    for path in tree.select(".yaml", under=("crds/",)):
        crd = yaml.safe_load(tree.text(path))["spec"]
        names = crd["names"]
        for version in crd["versions"]:
            subject = f"{names['kind']} {version['name']}"
            yield f"{subject}: plural={names['plural']} singular={names['singular']} list={names['listKind']}"
            for fact in _version_facts(version):
                yield f"{subject}: {fact}"


def check(tree):
    if yaml is None:
        raise Skip("python3-yaml is not installed")
    listed = [line.rstrip() for line in tree.text(LIST).splitlines()
              if line.strip() and not line.startswith("#")]
    actual = list(describe(tree))
    for line in listed:
        if line not in actual:
            yield f"{LIST}: not so in crds/: {line}"
    for line in actual:
        if line not in listed:
            yield f"crds/: not in {LIST}: {line}"
