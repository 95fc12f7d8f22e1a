"""The guest side of the protocol: programs started on request, their streams carried as frames.

Runs on the agent's asyncio loop. Windows (frames.WINDOW) bound what is in flight, so a requester that does
not read blocks its own program and nothing else.
"""

import asyncio
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import traceback

import frames

DRAIN_SECONDS = 1.0  # how long a finished program's inherited streams may stay open


class Program:
    """One running program and its streams."""

    def __init__(self, mux, channel, argv, env, terminal):
        self.mux = mux
        self.channel = channel
        self.window = {frames.STDOUT: frames.WINDOW, frames.STDERR: frames.WINDOW}
        self.outputs = {}  # stream -> descriptor, while open
        self.to_stdin = bytearray()
        self.stdin_ends = False
        self.status = None
        self.loop = asyncio.get_running_loop()
        if terminal:
            self._start_on_terminal(argv, env, terminal)
        else:
            self._start_on_pipes(argv, env)
        for stream, fd in self.outputs.items():
            os.set_blocking(fd, False)
            self.loop.add_reader(fd, self._read, stream)
        os.set_blocking(self.stdin, False)
        self.pidfd = os.pidfd_open(self.process.pid)
        self.loop.add_reader(self.pidfd, self._exited)

    def _start_on_pipes(self, argv, env):
        self.process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, bufsize=0, start_new_session=True)
        self.outputs = {frames.STDOUT: self.process.stdout.fileno(), frames.STDERR: self.process.stderr.fileno()}
        self.stdin = self.process.stdin.fileno()

    def _start_on_terminal(self, argv, env, size):
        ours, theirs = pty.openpty()
        self._set_size(ours, size)
        argv = ["setsid", "--ctty", *argv]
        self.process = subprocess.Popen(argv, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.outputs = {frames.STDOUT: ours}
        self.stdin = os.dup(ours)

    @staticmethod
    def _set_size(fd, size):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size["rows"], size["columns"], 0, 0))

    def control(self, what):
        """A signal for the program, or its terminal's new size."""
        if "signal" in what:
            self.kill(what["signal"])
        elif frames.STDOUT in self.outputs:
            self._set_size(self.outputs[frames.STDOUT], what)

    def kill(self, number=signal.SIGKILL):
        """Signals the program's whole process group."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def credit(self, stream, count):
        """The requester took so many bytes."""
        was_closed = self.window[stream] <= 0
        self.window[stream] += count
        if was_closed and self.window[stream] > 0 and stream in self.outputs:
            self.loop.add_reader(self.outputs[stream], self._read, stream)

    def feed(self, data):
        """Bytes for the program's standard input; none ends it."""
        self.to_stdin += data
        self.stdin_ends = self.stdin_ends or not data
        self._write()

    def _write(self):
        if self.stdin is None:
            return
        try:
            while self.to_stdin:
                count = os.write(self.stdin, self.to_stdin[:4096])
                del self.to_stdin[:count]
                self.mux.send(frames.encode_credit(self.channel, frames.STDIN, count))
        except BlockingIOError:
            self.loop.add_writer(self.stdin, self._write)
            return
        except OSError:
            self.to_stdin.clear()
        self.loop.remove_writer(self.stdin)
        if self.stdin_ends:
            self._close_stdin()

    def _close_stdin(self):
        if self.stdin is None:
            return
        self.loop.remove_writer(self.stdin)
        if self.process.stdin:
            self.process.stdin.close()
        else:
            os.close(self.stdin)
        self.stdin = None

    def _read(self, stream):
        fd = self.outputs[stream]
        try:
            data = os.read(fd, min(frames.MAX_PAYLOAD, self.window[stream]))
        except BlockingIOError:
            return
        except OSError:  # a terminal whose other side is closed
            data = b""
        if not data:
            self._close_output(stream)
            return
        self.window[stream] -= len(data)
        self.mux.send(frames.encode(stream, self.channel, data))
        if self.window[stream] <= 0:
            self.loop.remove_reader(fd)

    def _close_output(self, stream):
        fd = self.outputs.pop(stream)
        self.loop.remove_reader(fd)
        if self.process.stdout:
            (self.process.stdout if stream == frames.STDOUT else self.process.stderr).close()
        else:
            os.close(fd)
        self._finish_when_done()

    def _exited(self):
        self.loop.remove_reader(self.pidfd)
        os.close(self.pidfd)
        code = self.process.wait()
        self.status = code if code >= 0 else 128 - code
        self._close_stdin()
        self.loop.call_later(DRAIN_SECONDS, self._give_up_streams)
        self._finish_when_done()

    def _give_up_streams(self):
        for stream in [stream for stream in self.outputs if self.window[stream] > 0]:
            self._close_output(stream)

    def _finish_when_done(self):
        if self.status is not None and not self.outputs:
            self.mux.finish(self.channel, {"result": self.status})


