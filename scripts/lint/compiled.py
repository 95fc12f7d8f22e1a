"""Runs a tool over files of the compilation database, two at a time, and remembers the clean ones.

A file is clean as long as neither it, nor a header of ours it includes, nor its flags, nor the tool's
settings have changed; the marks lie in BUILD/lint-clean. So a second run costs only what changed.
"""
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess

_OWN = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
_GCC_ONLY = ("-Wduplicated-cond", "-Wlogical-op", "-Wuseless-cast", "-Wno-tsan")


def commands(tree):
    """path -> compiler arguments (without compiler, output and file) that clang understands too."""
    flags = {}
    for entry in json.loads(tree.need_build().read_text(encoding="utf-8")):
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), tree.root)
        words = shlex.split(entry["command"])
        while words and not words[0].startswith("-"):  # a launcher and the compiler
            words.pop(0)
        kept, skip = [], False
        for word in words:
            if skip or word in ("-o", "-c", "-MF", "-MT", "-MQ"):
                skip = not skip and word != "-c"
            elif word not in ("-MD", "-MMD", *_GCC_ONLY) and not word.endswith(".cpp"):
                kept.append(word)
        flags[path] = kept
    return flags


def headers(tree, path, seen=None):
    """The headers of ours that `path` includes, directly or through others."""
    seen = set() if seen is None else seen
    for header in _OWN.findall(tree.text(path)):
        if header not in seen and (tree.root / header).is_file():
            seen.add(header)
            headers(tree, header, seen)
    return seen


def _mark(tree, path, settings):
    digest = hashlib.sha256(settings.encode())
    for part in [path, *sorted(headers(tree, path))]:
        digest.update(part.encode() + b"\0" + tree.text(part).encode() + b"\0")
    return tree.build / "lint-clean" / digest.hexdigest()


def run(tree, jobs, complain):
    """`jobs`: path -> command. Yields complain(path, result) for every command that ran."""
    def one(path, command):
        mark = _mark(tree, path, shlex.join(command))
        if mark.exists():
            return []
        result = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, check=False)
        found = list(complain(path, result))
        if not found:
            mark.parent.mkdir(exist_ok=True)
            mark.touch()
        return found

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(one, *zip(*jobs.items())) if jobs else []:
            yield from found
