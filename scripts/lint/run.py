#!/usr/bin/env python3
"""Runs one check over a tree: exit 0 clean, 1 findings, 77 cannot run here (CTest: skipped).

usage: run.py CHECK --root TREE [--build BUILD-FOLDER]
"""
import argparse
import importlib
import pathlib
import sys

from tree import Skip, Tree

CHECKS = ["arrows", "coroutines", "coroutines_ast", "crd_fields", "crdcheck", "format", "headers",
          "manifests", "pure", "size", "tidy", "tokens", "words"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("check", choices=CHECKS)
    parser.add_argument("--root", default=pathlib.Path(__file__).parents[2])
    parser.add_argument("--build")
    arguments = parser.parse_args()
    try:
        findings = list(importlib.import_module(arguments.check).check(
            Tree(arguments.root, arguments.build)))
    except Skip as reason:
        print(f"{arguments.check}: skipped: {reason}")
        return 77
    for finding in findings:
        print(finding)
    print(f"{arguments.check}: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
