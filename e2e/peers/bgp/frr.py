"""FRR 8 as the router: zebra, bgpd and, where it is needed, bfdd."""

import json
import os
import shutil
from pathlib import Path

import router_answers as answers
from router import Router

HOME = Path("/usr/lib/frr")


class Frr(Router):
    """Its programs run as its own user, with their sockets in the router's folder; answers are JSON."""

    kind = "frr"
    can = frozenset(("bfd", "collision", "role", "extended-next-hop", "extended-messages", "refresh"))
    collision_flaps = 1  # an OPEN on the losing connection may make it end the established one, against RFC 4271 6.8

    @staticmethod
    def missing():
        """Why it cannot be had here, or None."""
        return None if (HOME / "bgpd").exists() else "FRR is not installed (frr)"

    @staticmethod
    def configuration(session):
        """bgpd.conf."""
        unnumbered = session.interface and not session.remote
        name = session.interface if unnumbered else session.remote
        who = f"neighbor {name}"
        lines = ["debug bgp neighbor-events", f"router bgp {session.local_as}", f" bgp router-id {session.router_id}",
                 " no bgp ebgp-requires-policy", " no bgp default ipv4-unicast", " no bgp network import-check",
                 f" bgp graceful-restart restart-time {session.restart}" if session.restart
                 else " bgp graceful-restart-disable",
                 f" {who} interface remote-as {session.remote_as}" if unnumbered
                 else f" {who} remote-as {session.remote_as}",
                 f" {who} timers {max(1, session.hold // 3)} {session.hold}", f" {who} timers connect 1",
                 f" {who} advertisement-interval 0"]
        lines += [f" {who} interface {session.interface}"] if session.interface and not unnumbered else []
        lines += [f" {who} password {session.password}"] if session.password else []
        if session.ttl_security:
            lines.append(f" {who} ttl-security hops {session.hops}")
        elif session.hops > 1:
            lines.append(f" {who} ebgp-multihop {session.hops}")
        lines += [f" {who} passive"] if session.passive else []
        lines += [f" {who} bfd", f" {who} bfd profile fast"] if session.bfd else []
        lines += [f" {who} bfd check-control-plane-failure"] if session.bfd and session.restart else []
        lines += [f" {who} capability extended-nexthop"] if session.extended_next_hop else []
        lines += [f" {who} local-role {session.role}"] if session.role else []
        for family in ("ipv4", "ipv6"):
            lines.append(f" address-family {family} unicast")
            lines += [f"  network {one}" for one in session.networks if (":" in one) == (family == "ipv6")]
            lines += [f"  {who} activate"] if family in session.families else []
            lines.append(" exit-address-family")
        return "\n".join([*lines, "exit"]) + "\n"

    def start(self, session):
        self.session = session
        timers = "bfd\n profile fast\n  receive-interval 100\n  transmit-interval 100\n exit\nexit\n"
        texts = {"zebra": "ip nht resolve-via-default\nipv6 nht resolve-via-default\n",
                 "bgpd": self.configuration(session), "bfdd": timers}
        for old in [*self.folder.glob("*.vty"), *self.folder.glob("*.pid"), *self.folder.glob("zserv.api")]:
            old.unlink()
        os.chmod(self.folder, 0o755)
        for name, text in texts.items():
            (self.folder / f"{name}.conf").write_text(text, encoding="utf-8")
            shutil.chown(self.folder / f"{name}.conf", "frr", "frr")
        shutil.chown(self.folder, "frr", "frr")
        for name in ("zebra", *(["bfdd"] if session.bfd else []), "bgpd"):
            self._spawn(name)

    def _spawn(self, name):
        more = {"bfdd": ["--bfdctl", self.folder / "bfdd.ctl"], "bgpd": ["-p", "179"], "zebra": []}[name]
        self.spawn(HOME / name, "-f", self.folder / f"{name}.conf", "-i", self.folder / f"{name}.pid",
                   "-z", self.folder / "zserv.api", "--vty_socket", self.folder, "-u", "frr", "-g", "frr",
                   "-A", "127.0.0.1", "-P", "0", "--log", "stdout", *more)
        wanted = [self.folder / f"{name}.vty", *([self.folder / "zserv.api"] if name == "zebra" else [])]
        self.started(name, lambda: all(one.exists() for one in wanted))

    def ask(self, *lines):
        """vtysh's answer."""
        words = [word for line in lines for word in ("-c", line)]
        return self.run("vtysh", "--vty_socket", self.folder, *words)

    def neighbour(self):
        """Everything it tells of the session."""
        found = json.loads(self.ask("show bgp neighbors json"))
        return found.get(self.session.remote or self.session.interface, {})

    def up(self):
        return self.neighbour().get("bgpState") == "Established"

    def paths(self, prefix):
        family = "ipv6" if ":" in prefix else "ipv4"
        found = answers.frr_routes(self.ask(f"show bgp {family} unicast {prefix} json"))
        return found.get(prefix, [])

    def count(self, family="ipv4"):
        found = json.loads(self.ask(f"show bgp {family} unicast summary json") or "{}")
        return sum(one.get("pfxRcd", 0) for one in found.get("peers", {}).values())

    def refresh(self):
        """Asks the node to send everything again."""
        self.ask(f"clear bgp ipv4 unicast {self.session.remote} soft in")

    def bfd_up(self):
        """Whether its BFD session with the node is up."""
        return any(one.up for one in answers.frr_bfd(self.ask("show bfd peers json")).values())

    def told(self):
        """What it says of the last end of the session, with the text the node sent."""
        return json.dumps(self.neighbour()) + self.log()
