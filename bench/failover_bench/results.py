"""What was measured: good runs, void runs, failures; and what follows from them: medians, spreads, ratios. Pure."""

import collections
import dataclasses
import statistics

from . import footprint


# What is no scenario: the stack's own daemon, idle with as many monitors as the budget names.
CROWDED = "idle-crowded"


@dataclasses.dataclass
class Cell:
    """One stack in one scenario. Good runs by round."""
    runs: dict = dataclasses.field(default_factory=dict)
    void: list = dataclasses.field(default_factory=list)
    failed: list = dataclasses.field(default_factory=list)

    def values(self, figure):
        """By round, where it was measured."""
        return {number: run[figure] for number, run in self.runs.items() if run.get(figure) is not None}

    def spread(self, figure):
        values = self.values(figure).values()
        return Spread(statistics.median(values), min(values), max(values), len(values)) if values else None

    @property
    def twice(self):
        """Runs in which the witness saw the address active on both servers."""
        return sum(1 for run in self.runs.values() if run["twice"])


@dataclasses.dataclass(frozen=True)
class Spread:
    median: float
    least: float
    most: float
    count: int


class Results:
    def __init__(self):
        self._cells = collections.defaultdict(Cell)
        self._footprints = collections.defaultdict(dict)  # by stack and round

    def add(self, stack, scenario, number, figures):
        self._cells[stack, scenario].runs[number] = figures

    def void(self, stack, scenario, number, why):
        self._cells[stack, scenario].void.append({"round": number, "why": why})

    def fail(self, stack, scenario, number, why):
        self._cells[stack, scenario].failed.append({"round": number, "why": why})

    def add_footprint(self, stack, number, measured):
        self._footprints[stack][number] = measured

    def has_footprint(self, stack, number):
        return number in self._footprints[stack]

    def footprint(self, stack):
        """The median of the rounds; None if there was none."""
        rounds = self._footprints.get(stack)
        return footprint.median(list(rounds.values())) if rounds else None

    def cell(self, stack, scenario):
        """None if nothing was tried."""
        return self._cells.get((stack, scenario))

    def failures(self):
        return [(stack, scenario, failure) for (stack, scenario), cell in self._cells.items() for failure in cell.failed]

    def ratio(self, stack, reference, scenario, figure):
        """Median of the ratios to `reference` within each round, or None if they share no round."""
        own, other = self.cell(stack, scenario), self.cell(reference, scenario)
        if own is None or other is None:
            return None
        mine, theirs = own.values(figure), other.values(figure)
        ratios = [mine[number] / theirs[number] for number in mine if theirs.get(number)]
        return statistics.median(ratios) if ratios else None
