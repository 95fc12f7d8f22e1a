import json
import unittest

import gobgp_fib
import router_answers as answers
from router_answers import Path

BIRD_ROUTES = """BIRD 2.0.12 ready.
Table master4:
198.18.0.0/24        unicast [node2 2026-11-21 08:17:27.169] * (100) [AS64513i]
\tvia 192.168.100.12 on eth0
\tType: BGP univ
\tBGP.origin: IGP
\tBGP.as_path: 64513
\tBGP.next_hop: 192.168.100.12
\tBGP.local_pref: 100
\tBGP.community: (65000,100) (65535,0)
\tBGP.ext_community: (rt, 64512, 5) (generic, 0x4004fc00, 0x4b000000)
\tBGP.large_community: (1, 2, 3)
                     unicast [node1 2026-11-21 08:17:28.169] (100s) [AS64513i]
\tvia 192.168.100.11 on eth0
\tType: BGP univ
\tBGP.origin: IGP
\tBGP.as_path: 64513 64513
\tBGP.next_hop: 192.168.100.11
\tBGP.med: 7
\tBGP.local_pref: 0
203.0.113.0/24       blackhole [static1 2026-11-21 08:06:55.853] * (200)
\tType: static univ
"""

BIRD_PROTOCOLS = """BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     2026-11-21 08:06:55.858
node1      BGP        ---        up     2026-11-21 08:06:59.242  Established
  BGP state:          Established
    Local capabilities
      Graceful restart
    Neighbor capabilities
      Route refresh
      Graceful restart
node2      BGP        ---        start  2026-11-21 08:06:55.858  Active        Socket: Connection refused
  BGP state:          Active
    Local capabilities
      Graceful restart
"""

BIRD_BFD = """BIRD 2.0.12 ready.
bfd1:
IP address                Interface  State      Since         Interval  Timeout
192.168.100.11            eth0       Up         2026-11-21 08:07:00.875    0.050    0.150
192.168.100.12            eth0       Down       2026-11-21 08:07:00.875    0.300    0.000
"""

FRR_ROUTE = {"prefix": "198.18.0.0/24", "paths": [
    {"aspath": {"string": "64513"}, "metric": 3, "locPrf": 100, "stale": True,
     "community": {"string": "65000:100 graceful-shutdown", "list": ["65000:100", "gracefulShutdown"]},
     "extendedCommunity": {"string": "RT:64512:5 LB:64513:125000000 (1.000 Gbps)"},
     "largeCommunity": {"string": "1:2:3", "list": ["1:2:3"]},
     "nexthops": [{"ip": "fd00::c"}, {"ip": "fe80::c", "used": True}],
     "peer": {"peerId": "fe80::c", "interface": "down2"}},
    {"aspath": {"string": "Local"}, "sourced": True, "local": True, "peer": {"peerId": "0.0.0.0"}}]}

FRR_NEIGHBOURS = {
    "192.168.100.11": {"bgpState": "Established", "connectionsEstablished": 2,
                       "neighborCapabilities": {"gracefulRestart": "advertisedAndReceived"}},
    "192.168.100.12": {"bgpState": "Active", "connectionsEstablished": 1}}

GOBGP_PATH = {
    "attrs": [{"type": 1, "value": 0}, {"type": 2, "as_paths": [{"segment_type": 2, "num": 1, "asns": [64513]}]},
              {"type": 3, "nexthop": "192.168.100.12"}, {"type": 8, "communities": [4259840100]},
              {"type": 16, "value": [{"type": 0, "subtype": 2, "value": "64512:5"}]},
              {"type": 32, "value": [{"ASN": 1, "LocalData1": 2, "LocalData2": 3}]}],
    "stale": False, "neighbor-ip": "192.168.100.12"}

GOBGP_NEIGHBOURS = [
    {"state": {"neighbor_address": "192.168.100.11", "session_state": 6,
               "remote_cap": [{"type_url": "type.googleapis.com/apipb.GracefulRestartCapability"}]},
     "timers": {"state": {"uptime": {"seconds": 1795248618}}}},
    {"state": {"neighbor_address": "192.168.100.12", "session_state": 3}}]

COMMON = {"as_path": (64513,), "large": frozenset({"1:2:3"})}


