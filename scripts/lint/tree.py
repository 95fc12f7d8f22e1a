"""The tree under check: which files it has, their text, and C++ without comments and strings."""
import pathlib
import re
import subprocess


class Skip(Exception):
    """Raised by a check that cannot run here; its text says what is missing."""


class Tree:
    """Files below `root`, those git tracks or would offer to add; build output is left out."""

    def __init__(self, root, build=None):
        self.root = pathlib.Path(root).resolve()
        self.build = pathlib.Path(build).resolve() if build else None
        self.paths = sorted(p for p in self._list() if (self.root / p).is_file())

    def _list(self):
        listed = subprocess.run(
            ["git", "-C", str(self.root), "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"],
            capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            return {p for p in listed.stdout.split("\0") if p}
        found = (p.relative_to(self.root) for p in self.root.rglob("*"))
        return {str(p) for p in found if p.parts[0] not in ("build", ".git")}

    def text(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    def select(self, *suffixes, under=("",)):
        return [p for p in self.paths
                if p.endswith(suffixes) and any(p.startswith(u) for u in under)]

    def cpp(self):
        return self.select(".cpp", ".hpp")

    def need_build(self):
        database = self.build / "compile_commands.json" if self.build else None
        if database is None or not database.is_file():
            raise Skip("no compile_commands.json: give --build")
        return database


def is_test(path):
    endings = ("_test.cpp", "_test_support.hpp", "_test_support.cpp")
    return path.endswith(endings) or "/fuzz/" in path or "/testing/" in path


def is_program(text):
    """Whether a C++ file is a program's top rather than part of a library."""
    return re.search(r"^int main\(", text, re.MULTILINE) is not None


_NOISE = re.compile(
    r'//(?:\\\n|[^\n])*'
    r'|/\*.*?\*/'
    r'|R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.DOTALL)


def code_only(text, keep_strings=False):
    """C++ with comments and literals blanked; every line keeps its number."""
    def blank(match):
        found = match.group()
        if found.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", found)
        if keep_strings:
            return found
        return found[0] + re.sub(r"[^\n]", " ", found[1:-1]) + found[-1]
    return _NOISE.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
