"""Pure rooms (sy_room(x PURE ...)) have no clock, socket, thread, log or environment."""
import posixpath
import re

from tree import code_only, is_test, line_of

_PURE = re.compile(r"\bsy_room\s*\(\s*\w+\s+PURE\b")
_IMPURE = re.compile(
    r"<boost/asio|<boost/beast|<netlink|<spdlog|<thread>|<mutex>|::socket\s*\("
    r"|::now\s*\(|std::j?thread\b|std::mutex\b|\brandom_device\b|\bgetenv\b")


def check(tree):
    rooms = {posixpath.dirname(p) for p in tree.paths
             if posixpath.basename(p) == "CMakeLists.txt" and _PURE.search(tree.text(p))}
    for path in tree.cpp():
        if posixpath.dirname(path) not in rooms or is_test(path):
            continue
        text = code_only(tree.text(path))
        for match in _IMPURE.finditer(text):
            yield f"{path}:{line_of(text, match.start())}: {match.group()} in a pure room"
