import copy
import random
import unittest

import workloads

READY = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}


def workload(kind="Deployment", version="1", **spec):
    return {"kind": kind, "metadata": {"name": "web", "namespace": "default", "uid": "u-1", "generation": 3},
            "spec": {"template": {"metadata": {"labels": {"app": "web", "v": version}},
                                  "spec": {"containers": [{"name": "web"}]}}, **spec}}


def pods_of(item, count, ready=True, node=None):
    rng = random.Random(count)
    pods = []
    for _ in range(count):
        pod = workloads.make_pod(item, node, rng)
        pod["metadata"]["uid"] = pod["metadata"]["name"]
        pod["status"] = copy.deepcopy(READY) if ready else {}
        pods.append(pod)
    return pods


def node(name, ready=True, **labels):
    return {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}}, "spec": {},
            "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}]}}


class DeploymentTest(unittest.TestCase):
    def test_missing_pods_are_created_and_superfluous_ones_deleted(self):
        item = workload(replicas=3)
        self.assertEqual(workloads.plan_deployment(item, pods_of(item, 1))[0], 2)
        self.assertEqual(len(workloads.plan_deployment(item, pods_of(item, 5))[1]), 2)

    def test_an_unready_pod_is_the_first_to_go(self):
        item = workload(replicas=1)
        broken, = pods_of(item, 1, ready=False)
        good = pods_of(item, 2)[1]
        self.assertEqual(workloads.plan_deployment(item, [good, broken])[1], [broken])

    def test_a_rolling_update_never_has_fewer_ready_than_allowed(self):
        old, new = workload(replicas=3), workload(version="2", replicas=3)
        pods = pods_of(old, 3)
        for _ in range(20):
            create, delete, status = workloads.plan_deployment(new, pods)
            pods = [pod for pod in pods if pod not in delete]
            self.assertGreaterEqual(sum(map(workloads.is_ready, pods)), 3)
            fresh = pods_of(new, 10)[:create]
            for index, pod in enumerate(fresh):
                pod["metadata"]["uid"] += f"-{len(pods)}-{index}"
            pods += fresh
            if not create and not delete:
                break
        self.assertEqual(status["updatedReplicas"], 3)
        self.assertEqual(status["conditions"][1]["reason"], "NewReplicaSetAvailable")

    def test_recreate_waits_until_the_old_pods_are_gone(self):
        old, new = workload(replicas=1), workload(version="2", replicas=1, strategy={"type": "Recreate"})
        pods = pods_of(old, 1)
        create, delete, _ = workloads.plan_deployment(new, pods)
        self.assertEqual((create, delete), (0, pods))
        pods[0]["metadata"]["deletionTimestamp"] = "now"
        self.assertEqual(workloads.plan_deployment(new, pods)[:2], (0, []))
        self.assertEqual(workloads.plan_deployment(new, [])[:2], (1, []))


class DaemonSetTest(unittest.TestCase):
    def test_every_fitting_node_gets_one_pod_ready_or_not(self):
        item = workload("DaemonSet")
        create, delete, status = workloads.plan_daemonset(item, [], [node("a"), node("b", ready=False)])
        self.assertEqual((create, delete, status["desiredNumberScheduled"]), (["a", "b"], [], 2))

    def test_an_update_replaces_one_pod_at_a_time(self):
        old, new = workload("DaemonSet"), workload("DaemonSet", version="2")
        pods = pods_of(old, 1, node="a") + pods_of(old, 2, node="b")[:1]
        _, delete, _ = workloads.plan_daemonset(new, pods, [node("a"), node("b")])
        self.assertEqual(len(delete), 1)
        delete[0]["metadata"]["deletionTimestamp"] = "now"
        self.assertEqual(workloads.plan_daemonset(new, pods, [node("a"), node("b")])[:2], ([], []))


class SchedulerTest(unittest.TestCase):
    def test_replicas_are_spread_over_ready_nodes(self):
        item = workload(replicas=4)
        nodes, pods = [node("a"), node("b"), node("c", ready=False)], []
        for pod in pods_of(item, 4):
            pod["spec"]["nodeName"] = workloads.choose_node(pod, pods, nodes)
            pods.append(pod)
        self.assertEqual(sorted(pod["spec"]["nodeName"] for pod in pods), ["a", "a", "b", "b"])

    def test_a_node_selector_is_obeyed(self):
        pod, = pods_of(workload(), 1)
        pod["spec"]["nodeSelector"] = {"disk": "ssd"}
        self.assertEqual(workloads.choose_node(pod, [], [node("a"), node("b", disk="ssd")]), "b")
        self.assertIsNone(workloads.choose_node(pod, [], [node("a")]))

    def test_a_pod_of_the_real_daemonset_controller_goes_to_the_node_it_was_made_for(self):
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}]}}}
        pod, = pods_of(workload(), 1)
        pod["spec"]["affinity"] = affinity
        self.assertEqual(workloads.choose_node(pod, [], [node("a"), node("b")]), "b")
        self.assertIsNone(workloads.choose_node(pod, [], [node("a")]))


class OrphansTest(unittest.TestCase):
    def test_pods_of_a_vanished_owner_are_found(self):
        pods = pods_of(workload(), 1)
        self.assertEqual(workloads.orphans(pods, {"u-1"}), [])
        self.assertEqual(workloads.orphans(pods, set()), pods)


if __name__ == "__main__":
    unittest.main()
