"""Includes only point downwards, by the table in rooms.py."""
import re

import rooms
from tree import code_only, is_program, is_test, line_of

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def _confined(path, header):
    for prefix, places in rooms.CONFINED.items():
        if header.startswith(prefix) and not path.startswith(tuple(p + "/" for p in places)):
            return f"<{header}> belongs in {', '.join(places)}"
    return None


def _ours(tree, path, header):
    room = rooms.room_of(path)
    if not (tree.root / header).is_file():
        return "is not a path from the root of the tree"
    target = rooms.room_of(header)
    if target is None:
        return "is in no room of rooms.py"
    return rooms.objection(room, target, is_test(path))


def check(tree):
    for path in tree.cpp():
        if rooms.room_of(path) is None:
            yield f"{path}: its folder is in no room; add it to scripts/lint/rooms.py"
            continue
        text = code_only(tree.text(path), keep_strings=True)
        for match in _INCLUDE.finditer(text):
            own, third_party = match.groups()
            if own:
                why = _ours(tree, path, own)
            else:
                why = None if is_program(text) else _confined(path, third_party)
            if why:
                what = f'"{own}" ' if own else ""
                yield f"{path}:{line_of(text, match.start())}: {what}{why}"
