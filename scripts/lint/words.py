"""Nothing in the tree names a folder of the machine it was written on."""
import re

from tree import line_of

_EVERYWHERE = [(re.compile(r"(?<![\w.])/(?:home|Users|root)/\w"), "a path of one machine")]
_IN_DOCS = [(re.compile(r"(?<![\w.])/tmp/"), "a path of one machine")]
_BINARY = (".png", ".pcap", ".bin", ".sum")


def check(tree):
    for path in tree.paths:
        if path.startswith("scripts/lint/") or path.endswith(_BINARY) or "/corpus/" in path:
            continue
        text = tree.text(path)
        for pattern, why in _EVERYWHERE + (_IN_DOCS if path.endswith(".md") else []):
            for match in pattern.finditer(text):
                yield f"{path}:{line_of(text, match.start())}: {match.group()}: {why}"
