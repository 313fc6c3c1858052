"""Chaos's faults: how each is made and how it ends. What may come of them is the same for all, and not said here: nothing is
active twice, no acknowledged write is lost, and after the repair the cluster becomes healthy by itself.

A fault hits one server, `scene.victim`, or all, and draws the rest from `scene.draw`. It returns what ends it, or None if
nothing has to. Its victim may be off or frozen by another fault: then it fails with RuntimeError, which voids it.
"""

import dataclasses
import random
import signal
from typing import Callable

from . import cgroup, chaos_plan, cluster as clusters
from .layout import NETWORKS
from .waiting import NotInTime, pass_time, wait_for

KILLED = ("nginx", "ledger", "komainud", "corosync", "agents")


@dataclasses.dataclass
class Scene:
    lab: object
    cluster: object
    witness: object
    bmcs: dict  # server name → Bmc
    victim: object = None
    draw: random.Random = dataclasses.field(default_factory=random.Random)

    @property
    def bmc(self):
        return self.bmcs[self.victim.name]

    def ranked(self):
        """The servers, the active one first."""
        active = self.witness.answering()
        return sorted(self.lab.servers, key=lambda server: (server.name != active, server.name))


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    title: str
    make: Callable
    lasts: tuple = (1.0, 8.0)
    least_nodes: int = 2
    of_arbiter: bool = False  # only where there is one


# Processes.

def kill(server, what):
    """Kills the processes of a unit; of `agents` whatever komainud has started and is running now. Whether any was hit."""
    pids = server.pids("komainud" if what == "agents" else what)
    if what == "agents":
        daemon = min(pids, default=None)  # the first one of its unit
        pids = [pid for pid in pids if pid != daemon]
    return bool(pids) and cgroup.signal_all(pids, signal.SIGKILL)


def kill_at_random(scene, count):
    """`count` processes in a row, on any server, each as soon as the service answers again or a second has passed; returns
    how many of each kind. Not all are found running: it gives up after some hundred times as many looks."""
    hit = dict.fromkeys(KILLED, 0)
    for _ in range(200 * count):
        if sum(hit.values()) == count:
            break
        server, what = scene.draw.choice(scene.lab.servers), scene.draw.choice(KILLED)
        if not kill(server, what):
            continue
        hit[what] += 1
        try:
            wait_for(scene.witness.answering, 1.0, "the service answers")
        except NotInTime:
            pass
    return hit


def _kill(what):
    def make(scene):
        if not kill(scene.victim, what):
            raise RuntimeError(f"{what} does not run on {scene.victim}")
    return make


def _stop(unit):
    def make(scene):
        server = scene.victim
        stopped = server.signal(unit, signal.SIGSTOP)

        def go_on():
            cgroup.signal_all(set(stopped) & set(server.pids(unit)), signal.SIGCONT)
        return go_on
    return make


# Networks.

def _cut(*networks):
    def make(scene):
        server = scene.victim
        for network in networks:
            scene.lab.cut(server, network)

        def plug_in():
            for network in networks:
                scene.lab.mend(server, network)
        return plug_in
    return make


def _isolate(*networks):
    def make(scene):
        for network in networks:
            scene.lab.isolate(scene.victim, network)
        return scene.lab.mend
    return make


def _partition(*networks):
    def make(scene):
        names = [machine.name for machine in scene.lab.machines]
        scene.draw.shuffle(names)
        _, pairs = scene.draw.choice(chaos_plan.partitions(names))
        scene.lab.separate([(scene.lab.server(one), scene.lab.server(other)) for one, other in pairs], networks)
        return scene.lab.mend
    return make


def _one_way(scene):
    """What one server sends to another is lost on both networks."""
    other = scene.draw.choice(scene.lab.others(scene.victim))
    pair = (scene.victim, other) if scene.draw.random() < 0.5 else (other, scene.victim)
    for network in NETWORKS:
        scene.lab.drop(*pair, network)
    return scene.lab.mend


def _lose(scene):
    percent = scene.draw.choice((5, 20, 40, 70))
    for network in NETWORKS:
        scene.lab.lose(scene.victim, network, percent)
    return scene.lab.mend


def _black_hole(scene):
    largest = scene.draw.choice((300, 600, 1200))
    for network in NETWORKS:
        scene.lab.black_hole(scene.victim, network, largest)
    return scene.lab.mend


def _stuck_ring(scene):
    """A ring whose token goes round and which carries nothing else (src/config/corosync_conf.cc says why). A server misses the
    last messages of its ring, loses the token, misses the messages of the recovery, loses the token again, and misses the first
    ones of the next recovery, too: tokens are small frames, and messages are large ones. Ends other losses of traffic."""
    server = scene.victim

    def statistic(name):
        return int(server.run(["corosync-cmapctl", "-m", "stats", "-g", f"stats.srp.{name}"]).stdout.split("=")[1])

    def hear_only_tokens():
        scene.lab.heal()
        for network in NETWORKS:
            scene.lab.deafen(server, network, 300)

    hear_only_tokens()
    pass_time(0.6)
    for state in ("recovery_entered", "operational_entered"):
        before = statistic(state)
        for network in NETWORKS:
            scene.lab.isolate(server, network)
        pass_time(1.35)  # longer than the token, and too short for a ring without the others
        hear_only_tokens()
        try:
            wait_for(lambda: statistic(state) > before, 4, f"{state} rises on {server}", interval=0.02)
        except NotInTime:
            pass  # it went another way: a fault all the same
        pass_time(0.15)
    return scene.lab.mend


