"""N nodes with a speaker each, announcing addresses; questions about who owns what; faults and their repair."""

import base64
import os
import shutil
import time
from pathlib import Path

import kube
import network
from prober import Prober
from speaker import Speaker

OURS = ()                                            # the product's defaults
MEMBERLIST = ("--ml-profile=lan", "--watch-ring=off")  # memberlist's default timing alone
READY_SECONDS = 120.0
SETTLE_SECONDS = 3.0


class Programs:
    """What a build tree offers."""

    def __init__(self, build):
        self.speaker = build / "speaker/steelyard-speaker"
        self.apiserver = build / "e2e/apiserver/server/steelyard-apiserver"
        self.prober = build / "bench/failover/vip-prober"
        for program in (self.speaker, self.apiserver, self.prober):
            if not program.exists():
                raise SystemExit(f"{program} is missing: use make bench-failover, which builds it")


class Cluster:
    """Up between __enter__ and __exit__: every speaker ready, every address owned by one node."""

    def __init__(self, programs, count, flags=OURS, addresses=None, keep=None):
        self.programs = programs
        self.count = count
        self.flags = ["--answer-ping=off", *flags]  # the kernel answers: what is measured is its forwarding
        self.virtual = [f"{network.LAN}.3.{i}" for i in range(1, (addresses or max(10, count)) + 1)]
        self.keep = keep
        self.network = self.api = None
        self.speakers = {}
        self.home = {}  # address -> owner when all nodes are there

    def __enter__(self):
        self.state = network.state_folder()
        try:
            self._up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _up(self):
        (self.state / "secretkey").write_text(base64.b64encode(os.urandom(32)).decode(), encoding="ascii")
        self.network = network.Network(self.count, self.virtual)
        self.nodes = {node.name: node for node in self.network.nodes}
        self.by_mac = {node.mac: node.name for node in self.network.nodes}
        self.asker = self.network.add_client("arp")
        self.pinger = self.network.add_client("echo")
        self.api = kube.ApiServer(self.programs.apiserver, self.state)
        self.api.fill(self.network.nodes, self.virtual)
        for node in self.network.nodes:
            speaker = Speaker(self.programs.speaker, node, self.state, self.api.kubeconfig, self.flags)
            self.speakers[node.name] = speaker
            speaker.start()
        self.wait("every speaker to be ready", lambda: all(s.ready() for s in self.speakers.values()))
        self.home = self.wait_settled()

    def close(self):
        """Ends all processes, removes all namespaces and files."""
        for speaker in self.speakers.values():
            speaker.kill()
        if self.api is not None:
            self.api.stop()
        if self.network is not None:
            self.network.close()
        if self.keep:
            shutil.copytree(self.state, Path(self.keep) / f"{self.count}-{int(time.time())}", dirs_exist_ok=True)
        shutil.rmtree(self.state, ignore_errors=True)
        self.speakers, self.network, self.api = {}, None, None

    @staticmethod
    def wait(what, condition, seconds=READY_SECONDS, interval=0.05):
        """Polls until the condition holds; returns its value."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds:g} s for {what}")
            time.sleep(interval)
        return value

    def owners(self, among=None):
        """address -> names of the nodes that announce it, by the speakers' own word."""
        owners = {address: [] for address in self.virtual}
        for name in among or self.speakers:
            for address in self.speakers[name].announced():
                owners[address].append(name)
        return owners

    def wait_settled(self):
        """Until every address has one owner and keeps it for a while; returns address -> owner."""
        since, last = time.monotonic(), {}

        def settled():
            nonlocal since, last
            now = self.owners()
            if now != last or any(len(names) != 1 for names in now.values()):
                since, last = time.monotonic(), now
            return time.monotonic() - since > SETTLE_SECONDS
        self.wait("every address to have one owner", settled, interval=0.2)
        return {address: names[0] for address, names in last.items()}

    def wait_home(self):
        """Until everything is as it was with all nodes there."""
        self.wait("every speaker to be ready", lambda: all(s.ready() for s in self.speakers.values()))
        wanted = {address: [owner] for address, owner in self.home.items()}
        self.wait("addresses to be where they were", lambda: self.owners() == wanted)

    def victims(self, number):
        """`number` (address, owner) pairs, taking the owners in turn."""
        chosen = list({owner: address for address, owner in self.home.items()}.items())
        return [chosen[i % len(chosen)][::-1] for i in range(number)]

    def probe(self, *addresses, arp, interval_us=1000, machine=None):
        """A prober on a client."""
        machine = machine or (self.asker if arp else self.pinger)
        return Prober(self.programs.prober, machine, addresses, arp, interval_us)

    def cached_owner(self, address):
        """The node that the echo client's kernel sends the address's packets to, or None."""
        return self.by_mac.get(self.network.cached(self.pinger, address))

    def answered_only_by(self, prober, address, names):
        """Whether one node alone answers now, and it is one of these."""
        macs = prober.answering(address)
        return len(macs) == 1 and self.by_mac.get(macs[0]) in names
