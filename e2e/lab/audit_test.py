import json
import unittest

import audit


def line(verb="get", uri="/api/v1/nodes", code=200, stage="ResponseComplete", token="JTI=1"):
    """A line of the log."""
    return json.dumps({"verb": verb, "requestURI": uri, "stage": stage, "responseStatus": {"code": code}, "user": {
        "username": "system:serviceaccount:metallb-system:speaker", "extra": {
            "authentication.kubernetes.io/credential-id": [token],
            "authentication.kubernetes.io/pod-name": ["speaker-abcde"]}}})


class AuditTest(unittest.TestCase):
    def test_a_line_becomes_a_request(self):
        (request,) = audit.requests([line(uri="/api/v1/services?limit=500&continue=")])
        self.assertEqual(request, audit.Request("speaker", "speaker-abcde", "JTI=1", "get", "/api/v1/services",
                                                {"limit": "500", "continue": ""}, 200))

    def test_a_watch_is_one_request(self):
        lines = [line("watch", stage="ResponseStarted"), line("watch", stage="ResponseComplete")]
        self.assertEqual(len(audit.requests(lines)), 1)

    def test_a_torn_line_is_left_out(self):
        self.assertEqual(len(audit.requests([line(), line()[:40]])), 1)

    def test_refused_are_those_without_a_right(self):
        entries = audit.requests([line(code=code) for code in (200, 401, 403, 404, 409)])
        self.assertEqual([entry.code for entry in audit.refused(entries)], [401, 403])


if __name__ == "__main__":
    unittest.main()