def _delay(scene):
    delay_ms = scene.draw.choice((20, 80, 200, 500))
    for network in NETWORKS:
        scene.lab.delay(scene.victim, network, delay_ms, delay_ms / 2)
    return scene.lab.mend


def _gateway(scene):
    scene.lab.gateway_down()
    return scene.lab.gateway_up


# The arbiter.

def _arbiter(scene):
    """It dies, hangs, or is out of reach."""
    arbiter = scene.lab.arbiter
    way = scene.draw.choice((arbiter.power_off, arbiter.freeze, lambda: [scene.lab.isolate(arbiter, one) for one in NETWORKS]))
    way()
    return scene.lab.mend


# Machines.

def _freeze(scene):
    server = scene.victim
    if not server.powered():
        raise RuntimeError(f"{server} is off")
    server.freeze()
    return server.thaw


def _power_off(scene):
    scene.victim.power_off()


def _all_but_one_come_back(scene):
    """Everything loses power at once, and one server stays off."""
    for server in scene.lab.servers:
        server.power_off()
    for server in scene.lab.others(scene.victim):
        server.power_on(wait=False)


def _clock(scene):
    server = scene.victim
    server.shift_clock(scene.draw.choice((-3600, 30, 86400)))

    def right():
        try:
            server.shift_clock(0)
        except (OSError, RuntimeError):  # off by now: it boots with the right time
            pass
    return right


# Fencing.

def _bmc(fault):
    def make(scene):
        fault(scene.bmc)
        return scene.bmc.well
    return make


def _power_switch(scene):
    server = scene.victim
    scene.lab.power_fault(server, scene.draw.choice(("hung", "refuses")))
    return lambda: scene.lab.power_fault(server, "none")


# Operators: what they ask for may be refused, and nobody waits for the answer.

def _ask(scene, *words):
    asked = [server for server in scene.lab.servers if server.powered()]
    if not asked:
        raise RuntimeError("every server is off")
    return scene.draw.choice(asked).start(["komainu", *words]).abandon


def _move(scene):
    return _ask(scene, "group", "move", clusters.GROUP, scene.draw.choice(scene.lab.servers).name)


def _drain(scene):
    return _ask(scene, "node", "drain", scene.victim.name)


_BRIEF = (0.5, 3.0)
_LONG = (4.0, 14.0)

FAULTS = (
    Fault("kill-nginx", "nginx killed", _kill("nginx"), _BRIEF),
    Fault("kill-ledger", "ledger killed", _kill("ledger"), _BRIEF),
    Fault("kill-komainud", "komainud killed", _kill("komainud"), _BRIEF),
    Fault("kill-corosync", "corosync killed", _kill("corosync"), _BRIEF),
    Fault("kills", "ten random processes killed", lambda scene: kill_at_random(scene, 10) and None, _BRIEF),
    Fault("stop-nginx", "nginx hangs", _stop("nginx")),
    Fault("stop-komainud", "komainud hangs", _stop("komainud")),
    Fault("stop-corosync", "corosync hangs", _stop("corosync")),
    Fault("cut-public", "public cable pulled", _cut("public")),
    Fault("cut-interconnect", "interconnect cable pulled", _cut("interconnect")),
    Fault("cut-both", "both cables pulled", _cut(*NETWORKS)),
    Fault("isolate", "a server's traffic lost, links up", _isolate(*NETWORKS), _LONG),
    Fault("partition", "partition of any shape", _partition(*NETWORKS), _LONG),
    Fault("partition-interconnect", "partition of the interconnect", _partition("interconnect"), _LONG),
    Fault("one-way", "one-way loss between two servers", _one_way, _LONG),
    Fault("loss", "random loss of 5 to 70 %", _lose, _LONG),
    Fault("black-hole", "large frames lost", _black_hole, _LONG),
    Fault("stuck-ring", "a ring that carries nothing", _stuck_ring, _BRIEF),
    Fault("delay", "20 to 750 ms delay each way", _delay, _LONG),
    Fault("gateway", "gateway dead", _gateway),
    Fault("arbiter", "the arbiter lost", _arbiter, _LONG, of_arbiter=True),
    Fault("freeze-short", "server frozen, below the token", _freeze, (0.1, 0.7)),
    Fault("freeze-medium", "server frozen, about a membership change", _freeze, (1.0, 5.0)),
    Fault("freeze-long", "server frozen for long", _freeze, (6.0, 20.0)),
    Fault("power-off", "power lost", _power_off, _LONG),
    Fault("power-loss", "power lost everywhere, one stays off", _all_but_one_come_back, (8.0, 25.0)),
    Fault("clock", "clock jumps", _clock),
    Fault("bmc-hangs", "BMC hangs", _bmc(lambda bmc: bmc.hang()), _LONG),
    Fault("bmc-gone", "BMC unplugged", _bmc(lambda bmc: bmc.unplug()), _LONG),
    Fault("bmc-slow", "BMC slow", _bmc(lambda bmc: bmc.behave("slow 1")), _LONG),
    Fault("bmc-refuses", "BMC with another password", _bmc(lambda bmc: bmc.change_password()), _LONG),
    Fault("bmc-ignores", "BMC ignores orders", _bmc(lambda bmc: bmc.behave("ignores")), _LONG),
    Fault("power-switch", "the second fencing level fails", _power_switch, _LONG),
    Fault("move", "group moved by hand", _move),
    Fault("drain", "node drained", _drain),
)


def find(name):
    for fault in FAULTS:
        if fault.name == name:
            return fault
    raise ValueError(f"no fault '{name}'; there are {', '.join(fault.name for fault in FAULTS)}")
