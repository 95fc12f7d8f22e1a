"""Senders and receivers of the benchmark: our node or BIRD with up to eight BIRD peers, a cable and a namespace each."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
for folder in ("bench/failover", "e2e/peers/bgp"):
    sys.path.append(str(SOURCE / folder))
# pylint: disable=wrong-import-position
from place import BgpNode, netns, until  # noqa: E402
from tap import Tap  # noqa: E402

SENDER = "sender"
OUR_AS, PEER_AS = 64513, 64512
FIRST = "10.128.0.0"
LIMIT = 60.0


def resident_bytes(pid):
    """Memory a process has in use."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def prefix(number):
    """The n-th /32 of the benchmark."""
    return f"10.{128 + (number >> 16)}.{number >> 8 & 255}.{number & 255}/32"


class Wires:
    """The sender's namespace and a cable to each receiver: 10.(10+n).0.1 and .2."""

    def __init__(self, peers):
        self.peers = [f"peer{n}" for n in range(1, peers + 1)]
        netns.make(SENDER, *self.peers)
        for number, name in enumerate(self.peers, 1):
            netns.cable(SENDER, name, name=f"eth{number}", link=10 + number)
            for end in (SENDER, name):  # packets as on a real cable, so that bytes count
                netns.ip(end, "link", "set", f"eth{number}", "gso_max_segs", "1")
        self.taps = [Tap(SENDER, f"eth{number}") for number in range(1, peers + 1)]

    def sent_bytes(self):
        """Bytes the sender has put on its cables."""
        script = "cat " + " ".join(f"/sys/class/net/eth{n}/statistics/tx_bytes" for n in range(1, len(self.peers) + 1))
        return sum(map(int, netns.run(*netns.inside(SENDER, "sh", "-c", script)).split()))

    def hear(self):
        """The messages from the sender that arrived since the last call, a list for each cable."""
        heard = []
        for number, tap in enumerate(self.taps, 1):
            source = f"10.{10 + number}.0.1"
            heard.append([message for message in tap.messages() if message.source == source])
        return heard

    def close(self):
        """Removes it all."""
        for tap in self.taps:
            tap.close()
        netns.remove(SENDER, *self.peers)


class Bird:
    """A BIRD process, asked over its control socket without a process for each question."""

    def __init__(self, namespace, configuration, routes=0):
        self.folder = Path(tempfile.mkdtemp(prefix="bird-", dir="/run"))
        (self.folder / "bird.conf").write_text(configuration, encoding="ascii")
        with open(self.folder / "routes.conf", "w", encoding="ascii") as file:
            file.writelines(f"route {prefix(n)} blackhole;\n" for n in range(routes))
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                netns.inside(namespace, "bird", "-f", "-c", "bird.conf", "-s", "ctl", "-P", "pid"),
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        until("BIRD", self._connects, LIMIT)
        self._answer()

    def _connects(self):
        if self.process.poll() is not None:
            raise RuntimeError("BIRD ended: " + (self.folder / "log").read_text(encoding="utf-8"))
        return self.socket.connect_ex(str(self.folder / "ctl")) == 0

    def _answer(self):
        text = b""
        while True:
            text += self.socket.recv(65536)
            last = text[:-1].rpartition(b"\n")[2]
            if text.endswith(b"\n") and len(last) >= 5 and last[:4].isdigit() and last[4:5] == b" ":
                return text.decode()

    def ask(self, words):
        """An answer of its command line."""
        self.socket.sendall(words.encode() + b"\n")
        return self._answer()

    def count(self):
        """Routes in its IPv4 table."""
        for line in self.ask("show route count").splitlines():
            if "for" in line and "master4" in line:
                return int(line.split()[1] if line[0] == " " else line.split("-")[-1].split()[0])
        return 0

    def close(self):
        """Ends it."""
        self.socket.close()
        self.process.kill()
        self.process.wait()


def receiver(wires, number):
    """The n-th peer: it waits for the sender and takes everything."""
    return Bird(wires.peers[number - 1], f"""log stderr {{ error, fatal }};
router id 10.0.1.{number};
protocol device {{ scan time 60; }}
protocol bgp sender {{ local 10.{10 + number}.0.2 as {PEER_AS}; neighbor 10.{10 + number}.0.1 as {OUR_AS}; direct;
  passive on; error wait time 1, 1; hold time 90; ipv4 {{ import all; export none; }}; }}
""")


class BirdSender:
    """BIRD with the routes as static ones."""

    name = "BIRD"

    def __init__(self, wires, routes):
        lines = ["log stderr { error, fatal };", "router id 10.0.0.1;", "protocol device { scan time 60; }",
                 'protocol static services { ipv4; disabled;\ninclude "routes.conf";\n}']
        for number in range(1, len(wires.peers) + 1):
            lines.append(f"protocol bgp p{number} {{ local 10.{10 + number}.0.1 as {OUR_AS}; "
                         f"neighbor 10.{10 + number}.0.2 as {PEER_AS}; direct; connect delay time 1; "
                         "connect retry time 1; error wait time 1, 1; hold time 90; disabled; "
                         "ipv4 { import none; export where source = RTS_STATIC; }; }")
        self.bird = Bird(SENDER, "\n".join(lines) + "\n", routes)
        self.peers = len(wires.peers)

    def connect(self):
        """Starts the sessions."""
        self.bird.ask('enable "p*"')

    def disconnect(self):
        """Ends them."""
        self.bird.ask('disable "p*"')

    def announce(self):
        """All routes, now."""
        self.bird.ask("enable services")

    def withdraw(self):
        """No route any more."""
        self.bird.ask("disable services")

    def resident(self):
        """Memory in use."""
        return resident_bytes(self.bird.process.pid)

    def table(self):
        """What it says its routes take."""
        units = {"B": 1, "kB": 1 << 10, "MB": 1 << 20}
        rows = [line.partition(":") for line in self.bird.ask("show memory").splitlines()]
        sizes = [rest.split()[:2] for name, _, rest in rows if name.strip() in ("Routing tables", "Route attributes")]
        return sum(float(number) * units[unit] for number, unit in sizes)

    def close(self):
        """Ends it."""
        self.bird.close()


class OurSender:
    """speaker/io/bgp/bgp_node."""

    name = "Steelyard"

    def __init__(self, wires, routes):
        self.node = BgpNode("--drain-wait", "0", "--listen-port", "0", namespace=SENDER)
        self.routes = routes
        self.node.announce()
        self.peers = [{"name": f"p{number}", "local_as": OUR_AS, "remote_as": PEER_AS, "router_id": "10.0.0.1",
                       "address": f"10.{10 + number}.0.2", "connect": 1} for number in range(1, len(wires.peers) + 1)]

    def connect(self):
        """Starts the sessions."""
        self.node.order(peers=self.peers)

    def disconnect(self):
        """Ends them."""
        self.node.order(peers=[])

    def announce(self):
        """All routes, now."""
        self.node.generate(FIRST, self.routes)

    def withdraw(self):
        """No route any more."""
        self.node.generate(FIRST, self.routes, withdraw=True)

    def resident(self):
        """Memory in use."""
        return resident_bytes(self.node.process.pid)

    def table(self):
        """What it says its routes take."""
        rib = self.node.order(figures=1)["rib"]
        return rib["shared_bytes"] + rib["peer_bytes"]

    def close(self):
        """Ends it."""
        self.node.close()


def wait(what, condition, interval=0.002):
    """Polls densely; for what is being timed."""
    return until(what, condition, LIMIT, interval)


def now():
    """The clock of the taps."""
    return time.time()
