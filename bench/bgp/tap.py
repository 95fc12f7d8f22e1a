"""Reads BGP messages off a cable, each with the kernel's time of the packet that completed it.

A tap is a packet socket in a namespace: what it hears waits in its buffer, so that reading may come after the
measurement. Times are CLOCK_REALTIME in seconds, as time.time().
"""

import contextlib
import ctypes
import os
import select
import socket
import struct
from dataclasses import dataclass

_CLONE_NEWNET = 0x40000000
_SO_TIMESTAMPNS = 35
_SO_RCVBUFFORCE = 33
_BUFFER = 128 << 20
_libc = ctypes.CDLL(None, use_errno=True)

OPEN, UPDATE, NOTIFICATION, KEEPALIVE = 1, 2, 3, 4


@contextlib.contextmanager
def inside(namespace):
    """Sockets made meanwhile belong to the namespace."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(there, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        _libc.setns(home, _CLONE_NEWNET)
        os.close(home)
        os.close(there)


@dataclass
class Message:
    """One BGP message; `announced` and `withdrawn` count its IPv4 prefixes."""

    at: float
    source: str
    kind: int
    size: int
    announced: int = 0
    withdrawn: int = 0


def _prefixes(data):
    count, at = 0, 0
    while at < len(data):
        at += 1 + (data[at] + 7) // 8
        count += 1
    return count


def _message(at, source, data):
    message = Message(at, source, data[18], len(data))
    if message.kind == UPDATE:
        withdrawn = struct.unpack_from(">H", data, 19)[0]
        attributes = struct.unpack_from(">H", data, 21 + withdrawn)[0]
        message.withdrawn = _prefixes(data[21:21 + withdrawn])
        message.announced = _prefixes(data[23 + withdrawn + attributes:])
    return message


class _Stream:
    """One direction of one TCP connection, put in order."""

    def __init__(self, source, sequence):
        self.source, self.next = source, sequence
        self.early, self.bytes = {}, bytearray()

    def feed(self, at, sequence, payload):
        """Takes a segment; yields the messages it completes."""
        self.early[sequence] = payload
        while (payload := self._continue()) is not None:
            self.bytes += payload
        while len(self.bytes) >= 19:
            size = struct.unpack_from(">H", self.bytes, 16)[0]
            if len(self.bytes) < size:
                break
            data = bytes(self.bytes[:size])
            del self.bytes[:size]
            yield _message(at, self.source, data)

    def _continue(self):
        for sequence in list(self.early):
            past = (self.next - sequence) & 0xFFFFFFFF
            if past < 1 << 31:  # begins where we are, or before
                payload = self.early.pop(sequence)[past:]
                if payload:
                    self.next = (self.next + len(payload)) & 0xFFFFFFFF
                    return payload
        return None


class Tap:
    """Listens on an interface of a namespace. Connections that began earlier are joined at their next message."""

    def __init__(self, namespace, interface):
        with inside(namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.socket.bind((interface, 0))
        self.socket.setblocking(False)
        self.streams = {}

    def close(self):
        """Ends listening."""
        self.socket.close()

    def packets(self, timeout=0.0):
        """(time, IPv4 packet) of everything heard; waits for the first so long."""
        while select.select([self.socket], [], [], timeout)[0]:
            timeout = 0
            data, ancillary, _, _ = self.socket.recvmsg(70000, 64)
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
            if data[12:14] == b"\x08\x00":
                yield seconds + nanoseconds * 1e-9, data[14:]

    def messages(self, timeout=0.0):
        """Every BGP message heard, both ways; waits for the first packet so long."""
        for at, packet in self.packets(timeout):
            if packet[9] == 6:
                yield from self._segment(at, packet)

    def _segment(self, at, packet):
        start = (packet[0] & 15) * 4
        total = struct.unpack_from(">H", packet, 2)[0]
        source_port, target_port, sequence = struct.unpack_from(">HHI", packet, start)
        if 179 not in (source_port, target_port):
            return
        payload = packet[start + (packet[start + 12] >> 4) * 4:total]
        key = (packet[12:20], source_port, target_port)
        if packet[start + 13] & 2:  # SYN
            self.streams[key] = _Stream(socket.inet_ntoa(packet[12:16]), (sequence + 1) & 0xFFFFFFFF)
        elif payload:
            if key not in self.streams:
                self.streams[key] = _Stream(socket.inet_ntoa(packet[12:16]), sequence)
            yield from self.streams[key].feed(at, sequence, payload)
