"""Every header compiles on its own: it includes what it uses.

The few headers that reach Beast cost ten seconds each, so they are read together, in one go.
"""
import posixpath

import compiled

_PLAIN = ["-std=c++20", "-I", "."]


def _flags(path, by_folder):
    """The flags of a file beside the header, or in the nearest folder above."""
    folder = posixpath.dirname(path)
    while folder and folder not in by_folder:
        folder = posixpath.dirname(folder)
    return by_folder.get(folder, _PLAIN)


def _reaches_beast(tree, path):
    return any("<boost/beast" in tree.text(p) for p in [path, *compiled.headers(tree, path)])


def _complain(path, result):
    if result.returncode != 0:
        errors = [line for line in result.stderr.splitlines() if "error" in line]
        yield f"{path}: does not compile on its own: {errors[0] if errors else result.stderr.strip()}"


def check(tree):
    by_folder = {posixpath.dirname(path): flags
                 for path, flags in compiled.commands(tree).items()
                 if path in tree.paths and not path.endswith("_test.cpp")}
    compiler = ["g++", "-fsyntax-only", "-x", "c++", "-w"]
    jobs, together = {}, []
    for path in tree.select(".hpp"):
        if _reaches_beast(tree, path):
            together.append(path)
        else:
            jobs[path] = [*compiler, *_flags(path, by_folder), "-include", path, "/dev/null"]
    if together:
        includes = [word for path in together for word in ("-include", path)]
        jobs[together[0]] = [*compiler, *_flags(together[0], by_folder), *includes, "/dev/null"]
    return compiled.run(tree, jobs, _complain)
