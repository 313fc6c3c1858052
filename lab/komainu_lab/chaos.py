"""Chaos: a real cluster with a ledger, one round of random faults after the other, each repaired before the next.

A run passes if nothing was ever active twice (the witness), no acknowledged write was lost or doubled and no read was
stale (the ledger), and the cluster became healthy by itself after every repair. What the operator does in a repair is
to plug in, switch on and thaw; nothing is confirmed or decided for the cluster.
"""

import contextlib
import dataclasses
import itertools
import json
import random
import time

from . import bmc, chaos_faults, chaos_plan, ledger as ledgers, logs, provision, verdict
from .cluster import Cluster
from .lab import Lab
from .shell import CommandFailed, CommandHung
from .terminal import Terminal, milliseconds
from .waiting import NotInTime, pass_time, wait_for
from .witness import Witness

# After a repair: a boot, a cold start with its waits, and fences that fail a few times first.
_HEALTHY_WITHIN_S = 180.0


@dataclasses.dataclass
class Round:
    steps: tuple
    faults: list = dataclasses.field(default_factory=list)  # what was really made: "name on server"
    void: list = dataclasses.field(default_factory=list)    # what could not be
    downtime_us: int = 0
    objections: list = dataclasses.field(default_factory=list)
    attempts: int = 1  # more where the judge did not look for too long


class ChaosLab:
    """A cluster with a ledger and its clients, BMCs, and a witness. Servers are fenced by their BMCs, and where that fails by
    the lab's power switch. A fault may last only inside of it: settle() ends it."""

    def __init__(self, nodes, progress=lambda text: None, levels=(bmc.fencing, provision.power_switch), arbiter=False):
        self._levels = levels
        self._progress = progress
        self._entered = contextlib.ExitStack()
        self.lab = Lab(nodes, progress=progress, arbiter=arbiter)

    def __enter__(self):
        with contextlib.ExitStack() as entered:
            self._start(entered)
            self._entered = entered.pop_all()
        return self

    def __exit__(self, *_):
        self._entered.close()

    def _start(self, entered):
        entered.enter_context(self.lab)
        self.bmcs = {server.name: bmc.Bmc(self.lab, server) for server in self.lab.servers}
        for one in self.bmcs.values():
            entered.callback(one.stop)
        self.cluster = Cluster(self.lab)
        for server in self.lab.servers:
            ledgers.install(server)
            bmc.write_password(server)
        self.cluster.install(self._progress)
        self.cluster.make(provision.chaos_toml(self.lab.layout, self._levels), self._progress)
        for server in self.lab.servers:
            provision.corosync_without_realtime(server)
        self.cluster.start()
        try:
            self.cluster.wait_healthy()
        except NotInTime as failure:
            raise NotInTime(f"{failure}; journals are in {self.save()}") from None
        self.witness = entered.enter_context(Witness(self.lab, services=("nginx.service", ledgers.UNIT)))
        self.ledger = entered.enter_context(ledgers.Ledger(self.lab))
        wait_for(self.witness.answering, 30, "the service answers")
        self.ledger.wait_for_more()
        self.started = self.witness.mark()

    def save(self):
        """Keeps what was written; returns the folder."""
        return logs.save(self.lab, self.cluster, "chaos", [self.lab.layout.shared / "ledger", self.lab.layout.state / "ledger-clients"])

    def scene(self):
        return chaos_faults.Scene(self.lab, self.cluster, self.witness, self.bmcs)

    def settle(self, endings=()):
        """Ends the faults, repairs everything, and waits until the cluster is healthy and the ledger takes writes."""
        for end in endings:
            end()
        self.lab.mend()
        self.lab.gateway_up()
        for server in self.lab.servers:
            self.lab.power_fault(server, "none")
            self.bmcs[server.name].well()
        for machine in self.lab.machines:
            if machine.powered():
                machine.thaw()
        wait_for(self._healthy, _HEALTHY_WITHIN_S, "the cluster is healthy after the repair", interval=0.2)
        self.ledger.wait_for_more()

    def _healthy(self):
        """Whoever is found off is switched on: a fence may come after the repair began."""
        for machine in self.lab.machines:
            if not machine.powered():
                machine.power_on()
        for node in self.cluster.status(self.cluster.answering_server())["nodes"]:
            if node["duty"] != "active":
                self.cluster.resume(self.lab.server(node["name"]))
        why = self.cluster.why_not_healthy()
        if why:
            raise RuntimeError(why)
        # Refused where the members are only now about to change.
        self.cluster.clear()
        return True


def play(chaos, steps, draw):
    """One round: makes the faults, lets them last, repairs, and judges what the witness saw."""
    for attempt in range(1, verdict.ATTEMPTS + 1):
        result, again = _play_once(chaos, steps, draw)
        result.attempts = attempt
        if not again:
            break
    return result


