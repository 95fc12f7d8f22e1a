"""Bringing a lab up and down from the host, and reading its logs."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import client
import daemon
import topology
import uml

SOURCE = uml.HERE.parent.parent
API_SERVER = "e2e/apiserver/server/steelyard-apiserver"
API_SERVER_FLAGS = ["--listen-address", "{address}", "--advertise-address", "{address}", "--san", "{service}",
                    "--state-dir", "{state}", "--rbac"]
KUBERNETES = SOURCE / "e2e/kubernetes/programs"
NOT_HERE = 77
DOWN_SECONDS = 60
# kind of API server -> guest memory
APIS = {"steelyard": "2048M", "kubernetes": "3072M"}


class NotHere(uml.LabError):
    """What was asked for cannot be had on this machine; the text says why."""


def chosen_api():
    """Which API server a lab gets: $LAB_API, default steelyard."""
    kind = os.environ.get("LAB_API") or "steelyard"
    if kind not in APIS:
        raise uml.LabError(f"LAB_API={kind}: not one of {', '.join(APIS)}")
    return kind


def kubernetes_programs(on_line=None):
    """Folder with etcd, kube-apiserver, kube-controller-manager and kubectl, built when they are not there yet; raises
    NotHere."""
    with subprocess.Popen([str(KUBERNETES)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stderr:
            lines.append(line.rstrip())
            if on_line:
                on_line(lines[-1])
        folder = process.stdout.read().strip()
    if process.returncode == NOT_HERE:
        raise NotHere(lines[-1] if lines else "no reason given")
    if process.returncode != 0:
        raise uml.LabError("\n".join(["the programs of Kubernetes were not built:", *lines[-20:]]))
    return Path(folder)


def _api_settings(kind, build, on_line):
    """What the agent is told about the API server; see control_plane.py."""
    if kind == "steelyard":
        return {"kind": kind, "argv": [str(build / API_SERVER), *API_SERVER_FLAGS]}
    folder = kubernetes_programs(on_line)
    return {"kind": kind, "programs": str(folder), "path": [str(folder)]}


def build_tree():
    """The build whose programs the lab runs: $SY_BUILD, default build/release."""
    return Path(os.environ.get("SY_BUILD") or SOURCE / "build" / "release").resolve()


def _check_programs(build, cluster):
    wanted = [build / "e2e/lab" / name for name in ("sylab-enter", "sylab-pod", "sylab-prober")]
    if cluster:
        wanted.append(build / API_SERVER)
    missing = [str(path) for path in wanted if not path.exists()]
    if missing:
        raise uml.LabError(f"not built: {', '.join(missing)}; build it, or name another build tree in SY_BUILD")


def up(state, topology_file, memory=None, limit=1800, cluster=True, on_line=None, api=None):
    """Boots the lab and waits until it is ready; raises LabError otherwise, and then leaves nothing behind. `api` is
    one of APIS, by default chosen_api()."""
    uml.require_tools(uml.KERNEL, "modprobe", "ip", "tc", "kubectl" if cluster else "ip")
    build = build_tree()
    api = api or chosen_api()
    _check_programs(build, cluster and api == "steelyard")
    text = Path(topology_file).read_text(encoding="utf-8")
    try:
        topology.parse(text)
    except topology.TopologyError as error:
        raise uml.LabError(f"{topology_file}: {error}") from None
    if client.is_up(state):
        raise uml.LabError(f"a lab is up already (state folder {state}); end it with `lab down`")
    shutil.rmtree(state, ignore_errors=True)
    settings = {"topology": text, "build": str(build), "source": str(SOURCE), "cluster": cluster,
                "images": (uml.HERE / "images.json").read_text(encoding="utf-8"),
                "api": _api_settings(api, build, on_line) if cluster else {}}
    daemon.start(state, settings, memory or APIS[api], limit)
    outcome = client.call(state, "wait", on_line)
    if not outcome["ok"]:
        logs = "".join(_tail(Path(state) / name) for name in ("agent.log", "start.log", "console"))
        down(state)
        raise uml.LabError(f"{outcome['error']}\n{logs}".rstrip())


def _tail(path, count=2000):
    try:
        return path.read_text(errors="replace")[-count:]
    except OSError:
        return ""


def down(state):
    """Ends the lab if there is one; returns when all of it is gone."""
    try:
        client.call(state, "down")
    except uml.LabError:
        shutil.rmtree(state, ignore_errors=True)
        return
    deadline = time.monotonic() + DOWN_SECONDS
    while os.path.exists(state):
        if time.monotonic() > deadline:
            raise uml.LabError(f"{state} is still there {DOWN_SECONDS} s after the end")
        time.sleep(0.02)


def log_files(state, prefix):
    """The log files of a pod (by the beginning of its name) or of a part of the lab."""
    parts = {"agent": ["agent.log", "start.log"], "console": ["console"],
             **{name: [f"logs/{name}.log"] for name in ("apiserver", "audit", "etcd", "controller-manager")}}
    if prefix in parts:
        return [path for name in parts[prefix] if (path := Path(state) / name).exists()]
    return [path for path in sorted((Path(state) / "logs").glob("*_*_*.log"))
            if path.name.split("_")[1].startswith(prefix)]


def print_logs(state, prefix, out):
    """Prints them; each under its name when there are several."""
    files = log_files(state, prefix)
    if not files:
        raise uml.LabError(f"no logs of {prefix}")
    for path in files:
        if len(files) > 1:
            out.write(f"==> {path.name} <==\n")
        out.write(path.read_text(errors="replace"))
    return 0
