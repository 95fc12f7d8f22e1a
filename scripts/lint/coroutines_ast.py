"""The shapes that GCC 12 miscompiles beside co_await, found by clang in the syntax tree.

Exact where coroutines.py is quick: it also sees what macros and templates hide.
"""
import pathlib
import re
import shutil

import compiled
from tree import Skip

_TOOL = "clang-query-14"
_QUERY = pathlib.Path(__file__).with_name("co_await_temporaries.query")
_HIT = re.compile(r'^(\S+?:\d+):\d+: note: "(AGG|LAMBDA|TERNARY)" binds here', re.MULTILINE)
_WHAT = {"AGG": "aggregate temporary", "LAMBDA": "lambda that captures by value", "TERNARY": "?:"}


def _complain(tree):
    def complain(path, result):
        for place, kind in sorted(set(_HIT.findall(result.stdout))):
            shown = place.removeprefix(f"{tree.root}/")
            yield f"{shown}: {_WHAT[kind]} in one expression with co_await (GCC 12 destroys it twice)"
        errors = [line for line in result.stderr.splitlines() if ": error: " in line]
        if errors or result.returncode != 0:
            yield f"{path}: {_TOOL} could not read it: {errors[0] if errors else result.stderr.strip()}"
    return complain


def check(tree):
    if not shutil.which(_TOOL):
        raise Skip(f"{_TOOL} is not installed (package clang-tools-14)")
    settings = ["-DSY_LINT_QUERY=" + str(len(_QUERY.read_text(encoding="utf-8")))]
    jobs = {path: [_TOOL, "-f", str(_QUERY), path, "--", *flags, *settings, "-w"]
            for path, flags in sorted(compiled.commands(tree).items())
            if path in tree.paths and "co_await" in tree.text(path)}
    return compiled.run(tree, jobs, _complain(tree))
