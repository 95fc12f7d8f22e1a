"""Booting the guest: one User-Mode-Linux kernel on the host's own root file system.

Needs no privilege: modules are read through a private tree (`modprobe -d`), guest memory is an unlinked
file on a tmpfs, and no device or network of the host is touched. What the guest should do is described by
a job folder that `guest_init.sh` reads; see there.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERNEL = "linux.uml"
MODULE_HOME = Path("/usr/lib/uml/modules")
PR_SET_PDEATHSIG = 1


class LabError(Exception):
    """Something the user can act on; shown as one line."""


def require_tools(*names):
    """Fails with one line that says what to install when a program is missing."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [name for name in names if not shutil.which(name, path=path)]
    if missing:
        raise LabError(f"missing program(s) {', '.join(missing)}: install user-mode-linux kmod iproute2 "
                       "ipset ipvsadm iptables iputils-arping tcpdump (apt-get install)")


def memory_folder():
    """A writable tmpfs for guest memory and state; guest memory on a disk would be slow."""
    for folder in ("/dev/shm", os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()):
        if folder and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    raise LabError("no writable folder for guest memory (/dev/shm, $XDG_RUNTIME_DIR, $TMPDIR)")


def module_version():
    versions = sorted(path.name for path in MODULE_HOME.iterdir()) if MODULE_HOME.is_dir() else []
    if not versions:
        raise LabError(f"no kernel modules in {MODULE_HOME}: install the package user-mode-linux")
    return versions[-1]


def make_module_tree(root):
    """Builds ROOT/lib/modules/VERSION as `modprobe -d ROOT` wants it; runs depmod only when the package
    did not."""
    version = module_version()
    source = MODULE_HOME / version
    target = Path(root) / "lib" / "modules" / version
    target.parent.mkdir(parents=True)
    if (source / "modules.dep.bin").exists():
        target.symlink_to(source)
        return
    target.mkdir()
    for item in source.iterdir():
        (target / item.name).symlink_to(item)
    depmod = shutil.which("depmod", path="/sbin:/usr/sbin:/usr/bin:/bin")
    subprocess.run([depmod, "-b", str(root), version], check=True)


def _die_with_parent():
    """Runs in the child before exec: the kernel goes when the process that owns it goes, however it does."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start_kernel(job, memory, lines, console):
    """Starts the guest; returns its Popen.

    job: folder with what guest_init.sh needs. lines: file descriptors, the guest's /dev/ttyS0, ttyS1, ...
    (a pair (in, out), None for a missing side). No descriptor may serve two lines. console: descriptor
    that gets the kernel's messages.
    """
    serial, keep = [], [console]
    for index, line in enumerate(lines):
        serial.append(f"ssl{index}=" + ",".join("null" if fd is None else f"fd:{fd}" for fd in line))
        keep += [fd for fd in line if fd is not None]
    umid_folder = Path(job) / "uml"
    umid_folder.mkdir(exist_ok=True)
    command = [KERNEL, f"mem={memory}", f"uml_dir={umid_folder}/", "umid=guest",
               "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", "quiet", "panic=-1",
               f"init={HERE / 'guest_init.sh'}", f"LAB_JOB={job}",
               "con=null", f"con0=null,fd:{console}", "ssl=null", *serial]
    environment = dict(os.environ, TMPDIR=str(memory_folder()), HOME=str(job))
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=console,
                            stderr=console, pass_fds=sorted(set(keep)), start_new_session=True,
                            preexec_fn=_die_with_parent)


def stop_kernel(process):
    """Ends the guest at once, with every host process it uses; returns when they are gone.

    The helpers are no children of ours: init reaps them. Where it does not, they are given up after 2 s.
    """
    _kill_group(process.pid)
    process.wait()
    deadline = time.monotonic() + 2
    while _kill_group(process.pid, 0) and time.monotonic() < deadline:
        time.sleep(0.01)


def _kill_group(group, number=signal.SIGKILL):
    """Whether there was anybody to signal."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def guard(process, folder):
    """Starts a process that outlives us if we are killed, and then removes the guest and its folder.

    The kernel's own helper processes do not end with it, so PR_SET_PDEATHSIG alone would leave some
    behind. The guard waits for the end of a pipe that only we hold; a byte written to the descriptor that
    is returned dismisses it, once the owner itself has cleaned up.
    """
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            os.setsid()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            os.dup2(reader, 0)
            os.closerange(1, 1024)
            if not os.read(0, 1):
                _kill_group(process.pid)
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os._exit(0)
    os.close(reader)
    return writer
