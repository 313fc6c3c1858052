import io
import unittest

from failover_bench import report
from failover_bench.results import Results, Spread
from failover_bench.scenarios import SCENARIOS
from komainu_lab.terminal import Terminal


class Text(unittest.TestCase):
    def test_numbers_have_the_digits_that_they_are_worth(self):
        self.assertEqual([report.number(value) for value in (6441.2, 93.14, 1.496, 0.0)], ["6441", "93.1", "1.5", "0"])

    def test_a_spread_names_median_least_and_most(self):
        self.assertEqual(report.spread(Spread(100, 90, 120, 7)), "100 (90–120)")
        self.assertEqual(report.spread(None), "–")


class Tables(unittest.TestCase):
    def setUp(self):
        self.results = Results()
        self.results.add("komainu-fast", "power-off", 0, {
            "answered_ms": 790.0, "downtime_ms": 780.0, "twice": [], "membership_ms": 650.0, "fence_ms": 20.0, "beyond_ms": 120.0})
        self.results.add("pacemaker", "power-off", 0, {
            "answered_ms": 6320.0, "downtime_ms": 6300.0, "twice": [], "membership_ms": 5900.0, "fence_ms": 20.0, "beyond_ms": 400.0})
        self.names = ["komainu-fast", "pacemaker"]

    def test_the_ratio_and_a_missed_budget_are_said(self):
        stream = io.StringIO()
        report.print_tables(Terminal(stream), self.results, self.names, SCENARIOS.values())
        self.assertRegex(stream.getvalue(), r"pacemaker .* 8×")
        self.assertRegex(stream.getvalue(), r"beyond membership and fencer +komainu-fast +80 +120 +ms +MISSED")
        self.assertRegex(stream.getvalue(), r"in all +komainu-fast +1000 +790 +ms +met")

    def test_json_holds_every_run_and_its_summary(self):
        found = report.as_json(self.results, self.names, SCENARIOS.values(), 1)
        cell = found["stacks"]["pacemaker"]["scenarios"]["power-off"]
        self.assertEqual(cell["ratio_to"], {"komainu-fast": 8.0})
        self.assertEqual(cell["runs"][0]["beyond_ms"], 400.0)
        self.assertEqual(cell["summary"]["membership_ms"]["count"], 1)
