"""What gossip and heartbeats cost while nothing happens: the LAN carries nothing else then."""

import time
from dataclasses import dataclass


@dataclass
class Cost:
    """Per node; packets and bytes both ways, frames as the cable carries them."""
    packets: float
    bytes: float
    cpu_percent: float      # of one core, mean
    cpu_percent_max: float
    resident_mib: float     # mean
    resident_mib_max: float


def measure(cluster, seconds, progress):
    """Watches the quiet cluster for so long."""
    def used():
        return {name: speaker.cpu_seconds() for name, speaker in cluster.speakers.items()}
    began, traffic, cpu = time.monotonic(), cluster.network.counters(), used()
    time.sleep(seconds)
    took = time.monotonic() - began
    after, cpu_after = cluster.network.counters(), used()
    shares = [100 * (cpu_after[name] - cpu[name]) / took for name in cpu]
    memory = [speaker.resident_bytes() / 2**20 for speaker in cluster.speakers.values()]
    packets, size = (sum(after[name][i] - traffic[name][i] for name in traffic) / took / len(traffic) for i in (0, 1))
    cost = Cost(packets, size, sum(shares) / len(shares), max(shares), sum(memory) / len(memory), max(memory))
    progress(f"cost at {cluster.count} nodes: {cost.packets:.1f} packets/s a node, CPU {cost.cpu_percent:.2f} %")
    return cost
