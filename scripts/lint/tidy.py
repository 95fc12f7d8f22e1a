"""clang-tidy 14, by .clang-tidy, over every compiled file but tests."""
import re
import shutil

import compiled
from tree import Skip, is_test

_TOOL = "clang-tidy-14"
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
    settings = f"-DSY_LINT_TIDY={len(tree.text('.clang-tidy'))}"
    jobs = {path: [_TOOL, "--quiet", path, "--", *flags, settings, "-Wno-unknown-warning-option"]
            for path, flags in sorted(compiled.commands(tree).items())
            if path in tree.paths and not is_test(path) and not path.startswith("e2e/")}
    return compiled.run(tree, jobs, _complain(tree))
