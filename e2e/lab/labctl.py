"""Bringing a lab up and down from the host, and reading its logs."""

import os
import shutil
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


def up(state, topology_file, memory="2048M", limit=1800, cluster=True, on_line=None):
    """Boots the lab and waits until it is ready; raises LabError otherwise, and then leaves nothing behind."""
    uml.require_tools(uml.KERNEL, "modprobe", "ip", "tc", "kubectl" if cluster else "ip")
    build = build_tree()
    _check_programs(build, cluster)
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
                "apiserver": [str(build / API_SERVER), *API_SERVER_FLAGS]}
    daemon.start(state, settings, memory, limit)
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
    deadline = time.monotonic() + 10
    while os.path.exists(state):
        if time.monotonic() > deadline:
            raise uml.LabError(f"{state} is still there 10 s after the end")
        time.sleep(0.02)


def log_files(state, prefix):
    """The log files of a pod (by the beginning of its name) or of a part of the lab."""
    parts = {"agent": ["agent.log", "start.log"], "apiserver": ["logs/apiserver.log"], "console": ["console"]}
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
