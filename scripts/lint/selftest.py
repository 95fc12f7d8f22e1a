#!/usr/bin/env python3
"""Proves that a check bites: it must pass a clean sample tree and name the fault in each bad one.

usage: selftest.py CHECK
"""
import importlib
import json
import pathlib
import shutil
import sys
import tempfile

from tree import Skip, Tree

_PURE_ROOM = "sy_room(net PURE\n    SOURCES a.cpp)\n"
_COROUTINE = "common/rt/a.cpp"
_AWAIT = """#include <coroutine>
#include <string>
struct Task {
    struct promise_type {
        Task get_return_object() { return {}; }
        std::suspend_never initial_suspend() { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {}
    };
};
struct Options {
    std::string name;
};
std::suspend_never use(const Options&);
template <class F> std::suspend_never with(F);
Task run(std::string text) {
    %s
}
"""
_CRD = """spec:
  group: metallb.io
  names: {kind: Community, plural: communities, singular: community, listKind: CommunityList}
  versions:
    - name: v1beta1
      storage: true
      schema:
        openAPIV3Schema:
          properties:
            apiVersion: {type: string}
            kind: {type: string}
            spec: {type: object, properties: {value: {type: string}%s}}
"""
_FIELDS = """Community v1beta1: plural=communities singular=community list=CommunityList
Community v1beta1: stored
Community v1beta1: spec object
Community v1beta1: spec.value string
"""
_ROLE = """apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r, namespace: n}
rules:
  - apiGroups: [""]
    resources: [%s]
    verbs: [get]
"""


def _manifests(piece="pods", kept="pods", sample="value: a"):
    return {"manifests/kustomization.yaml": "resources: [role.yaml]\n",
            "manifests/role.yaml": _ROLE % piece, "manifests/steelyard.yaml": _ROLE % kept,
            "crds/communities.yaml": _CRD % "",
            "manifests/samples/a.yaml": "apiVersion: metallb.io/v1beta1\nkind: Community\nspec: {%s}\n" % sample}


