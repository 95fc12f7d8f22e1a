import json
import unittest
from pathlib import Path

import topology

THREE = (Path(__file__).parent / "topologies" / "three-nodes.json").read_text(encoding="utf-8")


class TopologyTest(unittest.TestCase):
    def test_the_three_node_file_is_read(self):
        lab = topology.parse(THREE)
        self.assertEqual([node.name for node in lab.nodes], ["node1", "node2", "node3"])
        self.assertEqual(str(lab.node("node2").gateway), "10.244.2.1")
        self.assertEqual(lab.node("node1").mac, "02:00:c0:a8:64:0b")

    def test_a_node_has_routes_to_the_others_pods_only(self):
        lab = topology.parse(THREE)
        routes = [line for line in topology.node_commands(lab, lab.nodes[0]) if line.startswith("route add 10.")]
        self.assertEqual(routes, ["route add 10.244.2.0/24 via 192.168.100.12",
                                  "route add 10.244.3.0/24 via 192.168.100.13"])

    def test_the_client_has_no_way_to_the_pods_of_its_own(self):
        lab = topology.parse(THREE)
        self.assertFalse([line for line in topology.host_commands(lab, lab.host("client")) if "10.244" in line])

    def test_the_remote_client_has_both_families_behind_the_router(self):
        lab = topology.parse(THREE)
        self.assertEqual(str(lab.remote.address6), "2001:db8:51::32")
        self.assertIn("route add default via 2001:db8:51::1", topology.remote_commands(lab))
        self.assertIn("route add default via fd00:192:168:100::1", topology.node_commands(lab, lab.nodes[0]))

    def test_faults_are_told_in_one_line(self):
        def broken(change):
            raw = json.loads(THREE)
            change(raw)
            return json.dumps(raw)

        table = [
            (lambda raw: raw["nodes"][0].update(address="10.0.0.1"), "nodes[0]: address 10.0.0.1 is not in"),
            (lambda raw: raw["nodes"][1].update(pods="10.1.0.0/24"), "nodes[1].pods: 10.1.0.0/24 is not in"),
            (lambda raw: raw["hosts"].pop(), "hosts: one must be called client"),
            (lambda raw: raw["hosts"][0].update(name="node1"), "names used twice: node1"),
            (lambda raw: raw.pop("lan"), "missing 'lan'"),
        ]
        for change, expected in table:
            with self.subTest(expected), self.assertRaises(topology.TopologyError) as caught:
                topology.parse(broken(change))
            self.assertIn(expected, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
