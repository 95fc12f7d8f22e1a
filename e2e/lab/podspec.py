"""What a pod's manifest asks for, as plain values: environment, files of its volumes, credentials, probes.

Pure: objects of the API as dictionaries in, values out. A reference that cannot be followed yet (a missing
Secret, say) raises NotYet with the text that belongs into the container's `waiting` state.
"""

import base64
import json
from pathlib import Path


class NotYet(Exception):
    """Something the pod needs does not exist (yet)."""

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason = reason


TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
# The capabilities container runtimes grant when a manifest says nothing.
DEFAULT_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID",
                        "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE")


def references(pod):
    """The (kind, name) of every ConfigMap and Secret the pod mentions."""
    found = set()
    for container in containers(pod):
        for source in container.get("envFrom", []):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in source:
                    found.add((kind, source[field]["name"]))
        for variable in container.get("env", []):
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if field in variable.get("valueFrom", {}):
                    found.add((kind, variable["valueFrom"][field]["name"]))
    for volume in pod["spec"].get("volumes", []):
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            if "configMap" in source:
                found.add(("ConfigMap", source["configMap"]["name"]))
            if "secret" in source:
                secret = source["secret"]
                found.add(("Secret", secret.get("secretName") or secret["name"]))
    return found


def containers(pod):
    """Init containers, then containers."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def data_of(item):
    """The files of a ConfigMap or Secret: name -> bytes."""
    data = {name: value.encode() for name, value in (item.get("stringData") or {}).items()}
    for name, value in (item.get("data") or {}).items():
        data[name] = base64.b64decode(value) if item["kind"] == "Secret" else value.encode()
    for name, value in (item.get("binaryData") or {}).items():
        data[name] = base64.b64decode(value)
    return data


def _look_up(objects, kind, reference, name):
    """The data of a referenced object; None when it is missing and optional."""
    item = objects.get((kind, name))
    if item is not None:
        return data_of(item)
    if reference.get("optional"):
        return None
    raise NotYet("CreateContainerConfigError", f'{kind.lower()} "{name}" not found')


def _field(path, pod, node_address, pod_address):
    meta = pod["metadata"]
    values = {"metadata.name": meta["name"], "metadata.namespace": meta["namespace"], "metadata.uid": meta["uid"],
              "spec.nodeName": pod["spec"]["nodeName"], "status.hostIP": node_address, "status.podIP": pod_address,
              "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default")}
    if path in values:
        return values[path]
    for holder in ("labels", "annotations"):
        if path.startswith(f"metadata.{holder}['") and path.endswith("']"):
            return meta.get(holder, {}).get(path[len(f"metadata.{holder}['"):-2], "")
    raise NotYet("CreateContainerConfigError", f"fieldPath {path} is not supported")


def environment(container, pod, objects, node_address, pod_address, services):
    """The container's variables. `services`: what a kubelet gives every container (KUBERNETES_SERVICE_*);
    envFrom overrides those, env overrides all."""
    result = dict(services)
    for source in container.get("envFrom", []):
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if field in source:
                data = _look_up(objects, kind, source[field], source[field]["name"]) or {}
                result.update({source.get("prefix", "") + name: value.decode() for name, value in data.items()})
    for variable in container.get("env", []):
        value = _value(variable, pod, objects, node_address, pod_address)
        if value is not None:
            result[variable["name"]] = expand(value, result)
    return result


def _value(variable, pod, objects, node_address, pod_address):
    source = variable.get("valueFrom")
    if not source:
        return variable.get("value", "")
    if "fieldRef" in source:
        return _field(source["fieldRef"]["fieldPath"], pod, node_address, pod_address)
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if field in source:
            reference = source[field]
            data = _look_up(objects, kind, reference, reference["name"])
            if data is None or reference["key"] not in data:
                if reference.get("optional"):
                    return None
                raise NotYet("CreateContainerConfigError",
                             f'couldn\'t find key {reference["key"]} in {kind} {reference["name"]}')
            return data[reference["key"]].decode()
    raise NotYet("CreateContainerConfigError", f"variable {variable['name']}: {', '.join(source)} is not supported")


def expand(text, variables):
    """$(NAME) becomes the variable's value when there is one, $$ a dollar sign."""
    result, rest = "", text
    while rest:
        start = rest.find("$")
        if start < 0 or start + 1 >= len(rest):
            return result + rest
        result, rest = result + rest[:start], rest[start:]
        if rest.startswith("$$"):
            result, rest = result + "$", rest[2:]
        elif rest.startswith("$(") and ")" in rest and rest[2:rest.index(")")] in variables:
            name = rest[2:rest.index(")")]
            result, rest = result + variables[name], rest[len(name) + 3:]
        else:
            result, rest = result + "$", rest[1:]
    return result


