"""Nothing in the tree names the machine it was written on, a registry host, or a person's tools."""
import re

from tree import line_of

_EVERYWHERE = [
    (re.compile(r"(?<![\w.])/work/"), "a path of one machine"),
    (re.compile(r"(?<![\w.])/(?:home|Users|root)/\w"), "a path of one machine"),
    (re.compile(r"\b(?:docker\.io|quay\.io|ghcr\.io|gcr\.io|registry\.k8s\.io|mcr\.microsoft\.com"
                r"|proxy\.golang\.org|sum\.golang\.org|pypi\.org|registry\.npmjs\.org"
                r"|deb\.debian\.org|crates\.io)\b"), "a registry host"),
    (re.compile(r"\b(?:ChatGPT|OpenAI|Anthropic|Claude|Copilot|LLM|language model)\b",
                re.IGNORECASE), "not about this project"),
]
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