class Mux:
    """Serves the requests that come over one line.

    operations: name -> coroutine function(request) for everything but `exec`; their result is the answer, or
    (bytes) a stream before an empty one.
    command: function(request) -> (argv, env) for `exec`.
    """

    def __init__(self, line, operations, command):
        self.line = line
        self.operations = operations
        self.command = command
        self.programs = {}
        self.unsent = bytearray()
        self.tasks = set()
        self.decoder = frames.Decoder()
        self.loop = asyncio.get_running_loop()
        os.set_blocking(line, False)
        self.loop.add_reader(line, self._read)

    def send(self, data):
        """Queues bytes for the line."""
        self.unsent += data
        self._write()

    def event(self, **what):
        """Tells the daemon something that nobody asked for."""
        self.send(frames.encode_json(frames.STDOUT, 0, what))

    def finish(self, channel, answer):
        """Ends a request."""
        if self.programs.pop(channel, None) is not None:
            self.send(frames.encode_json(frames.EXIT, channel, answer))

    def _write(self):
        try:
            while self.unsent:
                del self.unsent[:os.write(self.line, self.unsent[:4096])]
            self.loop.remove_writer(self.line)
        except BlockingIOError:
            self.loop.add_writer(self.line, self._write)

    def _read(self):
        try:
            data = os.read(self.line, 65536)
        except BlockingIOError:
            return
        self.send(frames.encode_credit(0, frames.STDIN, len(data)))
        for kind, channel, payload in self.decoder.feed(data):
            self._handle(kind, channel, payload)

    def _handle(self, kind, channel, payload):
        if kind == frames.OPEN:
            self._open(channel, json.loads(payload))
            return
        program = self.programs.get(channel)
        if not isinstance(program, Program):
            return
        if kind == frames.STDIN:
            program.feed(payload)
        elif kind == frames.CREDIT:
            program.credit(*frames.decode_credit(payload))
        elif kind == frames.CONTROL:
            program.control(json.loads(payload))
        elif kind == frames.CLOSE:
            del self.programs[channel]
            program.kill()

    def _open(self, channel, request):
        self.programs[channel] = request
        if request["op"] == "exec":
            try:
                argv, env = self.command(request)
                self.programs[channel] = Program(self, channel, argv, env, request if request.get("tty") else None)
            except (OSError, LookupError, ValueError) as error:
                self.finish(channel, {"error": str(error)})
            return
        task = self.loop.create_task(self._operate(channel, request))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _operate(self, channel, request):
        try:
            operation = self.operations[request.pop("op")]
            result = await operation(**request)
            if isinstance(result, bytes):
                self.send(frames.encode_stream(frames.STDOUT, channel, result))
                result = None
            self.finish(channel, {"result": result})
        except Exception as error:  # whatever it was, the requester is told and the agent lives on
            traceback.print_exc()
            self.finish(channel, {"error": f"{error}" or type(error).__name__})
