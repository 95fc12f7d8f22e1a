"""Real routers on a machine of the lab: BIRD 2, FRR 8 or GoBGP 3 as the nodes' top-of-rack router.

    tor = Router(cluster, "bird")
    tor.start(tor.setup(asn=64512, nodes_asn=64513))
    tor.wait_established("node1", "node2", "node3")
    tor.next_hops("192.0.2.1/32")        # {"node1", "node2", "node3"}

Each runs in a folder of its own under /run/routers, as an ordinary daemon of its package would; its log and
configuration are saved after a failure. FRR's programs run as its own user, with sockets in that folder.
"""

import ipaddress
import re
import shutil

import router_answers as answers
import router_config as config
from cluster import ScenarioFailed, expect
from uml import LabError

FOLDER = "/run/routers/{name}"
FRR_HOME = "/usr/lib/frr"
PROGRAMS = {"bird": ("bird", "bird2"), "frr": ("bgpd", "frr"), "gobgp": ("gobgpd", "gobgpd")}  # and their packages
API_PORT = 50051  # GoBGP's, on the machine's loopback
FIB = "e2e/lab/gobgp_fib.py"

# $0 folder, the rest per kind. A daemon's output goes to its log, so that nobody waits for its streams.
_START = {
    "bird": 'exec bird -c "$0/bird.conf" -s "$0/ctl" -P "$0/bird.pid"',
    "frr": """chown -R frr:frr "$0"
for one in zebra bgpd bfdd; do
    more=; [ $one != bgpd ] || more="-p $1"; [ $one != bfdd ] || more="--bfdctl $0/bfdd.ctl"
    {home}/$one -d -f "$0/$one.conf" -i "$0/$one.pid" -z "$0/zserv.api" --vty_socket "$0" -u frr -g frr \\
        -A 127.0.0.1 -P 0 --log "file:$0/$one.log" $more >> "$0/$one.log" 2>&1 || exit 1
done""".format(home=FRR_HOME),
    "gobgp": """gobgpd -f "$0/gobgpd.toml" --api-hosts "127.0.0.1:$2" --pprof-disable -p > "$0/gobgpd.log" 2>&1 &
echo $! > "$0/gobgpd.pid"
tries=0
until gobgp --port "$2" neighbor > /dev/null 2>&1; do
    tries=$((tries + 1)); [ $tries -lt 50 ] || exit 1; sleep 0.05
done
if [ -n "$3" ]; then
    python3 -B "$3" "127.0.0.1:$2" > "$0/fib.log" 2>&1 &
    echo $! > "$0/fib.pid"
fi""",
}
# Ends daemons by their pid files, in this order, and waits until they are gone.
_STOP = """for file in "$0"/fib.pid "$0"/gobgpd.pid "$0"/bird.pid "$0"/bgpd.pid "$0"/bfdd.pid "$0"/zebra.pid; do
    [ -e "$file" ] || continue
    pid=$(cat "$file"); rm -f "$file"
    kill -"$1" "$pid" 2> /dev/null || continue
    tries=0
    while kill -0 "$pid" 2> /dev/null; do
        tries=$((tries + 1)); [ $tries -lt 100 ] || kill -KILL "$pid"; sleep 0.05
    done
done"""


