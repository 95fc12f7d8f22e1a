"""No source file is longer than 600 lines, but for those in size_allowed.txt, each with a reason."""
import pathlib

LIMIT = 600
_SOURCES = (".cpp", ".hpp", ".py", ".sh", ".go", ".cmake", "CMakeLists.txt")
_ALLOWED = pathlib.Path(__file__).with_name("size_allowed.txt")


def allowed(text):
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split(None, 1) for line in lines if len(line.split(None, 1)) == 2)


def check(tree):
    exempt = allowed(_ALLOWED.read_text(encoding="utf-8"))
    for path in tree.select(*_SOURCES):
        lines = tree.text(path).count("\n")
        if lines > LIMIT and path not in exempt:
            yield f"{path}: {lines} lines; split it (at most {LIMIT})"
