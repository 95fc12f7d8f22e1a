"""What the routers have in common: the session they are configured with, their processes, what can be asked of them."""

import signal
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from place import NODE_AS, ROUTER, ROUTER_AS, netns, until


@dataclass(frozen=True)
class Session:
    """The router's side of its session with our node; the node's side is peer()."""

    local: str = "10.9.0.2"
    remote: str = "10.9.0.1"
    local_as: int = ROUTER_AS
    remote_as: int = NODE_AS
    interface: str = ""        # of link-local addresses; alone, without `remote`: unnumbered
    families: tuple = ("ipv4",)
    router_id: str = "10.0.0.2"
    extended_next_hop: bool = False
    extended_messages: bool = False
    password: str = ""
    hops: int = 1              # more than one: multihop
    ttl_security: bool = False
    passive: bool = False      # it waits for us
    hold: int = 90
    restart: int = 0           # seconds for which it keeps our routes; 0: no graceful restart
    bfd: bool = False
    role: str = ""
    networks: tuple = ()       # what it announces

    def but(self, **changes):
        """The same with some fields changed."""
        return replace(self, **changes)

    def peer(self, **more):
        """The node's order for this session; more fields add to it or replace."""
        order = {"name": "router", "local_as": self.remote_as, "remote_as": self.local_as, "router_id": "10.0.0.1",
                 "connect": 1, "hold": self.hold, "ipv4": "ipv4" in self.families, "ipv6": "ipv6" in self.families,
                 "graceful_restart": self.restart > 0, "restart_time": self.restart or 120}
        if self.remote:
            order["address"] = self.local
        if self.interface:
            order["interface"] = "eth0"
        if self.password:
            order["password"] = self.password
        if self.hops > 1:
            order["multihop"] = True
        if self.ttl_security:
            order["ttl_security"] = self.hops
        if self.bfd:
            order["bfd"] = {"receive": 0.1, "transmit": 0.1, "multiplier": 3}
        return dict(order, **more)


class Router:
    """The processes of one router, in namespace `router`; what kind it is the subclasses know."""

    many = 1000        # routes it can be given in little time
    collision_flaps = 0
    can = frozenset()  # what a story may need: bfd, unnumbered, role, extended-next-hop, extended-messages, ...

    def __init__(self, namespace=ROUTER):
        self.namespace = namespace
        self.folder = Path(tempfile.mkdtemp(prefix="router-", dir="/run"))
        self.processes = []
        self.session = None

    def spawn(self, *command):
        """Starts one of its processes, which writes to `log`."""
        with open(self.folder / "log", "ab") as log:
            self.processes.append(subprocess.Popen(
                netns.inside(self.namespace, *map(str, command)), cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log))

    def started(self, what, condition):
        """Waits until a process has come so far."""
        def look():
            if any(process.poll() is not None for process in self.processes):
                raise AssertionError(f"the router ended: {self.log()[-1500:]}")
            return condition()
        return until(what, look)

    def signal(self, number):
        """Sends a signal to every process."""
        for process in self.processes:
            process.send_signal(number)

    def freeze(self):
        """Stops its processes; thaw() lets them go on."""
        self.signal(signal.SIGSTOP)

    def thaw(self):
        """After freeze()."""
        self.signal(signal.SIGCONT)

    def kill(self):
        """Ends it without a word to anybody; its log stays."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
        self.processes.clear()

    def restart(self):
        """Starts it again with the session it had."""
        self.start(self.session)

    def start(self, session):
        """Starts it; returns when it answers questions."""
        raise NotImplementedError

    def log(self):
        """All it has written."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def run(self, *command):
        """A command in its namespace; its output."""
        return netns.run(*netns.inside(self.namespace, *map(str, command)), cwd=self.folder)

    # What a test asks; each router has its own words for it.

    def up(self):
        """Whether it calls the session established."""
        raise NotImplementedError

    def paths(self, prefix):
        """The paths (e2e/lab/router_answers.py) it has to a prefix from our node."""
        raise NotImplementedError

    def count(self, family="ipv4"):
        """How many routes of our node it has."""
        raise NotImplementedError

    def keeps_stale(self, prefix):
        """Whether it has the route only because graceful restart lets it."""
        return any(path.stale for path in self.paths(prefix))

    def path(self, prefix):
        """The one path it has, or None."""
        found = self.paths(prefix)
        assert len(found) < 2, found
        return found[0] if found else None

    def until_count(self, number, family="ipv4", limit=20.0):
        """Until it has so many routes of ours."""
        seen = None

        def look():
            nonlocal seen
            seen = self.count(family)
            return seen == number
        try:
            until(f"{number} {family} routes", look, limit, interval=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}; the router has {seen}") from None

    def until_path(self, prefix, where=lambda path: True, limit=20.0):
        """Until it has one path to the prefix that is as wanted; returns it."""
        last = None

        def look():
            nonlocal last
            last = self.path(prefix)
            return last if last and where(last) else None
        try:
            return until(f"{prefix} as wanted", look, limit)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {last}; log: {self.log()[-800:]}") from None

    def until_gone(self, prefix, limit=20.0):
        """Until it has no path to the prefix."""
        until(f"{prefix} to be gone", lambda: not self.paths(prefix), limit)
