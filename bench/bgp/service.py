"""From a change of a Service in the API server to the UPDATE of a real steelyard-speaker, beside 1000 other Services."""

import shutil
import struct
import time

import kube
import lab
import network
import tap
from report import percentile, table
from speaker import Speaker

SERVICES = 1000
SILENCE = 0.15  # between changes, in which the speaker also writes what it told
AIM_MS = 5.0
READY = 120.0
FLAGS = ((), ("--bfd-realtime",))  # on a busy machine the wire thread otherwise waits for its turn


def _addresses():
    return [f"{network.LAN}.{3 + i // 250}.{1 + i % 250}" for i in range(SERVICES)]


def _bird(router, node):
    return lab.Bird(router.namespace, f"""log stderr {{ error, fatal }};
router id {router.address};
protocol device {{ scan time 60; }}
protocol bgp sender {{ local {router.address} as {lab.PEER_AS}; neighbor {node.address} as {lab.OUR_AS}; direct;
  passive on; error wait time 1, 1; ipv4 {{ import all; export none; }}; }}
""")


class Site:
    """An API server, a node with a speaker, a BIRD router on its LAN."""

    def __init__(self, programs, flags):
        self.state = network.state_folder()
        self.parts = []
        try:
            self._up(programs, flags)
        except BaseException:
            self.close()
            raise

    def _up(self, programs, flags):
        self.network = network.Network(1, [])
        self.parts.append(self.network.close)
        self.node, router = self.network.nodes[0], self.network.add_client("router")
        self.api = kube.ApiServer(programs["apiserver"], self.state)
        self.parts.append(self.api.stop)
        self.api.fill([self.node], _addresses())
        for version, plural, kind, spec in (
                ("v1beta2", "bgppeers", "BGPPeer",
                 {"myASN": lab.OUR_AS, "peerASN": lab.PEER_AS, "peerAddress": router.address}),
                ("v1beta1", "bgpadvertisements", "BGPAdvertisement", {})):
            self.api.create(f"/apis/metallb.io/{version}/namespaces/{kube.NAMESPACE}/{plural}", {
                "apiVersion": f"metallb.io/{version}", "kind": kind, "metadata": {"name": "bench"}, "spec": spec})
        self.bird = _bird(router, self.node)
        self.parts.append(self.bird.close)
        (self.state / "secretkey").write_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", encoding="ascii")
        speaker = Speaker(programs["speaker"], self.node, self.state, self.api.kubeconfig, flags)
        self.parts.append(speaker.kill)
        speaker.start()
        lab.until("every Service at the router", lambda: speaker.ready() and self.bird.count() == SERVICES, READY, 0.2)
        self.wire = tap.Tap(self.node.namespace, "eth0")
        self.events = tap.Tap(self.node.namespace, "eth1")
        self.parts += [self.wire.close, self.events.close]

    def close(self):
        """Ends and removes it all."""
        for end in reversed(self.parts):
            end()
        shutil.rmtree(self.state, ignore_errors=True)

    def change(self, number):
        """Takes a Service's address away, or gives it back; (ms from the request, ms from the event) to the UPDATE."""
        service = number // 2 % SERVICES
        ingress = [] if number % 2 == 0 else [{"ip": _addresses()[service]}]
        time.sleep(SILENCE)
        list(self.wire.messages())
        list(self.events.packets())
        began = lab.now()
        self.api.request("PATCH", f"/api/v1/namespaces/default/services/web{service + 1}/status",
                         {"status": {"loadBalancer": {"ingress": ingress}}}, kube.MERGE_PATCH)
        update = self._update()
        event = next(at for at, packet in self.events.packets() if _is_data(packet, network.HOME))
        return (update - began) * 1e3, (update - event) * 1e3

    def _update(self):
        end = lab.now() + 10
        while lab.now() < end:
            for message in self.wire.messages(timeout=0.2):
                if message.source == self.node.address and message.kind == tap.UPDATE:
                    return message.at
        raise AssertionError("no UPDATE was seen")


def _is_data(packet, source):
    start = (packet[0] & 15) * 4
    total = struct.unpack_from(">H", packet, 2)[0]
    sender = ".".join(map(str, packet[12:16]))
    return packet[9] == 6 and sender == source and total > start + (packet[start + 12] >> 4) * 4


def run(programs, changes, progress):
    """Flags of the speaker -> [(ms from the request, ms from the event)]."""
    return {" ".join(flags) or "no flags": _changes(programs, flags, changes, progress) for flags in FLAGS}


def _changes(programs, flags, changes, progress):
    site = Site(programs, flags)
    try:
        times = [site.change(number) for number in range(changes)]
        progress(f"{changes} changes of a Service among {SERVICES}: "
                 f"p50 {percentile([event for _, event in times], 50):.2f} ms")
        return times
    finally:
        site.close()


def render(results):
    """One table."""
    rows = []
    for flags, times in results.items():
        for text, which, aim in (("API request sent until UPDATE on the wire", 0, None),
                                 ("its event at the node until UPDATE", 1, AIM_MS)):
            values = [one[which] for one in times]
            p99 = percentile(values, 99)
            verdict = "" if aim is None else f"p99 {aim:g} ms: {'yes' if p99 <= aim else 'MISSED'}"
            rows.append([flags, text, str(len(values)), f"{percentile(values, 50):.2f} ms", f"{p99:.2f} ms",
                         f"{max(values):.2f} ms", verdict])
    return table(["speaker", f"a Service among {SERVICES} changes", "trials", "p50", "p99", "max", "aim"], rows)
