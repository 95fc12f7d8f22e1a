"""`lab run`: one command in a bare guest, as guest root, in the host's file system.

Made for tests that need a kernel with IPVS, ipset or dummy devices: the exit status is the command's, its
output is streamed, and nothing outlives the call.
"""

import os
import shlex
import shutil
import signal
import sys
import tempfile
import threading

import uml

MODULES = ("ip_vs ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc ip_vs_sh ip_vs_mh dummy bridge br_netfilter veth "
           "ip_set ip_set_hash_ip ip_set_hash_net ip_set_hash_ipport ip_set_hash_ipportip "
           "ip_set_hash_ipportnet ip_set_bitmap_port xt_set xt_MASQUERADE xt_mark xt_comment xt_conntrack "
           "xt_addrtype iptable_nat iptable_filter iptable_mangle ip6table_nat ip6table_filter nf_conntrack "
           "sch_netem af_packet").split()
EXIT_TIMEOUT = 124
EXIT_LAB_BROKEN = 125


def write_job(job, start, modules=MODULES):
    """Fills the job folder that guest_init.sh reads."""
    uml.make_module_tree(os.path.join(job, "modules"))
    with open(os.path.join(job, "modules.list"), "w", encoding="utf-8") as out:
        out.write("\n".join(modules) + "\n")
    with open(os.path.join(job, "start"), "w", encoding="utf-8") as out:
        out.write(start)


def start_script(command, cwd, environment):
    """The shell script that restores the caller's folder and environment and becomes the command."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(environment.items())
               if name.isidentifier() and name not in ("PWD", "OLDPWD", "SHLVL", "_", "TMPDIR")]
    path = environment.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    return "\n".join([*exports, f"export PATH={shlex.quote(path)} TMPDIR=/run/tmp",
                      f"cd {shlex.quote(cwd)} || exit {EXIT_LAB_BROKEN}", "exec " + shlex.join(command), ""])


def _copy(source, target):
    while data := os.read(source, 65536):
        while data:
            data = data[os.write(target, data):]
    os.close(source)


class _Interrupted(Exception):
    """SIGINT or SIGTERM reached us; the guest must go before we do."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


def _on_signal(number, _frame):
    raise _Interrupted(number)


def run(command, memory="512M", timeout=300):
    """Runs the command; returns its exit status (124 time limit, 125 the guest did not come up)."""
    uml.require_tools(uml.KERNEL, "modprobe", "ip")
    job = tempfile.mkdtemp(prefix="steelyard-run-", dir=uml.memory_folder())
    guest = None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _on_signal)
    try:
        write_job(job, start_script(command, os.getcwd(), dict(os.environ)))
        outputs = [os.pipe() for _ in range(2)]
        with open(os.path.join(job, "console"), "wb") as console:
            guest = uml.start_kernel(job, memory, [(None, writer) for _, writer in outputs],
                                     console.fileno())
        uml.guard(guest, job)
        for _, writer in outputs:
            os.close(writer)
        pumps = [threading.Thread(target=_copy, args=(reader, target), daemon=True)
                 for (reader, _), target in zip(outputs, (1, 2))]
        for pump in pumps:
            pump.start()
        return _wait(guest, pumps, job, timeout)
    except _Interrupted as interrupted:
        return 128 + interrupted.number
    finally:
        if guest:
            uml.stop_kernel(guest)
        shutil.rmtree(job, ignore_errors=True)


def _wait(guest, pumps, job, timeout):
    try:
        guest.wait(timeout)
    except uml.subprocess.TimeoutExpired:
        print(f"lab run: time limit of {timeout} s reached, guest ended", file=sys.stderr)
        return EXIT_TIMEOUT
    uml.stop_kernel(guest)
    for pump in pumps:
        pump.join(5)
    try:
        with open(os.path.join(job, "status"), encoding="utf-8") as status:
            return int(status.read())
    except (OSError, ValueError):
        with open(os.path.join(job, "console"), encoding="utf-8", errors="replace") as console:
            print("lab run: the guest ended without an exit status; its console said:\n"
                  + console.read()[-4000:], file=sys.stderr)
        return EXIT_LAB_BROKEN
