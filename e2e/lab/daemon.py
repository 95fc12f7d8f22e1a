"""The host side of a running lab: owns the guest and its serial line, and lets any number of `lab`
commands talk to the guest's agent through a unix socket in the state folder.

Frames (frames.py) are passed on; only channel numbers are changed, because each command counts its own
from 1. The requests `wait` and `down` are answered here. Everything ends together: when the guest, this
process or its time limit ends, the guest's processes and the state folder go.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import time

import bare
import frames
import uml

SOCKET = "socket"
BOOT_LIMIT = 300
FAREWELL = 3
MODULES = bare.MODULES + ["overlay", "cls_flower", "act_gact", "sch_ingress"]

# Everything is written into an overlay in guest memory, so that pods can have files anywhere and the host's
# file system stays as it is. `-n`: mount must not note down what it does, in the host's /run.
START = """set -e
exec 2> /run/job/start.log
mount -n -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -n -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work root /mnt/root
for folder in dev proc sys run; do mount -n --move /$folder /mnt/root/$folder; done
cd /mnt/root
pivot_root . mnt
umount -n -l /mnt
cd /
exec {python} -B {agent} > /run/job/agent.log 2>&1
"""


class Daemon:
    """One lab."""

    def __init__(self, state, settings):
        self.state = state
        self.settings = settings  # JSON for the agent: topology, build, source, ...
        self.guest = None
        self.guard = None  # descriptor that dismisses our guard
        self.line = None  # LineSender to the agent
        self.channels = {}  # guest channel -> (client writer, client channel)
        self.next_channel = 1
        self.progress = []
        self.waiting = set()  # writers of clients that wait for the boot
        self.outcome = None  # None while booting, else {"ok": bool, "error": ...}
        self.changed = asyncio.Condition()
        self.ended = asyncio.Event()

    def boot(self, memory):
        """Starts the kernel; returns our end of its serial line."""
        bare.write_job(self.state, START.format(python="/usr/bin/python3", agent=uml.HERE / "agent.py"), MODULES)
        with open(os.path.join(self.state, "settings.json"), "w", encoding="utf-8") as out:
            json.dump(self.settings, out)
        ours, theirs = socket.socketpair()
        unused = [os.pipe()[1] for _ in range(2)]  # the start script's streams; it writes to start.log
        with open(os.path.join(self.state, "console"), "wb") as console:
            self.guest = uml.start_kernel(self.state, memory,
                                          [(None, unused[0]), (None, unused[1]),
                                           (theirs.fileno(), os.dup(theirs.fileno()))], console.fileno())
        self.guard = uml.guard(self.guest, self.state)
        theirs.close()
        return ours

    async def serve(self, memory, limit):
        """Runs the lab until it ends for whatever reason."""
        line = self.boot(memory)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ended.set)
        reader, writer = await asyncio.open_connection(sock=line)
        self.line = frames.LineSender(writer.write)
        server = await asyncio.start_unix_server(self.serve_client, os.path.join(self.state, SOCKET))
        tasks = [asyncio.create_task(task) for task in (self.read_guest(reader), self.watch_guest(limit))]
        await self.ended.wait()
        for task in tasks:
            task.cancel()
        server.close()

    async def watch_guest(self, limit):
        started = time.monotonic()
        while self.guest.poll() is None:
            await asyncio.sleep(0.2)
            age = time.monotonic() - started
            if limit and age > limit:
                break
            if self.outcome is None and age > BOOT_LIMIT:
                await self.note_outcome({"ok": False, "error": f"the cluster is not up after {BOOT_LIMIT} s"})
            if self.outcome and not self.outcome["ok"]:
                await asyncio.sleep(FAREWELL)  # `lab up` reads the logs and ends us
                break
        if self.outcome is None:
            await self.note_outcome({"ok": False, "error": "the guest ended while it booted"})
            await asyncio.sleep(FAREWELL)
        self.ended.set()

    async def note_outcome(self, outcome):
        async with self.changed:
            self.outcome = self.outcome or outcome
            self.changed.notify_all()

    async def read_guest(self, reader):
        decoder = frames.Decoder()
        while data := await reader.read(65536):
            for kind, channel, payload in decoder.feed(data):
                if channel == 0 and kind == frames.CREDIT:
                    self.line.credit(frames.decode_credit(payload)[1])
                    continue
                if channel == 0:
                    await self.note_event(json.loads(payload))
                    continue
                client, own = self.channels.get(channel, (None, 0))
                if client is None:
                    continue
                client.write(frames.encode(kind, own, payload))
                if kind == frames.EXIT:
                    del self.channels[channel]

    async def note_event(self, event):
        if event["event"] == "progress":
            async with self.changed:
                self.progress.append(event["text"])
                self.changed.notify_all()
        else:
            await self.note_outcome({"ok": event["event"] == "ready", "error": event.get("error")})

    async def serve_client(self, reader, writer):
        decoder, numbers = frames.Decoder(), {}
        try:
            while data := await reader.read(65536):
                for kind, channel, payload in decoder.feed(data):
                    await self.handle(kind, channel, payload, writer, numbers)
        except (ConnectionError, frames.ProtocolError):
            pass
        finally:
            if writer in self.waiting and self.outcome is None:
                self.ended.set()  # whoever wanted this lab has gone before it was up
            for number in numbers.values():
                if self.channels.pop(number, None):
                    self.line.send(frames.encode(frames.CLOSE, number))
            writer.close()

    async def handle(self, kind, channel, payload, writer, numbers):
        if kind == frames.OPEN:
            operation = json.loads(payload).get("op")
            if operation == "wait":
                self.waiting.add(writer)
                return asyncio.create_task(self.answer_wait(channel, writer))
            if operation == "down":
                self.ended.set()
                return None
            numbers[channel] = self.next_channel
            self.channels[self.next_channel] = (writer, channel)
            self.next_channel += 1
        if numbers.get(channel) in self.channels:
            self.line.send(frames.encode(kind, numbers[channel], payload))
        return None

    async def answer_wait(self, channel, writer):
        """Tells the progress of the boot as lines on STDOUT, then the outcome."""
        told = 0
        while True:
            async with self.changed:
                await self.changed.wait_for(lambda: self.outcome or len(self.progress) > told)
            for text in self.progress[told:]:
                writer.write(frames.encode_stream(frames.STDOUT, channel, text.encode() + b"\n"))
            told = len(self.progress)
            if self.outcome:
                writer.write(frames.encode_json(frames.EXIT, channel, {"result": self.outcome}))
                return

    def clean(self):
        """Leaves nothing behind; also run when serve() was interrupted."""
        if self.guest:
            uml.stop_kernel(self.guest)
        # Dismissed first: when the folder is gone, the next lab may already be making its own there.
        if self.guard is not None:
            os.write(self.guard, b"x")
        shutil.rmtree(self.state, ignore_errors=True)


def start(state, settings, memory, limit):
    """Starts the daemon in the background, detached from the terminal; returns when its socket answers."""
    os.makedirs(state, mode=0o700)
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        os.setsid()
        if os.fork() == 0:
            _run(state, settings, memory, limit)
        os._exit(0)
    os.close(writer)
    os.wait()
    path = os.path.join(state, SOCKET)
    deadline = time.monotonic() + 30
    while not _answers(path):
        if time.monotonic() > deadline or not os.path.exists(state):
            raise uml.LabError("the lab's daemon did not start")
        time.sleep(0.02)
    os.close(reader)


def _answers(path):
    """Whether somebody listens there; a socket that is bound but does not listen yet refuses."""
    with socket.socket(socket.AF_UNIX) as link:
        return link.connect_ex(path) == 0


def _run(state, settings, memory, limit):
    status = 1
    daemon = Daemon(state, settings)
    try:
        with open(os.path.join(state, "daemon.log"), "ab") as log:
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        asyncio.run(daemon.serve(memory, limit))
        status = 0
    finally:
        daemon.clean()
        sys.stdout.flush()
        os._exit(status)
