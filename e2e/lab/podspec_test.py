import base64
import unittest

import podspec

POD = {"metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"app": "web"}},
       "spec": {"nodeName": "node1", "containers": []}}
MAP = {("ConfigMap", "c"): {"kind": "ConfigMap", "data": {"A": "from map"}}}
SECRET = {("Secret", "s"): {"kind": "Secret", "data": {"k": base64.b64encode(b"hush").decode()}}}


def env(container, objects=None):
    return podspec.environment(container, POD, objects or {}, "192.0.2.1", "10.0.0.1", {"A": "from kubelet"})


class EnvironmentTest(unittest.TestCase):
    def test_env_overrides_env_from_which_overrides_the_kubelets(self):
        from_map = {"envFrom": [{"configMapRef": {"name": "c"}}]}
        self.assertEqual(env({})["A"], "from kubelet")
        self.assertEqual(env(from_map, MAP)["A"], "from map")
        self.assertEqual(env({**from_map, "env": [{"name": "A", "value": "own"}]}, MAP)["A"], "own")

    def test_fields_of_the_pod(self):
        table = {"metadata.name": "p", "metadata.namespace": "ns", "spec.nodeName": "node1",
                 "status.hostIP": "192.0.2.1", "status.podIP": "10.0.0.1", "metadata.labels['app']": "web"}
        for path, value in table.items():
            with self.subTest(path):
                got = env({"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}]})
                self.assertEqual(got["X"], value)

    def test_a_missing_optional_reference_is_skipped_and_a_needed_one_holds_the_pod_back(self):
        optional = {"envFrom": [{"configMapRef": {"name": "none", "optional": True}}],
                    "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k",
                                                                         "optional": True}}}]}
        self.assertNotIn("X", env(optional))
        with self.assertRaisesRegex(podspec.NotYet, 'configmap "none" not found'):
            env({"envFrom": [{"configMapRef": {"name": "none"}}]})

    def test_secrets_are_decoded_and_references_expanded(self):
        got = env({"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                           {"name": "Y", "value": "$(X)/$(NOBODY)/$$(X)"}]}, SECRET)
        self.assertEqual(got["Y"], "hush/$(NOBODY)/$(X)")


class CredentialsTest(unittest.TestCase):
    def test_dropped_and_added_capabilities(self):
        container = {"securityContext": {"capabilities": {"drop": ["ALL"], "add": ["NET_RAW", "NET_ADMIN"]},
                                         "allowPrivilegeEscalation": False}}
        options = podspec.credentials(container, POD)
        self.assertIn("NET_ADMIN,NET_RAW", options)
        self.assertIn("--no-new-privileges", options)

    def test_a_privileged_container_keeps_everything(self):
        self.assertNotIn("--capabilities", podspec.credentials({"securityContext": {"privileged": True}}, POD))

    def test_the_containers_user_overrides_the_pods(self):
        pod = {"spec": {"securityContext": {"runAsUser": 65534}}}
        self.assertEqual(podspec.credentials({}, pod)[:2], ["--user", "65534"])
        self.assertEqual(podspec.credentials({"securityContext": {"runAsUser": 0}}, pod)[:2], ["--user", "0"])


class ImagesTest(unittest.TestCase):
    IMAGES = podspec.Images('{"a/b": {"command": ["/b"], "files": {"/b": "${BUILD}/b"}}, "plain": {}}', "/", "/src")

    def test_registry_tag_and_digest_do_not_matter(self):
        for name in ("a/b", "a/b:v1", "registry.example:5000/a/b:v1", "a/b@sha256:00"):
            with self.subTest(name):
                self.assertEqual(self.IMAGES.find(name)["command"], ["/b"])

    def test_an_unknown_image_is_named(self):
        with self.assertRaisesRegex(podspec.NotYet, "nowhere:v2"):
            self.IMAGES.find("nowhere:v2")

    def test_the_manifests_command_wins_and_its_args_are_expanded(self):
        argv = self.IMAGES.argv({"image": "plain", "command": ["/x"], "args": ["--port=$(P)"]}, {"P": "80"})
        self.assertEqual(argv, ["/x", "--port=80"])


class PathsTest(unittest.TestCase):
    def test_var_run_is_run(self):
        self.assertEqual(podspec.mount_path("/var/run/secrets/x"), "/run/secrets/x")
        self.assertEqual(podspec.mount_path("/var/running"), "/var/running")


if __name__ == "__main__":
    unittest.main()
