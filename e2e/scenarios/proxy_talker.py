"""Every client of the proxy scenarios in one process of the guest: it opens sockets in any machine's or pod's network.

One JSON object a line in, one out. A request has an "op" (the functions below); what goes wrong in a conversation is
a value ("refused", "timeout", "reset", "unreachable", "closed"), never an error. An answer of a pod is its line, "NAME
CLIENT". Starting a program costs 25-60 ms in the guest, a connection from here about one.
"""

import errno
import json
import os
import re
import socket
import struct
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab"))
sys.dont_write_bytecode = True

import netns  # noqa: E402

ERRORS = {errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset", errno.EPIPE: "reset", errno.ETIMEDOUT: "timeout",
          errno.EHOSTUNREACH: "unreachable", errno.ENETUNREACH: "unreachable", errno.EAGAIN: "timeout",
          errno.EACCES: "prohibited"}
ETH_IPV4 = 0x0800
TCP_FIN, TCP_SYN, TCP_ACK = 1, 2, 16
BEYOND_WINDOW = 1 << 28
kept = {}      # id -> socket of an open conversation
streams = {}   # id -> Stream or Watch


def reason(error):
    """The word for what ended a conversation."""
    if isinstance(error, TimeoutError):
        return "timeout"
    return ERRORS.get(error.errno, str(error))


def open_socket(ask):
    """A connected socket in the namespace `via`."""
    family = socket.AF_INET6 if ":" in ask["to"] else socket.AF_INET
    kind = socket.SOCK_DGRAM if ask.get("protocol") == "UDP" else socket.SOCK_STREAM
    with netns.inside(ask["via"]):
        link = socket.socket(family, kind)
    try:
        link.settimeout(ask.get("timeout", 2))
        if ask.get("source") or ask.get("sport"):
            link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            link.bind((ask.get("source") or ("::" if family == socket.AF_INET6 else "0.0.0.0"), ask.get("sport", 0)))
        if ask.get("reset"):
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        link.connect((ask["to"], ask["port"]))
    except OSError:
        link.close()
        raise
    return link


def exchange(link, ask, last):
    """One question and its answer on an open socket; returns the text that came back."""
    size = ask.get("size", 0)
    if link.type == socket.SOCK_DGRAM:
        try:
            link.send(b"?" * max(1, size))
        except PermissionError:
            pass  # a filter or IPVS dropped the machine's own datagram; a refusal, if that is why, is waiting
        return link.recv(65536).decode(errors="replace")
    end = "Connection: close\r\n" if last else ""
    verb, body = ("POST", f"Content-Length: {size}\r\n") if size else ("GET", "")
    link.sendall(f"{verb} {ask.get('path', '/')} HTTP/1.1\r\nHost: lab\r\n{body}{end}\r\n".encode() + b"x" * size)
    received = b""
    while b"\r\n\r\n" not in received or len(received) < whole(received):
        data = link.recv(65536)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "closed early")
        received += data
    return received.decode(errors="replace")


def whole(received):
    """How long a response is, by its head."""
    head, _, _ = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return len(head) + 4 + (int(length[1]) if length else 0)


def said(text):
    """The body of a response, else a datagram."""
    return text.split("\r\n\r\n", 1)[-1].strip()


def converse(ask):
    """One conversation: {"said", "ms", "sport"} or {"error", "ms"}; with `raw`, the whole response as "said"."""
    began = time.monotonic()
    try:
        with open_socket(ask) as link:
            sport = link.getsockname()[1]
            text = exchange(link, ask, True)
        result = {"said": text if ask.get("raw") else said(text), "sport": sport}
    except OSError as error:
        result = {"error": reason(error)}
    return {**result, "ms": round((time.monotonic() - began) * 1000, 1)}


def ask(asks):
    """Many clients at the same time, each `count` conversations one after the other."""
    results = [[] for _ in asks]

    def work(index, one):
        for number in range(one.get("count", 1)):
            if number and one.get("pause"):
                time.sleep(one["pause"])
            results[index].append(converse(one))
    threads = [threading.Thread(target=work, args=item) for item in enumerate(asks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def keep(name, **one):
    """Opens a conversation and asks once."""
    try:
        kept[name] = open_socket(one)
    except OSError as error:
        return {"error": reason(error)}
    return again(name)


def again(name, **one):
    """Asks once more on an open conversation."""
    try:
        return {"said": said(exchange(kept[name], one, False)), "sport": kept[name].getsockname()[1]}
    except OSError as error:
        return {"error": reason(error)}


def drop(name):
    """Ends a conversation."""
    kept.pop(name).close()


def overhear(name, via):
    """Keeps every IPv4 packet that comes to a machine or pod from now on."""
    with netns.inside(via):
        kept[name] = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_IPV4))
    kept[name].setblocking(False)


