"""Talking to a running lab: one connection and one channel per request."""

import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import sys
import termios
import tty

import frames
import uml
from daemon import SOCKET


def default_state():
    """Where the lab of this user lives: $LAB_STATE, else a folder on a tmpfs."""
    return os.environ.get("LAB_STATE") or str(uml.memory_folder() / f"steelyard-lab-{os.getuid()}")


def connect(state):
    """A socket to the lab's daemon."""
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(os.path.join(state, SOCKET))
    except OSError:
        link.close()
        raise uml.LabError(f"no lab is up (state folder {state}); start one with `lab up` or "
                           "KEEP=1 make demo") from None
    return link


def is_up(state):
    """Whether a lab answers there."""
    try:
        connect(state).close()
        return True
    except uml.LabError:
        return False


def call(state, operation, on_line=None, **arguments):
    """One request; returns its JSON answer, or the bytes that came before an empty one. Raises LabError with the
    agent's message when it failed."""
    with connect(state) as link:
        link.sendall(frames.encode_json(frames.OPEN, 1, {"op": operation, **arguments}))
        decoder, stream = frames.Decoder(), bytearray()
        while data := link.recv(65536):
            for kind, _, payload in decoder.feed(data):
                if kind == frames.STDOUT and on_line:
                    on_line(payload.decode().rstrip("\n"))
                elif kind == frames.STDOUT:
                    stream += payload
                if kind == frames.EXIT:
                    answer = json.loads(payload)
                    if "error" in answer:
                        raise uml.LabError(answer["error"])
                    return bytes(stream) if stream else answer.get("result")
    if operation == "down":
        return None
    raise uml.LabError("the lab ended")


class Exec:
    """A program in the guest whose streams are this side's file descriptors.

    stdin may be None (nothing to read). With tty, the program gets a terminal of the size of ours.
    """

    def __init__(self, state, request, stdin=0, stdout=1, stderr=2):
        self._link = connect(state)
        self._outputs = {frames.STDOUT: stdout, frames.STDERR: stderr}
        self._stdin = stdin
        self._window = frames.WINDOW
        self._decoder = frames.Decoder()
        self._selector = selectors.DefaultSelector()
        self._link.sendall(frames.encode_json(frames.OPEN, 1, {"op": "exec", **request}))
        if stdin is None:
            self._link.sendall(frames.encode(frames.STDIN, 1))

    def run(self):
        """Passes everything on until the program ends; returns its exit status."""
        self._selector.register(self._link, selectors.EVENT_READ)
        self._watch_stdin()
        try:
            while True:
                for key, _ in self._selector.select():
                    if key.fileobj is self._link:
                        status = self._read_link()
                        if status is not None:
                            return status
                    else:
                        self._read_stdin()
        finally:
            self._selector.close()
            self._link.close()

    def resize(self, rows, columns):
        """The terminal has another size."""
        self._link.sendall(frames.encode_json(frames.CONTROL, 1, {"rows": rows, "columns": columns}))

    def signal(self, number):
        """Sends a signal to the program."""
        self._link.sendall(frames.encode_json(frames.CONTROL, 1, {"signal": number}))

    def _watch_stdin(self):
        if self._stdin is None:
            return
        try:
            self._selector.register(self._stdin, selectors.EVENT_READ)
        except PermissionError:  # a plain file is always ready and cannot be watched
            while self._stdin is not None and self._window > 0:
                self._read_stdin()
        except ValueError:
            self._stdin = None
        except KeyError:
            pass

    def _read_stdin(self):
        data = os.read(self._stdin, min(frames.MAX_PAYLOAD, self._window))
        self._window -= len(data)
        self._link.sendall(frames.encode_stream(frames.STDIN, 1, data))
        if not data or self._window <= 0:
            if self._stdin in self._selector.get_map():
                self._selector.unregister(self._stdin)
        if not data:
            self._stdin = None

    def _read_link(self):
        data = self._link.recv(65536)
        if not data:
            raise uml.LabError("the lab ended")
        for kind, _, payload in self._decoder.feed(data):
            if kind in self._outputs:
                _write_all(self._outputs[kind], payload)
                self._link.sendall(frames.encode_credit(1, kind, len(payload)))
            elif kind == frames.CREDIT:
                self._window += frames.decode_credit(payload)[1]
                self._watch_stdin()
            elif kind == frames.EXIT:
                answer = json.loads(payload)
                if "error" in answer:
                    raise uml.LabError(answer["error"])
                return answer["result"]
        return None


def _write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def terminal_size(fd):
    """(rows, columns) of a terminal."""
    rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    return rows, columns


def run_on_terminal(state, request):
    """Like Exec.run, with our terminal passed through in raw mode."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Exec(state, request).run()
    rows, columns = terminal_size(0)
    program = Exec(state, {**request, "tty": True, "rows": rows, "columns": columns,
                           "env": {"TERM": os.environ.get("TERM", "linux"), **request.get("env", {})}})
    signal.signal(signal.SIGWINCH, lambda *_: program.resize(*terminal_size(0)))
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        return program.run()
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
