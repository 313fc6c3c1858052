"""The results for people, as aligned tables, and for programs, as JSON."""

import dataclasses
import os
import platform
import statistics

from komainu_lab import shell

from .budgets import BUDGETS
from .stacks import REFERENCES, STACKS

# Figures beside `answered_ms`, with the heading that says what they are.
_FIGURES = {
    "cold-start": {},
    "process-death": {"ordered_ms": "recovery ordered"},
    "move": {"downtime_ms": "client's downtime", "command_ms": "command returned", "service_ms": "service's own"},
    "power-off": {"membership_ms": "membership", "fence_ms": "fencer", "beyond_ms": "beyond both"},
    "power-off-unsafe": {"membership_ms": "membership", "beyond_ms": "beyond it"},
}
_NONE = "–"


def number(value):
    """Three digits are what such a measurement is worth."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def spread(values):
    return _NONE if values is None else f"{number(values.median)} ({number(values.least)}–{number(values.most)})"


def ratio(value):
    return _NONE if value is None else f"{number(value)}×"


def print_tables(terminal, results, stack_names, scenarios):
    references = [name for name in REFERENCES if name in stack_names]
    for scenario in scenarios:
        rows = [_row(results, name, scenario.name, references) for name in stack_names
                if results.cell(name, scenario.name) is not None]
        if rows:
            heading = ["stack", "runs", "void", "failed", "twice", "answered", *_FIGURES[scenario.name].values(),
                       *(f"to {name}" for name in references)]
            terminal.line()
            terminal.line(terminal.style(f"{scenario.title} (ms: median, least–most)", "bold"))
            terminal.table(heading, rows)
    _print_footprints(terminal, results)
    _print_budgets(terminal, results)
    for stack, scenario, failure in results.failures():
        terminal.line(terminal.style(f"FAILED: {stack}, {scenario}, round {failure['round'] + 1}: {failure['why']}", "bad"))


def _row(results, name, scenario, references):
    cell = results.cell(name, scenario)
    return [name, len(cell.runs), len(cell.void), len(cell.failed), cell.twice, spread(cell.spread("answered_ms")),
            *(spread(cell.spread(figure)) for figure in _FIGURES[scenario]),
            *(ratio(results.ratio(name, reference, scenario, "answered_ms")) for reference in references)]


def _print_footprints(terminal, results):
    footprints = {name: results.footprint(name) for name in STACKS if results.footprint(name)}
    if not footprints:
        return
    terminal.line()
    terminal.line(terminal.style("idle, both networks quiet (CPU: percent of a core; memory: PSS in MiB)", "bold"))
    rows = []
    for name, roles in footprints.items():
        parts = [f"{unit} {number(use['cpu_percent'])} % {number(use['pss_mib'])} MiB"
                 for unit, use in roles["active"]["units"].items()]
        rows.append([name, *(number(roles[role]["all"][key]) for key in ("cpu_percent", "pss_mib")
                             for role in ("active", "standby")), ", ".join(parts)])
    terminal.table(["stack", "CPU active", "CPU standby", "PSS active", "PSS standby", "of it, on the active server"], rows)


def budget_lines(results):
    """(budget, stack, median, met) for each that was measured."""
    for budget in BUDGETS:
        for stack in budget.stacks:
            cell = results.cell(stack, budget.scenario)
            values = [value for value in map(budget.of_run, cell.runs.values()) if value is not None] if cell else []
            if values:
                median = statistics.median(values)
                yield budget, stack, median, median <= budget.limit


def _print_budgets(terminal, results):
    lines = list(budget_lines(results))
    if lines:
        terminal.line()
        terminal.table(["budget", "stack", "limit", "median", "", ""],
                       [[budget.text, stack, number(budget.limit), number(median), budget.unit, "met" if met else "MISSED"]
                        for budget, stack, median, met in lines])


def as_json(results, stack_names, scenarios, runs):
    found = {"machine": _machine(), "runs": runs, "stacks": {}, "budgets": [
        {"text": budget.text, "stack": stack, "limit": budget.limit, "median": median, "unit": budget.unit, "met": met}
        for budget, stack, median, met in budget_lines(results)]}
    for name in stack_names:
        cells = {scenario.name: _cell_json(results, name, scenario.name, stack_names) for scenario in scenarios
                 if results.cell(name, scenario.name) is not None}
        found["stacks"][name] = {"title": STACKS[name].title, "scenarios": cells, "idle": results.footprint(name)}
    return found


def _cell_json(results, name, scenario, stack_names):
    cell = results.cell(name, scenario)
    figures = ["answered_ms", "downtime_ms", *_FIGURES[scenario]]
    spreads = {figure: cell.spread(figure) for figure in dict.fromkeys(figures)}
    return {"summary": {figure: dataclasses.asdict(one) for figure, one in spreads.items() if one},
            "ratio_to": {reference: results.ratio(name, reference, scenario, "answered_ms")
                         for reference in REFERENCES if reference in stack_names},
            "twice": cell.twice, "runs": [{"round": round_, **run} for round_, run in sorted(cell.runs.items())],
            "void": cell.void, "failed": cell.failed}


def _machine():
    packages = ["corosync", "pacemaker", "crmsh", "resource-agents", "keepalived", "nginx-light"]
    lines = shell.run(["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n", *packages], check=False).stdout
    return {"kernel": platform.release(), "cores": os.cpu_count(), "load": os.getloadavg(),
            "packages": dict(line.split(" ") for line in lines.splitlines() if not line.endswith(" "))}