class RouterAnswersTest(unittest.TestCase):
    def test_birds_routes_have_all_attributes_and_local_ones_are_left_out(self):
        self.assertEqual(answers.bird_routes(BIRD_ROUTES), {"198.18.0.0/24": [
            Path("node2", "192.168.100.12", communities=frozenset({"65000:100", "65535:0"}), local_pref=100,
                 extended=frozenset({"rt:64512:5", "4004fc004b000000"}), **COMMON),
            Path("node1", "192.168.100.11", as_path=(64513, 64513), local_pref=0, med=7, stale=True)]})

    def test_birds_sessions_tell_state_start_and_the_neighbours_graceful_restart(self):
        sessions = answers.bird_sessions(BIRD_PROTOCOLS)
        self.assertEqual(sorted(sessions), ["node1", "node2"])
        self.assertTrue(sessions["node1"].up and sessions["node1"].remote_restarts)
        self.assertEqual(sessions["node1"].since, "2026-11-21 08:06:59.242")
        self.assertEqual((sessions["node2"].state, sessions["node2"].since, sessions["node2"].remote_restarts),
                         ("Active", "", False))

    def test_birds_bfd_sessions_tell_state_and_intervals(self):
        sessions = answers.bird_bfd(BIRD_BFD)
        self.assertTrue(sessions["192.168.100.11"].up)
        self.assertEqual(sessions["192.168.100.11"].details, {"interval": 50, "timeout": 150})
        self.assertFalse(sessions["192.168.100.12"].up)

    def test_frrs_routes_are_written_the_same_way(self):
        self.assertEqual(answers.frr_routes(json.dumps(FRR_ROUTE)), {"198.18.0.0/24": [
            Path("down2", "fe80::c", communities=frozenset({"65000:100", "65535:0"}), local_pref=100, med=3,
                 extended=frozenset({"rt:64512:5", "lb:64513:125000000"}), stale=True, **COMMON)]})
        self.assertEqual(answers.frr_routes("{}\n"), {})

    def test_frrs_sessions_differ_by_their_count(self):
        sessions = answers.frr_sessions(json.dumps(FRR_NEIGHBOURS))
        self.assertEqual(sessions["192.168.100.11"].since, "session 2")
        self.assertTrue(sessions["192.168.100.11"].remote_restarts)
        self.assertEqual((sessions["192.168.100.12"].up, sessions["192.168.100.12"].since), (False, ""))

    def test_gobgps_routes_are_written_the_same_way(self):
        text = json.dumps({"198.18.0.0/24": [GOBGP_PATH, {**GOBGP_PATH, "neighbor-ip": "<nil>"}]})
        self.assertEqual(answers.gobgp_routes(text), {"198.18.0.0/24": [
            Path("192.168.100.12", "192.168.100.12", communities=frozenset({"65000:100"}),
                 extended=frozenset({"rt:64512:5"}), **COMMON)]})
        self.assertEqual(answers.gobgp_routes("{}"), {})

    def test_gobgps_sessions_tell_state_and_start(self):
        sessions = answers.gobgp_sessions(json.dumps(GOBGP_NEIGHBOURS))
        self.assertEqual((sessions["192.168.100.11"].state, sessions["192.168.100.11"].since),
                         ("Established", "1795248618"))
        self.assertEqual(sessions["192.168.100.12"].state, "Active")


class GobgpFibTest(unittest.TestCase):
    @staticmethod
    def path(hop, **attributes):
        extra = [{"type": 5, "value": attributes["local_pref"]}] if "local_pref" in attributes else []
        return {"neighbor-ip": hop, "attrs": [{"type": 3, "nexthop": hop}, *extra]}

    def test_equal_paths_share_and_a_worse_one_waits(self):
        table = {"192.0.2.1/32": [self.path("10.0.0.1"), self.path("10.0.0.2"), self.path("10.0.0.3", local_pref=0)]}
        self.assertEqual(gobgp_fib.wanted(table), {"192.0.2.1/32": {"10.0.0.1", "10.0.0.2"}})

    def test_only_differences_are_written(self):
        now = {"192.0.2.1/32": frozenset({"10.0.0.1"}), "192.0.2.2/32": frozenset({"10.0.0.1"})}
        then = {"192.0.2.1/32": frozenset({"10.0.0.1"}), "192.0.2.3/32": frozenset({"10.0.0.1", "10.0.0.2"})}
        self.assertEqual(gobgp_fib.commands(now, then), [
            "route delete 192.0.2.2/32 proto bgp",
            "route replace 192.0.2.3/32 proto bgp nexthop via 10.0.0.1 nexthop via 10.0.0.2"])


if __name__ == "__main__":
    unittest.main()
