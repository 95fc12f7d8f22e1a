"""Network namespaces of one test process: nobody outside sees them, and they go when it goes.

enter() starts the calling script once more inside namespaces of its own (mounts, network, processes); there
`ip netns` works on a /run of its own. When that script ends, however it ends, the kernel removes it all.
"""

import os
import subprocess
import sys

_INSIDE = "STEELYARD_BFD_NETNS"
SKIPPED = 77


def enter():
    """Returns inside; outside it runs the script inside and exits with its result, or skips."""
    if os.environ.get(_INSIDE):
        for folder in ("/run", "/var/tmp"):  # FRR leaves files in the second
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
        return
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        unshare[1:1] = ["--user", "--map-root-user"]
    permitted = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
    if permitted.returncode != 0:
        print(f"skipped: no namespaces here: {permitted.stderr.strip()}")
        sys.exit(SKIPPED)
    # Whatever ends this process ends that one, too, and with it all that is inside.
    tied = ["setpriv", "--pdeathsig", "KILL", "--", *unshare]
    result = subprocess.run([*tied, sys.executable, *sys.argv], check=False,
                            env=dict(os.environ, **{_INSIDE: "1"}))
    sys.exit(result.returncode)


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def ip(namespace, *arguments):
    return run("ip", "-n", namespace, *arguments)


def inside(namespace, *command):
    """The command line that runs `command` in the namespace."""
    return ["ip", "netns", "exec", namespace, *command]


def sysctl(namespace, name, value):
    run(*inside(namespace, "sysctl", "-q", "-w", f"{name}={value}"))


def make(*namespaces):
    for namespace in namespaces:
        run("ip", "netns", "add", namespace)
        ip(namespace, "link", "set", "lo", "up")


def remove(*namespaces):
    for namespace in namespaces:
        run("ip", "netns", "delete", namespace)


def cable(one, other, name="eth0", link=9):
    """A veth pair `name` between both: 10.<link>.0.1 and .2, fd<link>::1 and ::2, fe80::1 and ::2."""
    run("ip", "-n", one, "link", "add", name, "type", "veth", "peer", "name", name, "netns", other)
    for number, namespace in enumerate((one, other), 1):
        sysctl(namespace, f"net.ipv6.conf.{name}.addr_gen_mode", 1)
        sysctl(namespace, f"net.ipv6.conf.{name}.accept_dad", 0)
        ip(namespace, "addr", "add", f"10.{link}.0.{number}/24", "dev", name)
        ip(namespace, "addr", "add", f"fd{link:02}::{number}/64", "dev", name, "nodad")
        ip(namespace, "addr", "add", f"fe80::{number}/64", "dev", name, "nodad")
        ip(namespace, "link", "set", name, "up")