def stray(name, via, port):
    """Sends a segment on the connection overheard last as if the server at that port had: it acknowledges what came
    in, and is far ahead of the window. Returns where it went."""
    last = None
    try:
        while packet := kept[name].recv(65536):
            last = tcp_segment(packet, port) or last
    except BlockingIOError:
        pass
    client, server, client_port, received, sent = last
    segment = struct.pack("!HHIIBBHHH", port, client_port, (sent + BEYOND_WINDOW) % 2**32, received, 5 << 4, TCP_ACK,
                          512, 0, 0)
    total = sum(struct.unpack("!16H", server + client + struct.pack("!HH", socket.IPPROTO_TCP, len(segment)) + segment))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    segment = segment[:16] + struct.pack("!H", ~total & 0xFFFF) + segment[18:]
    with netns.inside(via), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as link:
        link.bind((socket.inet_ntoa(server), 0))
        link.sendto(segment, (socket.inet_ntoa(client), 0))
    return f"{socket.inet_ntoa(client)}:{client_port}"


def tcp_segment(packet, port):
    """(client, server, client's port, next byte from the client, next byte from the server) of a segment to a port."""
    start = (packet[0] & 15) * 4
    if packet[9] != socket.IPPROTO_TCP or struct.unpack_from("!H", packet, start + 2)[0] != port:
        return None
    sport, _, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", packet, start)
    length = struct.unpack_from("!H", packet, 2)[0] - start - (offset >> 4) * 4
    return packet[12:16], packet[16:20], sport, (seq + length + (flags & (TCP_SYN | TCP_FIN) != 0)) % 2**32, ack


class Stream:
    """A client that asks every `interval` seconds from one UDP socket, or on new TCP connections, until stopped."""

    def __init__(self, one):
        self.one, self.log, self.over = one, [], threading.Event()
        self.began = time.monotonic()
        self.thread = threading.Thread(target=self.udp if one.get("protocol") == "UDP" else self.tcp)
        self.thread.start()

    def note(self, what, since=None):
        """(when, how it went), in ms from the beginning."""
        self.log.append((round(((since or time.monotonic()) - self.began) * 1000, 1), what))

    def udp(self):
        link = open_socket(self.one)
        link.settimeout(self.one.get("timeout", 0.1))
        while not self.over.wait(self.one["interval"]):
            since = time.monotonic()
            try:
                self.note(exchange(link, {}, False).split()[0], since)
            except OSError as error:
                self.note("!" + reason(error), since)
        link.close()

    def tcp(self):
        while not self.over.wait(self.one["interval"]):
            since = time.monotonic()
            result = converse(self.one)
            self.note(result["said"].split()[0] if "said" in result else "!" + result["error"], since)

    def stop(self):
        self.over.set()
        self.thread.join()
        return self.log


class Watch:
    """When a node's LAN port goes down, and when IPVS on other nodes no longer sends to its pods."""

    def __init__(self, one):
        self.one, self.over, self.times = one, threading.Event(), {}
        self.threads = [threading.Thread(target=self.power), *(
            threading.Thread(target=self.table, args=(node,)) for node in one["nodes"])]
        for thread in self.threads:
            thread.start()

    def power(self):
        path = f"/sys/class/net/{self.one['switch_port']}/flags"
        while not self.over.wait(0.003):
            with open(path, encoding="ascii") as flags:
                if not int(flags.read(), 16) & 1:
                    self.times["power"] = time.monotonic()
                    return

    def table(self, node):
        with netns.inside(node):
            while not self.over.wait(0.005):
                if not uses(real_servers("/proc/thread-self/net/ip_vs"), self.one["prefixes"]):
                    self.times[node] = time.monotonic()
                    return

    def stop(self):
        deadline = time.monotonic() + self.one.get("patience", 5)
        for thread in self.threads:
            thread.join(max(0, deadline - time.monotonic()))
        self.over.set()
        return {name: round((when - self.times["power"]) * 1000, 1) for name, when in self.times.items()} \
            if "power" in self.times else {}


def real_servers(path):
    """(address, port, weight) of every real server in /proc/net/ip_vs."""
    with open(path, encoding="ascii") as source:
        for line in source:
            words = line.split()
            if len(words) > 3 and words[0] == "->" and words[1] != "RemoteAddress:Port":
                address, _, port = words[1].rpartition(":")
                text = address.strip("[]") if "[" in address else socket.inet_ntoa(bytes.fromhex(address))
                yield text, int(port, 16), int(words[3])


def uses(reals, prefixes):
    """Whether a real server with a weight has an address that begins so."""
    return any(weight and address.startswith(tuple(prefixes)) for address, _, weight in reals)


def start(name, **one):
    """Begins a stream (or, with "nodes", a watch)."""
    streams[name] = (Watch if "nodes" in one else Stream)(one)


def stop(name):
    """Ends it; returns what it noted."""
    return streams.pop(name).stop()


def rest(seconds):
    """Nobody asks anything for a while."""
    time.sleep(seconds)


OPERATIONS = {"ask": ask, "keep": keep, "again": again, "drop": drop, "start": start, "stop": stop, "rest": rest,
              "overhear": overhear, "stray": stray}


def main():
    print(json.dumps({"pid": os.getpid()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": OPERATIONS[request.pop("op")](**request)}
        except Exception as error:  # told to the scenario, which fails by it
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)
    os._exit(0)  # streams that nobody stopped


if __name__ == "__main__":
    main()
