"""BIRD 2 as the router."""

import re
import shutil

import router_answers as answers
from router import Router


class Bird(Router):
    """One process; its answers are text."""

    kind = "bird"
    can = frozenset(("bfd", "collision", "role", "extended-next-hop", "extended-messages", "refresh", "enhanced-refresh"))

    @staticmethod
    def missing():
        """Why it cannot be had here, or None."""
        return None if shutil.which("bird") else "BIRD is not installed (bird2)"

    def configuration(self, session):
        """bird.conf."""
        lines = ['log stderr all;', f"router id {session.router_id};", "timeformat protocol iso long ms;",
                 "protocol device { scan time 1; }", "debug protocols { states };"]
        for family in ("ipv4", "ipv6"):
            own = [one for one in session.networks if (":" in one) == (family == "ipv6")]
            if own:
                lines.append(f"protocol static {{ {family}; {' '.join(f'route {one} blackhole;' for one in own)} }}")
        if session.bfd:
            timers = "interval 100 ms; idle tx interval 300 ms; multiplier 3;"
            lines.append(f'protocol bfd {{ interface "*" {{ {timers} }}; multihop {{ {timers} }}; }}')
        return "\n".join([*lines, *self._bgp(session)]) + "\n"

    @staticmethod
    def _bgp(session):
        remote = session.remote + (f"%{session.interface}" if session.interface else "")
        restart = f"on; graceful restart time {session.restart}" if session.restart else "off"
        lines = ["protocol bgp node {", f"  local {session.local} as {session.local_as};",
                 f"  neighbor {remote} as {session.remote_as};", f"  hold time {session.hold};",
                 "  connect delay time 1; connect retry time 1; error wait time 1, 2;",
                 f"  graceful restart {restart};",
                 f"  multihop {session.hops};" if session.hops > 1 else "  direct;"]
        lines += [f'  password "{session.password}";'] if session.password else []
        lines += ["  passive on;"] if session.passive else []
        lines += [f"  bfd {'graceful' if session.restart else 'on'};"] if session.bfd else []
        lines += ["  ttl security on;"] if session.ttl_security else []
        lines += ["  enable extended messages on;"] if session.extended_messages else []
        lines += [f"  local role {session.role.replace('-', '_')};"] if session.role else []
        for family in session.families:
            more = " extended next hop on;" if session.extended_next_hop and family == "ipv4" else ""
            lines.append(f"  {family} {{ import all; export where source = RTS_STATIC;{more} }};")
        return [*lines, "}"]

    def start(self, session):
        self.session = session
        (self.folder / "ctl").unlink(missing_ok=True)
        (self.folder / "bird.conf").write_text(self.configuration(session), encoding="utf-8")
        self.spawn("bird", "-f", "-c", "bird.conf", "-s", "ctl", "-P", "pid")
        self.started("birdc", (self.folder / "ctl").exists)

    def ask(self, *words):
        """birdc's answer."""
        return self.run("birdc", "-s", "ctl", *words)

    def up(self):
        found = answers.bird_sessions(self.ask("show", "protocols", "all", "node")).get("node")
        return bool(found and found.up)

    def details(self):
        """Everything it tells of the session."""
        return self.ask("show", "protocols", "all", "node")

    def paths(self, prefix):
        text = self.run("sh", "-c", f"birdc -s ctl show route {prefix} all protocol node; true")
        return answers.bird_routes(text).get(prefix, [])

    def count(self, family="ipv4"):
        net = "0.0.0.0/0" if family == "ipv4" else "::/0"
        table = "master4" if family == "ipv4" else "master6"
        text = self.run("sh", "-c", f"birdc -s ctl show route table {table} in {net} protocol node count; true")
        found = re.search(r"^(\d+) of \d+ routes", text, re.MULTILINE)
        return int(found[1]) if found else 0

    def keeps_stale(self, prefix):  # BIRD marks the session, not the routes
        return bool(self.paths(prefix)) and "Neighbor graceful restart active" in self.details()

    def refresh(self):
        """Asks the node to send everything again."""
        self.ask("reload", "in", "node")

    def bfd_up(self):
        """Whether its BFD session with the node is up."""
        return any(one.up for one in answers.bird_bfd(self.ask("show", "bfd", "sessions")).values())

    def told(self):
        """What it says of the last end of the session, with the text the node sent."""
        return self.log()
