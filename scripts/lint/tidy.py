"""clang-tidy 14, by .clang-tidy: the ground rooms, or with SY_TIDY=all every file but tests and e2e."""
import os
import re
import shutil

import compiled
from tree import Skip, is_test

_TOOL = "clang-tidy-14"
_GROUND = ("common/base/", "common/net/", "common/wire/", "common/config/")
_FINDING = re.compile(r"^(\S+?:\d+):\d+: (?:error|warning): (.*)$", re.MULTILINE)


def _complain(tree):
    def complain(path, result):
        found = sorted(set(_FINDING.findall(result.stdout)))
        for place, what in found:
            yield f"{place.removeprefix(f'{tree.root}/')}: {what}"
        if result.returncode != 0 and not found:
            yield f"{path}: {_TOOL}: {result.stderr.strip() or result.stdout.strip()}"
    return complain


def check(tree):
    if not shutil.which(_TOOL):
        raise Skip(f"{_TOOL} is not installed")
    rooms = ("common/", "controller/", "speaker/") if os.environ.get("SY_TIDY") == "all" else _GROUND
    settings = f"-DSY_LINT_TIDY={len(tree.text('.clang-tidy'))}"
    jobs = {path: [_TOOL, "--quiet", path, "--", *flags, settings, "-Wno-unknown-warning-option"]
            for path, flags in sorted(compiled.commands(tree).items())
            if path in tree.paths and not is_test(path) and path.startswith(rooms)}
    return compiled.run(tree, jobs, _complain(tree))