class Router:
    """One daemon (FRR: three) on one machine."""

    def __init__(self, cluster, kind, machine="router", name=None):
        expect(kind in config.KINDS, f"no router of kind {kind}")
        program, package = PROGRAMS[kind]
        if not shutil.which(program, path=f"/usr/sbin:/usr/bin:{FRR_HOME}"):
            raise LabError(f"missing program {program}: install {package} (scripts/setup.sh --lab)")
        self.cluster = cluster
        self.kind = kind
        self.machine = machine
        self.name = name or f"{machine}-{kind}"
        self.folder = FOLDER.format(name=self.name)
        self.current = None  # the Setup it runs
        self.api_port = API_PORT
        cluster.witnesses[self.name] = (machine, f"cat {self.folder}/*.conf {self.folder}/*.toml {self.folder}/*.log; "
                                        "ip route; ip -6 route")

    def address(self):
        """The address at which nodes on the LAN reach it."""
        return str(self.host().address)

    def address6(self):
        """The same for IPv6."""
        return str(self.host().address6)

    def host(self):
        """Its machine in the topology."""
        top = self.cluster.topology
        return next(host for host in (*top.hosts, top.router, top.remote) if host.name == self.machine)

    def setup(self, asn, nodes_asn, *, nodes=None, version=4, networks=(), bfd_timers=None, port=179, fib=None,
              hold_seconds=90, restart_seconds=120, **neighbour):
        """A Setup with every node (or those) as neighbour, by IPv4 or IPv6 address; `neighbour`: fields of each."""
        chosen = [node for node in self.cluster.topology.nodes if nodes is None or node.name in nodes]
        neighbours = tuple(config.Neighbour(
            name=node.name, asn=nodes_asn, address=str(node.address if version == 4 else node.address6), **neighbour)
            for node in chosen)
        return config.Setup(
            asn=asn, router_id=str(self.host().address), neighbours=neighbours, port=port, networks=tuple(networks),
            bfd=bfd_timers or config.Bfd(), fib=self.machine == "router" if fib is None else fib,
            hold_seconds=hold_seconds, restart_seconds=restart_seconds)

    # --- life

    def start(self, setup):
        """Writes the configuration and starts it; returns when it answers."""
        self.current = setup
        script = [f'mkdir -p "{self.folder}" && cd "{self.folder}" || exit 1']
        for name, text in config.files(self.kind, setup, self.folder).items():
            script.append(f"cat > {name} <<'END'\n{text}END")
        self._shell("\n".join(script))
        fib = str(self.cluster.source / FIB) if setup.fib else ""
        try:
            self._shell(_START[self.kind], str(setup.port), str(self.api_port), fib)
        except ScenarioFailed as error:
            raise ScenarioFailed(f"{self.name} did not start: {error}\n{self.log()[-1500:]}") from None
        if self.kind == "gobgp":
            for network in setup.networks:
                self._shell('exec gobgp --port "$2" global rib add -a "$3" "$1"', network, str(self.api_port),
                            config.family_of(network))
        self.cluster.wait_for(f"answer from {self.name}", self.answers, 10, 0.1)

    def stop(self, signal_name="TERM"):
        """Ends it, by SIGTERM as an administrator or by SIGKILL; returns when it is gone."""
        self._shell(_STOP, signal_name)

    def restart(self, setup=None):
        """A router that goes away and comes back, with another setup if one is given."""
        self.stop()
        self.start(setup or self.current)

    def answers(self):
        """Whether its command line tool gets an answer."""
        try:
            return self.sessions() is not None
        except (ScenarioFailed, ValueError):
            return False

    def log(self):
        """All it has written."""
        return self._shell('cat "$0"/*.log 2> /dev/null || true')

    def _shell(self, script, *arguments):
        return self.cluster.run(self.machine, "sh", "-c", script, self.folder, *arguments)

    def ask(self, *words):
        """A command of birdc, vtysh or gobgp."""
        if self.kind == "bird":
            return self.cluster.run(self.machine, "birdc", "-s", f"{self.folder}/ctl", *words)
        if self.kind == "frr":
            return self.cluster.run(self.machine, "vtysh", "--vty_socket", self.folder, "-c", " ".join(words))
        return self.cluster.run(self.machine, "gobgp", "--port", self.api_port, *words)

    # --- what it knows

    def _named(self, found):
        """Keys that are addresses or interfaces become the neighbours' names."""
        names = {}
        for one in self.current.neighbours:
            names[one.address or one.interface] = names[one.interface or one.address] = one.name
        return {names.get(key.partition("%")[0], key): value for key, value in found.items()}

    def sessions(self):
        """Neighbour -> router_answers.Session."""
        if self.kind == "bird":
            return answers.bird_sessions(self.ask("show", "protocols", "all"))
        if self.kind == "frr":
            return self._named(answers.frr_sessions(self.ask("show bgp neighbors json")))
        return self._named(answers.gobgp_sessions(self.ask("neighbor", "-j")))

    def routes(self, prefix):
        """Neighbour -> router_answers.Path for a prefix."""
        family = config.family_of(prefix)
        if self.kind == "bird":
            found = answers.bird_routes(self.cluster.try_run(
                self.machine, "birdc", "-s", f"{self.folder}/ctl", "show", "route", "all", prefix)[1])
        elif self.kind == "frr":
            found = answers.frr_routes(self.ask(f"show bgp {family} unicast {prefix} json"))
        else:
            found = answers.gobgp_routes(self.ask("global", "rib", "-a", family, prefix, "-j"))
        return self._named({path.neighbour: path for path in found.get(prefix, [])})

    def bfd(self):
        """Neighbour -> router_answers.BfdSession; GoBGP has no BFD."""
        if self.kind == "bird":
            found = answers.bird_bfd(self.ask("show", "bfd", "sessions"))
        else:
            found = answers.frr_bfd(self.ask("show bfd peers json"))
        return self._named(found)

    def next_hops(self, prefix):
        """The nodes whose addresses the kernel of the router uses for a prefix."""
        text = self.cluster.run(self.machine, "ip", f"-{4 if config.family_of(prefix) == 'ipv4' else 6}", "route",
                                "show", prefix)
        owners = self._addresses()
        return {owners.get(hop, hop) for hop in re.findall(r"via (?:inet6 )?(\S+)", text)}

    def _addresses(self):
        owners = {}
        for node in self.cluster.topology.nodes:
            owners.update({str(address): node.name for address in (node.address, node.address6) if address})
            owners[str(link_local(node.mac))] = node.name
        return owners

    # --- waiting

    def wait_established(self, *names, deadline=20.0):
        """Until the sessions with those neighbours (none named: with all) are up; returns them."""
        wanted = names or [one.name for one in self.current.neighbours]

        def up():
            now = self.sessions()
            return all(name in now and now[name].up for name in wanted) and now
        try:
            return self.cluster.wait_for(f"sessions of {self.name} with {', '.join(wanted)}", up, deadline)
        except ScenarioFailed as error:
            states = {name: session.state for name, session in self.sessions().items()}
            raise ScenarioFailed(f"{error}; they are {states}") from None

    def wait_routes(self, prefix, *names, where=lambda path: True, deadline=15.0):
        """Until exactly those neighbours announce the prefix, with paths as wanted; returns neighbour -> Path."""
        def seen():
            now = self.routes(prefix)
            return set(now) == set(names) and all(where(path) for path in now.values()) and (now or True)
        try:
            return self.cluster.wait_for(f"{prefix} on {self.name} from {', '.join(names) or 'nobody'}", seen, deadline)
        except ScenarioFailed as error:
            raise ScenarioFailed(f"{error}; there is {self.routes(prefix)}") from None

    def wait_next_hops(self, prefix, *names, deadline=15.0):
        """Until the kernel sends packets for the prefix to exactly those nodes."""
        try:
            self.cluster.wait_for(f"{prefix} via {', '.join(names) or 'nobody'}",
                                  lambda: self.next_hops(prefix) == set(names), deadline)
        except ScenarioFailed as error:
            raise ScenarioFailed(f"{error}; it is via {sorted(self.next_hops(prefix))}; "
                                 f"{self.name} knows {self.routes(prefix)}") from None


def link_local(mac):
    """The IPv6 link-local address made of a MAC (RFC 4291, appendix A)."""
    words = bytes.fromhex(mac.replace(":", ""))
    host = bytes([words[0] ^ 2]) + words[1:3] + b"\xff\xfe" + words[3:]
    return ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + host)
