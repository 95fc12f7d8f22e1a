import unittest

import router_config as config
from router_config import Bfd, Neighbour, Setup

NODE = Neighbour("node1", 64513, "192.168.100.11")


def text_of(kind, *neighbours, **setup):
    """The configuration in one text."""
    made = Setup(64512, "192.168.100.1", neighbours or (NODE,), **setup)
    return "\n".join(config.files(kind, made, "/run/routers/tor").values())


class RouterConfigTest(unittest.TestCase):
    def expect_lines(self, text, *lines):
        for line in lines:
            self.assertIn(line, text)

    def test_every_kind_names_its_own_number_and_its_neighbours(self):
        self.expect_lines(text_of("bird"), "as 64512;", "neighbor 192.168.100.11 port 179 as 64513;")
        self.expect_lines(text_of("frr"), "router bgp 64512", "neighbor 192.168.100.11 remote-as 64513")
        self.expect_lines(text_of("gobgp"), "as = 64512", 'neighbor-address = "192.168.100.11"', "peer-as = 64513")

    def test_every_kind_makes_ecmp_groups(self):
        self.expect_lines(text_of("bird"), "merge paths yes limit 16;")
        self.expect_lines(text_of("frr"), "maximum-paths 16", "maximum-paths ibgp 16")
        self.expect_lines(text_of("gobgp"), "[global.use-multiple-paths.config]")

    def test_a_router_without_fib_keeps_its_routes_to_itself(self):
        self.assertNotIn("protocol kernel", text_of("bird", fib=False))

    def test_a_password_is_the_neighbours(self):
        for kind, line in (("bird", 'password "s3";'), ("frr", "neighbor 192.168.100.11 password s3"),
                           ("gobgp", 'auth-password = "s3"')):
            with self.subTest(kind):
                self.assertIn(line, text_of(kind, Neighbour("node1", 64513, "192.168.100.11", password="s3")))
                self.assertNotIn("password", text_of(kind))

    def test_graceful_restart_can_be_off(self):
        for kind, line in (("bird", "graceful restart off;"), ("frr", "bgp graceful-restart-disable")):
            with self.subTest(kind):
                self.assertIn(line, text_of(kind, restart_seconds=0))
        self.assertNotIn("graceful-restart", text_of("gobgp", restart_seconds=0))

    def test_bfd_has_its_timers(self):
        watched = Neighbour("node1", 64513, "192.168.100.11", bfd=True)
        timers = Bfd(interval=50, multiplier=3, echo=True)
        self.expect_lines(text_of("bird", watched, bfd=timers), "interval 50 ms;", "multiplier 3;", "bfd graceful;")
        self.expect_lines(text_of("bird", watched, bfd=timers, restart_seconds=0), "bfd on;")
        self.expect_lines(text_of("frr", watched, bfd=timers), "transmit-interval 50", "echo-mode",
                          "neighbor 192.168.100.11 bfd profile lab")
        self.assertNotIn("protocol bfd", text_of("bird"))

    def test_only_own_networks_are_announced(self):
        networks = {"networks": ("203.0.113.0/24", "2001:db8::/48")}
        self.expect_lines(text_of("bird", **networks), "protocol static { ipv4; route 203.0.113.0/24 blackhole; }",
                          "export where source = RTS_STATIC;")
        self.expect_lines(text_of("frr", **networks), "ip prefix-list own-ipv4 permit 203.0.113.0/24",
                          "ipv6 prefix-list own-ipv6 permit 2001:db8::/48")
        self.expect_lines(text_of("frr"), "ip prefix-list own-ipv4 deny any")

    def test_an_unnumbered_neighbour_is_an_interface(self):
        link = Neighbour("node1", 64513, interface="down1", bfd=True)
        self.expect_lines(text_of("frr", link), "neighbor down1 interface remote-as 64513", "neighbor down1 activate")

    def test_a_neighbour_far_away_and_one_that_has_to_call(self):
        far = Neighbour("node1", 64513, "192.168.100.11", multihop=3, passive=True)
        self.expect_lines(text_of("bird", far), "multihop 3;", "passive on;")
        self.expect_lines(text_of("frr", far), "ebgp-multihop 3", "neighbor 192.168.100.11 passive")
        self.expect_lines(text_of("gobgp", far), "multihop-ttl = 3", "passive-mode = true")


if __name__ == "__main__":
    unittest.main()
