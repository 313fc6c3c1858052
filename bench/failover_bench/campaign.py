"""All runs. In each round every stack has its turn in a lab of its own, so that what else this machine does hits all of
them alike, and the figures of one round can be compared with each other."""

import pathlib

from komainu_lab.lab import Lab
from komainu_lab.shell import CommandFailed, CommandHung
from komainu_lab.waiting import wait_for

from . import footprint, measure
from .results import CROWDED, Results
from .stacks import STACKS


class Campaign:
    def __init__(self, stack_names, scenarios, *, runs, footprint_s, progress):
        self._stack_names = stack_names
        self._scenarios = scenarios
        self._runs = runs
        self._footprint_s = footprint_s
        self._say = progress
        self.results = Results()

    def run(self):
        for number in range(self._runs):
            for name in self._stack_names:
                self._turn(STACKS[name], number)

    def _turn(self, stack_class, number):
        """One run of each scenario. What is void is repeated, as often in all as there are runs."""
        left = [scenario for scenario in self._scenarios if scenario.applies_to(stack_class)]
        while left:
            self._one_lab(stack_class, number, left)

    def _one_lab(self, stack_class, number, left):
        """Runs the scenarios in `left` and takes out each that was run or has failed. Returns early when the cluster is
        no longer one to measure: after a void run or a failure."""
        say = lambda text: self._say(f"round {number + 1} of {self._runs}, {stack_class.name}: {text}")
        say("booting the servers")
        with Lab(2) as lab:
            stack = stack_class(lab)
            doing = left[0].name
            try:
                stack.set_up()
                if not left[0].from_stopped:
                    stack.start()
                while left:
                    doing = left[0].name
                    say(doing)
                    figures = measure.run(left[0], stack, phase=(number + 0.5) / self._runs)
                    say(f"{doing}: answered after {figures['answered_ms']:.0f} ms")
                    self.results.add(stack.name, doing, number, figures)
                    left.pop(0)
                    self._repair(stack)
                    if self._footprint_s and not self.results.has_footprint(stack.name, number):
                        doing = "idle"
                        self._footprint(stack, number, say)
            except measure.Void as void:
                say(f"{doing} is void: {void}")
                self.results.void(stack.name, doing, number, str(void))
                if len(self.results.cell(stack.name, doing).void) > self._runs:
                    self.results.fail(stack.name, doing, number, "void too often: not repeated again")
                    left.pop(0)
            except measure.FAILURES as failure:
                logs = _save_logs(lab, f"{stack.name}-{doing}-{number + 1}")
                say(f"{doing} FAILED: {failure}")
                self.results.fail(stack.name, doing, number, f"{failure} (logs: {logs})")
                if left and left[0].name == doing:
                    left.pop(0)

    @staticmethod
    def _repair(stack):
        for server in stack.lab.servers:
            server.power_on()
        stack.repair()

    def _footprint(self, stack, number, say):
        self.results.add_footprint(stack.name, number, self._idle(stack, say))
        if stack.crowded_units:
            with stack.crowded():
                idle = self._idle(stack, say)
            daemon = {key: sum(idle["active"]["units"][unit][key] for unit in stack.crowded_units)
                      for key in ("cpu_percent", "pss_mib")}
            self.results.add(stack.name, CROWDED, number, daemon)

    def _idle(self, stack, say):
        measure.wait_ready(stack)
        say(f"idle for {self._footprint_s:g} s")
        fetch = ["curl", "--silent", "--fail", "--max-time", "1", f"http://{stack.lab.layout.floating}/"]
        active = wait_for(lambda: stack.lab.in_client(fetch).stdout.strip(), 10, "the service answers")
        return footprint.measure(stack, stack.lab.server(active), self._footprint_s)


def _save_logs(lab, name):
    folder = pathlib.Path("/var/tmp") / f"komainu-bench-{lab.layout.run}"
    folder.mkdir(exist_ok=True)
    for server in lab.servers:
        try:
            (folder / f"{name}-{server.name}.journal").write_text(server.journal(lines=5000))
        except (CommandFailed, CommandHung, RuntimeError) as failure:
            (folder / f"{name}-{server.name}.error").write_text(f"{failure}\n")
    return folder
