"""GoBGP 3 as the router."""

import json
import shutil

import router_answers as answers
from router import Router

PORT = 50051


class Gobgp(Router):
    """One process; it has no FIB and no BFD, and asks for no route refresh. Its answers are JSON."""

    kind = "gobgp"
    can = frozenset()
    many = 100  # each costs a process

    @staticmethod
    def missing():
        """Why it cannot be had here, or None."""
        return None if shutil.which("gobgpd") and shutil.which("gobgp") else "GoBGP is not installed (gobgpd)"

    @staticmethod
    def configuration(session):
        """gobgpd.toml."""
        lines = ["[global.config]", f"as = {session.local_as}", f'router-id = "{session.router_id}"',
                 "[[neighbors]]", "[neighbors.config]", f'neighbor-address = "{session.remote}"',
                 f"peer-as = {session.remote_as}"]
        lines += [f'auth-password = "{session.password}"'] if session.password else []
        lines += ["[neighbors.timers.config]", f"hold-time = {session.hold}",
                  f"keepalive-interval = {max(1, session.hold // 3)}", "connect-retry = 1",
                  "idle-hold-time-after-reset = 1", "[neighbors.transport.config]",
                  f'local-address = "{session.local}"']
        lines += ["passive-mode = true"] if session.passive else []
        lines += ["[neighbors.ebgp-multihop.config]", "enabled = true", f"multihop-ttl = {session.hops}"] \
            if session.hops > 1 and not session.ttl_security else []
        lines += ["[neighbors.ttl-security.config]", "enabled = true", f"ttl-min = {256 - session.hops}"] \
            if session.ttl_security else []
        lines += ["[neighbors.graceful-restart.config]", "enabled = true", "helper-only = true",
                  f"restart-time = {session.restart}"] if session.restart else []
        for family in session.families:
            lines += ["[[neighbors.afi-safis]]", "[neighbors.afi-safis.config]", f'afi-safi-name = "{family}-unicast"']
            lines += ["[neighbors.afi-safis.mp-graceful-restart.config]", "enabled = true"] if session.restart else []
        return "\n".join(lines) + "\n"

    def start(self, session):
        self.session = session
        (self.folder / "gobgpd.toml").write_text(self.configuration(session), encoding="utf-8")
        self.spawn("gobgpd", "-f", "gobgpd.toml", "--api-hosts", f"127.0.0.1:{PORT}", "--pprof-disable", "-p",
                   "-l", "debug")
        self.started("gobgp", self._answers)
        for network in session.networks:
            self.ask("global", "rib", "add", "-a", "ipv6" if ":" in network else "ipv4", network)

    def _answers(self):
        try:
            return self.ask("neighbor", "-j").strip().startswith("[{")
        except RuntimeError:
            return False

    def ask(self, *words):
        """gobgp's answer."""
        return self.run("gobgp", "--port", PORT, *words)

    def up(self):
        return any(one.up for one in answers.gobgp_sessions(self.ask("neighbor", "-j")).values())

    def _rib(self, family, *prefix):
        text = self.run("sh", "-c", f"gobgp --port {PORT} global rib -a {family} {' '.join(prefix)} -j || true")
        return answers.gobgp_routes(text) if text.strip().startswith("{") else {}

    def paths(self, prefix):
        return self._rib("ipv6" if ":" in prefix else "ipv4", prefix).get(prefix, [])

    def count(self, family="ipv4"):
        found = json.loads(self.ask("neighbor", self.session.remote, "-j"))
        number = {"ipv4": 1, "ipv6": 2}[family]
        states = [one["state"] for one in found.get("afi_safis", [])]
        return sum(one.get("received", 0) for one in states if one["family"]["afi"] == number)

    def told(self):
        """What it says of the last end of the session, with the text the node sent."""
        return self.log()