def volume_files(volume, pod, objects, token):
    """The files of a secret, configMap, downwardAPI or projected volume: path -> (bytes, mode).

    token: function(volume source) -> bytes, for serviceAccountToken sources.
    """
    if "projected" in volume:
        files = {}
        for source in volume["projected"].get("sources", []):
            files.update(_source_files(source, volume["projected"].get("defaultMode"), pod, objects, token))
        return files
    return _source_files(volume, None, pod, objects, token)


def _source_files(source, default_mode, pod, objects, token):
    if "serviceAccountToken" in source:
        return {source["serviceAccountToken"]["path"]: (token(source["serviceAccountToken"]), 0o644)}
    if "downwardAPI" in source:
        return {item["path"]: (_field(item["fieldRef"]["fieldPath"], pod, "", "").encode(), 0o644)
                for item in source["downwardAPI"].get("items", [])}
    for field, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
        if field in source:
            reference = source[field]
            name = reference.get("secretName") or reference["name"]
            try:
                data = _look_up(objects, kind, reference, name)
            except NotYet as error:
                raise NotYet("ContainerCreating", f'MountVolume.SetUp failed: {error}') from None
            mode = reference.get("defaultMode", default_mode or 0o644)
            return _pick(data or {}, reference, mode)
    return {}


def _pick(data, reference, mode):
    items = reference.get("items")
    if items is None:
        return {name: (value, mode) for name, value in data.items()}
    return {item["path"]: (data[item["key"]], item.get("mode", mode)) for item in items if item["key"] in data}


def credentials(container, pod):
    """Options of sylab-enter for the container's user, group and capabilities."""
    pod_context = pod["spec"].get("securityContext") or {}
    context = container.get("securityContext") or {}
    options = []
    user = context.get("runAsUser", pod_context.get("runAsUser", 0))
    group = context.get("runAsGroup", pod_context.get("runAsGroup", 0))
    options += ["--user", str(user), "--group", str(group)]
    if not context.get("privileged"):
        wanted = context.get("capabilities") or {}
        drop, add = set(wanted.get("drop", [])), set(wanted.get("add", []))
        kept = set() if "ALL" in drop else set(DEFAULT_CAPABILITIES) - drop
        options += ["--capabilities", ",".join(sorted(kept | add)) or "none"]
    if context.get("allowPrivilegeEscalation") is False:
        options += ["--no-new-privileges"]
    return options


def mount_path(path):
    """Where a path of a container is in the lab, whose pods share one root: /var/run is /run."""
    return "/run" + path[len("/var/run"):] if path == "/var/run" or path.startswith("/var/run/") else path


def port_number(port, container):
    """A number or the name of one of the container's ports."""
    if isinstance(port, int):
        return port
    for entry in container.get("ports", []):
        if entry.get("name") == port:
            return entry["containerPort"]
    return int(port)


class Images:
    """What the lab knows as images: a JSON file name -> {"files": {path in the image: path on the host},
    "command": [...]}, where ${BUILD} and ${SOURCE} stand for the trees the lab was started with."""

    def __init__(self, text, build, source):
        values = {"BUILD": build, "SOURCE": source}

        def fill(value):
            if isinstance(value, str):
                for name, replacement in values.items():
                    value = value.replace("${" + name + "}", replacement)
                return value
            if isinstance(value, list):
                return [fill(item) for item in value]
            return {name: fill(item) for name, item in value.items()}

        self.images = {name: fill(image) for name, image in json.loads(text).items()}

    def files(self):
        """Every file of every image: path in the guest -> path on the host."""
        return {path: source for image in self.images.values() for path, source in image.get("files", {}).items()}

    def find(self, reference):
        """The image of a reference like registry/name:tag; raises NotYet when the lab has none."""
        name = reference.split("@")[0]
        if ":" in name.rsplit("/", 1)[-1]:
            name = name.rsplit(":", 1)[0]
        parts = name.split("/")
        for start in range(len(parts)):
            if (image := self.images.get("/".join(parts[start:]))) is not None:
                return image
        raise NotYet("ErrImagePull", f'image "{reference}" is not in the lab\'s images.json')

    def argv(self, container, variables):
        """The program to run: the manifest's command and args, else the image's."""
        image = self.find(container["image"])
        command = container.get("command") or image.get("command", [])
        arguments = container.get("args") or ([] if container.get("command") else image.get("args", []))
        if not command:
            raise NotYet("RunContainerError", f'image "{container["image"]}" has no command of its own')
        missing = [source for source in image.get("files", {}).values() if not Path(source).exists()]
        if missing:
            raise NotYet("ErrImagePull", f"not built: {', '.join(missing)}")
        return [expand(word, variables) for word in [*command, *arguments]]