def _play_once(chaos, steps, draw):
    """The result, and whether it proves nothing."""
    result = Round(steps)
    mark = chaos.witness.mark()
    scene = chaos.scene()
    endings = []
    for step in steps:
        pass_time(step.after_s)
        scene.victim = scene.ranked()[step.rank]
        scene.draw = random.Random(step.seed)
        try:
            end = chaos_faults.find(step.fault).make(scene)
        except (CommandFailed, CommandHung, OSError, RuntimeError) as failure:
            result.void.append(f"{step.fault} on {scene.victim}: {failure}")
            continue
        result.faults.append(f"{step.fault} on {scene.victim}")
        if end:
            endings.append(end)
    pass_time(max(step.lasts_s for step in steps))
    draw.shuffle(endings)
    try:
        chaos.settle(endings)
    except (NotInTime, CommandFailed, CommandHung, OSError, RuntimeError) as failure:
        result.objections.append(str(failure))
    seen = chaos.witness.since(mark)
    result.downtime_us = seen["longest_us"]
    result.objections += verdict.twice(seen) + verdict.not_proved(seen)
    return result, verdict.to_be_made_again(seen)


def _table(results):
    """A row for each fault: its name, how often it came, and the client's longest downtime alone and in company."""
    rows = []
    for fault in chaos_faults.FAULTS:
        having = [result for result in results if any(made.startswith(fault.name + " ") for made in result.faults)]
        alone = [result.downtime_us for result in having if len(result.faults) == 1]
        together = [result.downtime_us for result in having if len(result.faults) > 1]
        if having:
            rows.append((fault, len(having), max(alone, default=None), max(together, default=None)))
    return rows


def _print_round(terminal, number, result):
    mark = terminal.style("✘", "bad") if result.objections else terminal.style("✔", "good")
    downtime = f"downtime {milliseconds(result.downtime_us)}" if result.downtime_us else "no downtime"
    terminal.line(f"{mark} {number:>4}  {', '.join(result.faults) or 'nothing'}: {downtime}")
    if result.attempts > 1:
        terminal.line(terminal.style(f"         made {result.attempts} times, as the judge did not look for too long", "faint"))
    for void in result.void:
        terminal.line(terminal.style(f"         not made: {void}", "faint"))
    for objection in result.objections:
        terminal.line(terminal.style(f"         {objection}", "bad"))


def _print_end(terminal, results, seen, told, objections):
    terminal.line()
    terminal.table(["fault", "times", "worst downtime alone", "with others"],
                   [[fault.title, times, milliseconds(alone), milliseconds(together)]
                    for fault, times, alone, together in _table(results)])
    terminal.line()
    terminal.line(f"{len(results)} rounds; {seen['requests']} requests, {seen['samples']} looks into every server; "
                  f"{told.acknowledged} writes acknowledged, {told.reads} reads, {len(told.writers)} writers one after the other.")
    for objection in objections:
        terminal.line(terminal.style(objection, "bad"))
    if not objections:
        terminal.line(terminal.style("Nothing was ever active twice, and no acknowledged write was lost or doubled.", "good"))


def run(*, minutes, seed=None, nodes=3, names=(), arbiter=False, as_json=False):
    """Returns the exit code: 0 only if nothing was ever active twice, the ledger is right, and every repair sufficed."""
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    faults = [fault for fault in [chaos_faults.find(name) for name in names] or chaos_faults.FAULTS
              if arbiter or not fault.of_arbiter]
    plan = chaos_plan.rounds(seed, nodes, faults)
    draw = random.Random(seed)
    terminal = Terminal(quiet=as_json)
    results = []
    with ChaosLab(nodes, terminal.progress, arbiter=arbiter) as chaos:
        terminal.line(f"chaos with {nodes} servers{' and an arbiter' if arbiter else ''} for {minutes:g} min, seed {seed}")
        end = time.monotonic() + minutes * 60
        for number in itertools.count(1):
            results.append(play(chaos, next(plan), draw))
            _print_round(terminal, number, results[-1])
            if results[-1].objections or time.monotonic() >= end:
                break
        seen = chaos.witness.since(chaos.started)
        told = chaos.ledger.verdict()
        objections = [*itertools.chain.from_iterable(result.objections for result in results), *told.objections]
        if not seen["complete"]:
            objections += verdict.not_proved(seen)
        _print_end(terminal, results, seen, told, objections)
        if objections:
            folder = chaos.save()
            command = f"./dev chaos --nodes {nodes}{' --arbiter' if arbiter else ''} --minutes {minutes:g} --seed {seed}"
            terminal.line(f"Again: {command}{''.join(f' --fault {name}' for name in names)}. "
                          f"Journals, events and the ledger are in {folder}.")
        if as_json:
            print(json.dumps({
                "passed": not objections, "seed": seed, "nodes": nodes, "arbiter": arbiter, "objections": objections,
                "requests": seen["requests"], "samples": seen["samples"], "violations": seen["violations"],
                "acknowledged": told.acknowledged, "reads": told.reads, "writers": len(told.writers),
                "rounds": [dataclasses.asdict(result) for result in results],
                "faults": [{"name": fault.name, "times": times, "worst_alone_us": alone, "worst_with_others_us": together}
                           for fault, times, alone, together in _table(results)]}, indent=2))
    return 1 if objections else 0
