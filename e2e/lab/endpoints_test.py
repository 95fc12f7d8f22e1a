import unittest

import endpoints


def service(**spec):
    return {"metadata": {"name": "web", "namespace": "default", "uid": "u-1"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}], **spec}}


def pod(name, ip="10.244.1.2", ready=True, port=8080, **meta):
    return {"metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": {"app": "web"}, **meta},
            "spec": {"nodeName": "node1", "containers": [{"ports": [{"name": "http", "containerPort": port}]}]},
            "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}}


def only(slices):
    (item,) = slices.values()
    return item


class EndpointsTest(unittest.TestCase):
    def test_a_named_target_port_is_looked_up_in_the_pod(self):
        item = only(endpoints.slices_of(service(), [pod("a")]))
        self.assertEqual(item["ports"], [{"name": "", "port": 8080, "protocol": "TCP"}])

    def test_conditions_follow_readiness_and_deletion(self):
        table = [  # ready, deleted -> ready, serving, terminating
            (True, False, (True, True, False)),
            (False, False, (False, False, False)),
            (True, True, (False, True, True)),
            (False, True, (False, False, True)),
        ]
        for ready, deleted, expected in table:
            with self.subTest(ready=ready, deleted=deleted):
                meta = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {}
                conditions = endpoints.endpoint(pod("a", ready=ready, **meta), False)["conditions"]
                self.assertEqual((conditions["ready"], conditions["serving"], conditions["terminating"]), expected)

    def test_not_ready_addresses_are_published_as_ready_on_demand(self):
        leaving = pod("a", ready=False, deletionTimestamp="2026-01-01T00:00:00Z")
        self.assertEqual(endpoints.endpoint(leaving, True)["conditions"],
                         {"ready": True, "serving": False, "terminating": True})

    def test_traffic_distribution_becomes_hints(self):
        zone, node = {"forZones": [{"name": "a"}]}, {"forNodes": [{"name": "node1"}]}
        table = [  # trafficDistribution, zone of the node -> hints
            (None, "a", None),
            ("PreferClose", "a", zone),
            ("PreferSameZone", "a", zone),
            ("PreferSameNode", "a", {**zone, **node}),
            ("PreferClose", "", None),
            ("PreferSameNode", "", node),
        ]
        for distribution, where, expected in table:
            with self.subTest(distribution=distribution, zone=where):
                spec = {"trafficDistribution": distribution} if distribution else {}
                item = only(endpoints.slices_of(service(**spec), [pod("a")], {"node1": where}))["endpoints"][0]
                self.assertEqual(item.get("hints"), expected)
                self.assertEqual(item.get("zone", ""), where)

    def test_pods_that_do_not_match_have_no_address_or_have_ended_are_left_out(self):
        ended = pod("ended")
        ended["status"]["phase"] = "Failed"
        unplaced = pod("new", ip="")
        other = pod("other", labels={"app": "db"})
        item = only(endpoints.slices_of(service(), [ended, unplaced, other]))
        self.assertEqual(item["endpoints"], [])

    def test_pods_that_disagree_about_a_named_port_get_slices_of_their_own(self):
        slices = endpoints.slices_of(service(), [pod("a", port=8080), pod("b", port=9090)])
        self.assertEqual(sorted(item["ports"][0]["port"] for item in slices.values()), [8080, 9090])

    def test_a_service_without_selector_is_left_alone(self):
        self.assertEqual(endpoints.slices_of(service(selector=None), [pod("a")]), {})

    def test_only_a_difference_is_written(self):
        wanted = only(endpoints.slices_of(service(), [pod("a")]))
        self.assertFalse(endpoints.differs(wanted, wanted))
        other = only(endpoints.slices_of(service(), [pod("a", ready=False)]))
        self.assertTrue(endpoints.differs(wanted, other))


if __name__ == "__main__":
    unittest.main()
