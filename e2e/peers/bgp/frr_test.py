#!/usr/bin/env python3
"""Steelyard's BGP with FRR 8 as the router.

usage: frr_test.py BGP_NODE [unittest arguments]

Needs root, for network namespaces. Exit code 77 (skipped) with a reason when something is not to be had.
"""

import sys

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from stories import ONE, SIX, Endings, Routes, Sessions, Stories, main  # noqa: E402
from frr import Frr  # noqa: E402
from router import Session  # noqa: E402

UNNUMBERED = Session(remote="", interface="eth0", families=("ipv4", "ipv6"), extended_next_hop=True)


class Unnumbered(Stories):
    """Sessions by interface: nobody knows an address beforehand."""

    def test_unnumbered(self):
        """Router advertisements tell both who the other is; IPv4 routes have a link-local next hop (RFC 8950)."""
        node = self.meet(UNNUMBERED)
        self.assertTrue(node.status()["negotiated"]["ipv4_over_ipv6"])
        self.tell(node, ONE, SIX)
        self.assertEqual({self.router.path(one).next_hop for one in (ONE, SIX)}, {"fe80::1"})

    def test_unnumbered_with_bfd_and_restart(self):
        """BFD between link-local addresses; the router comes back and is found again."""
        node = self.meet(UNNUMBERED.but(bfd=True))
        self.tell(node, ONE)
        node.until_status("BFD", lambda s: s["bfd"] == "Up")
        self.router.kill()
        node.until_status("the end", lambda s: s["state"] != "Established")
        self.router.restart()
        node.until_up()
        self.router.until_path(ONE)


if __name__ == "__main__":
    main(__doc__, Frr, Sessions, Routes, Endings, Unnumbered)
