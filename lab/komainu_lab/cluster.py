"""komainu in a lab: set up, operated and asked. The only file that knows komainu's commands and its JSON.

What komainu says here fills the demo's table and tells when the next fault may come; it never decides whether a fault
was survived. That is the witness's word alone.
"""

import dataclasses
import json
import re

from . import provision
from .shell import CommandFailed, CommandHung
from .waiting import wait_for

GROUP = "web"
UNITS = ("corosync", "komainud")
_ARBITER_FILES = "/etc/komainu/arbiter"
_AUTHORITY = "/etc/corosync/qnetd/nssdb"
_SEEN_AS_FAULT = ("warning", "alarm")
_ACTIONS = ("order", "fence", "operator", "config")


@dataclasses.dataclass(frozen=True)
class Event:
    at_us: int  # CLOCK_BOOTTIME; the servers share this machine's, and the witness's clock differs only by suspends
    severity: str
    kind: str
    text: str


class Cluster:
    def __init__(self, lab):
        self.lab = lab

    # Set-up.

    def set_up(self, progress=lambda text: None, template=None):
        """Installs komainu on every server, makes the cluster and starts it."""
        self.install(progress)
        self.make(provision.cluster_toml(self.lab.layout, template=template), progress)
        self.start()

    def install(self, progress=lambda text: None):
        for server in self.lab.servers:
            progress(f"installing komainu on {server.name}")
            provision.everything(server)
        if self.lab.arbiter:
            progress("installing the arbiter")
            provision.arbiter(self.lab.arbiter)

    def make(self, toml, progress=lambda text: None):
        """Init on the first server, join on the others; started at every boot from now on, but not now."""
        first, *rest = self.lab.servers
        progress(f"making the cluster on {first.name}")
        first.write("/etc/komainu/cluster.toml", toml, mode=0o640)
        if self.lab.arbiter:
            self._let_arbiter_sign(first)
        self.komainu(first, "cluster", "init")
        bundle = first.path("/etc/komainu/join.bundle").read_bytes()
        for server in rest:
            progress(f"{server.name} joins")
            server.write("/etc/komainu/join.bundle", bundle, mode=0o600)
            self.komainu(server, "cluster", "join", "/etc/komainu/join.bundle")
        for server in self.lab.servers:
            server.systemctl("enable", *self.units)

    def _let_arbiter_sign(self, first):
        """What `cluster init` asks an administrator to do with scp and ssh."""
        asked = self.komainu(first, "cluster", "init", check=False)
        if asked.returncode == 0:
            raise RuntimeError("cluster init did not wait for the arbiter's signature")
        arbiter = self.lab.arbiter
        request = next(first.path(_ARBITER_FILES).glob("*.request"))
        name = request.stem
        arbiter.write(f"/root/{name}.request", request.read_bytes())
        arbiter.run(["corosync-qnetd-certutil", "-s", "-c", f"/root/{name}.request", "-n", name])
        for file in ("qnetd-cacert.crt", f"cluster-{name}.crt"):
            first.write(f"{_ARBITER_FILES}/{file}", arbiter.path(f"{_AUTHORITY}/{file}").read_bytes())

    @property
    def units(self):
        return (*UNITS, "corosync-qdevice") if self.lab.arbiter else UNITS

    def start(self):
        for server in self.lab.servers:
            server.systemctl("start", "--no-block", *self.units)

    # Asking.

    def komainu(self, server, *words, timeout=20.0, check=True):
        return server.run(["komainu", *words], timeout=timeout, check=check)

    def status(self, server):
        return json.loads(self.komainu(server, "status", "--json", timeout=5).stdout)

    def answering_server(self):
        """A server whose komainu is established; asks each until one is."""
        def find():
            for server in self.lab.servers:
                try:
                    if self.status(server)["phase"] == "established":
                        return server
                except (CommandFailed, CommandHung, RuntimeError, ValueError, KeyError):
                    continue
            return None
        return wait_for(find, 30, "a node whose komainu is established", interval=0.1)

    def online_at(self):
        """The name of the one node where the group is online, or None."""
        for group in self.status(self.answering_server())["groups"]:
            if group["name"] == GROUP:
                at = group["at"]
                return at[0]["node"] if len(at) == 1 and at[0]["activity"] == "online" else None
        return None

    def why_not_healthy(self):
        """None when every node is an active member, the group is online in one place, nothing is in flight and every
        monitor that must be is healthy; else the first thing that is not so."""
        for server in self.lab.servers:
            if not server.powered():
                return f"{server} is off"
            status = self.status(server)
            if status["phase"] != "established":
                return f"{server}: {status['phase']}"
            for node in status["nodes"]:
                if node["standing"] != "member" or node["suspended"] or node["duty"] != "active" or node["fences"]:
                    return f"{server} sees {node['name']}: {node['verdict'] or node['standing']}"
            for group in status["groups"]:
                at = group["at"]
                if len(at) != 1 or at[0]["activity"] != "online" or group["order"] or group["trouble"]:
                    return f"{server} sees group {group['name']} at {at}"
            for monitor in status["monitors"]:
                for health in monitor["at"]:
                    if health["health"] == "failed":
                        return f"{server}: monitor {monitor['name']} failed on {health['node']}: {health['evidence']}"
        return None

    def wait_healthy(self, deadline=60):
        last = {}

        def healthy():
            last["why"] = self.why_not_healthy()
            if last["why"]:
                raise RuntimeError(last["why"])
            return True

        wait_for(healthy, deadline, "the cluster is healthy", interval=0.1)

    def events_since(self, at_us, servers=None):
        """The events of the node that saw most since then; every node reads the same stream, but one may be dead. One that
        is frozen costs 5 s: leave it out of `servers`."""
        longest = []
        for server in servers or self.lab.servers:
            try:
                lines = self.komainu(server, "events", "--json", timeout=5).stdout.splitlines()
                events = [Event(e["at_us"], e["severity"], e["kind"], e["text"]) for e in map(json.loads, lines)]
            except (CommandFailed, CommandHung, RuntimeError, ValueError, KeyError):
                continue
            events = [event for event in events if event.at_us >= at_us]
            if len(events) > len(longest):
                longest = events
        return longest

    # Operating.

    def move(self, to):
        self.komainu(self.answering_server(), "group", "move", GROUP, to.name, timeout=30)

    def start_move(self, to):
        """The same, in the background: its end is not waited for."""
        return self.answering_server().start(["komainu", "group", "move", GROUP, to.name])

    def drain(self, node):
        self.komainu(self.answering_server(), "node", "drain", node.name, timeout=30)

    def resume(self, node):
        self.komainu(self.answering_server(), "node", "resume", node.name, timeout=30)

    def clear(self):
        """The group's failure counters start again, so that one fault does not weaken the next one's ladder."""
        self.komainu(self.answering_server(), "group", "clear", GROUP, timeout=30)

    def apply(self, toml):
        server = self.answering_server()
        server.write("/etc/komainu/cluster.toml", toml, mode=0o640)
        self.komainu(server, "config", "apply", "/etc/komainu/cluster.toml", timeout=30)

    def config_versions(self):
        return [self.status(server)["config_version"] for server in self.lab.servers]


def replay_all(cluster):
    """The decisions of every server that is on, made again from its record: how many states were compared in all, and
    what was otherwise than recorded, or not told."""
    compared, differences = 0, []
    for server in cluster.lab.servers:
        if not server.powered():
            continue
        replayed = cluster.komainu(server, "replay", timeout=120, check=False)
        found = re.search(r"(\d+) states compared", replayed.stderr)
        if replayed.returncode != 0 or not found:
            last = replayed.stderr.strip().splitlines()[-3:]
            differences.append(f"{server}: komainu replay: exit {replayed.returncode}: {' '.join(last)}")
        else:
            compared += int(found.group(1))
    return compared, differences


def first_detection(events):
    """When komainu first said that something is wrong, or None."""
    return next((event.at_us for event in events if event.severity in _SEEN_AS_FAULT), None)


def reaction(events, most=3):
    """What komainu did, in its own words: its orders and fences, else its first warning."""
    texts = [event.text for event in events if event.kind in _ACTIONS]
    if not texts:
        texts = [event.text for event in events if event.severity in _SEEN_AS_FAULT][:1]
    distinct = list(dict.fromkeys(texts))
    return "; ".join(distinct[:most]) + (" …" if len(distinct) > most else "")