# check -> (clean tree, [(bad tree, part of the finding)])
SAMPLES = {
    "arrows": (
        {"speaker/io/a.cpp": '#include "common/net/b.hpp"\n// #include "speaker/app/c.hpp"\n',
         "common/net/b.hpp": "", "speaker/app/c.hpp": ""},
        [({"common/net/a.cpp": '#include "common/rt/b.hpp"\n', "common/rt/b.hpp": ""}, "points upwards"),
         ({"speaker/l2/a.cpp": '#include "speaker/bfd/b.hpp"\n', "speaker/bfd/b.hpp": ""}, "siblings"),
         ({"speaker/app/a.cpp": '#include "controller/ipam/b.hpp"\n', "controller/ipam/b.hpp": ""},
          "speaker does not know controller"),
         ({"common/config/a.cpp": '#include "speaker/elect/b.hpp"\n', "speaker/elect/b.hpp": ""},
          "common does not know speaker"),
         ({"common/rt/a.cpp": '#include "e2e/lab/b.hpp"\n', "e2e/lab/b.hpp": ""}, "integration tests include e2e"),
         ({"common/rt/a.cpp": '#include "common/testing/b.hpp"\n', "common/testing/b.hpp": ""}, "only tests"),
         ({"common/rt/a.cpp": "#include <boost/beast/http.hpp>\n"}, "belongs in common/http"),
         ({"common/rt/a.cpp": '#include "signal.hpp"\n'}, "not a path from the root"),
         ({"common/attic/a.cpp": ""}, "in no room")]),
    "pure": (
        {"common/net/CMakeLists.txt": _PURE_ROOM, "common/net/a.cpp": "// Clock::now() is not for us\n",
         "common/net/a_test.cpp": "auto t = Clock::now();\n"},
        [({"common/net/CMakeLists.txt": _PURE_ROOM, "common/net/a.cpp": f"{line}\n"}, "in a pure room")
         for line in ("auto t = Clock::now();", "#include <boost/asio/ip/tcp.hpp>", "std::thread t;",
                      "std::mutex m;", "std::random_device d;", 'auto h = getenv("HOME");')]),
    "tokens": (
        {"common/net/a.cpp": "// NOLINTNEXTLINE(bugprone-branch-clone): the table reads better so\ntimer.stop();\n",
         "speaker/main.cpp": "int main() {\n    std::cout << help;\n}\n"},
        [({"common/net/a.cpp": "co_spawn(ex, run(), asio::detached);\n"}, "TaskGroup"),
         ({"common/net/a.cpp": "asio::io_context loop;\nloop.stop();\n"}, "a.cpp:2: a loop ends"),
         ({"common/net/a.cpp": "std::cout << 1;\n"}, "only programs print"),
         ({"common/net/a.cpp": "int x;  // NOLINT\n"}, "NOLINT"),
         ({"docs/a.md": "TODO: write this\n"}, "finish it"),
         ({"common/net/a.cpp": "// FIXME\n"}, "finish it")]),
    "size": ({"common/net/a.cpp": "\n" * 600}, [({"common/net/a.cpp": "\n" * 601}, "split it")]),
    "words": (
        {"docs/a.md": "Temporary files go to $TMPDIR.\n", "e2e/run.sh": "mkdir /tmp/lab\n"},
        [({"docs/a.md": "Look in /tmp/lab.\n"}, "/tmp/"), ({"run.sh": "cd /home/me/tree\n"}, "/home/m")]),
    "format": (
        {".clang-format": "BasedOnStyle: Google\n", "a.cpp": "int a = 1;\n"},
        [({".clang-format": "BasedOnStyle: Google\n", "a.cpp": "int   a=1;\n"}, "clang-format-14 -i a.cpp")]),
    "coroutines": (
        {_COROUTINE: _AWAIT % ("Options options{text};\n    auto f = [text] { return text.size(); };\n"
                               "    if (text.empty()) {\n        co_await use(options);\n    }\n"
                               "    co_await with([&text]() -> std::pair<int, int> { return {1, 2}; });\n"
                               "    co_await with(f);")},
        [({_COROUTINE: _AWAIT % "co_await use(Options{text});"}, "a.cpp:18: braces-initialised object"),
         ({_COROUTINE: _AWAIT % "co_await use({text});"}, "braces-initialised object"),
         ({_COROUTINE: _AWAIT % "co_await with([text] { return text; });"}, "captures by value"),
         ({_COROUTINE: _AWAIT % "auto f = [&] { co_await with([=] { return text; }); };"}, "captures by value"),
         ({_COROUTINE: _AWAIT % "auto x = text.empty() ? 0 : co_await use(o);"}, "?:")]),
    "coroutines_ast": (
        {_COROUTINE: _AWAIT % "Options options{text};\n    co_await use(options);"},
        [({_COROUTINE: _AWAIT % "co_await use(Options{text});"}, "a.cpp:18: aggregate temporary"),
         ({_COROUTINE: _AWAIT % "co_await with([text] { return text; });"}, "captures by value"),
         ({_COROUTINE: _AWAIT % "text.empty() ? co_await use(o) : co_await use(o);"}, "could not read it")]),
    "headers": (
        {"common/net/a.cpp": "", "common/net/a.hpp": "#include <string>\nstd::string f();\n"},
        [({"common/net/a.cpp": "", "common/net/a.hpp": "std::string f();\n"}, "does not compile on its own")]),
    "tidy": (
        {".clang-tidy": "Checks: '-*,modernize-use-nullptr'\nWarningsAsErrors: '*'\n", "common/net/a.cpp": "int* p = nullptr;\n"},
        [({".clang-tidy": "Checks: '-*,modernize-use-nullptr'\nWarningsAsErrors: '*'\n",
           "common/net/a.cpp": "int* p = 0;\n"}, "modernize-use-nullptr")]),
    "crd_fields": (
        {"crds/communities.yaml": _CRD % "", "crds/fields.txt": _FIELDS},
        [({"crds/communities.yaml": _CRD % ", name: {type: string}", "crds/fields.txt": _FIELDS}, "spec.name"),
         ({"crds/communities.yaml": _CRD % "", "crds/fields.txt": _FIELDS + "Community v1beta1: spec.name string\n"},
          "not so in crds/")]),
    "manifests": (
        _manifests(),
        [(_manifests(kept="nodes"), "render-manifests"), (_manifests(piece='"*"', kept='"*"'), "everything"),
         (_manifests(sample="worth: a"), "no field .spec.worth")]),
}


def findings(check, files):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder, "tree")
        build = pathlib.Path(folder, "build")
        build.mkdir()
        for path, text in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        database = [{"directory": str(build), "file": str(root / path), "command": f"g++ -I{root} -std=c++20 -c {path}"}
                    for path in files if path.endswith(".cpp")]
        (build / "compile_commands.json").write_text(json.dumps(database), encoding="utf-8")
        return list(importlib.import_module(check).check(Tree(root, build)))


def needs(check):
    if check == "manifests" and not shutil.which("kubectl"):
        raise Skip("kubectl is not installed")


def main():
    check = sys.argv[1]
    clean, bad = SAMPLES[check]
    failures = 0
    try:
        needs(check)
        for finding in findings(check, clean):
            print(f"{check}: complains of a clean tree: {finding}")
            failures += 1
        for files, expected in bad:
            found = findings(check, files)
            if not any(expected in finding for finding in found):
                print(f"{check}: expected a finding with {expected!r}, got {found}: {files}")
                failures += 1
    except Skip as reason:
        print(f"{check}: skipped: {reason}")
        return 77
    print(f"{check}: 1 clean and {len(bad)} bad samples, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
