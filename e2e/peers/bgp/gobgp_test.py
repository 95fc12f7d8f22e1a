#!/usr/bin/env python3
"""Steelyard's BGP with GoBGP 3 as the router.

usage: gobgp_test.py BGP_NODE [unittest arguments]

Needs root, for network namespaces. Exit code 77 (skipped) with a reason when something is not to be had.
"""

import sys

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from stories import Endings, Routes, Sessions, main  # noqa: E402
from gobgp import Gobgp  # noqa: E402

if __name__ == "__main__":
    main(__doc__, Gobgp, Sessions, Routes, Endings)
