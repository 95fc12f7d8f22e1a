"""Running programs in the guest from asyncio, and finding the lab's own helper programs."""

import asyncio
import os
import subprocess


class CommandFailed(Exception):
    """A command ended with a status other than 0; the text has the command and its output."""


async def exit_status(process):
    """Waits for a Popen without a thread and without SIGCHLD; negative for a signal, as Popen has it."""
    if process.poll() is not None:  # already waited for: its number may be somebody else's by now
        return process.returncode
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    pidfd = os.pidfd_open(process.pid)
    loop.add_reader(pidfd, lambda: ended.done() or ended.set_result(None))
    try:
        await ended
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
    return process.wait()


async def run(*argv, text=""):
    """Runs a command with `text` as input; returns its output (stdout and stderr), raises CommandFailed."""
    source, sink = os.memfd_create("input"), os.memfd_create("output")
    try:
        os.write(source, text.encode())
        os.lseek(source, 0, os.SEEK_SET)
        status = await exit_status(subprocess.Popen(argv, stdin=source, stdout=sink, stderr=sink))
        size = os.lseek(sink, 0, os.SEEK_CUR)
        output = os.pread(sink, size, 0).decode(errors="replace")
    finally:
        os.close(source)
        os.close(sink)
    if status != 0:
        raise CommandFailed(f"{' '.join(argv)}: status {status}: {output.strip()}\n{text}".strip())
    return output


async def ip_batch(commands, namespace=None):
    """Runs `ip` once for many commands, in a network namespace when one is named."""
    where = ("-n", namespace) if namespace else ()
    await run("ip", *where, "-batch", "-", text="\n".join(commands) + "\n")
