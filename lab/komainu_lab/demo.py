"""The demo: a real cluster of two servers, one fault after the other, judged by the witness."""

import dataclasses
import json
import time

from . import cluster as clusters, faults, logs, verdict
from .cluster import Cluster
from .lab import Lab
from .shell import CommandFailed, CommandHung
from .terminal import Terminal, milliseconds
from .waiting import NotInTime, wait_for
from .witness import Witness


@dataclasses.dataclass
class Result:
    name: str
    title: str
    passed: bool
    objections: list
    did: str
    detected_us: int | None
    restored_us: int | None
    downtime_us: int
    outages: list
    violations: list
    unseen_us: int  # the longest time in which the judge did not look


def run_fault(fault, lab, cluster, witness, progress):
    for _ in range(verdict.ATTEMPTS):
        result, again = _run_once(fault, lab, cluster, witness, progress)
        if not again:
            break
        progress(f"{fault.title}: once more, as the judge did not look for {milliseconds(result.unseen_us)}")
    return result


def _run_once(fault, lab, cluster, witness, progress):
    """The result, and whether it proves nothing."""
    progress(f"{fault.title}: waiting until the cluster is healthy")
    cluster.wait_healthy()
    cluster.clear()
    active = lab.server(wait_for(witness.answering, 10, "the service answers"))
    wait_for(lambda: verdict.settled(witness.since(witness_us() - 1_000_000)), 20, "the service answers steadily")

    progress(f"{fault.title}: on {active}")
    scene = faults.Scene(lab, cluster, witness, active)
    found = []
    scene.mark = witness.mark()
    since_boot_us = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    try:
        fault.inject(scene)
        wait_for(lambda: verdict.reached(fault, scene.seen(), active.name, witness.answering()), fault.deadline,
                 f"the service is {fault.expect}", interval=0.05)
        wait_for(lambda: fault.also(scene), fault.deadline, "komainu did what it had to", interval=0.1)
    except (NotInTime, CommandFailed, CommandHung, RuntimeError) as failure:
        found.append(str(failure))
    events = cluster.events_since(since_boot_us)

    progress(f"{fault.title}: repairing")
    repaired_us = witness.mark()
    try:
        fault.repair(scene)
        cluster.wait_healthy()
    except (NotInTime, CommandFailed, CommandHung, RuntimeError) as failure:
        found.append(str(failure))
    seen = scene.seen()
    found = verdict.objections(fault, seen, repaired_us) + found
    detected = clusters.first_detection(events)
    return Result(fault.name, fault.title, not found, found, clusters.reaction(events),
                  None if detected is None else detected - since_boot_us, verdict.restored_after_us(seen),
                  verdict.downtime_us(seen), seen["outages"], seen["violations"], seen["largest_gap_us"]
                  ), verdict.to_be_made_again(seen)


def witness_us():
    """The witness's clock."""
    return time.monotonic_ns() // 1000


def _print_result(terminal, result):
    mark = terminal.style("✔", "good") if result.passed else terminal.style("✘", "bad")
    downtime = "no downtime" if result.downtime_us == 0 else f"downtime {milliseconds(result.downtime_us)}"
    terminal.line(f"{mark} {result.title:<44} {downtime}")
    for objection in result.objections:
        terminal.line(terminal.style(f"    {objection}", "bad"))


def _judge_each(chosen, lab, cluster, witness, terminal):
    results = []
    for fault in chosen:
        try:
            results.append(run_fault(fault, lab, cluster, witness, terminal.progress))
        except NotInTime as failure:
            # The cluster did not recover from what was before: what comes after would prove nothing.
            results.append(Result(fault.name, fault.title, False, [f"not run: {failure}"], "", None, None, 0, [], [], 0))
            _print_result(terminal, results[-1])
            break
        _print_result(terminal, results[-1])
    return results


def _print_table(terminal, results):
    terminal.line()
    terminal.table(["fault", "what komainu did", "detected after", "restored after", "client's downtime",
                    "judge's longest pause"],
                   [[result.title, result.did[:70] or "nothing", milliseconds(result.detected_us),
                     milliseconds(result.restored_us), milliseconds(result.downtime_us or None), milliseconds(result.unseen_us or None)]
                    for result in results])
    terminal.line()


def _print_stay(terminal, lab):
    run = lab.layout.run
    terminal.line(f"The cluster stays up as {terminal.style(run, 'bold')}. Try:")
    for text in (f"lab/komainu-lab run {run} guest1 komainu status", f"lab/komainu-lab run {run} guest1 komainu events --follow",
                 f"lab/komainu-lab run {run} guest1 komainu group move {clusters.GROUP} guest2",
                 f"lab/komainu-lab run {run} client curl -s http://{lab.layout.floating}/", f"lab/komainu-lab power {run} guest1 off",
                 f"lab/komainu-lab cut {run} guest1 public", f"lab/komainu-lab down {run}"):
        terminal.line(f"  {text}")


def run(chosen, *, stay=False, as_json=False):
    """Returns the exit code: 0 only if every fault was survived and nothing was ever active twice."""
    terminal = Terminal(quiet=as_json)
    with Lab(2, progress=terminal.progress) as lab:
        cluster = Cluster(lab)
        cluster.set_up(terminal.progress)
        with Witness(lab) as witness:
            started = witness.mark()
            terminal.progress("the cluster starts the service")
            try:
                cluster.wait_healthy()
                wait_for(witness.answering, 30, "the service answers")
            except NotInTime:
                terminal.line(f"The servers' logs are in {logs.save(lab, cluster, 'demo')}.")
                raise
            results = _judge_each(chosen, lab, cluster, witness, terminal)
            total = witness.since(started)
        terminal.progress("running the decisions over the servers' records again")
        compared, differences = clusters.replay_all(cluster)
        passed = len(results) == len(chosen) and all(result.passed for result in results) and not (
            total["violations"] or differences)
        _print_table(terminal, results)
        if total["violations"]:
            terminal.line(terminal.style("DOUBLE ACTIVATION: " + json.dumps(total["violations"]), "bad"))
        for difference in differences:
            terminal.line(terminal.style(difference, "bad"))
        if passed:
            terminal.line(terminal.style(
                f"The service survived {len(results)} faults and was never active twice "
                f"({total['requests']} requests, {total['samples']} looks into both servers, {compared} states of the record "
                "decided again).", "good"))
        if as_json:
            print(json.dumps({"passed": passed, "requests": total["requests"], "samples": total["samples"],
                              "violations": total["violations"], "largest_gap_us": total["largest_gap_us"],
                              "states_decided_again": compared, "differences": differences,
                              "faults": [dataclasses.asdict(result) for result in results]}, indent=2))
        if not passed:
            terminal.line(f"The servers' logs are in {logs.save(lab, cluster, 'demo')}.")
        if stay:
            _print_stay(terminal, lab)
            lab.stay()
    return 0 if passed else 1
