"""Words that no file may hold: spawned tasks nobody joins, a stopped loop, open ends."""
import re

from tree import code_only, is_program, is_test, line_of

_LIBRARY = ("common/", "controller/", "speaker/")
_CODE = [
    (re.compile(r"\basio::detached\b|,\s*detached\s*\)"), "only rt::TaskGroup spawns tasks"),
    (re.compile(r"\b(?:ioc|io_context|ctx)\s*(?:\.|->)\s*stop\s*\(\s*\)"),
     "a loop ends when its tasks have ended, never by stop()"),
]
_CONTEXT = re.compile(r"\bio_context\s*[&*]?\s+(\w+)")
_PRINT = re.compile(r"\bstd::(?:cout|cerr|clog)\b|(?<![\w:])printf\s*\(")
_OPEN_END = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
_NOLINT = re.compile(r"\bNOLINT(?!END)(?:NEXTLINE|BEGIN)?\b(?P<why>\([\w\-.,* ]+\):\s*\S)?")
_TEXT = (".cpp", ".hpp", ".py", ".sh", ".go", ".cmake", ".md", ".yaml", "CMakeLists.txt", "run")


def _in_code(path, text):
    for pattern, why in _CODE:
        for match in pattern.finditer(text):
            yield match.start(), why
    for name in set(_CONTEXT.findall(text)):
        for match in re.finditer(rf"\b{name}\s*(?:\.|->)\s*stop\s*\(\s*\)", text):
            yield match.start(), "a loop ends when its tasks have ended, never by stop()"
    if path.startswith(_LIBRARY) and not is_test(path) and not is_program(text):
        for match in _PRINT.finditer(text):
            yield match.start(), "a library returns values and errors; only programs print"


def check(tree):
    for path in tree.select(*_TEXT):
        if path.startswith("scripts/lint/"):
            continue
        text = tree.text(path)
        for match in _OPEN_END.finditer(text):
            yield f"{path}:{line_of(text, match.start())}: {match.group()}: finish it, or file it"
        if not path.endswith((".cpp", ".hpp")):
            continue
        for match in _NOLINT.finditer(text):
            if not match.group("why"):
                yield (f"{path}:{line_of(text, match.start())}: "
                       "write NOLINT(check-name): and the reason")
        for offset, why in sorted(set(_in_code(path, code_only(text)))):
            yield f"{path}:{line_of(text, offset)}: {why}"
