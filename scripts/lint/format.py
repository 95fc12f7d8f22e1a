"""C++ is laid out as clang-format 14 would, by .clang-format."""
import shutil
import subprocess

from tree import Skip

_TOOL = "clang-format-14"


def check(tree):
    if not shutil.which(_TOOL):
        raise Skip(f"{_TOOL} is not installed")
    files = tree.cpp()
    if not files:
        return
    result = subprocess.run(
        [_TOOL, "--dry-run", "-Werror", *files], cwd=tree.root, capture_output=True, text=True,
        check=False)
    seen = set()
    for line in result.stderr.splitlines():
        if ": error: " in line:
            path = line.split(":")[0]
            if path not in seen:
                seen.add(path)
                yield f"{line.split(': error: ')[0]}: run {_TOOL} -i {path}"
    if result.returncode != 0 and not seen:
        yield result.stderr.strip()
