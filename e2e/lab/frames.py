"""The protocol on the guest's serial line and on the lab's unix socket: frames of several channels.

A frame is type (1 byte), channel (4), length (4), payload; integers big endian. A channel is one request:
OPEN (JSON) starts it, STDIN/STDOUT/STDERR carry bytes (empty = end of stream), EXIT (JSON) ends it, CLOSE
says that the requester went away, CONTROL (JSON) carries a terminal's new size or a signal. Each byte stream
starts with a window of WINDOW bytes that CREDIT frames extend, so a reader that stops reading stops only its
own channel. Channel 0 is the line itself: events (JSON in STDOUT) from the agent, and CREDIT for the
LINE_WINDOW bytes the daemon may send ahead: a guest's serial line that has to hold back its input (4096
bytes) never takes any again. No I/O here.
"""

import json
import struct

HEADER = struct.Struct(">BII")
MAX_PAYLOAD = 32 * 1024
WINDOW = 256 * 1024
LINE_WINDOW = 2048

OPEN, STDIN, STDOUT, STDERR, EXIT, CLOSE, CREDIT, CONTROL = range(1, 9)
TYPES = frozenset(range(OPEN, CONTROL + 1))


class ProtocolError(Exception):
    """The other side sent something that is no frame."""


def encode(kind, channel, payload=b""):
    """One frame as bytes; a payload above MAX_PAYLOAD is a bug of the caller."""
    assert len(payload) <= MAX_PAYLOAD
    return HEADER.pack(kind, channel, len(payload)) + payload


def encode_json(kind, channel, value):
    """A frame whose payload is JSON (OPEN, EXIT, CONTROL)."""
    return encode(kind, channel, json.dumps(value).encode())


def encode_stream(kind, channel, data):
    """As many frames as the data needs; no data gives the end-of-stream frame."""
    if not data:
        return encode(kind, channel)
    return b"".join(encode(kind, channel, data[start:start + MAX_PAYLOAD])
                    for start in range(0, len(data), MAX_PAYLOAD))


def encode_credit(channel, stream, count):
    """Extends the window of one stream (STDIN, STDOUT or STDERR) of a channel."""
    return encode(CREDIT, channel, struct.pack(">BI", stream, count))


def decode_credit(payload):
    """(stream, count) of a CREDIT frame."""
    if len(payload) != 5:
        raise ProtocolError(f"credit of {len(payload)} bytes")
    return struct.unpack(">BI", payload)


class LineSender:
    """Holds back what the line cannot take yet. `write` is called with bytes that may go now."""

    def __init__(self, write):
        self._write = write
        self._waiting = bytearray()
        self._window = LINE_WINDOW

    def send(self, data):
        """Bytes for the line, now or later."""
        self._waiting += data
        self._flush()

    def credit(self, count):
        """The other side has read so many bytes."""
        self._window += count
        self._flush()

    def _flush(self):
        count = min(self._window, len(self._waiting))
        if count:
            self._write(bytes(self._waiting[:count]))
            del self._waiting[:count]
            self._window -= count


class Decoder:
    """Bytes in any pieces -> whole frames."""

    def __init__(self):
        self._buffer = bytearray()

    def feed(self, data):
        """Adds bytes; returns the frames they complete as (type, channel, payload)."""
        self._buffer += data
        frames, start = [], 0
        while len(self._buffer) - start >= HEADER.size:
            kind, channel, length = HEADER.unpack_from(self._buffer, start)
            if kind not in TYPES or length > MAX_PAYLOAD:
                raise ProtocolError(f"frame of type {kind} with length {length}")
            end = start + HEADER.size + length
            if len(self._buffer) < end:
                break
            frames.append((kind, channel, bytes(self._buffer[start + HEADER.size:end])))
            start = end
        del self._buffer[:start]
        return frames
