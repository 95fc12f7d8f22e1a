"""A router falls silent: from the end of BFD's detection time until the NOTIFICATION that withdraws everything."""

import signal
import struct

import lab
import tap
from report import percentile, table

INTERVAL = 0.05
MULTIPLIER = 3
AIM_MS = 2.0
SLACK = 1.1
SETTLE = 30.0

BIRD = f"""log stderr {{ error, fatal }};
router id 10.0.1.1;
protocol device {{ scan time 60; }}
protocol bfd {{ interface "*" {{ interval 50 ms; idle tx interval 300 ms; multiplier 3; }}; }}
protocol bgp sender {{ local 10.11.0.2 as {lab.PEER_AS}; neighbor 10.11.0.1 as {lab.OUR_AS}; direct; bfd on;
  passive on; error wait time 1, 1; hold time 90; ipv4 {{ import all; export none; }}; }}
"""


def _is_control(packet, source):
    """A BFD control packet from there."""
    start = (packet[0] & 15) * 4
    return (packet[9] == 17 and packet[12:16] == source
            and struct.unpack_from(">H", packet, start + 2)[0] == 3784)


def _trial(node, bird, cable):
    """Milliseconds from the router's last BFD packet until our NOTIFICATION."""
    node.until_status("BFD", lambda s: s["bfd"] == "Up" and s["state"] == "Established" and s["in_sync"], SETTLE, "p1")
    lab.wait("steady timers", lambda: "0.050" in bird.ask("show bfd sessions"))
    router = bytes((10, 11, 0, 2))
    last = max(at for at, packet in cable.packets(timeout=1) if _is_control(packet, router))
    bird.process.send_signal(signal.SIGSTOP)
    end = lab.now() + 5
    try:
        while lab.now() < end:
            for at, packet in cable.packets(timeout=0.1):
                if _is_control(packet, router):
                    last = at
                elif packet[9] == 6 and packet[12:16] != router and _notifies(packet):
                    return (at - last) * 1e3
    finally:
        bird.process.send_signal(signal.SIGCONT)
    raise AssertionError("no NOTIFICATION was seen")


def _notifies(packet):
    start = (packet[0] & 15) * 4
    total = struct.unpack_from(">H", packet, 2)[0]
    payload = packet[start + (packet[start + 12] >> 4) * 4:total]
    return len(payload) >= 21 and payload[18] == tap.NOTIFICATION and payload[19:21] == b"\x06\x0a"


def run(trials, progress):
    """Milliseconds of every trial."""
    wires = lab.Wires(1)
    bird = node = None
    try:
        bird = lab.Bird(wires.peers[0], BIRD)
        sender = lab.OurSender(wires, 1000)
        node = sender.node
        timers = {"receive": INTERVAL, "transmit": INTERVAL, "multiplier": MULTIPLIER}
        sender.announce()
        times = []
        for number in range(trials):
            node.order_peers()  # a peer that is new was never damped
            node.order_peers(dict(sender.peers[0], bfd=timers))
            times.append(_trial(node, bird, wires.taps[0]))
            progress(f"silent router, {number + 1}/{trials}: NOTIFICATION {times[-1]:.1f} ms after its last packet")
        return times
    finally:
        for one in (node, bird):
            if one is not None:
                one.close()
        wires.close()


def render(times):
    """One row: detection and withdrawal together, against the nominal detection time."""
    nominal = INTERVAL * MULTIPLIER * 1e3
    p50, p99 = percentile(times, 50), percentile(times, 99)
    aim = nominal * SLACK + AIM_MS
    return table(["silent router, BFD 50 ms x 3", "trials", "p50", "p99", "max", "aim"], [
        ["its last BFD packet until our Cease/BFD Down is on the wire", str(len(times)), f"{p50:.1f} ms",
         f"{p99:.1f} ms", f"{max(times):.1f} ms",
         f"{nominal:g} x {SLACK} + {AIM_MS:g} = {aim:g} ms: {'yes' if p99 <= aim else 'MISSED'}"]])
