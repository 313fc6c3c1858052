import unittest

from failover_bench.results import Results, Spread


def run(answered_ms, **more):
    return {"answered_ms": answered_ms, "twice": [], **more}


class Footprints(unittest.TestCase):
    def test_each_number_is_the_median_of_the_rounds(self):
        results = Results()
        for number, memory in enumerate([20, 60, 30]):
            results.add_footprint("komainu-lan", number, {"active": {"all": {"pss_mib": memory}}})
        self.assertEqual(results.footprint("komainu-lan"), {"active": {"all": {"pss_mib": 30}}})
        self.assertIsNone(results.footprint("pacemaker"))


class Summary(unittest.TestCase):
    def test_the_spread_leaves_out_what_was_not_measured(self):
        results = Results()
        for number, fence_ms in enumerate((1.0, None, 3.0)):
            results.add("a", "power-off", number, run(100.0, fence_ms=fence_ms))
        self.assertEqual(results.cell("a", "power-off").spread("fence_ms"), Spread(2.0, 1.0, 3.0, 2))
        self.assertIsNone(results.cell("a", "power-off").spread("service_ms"))

    def test_a_void_run_is_counted_and_gives_no_figure(self):
        results = Results()
        results.void("a", "move", 0, "false membership loss on guest1")
        results.add("a", "move", 0, run(50.0))
        cell = results.cell("a", "move")
        self.assertEqual((len(cell.void), cell.spread("answered_ms").count), (1, 1))

    def test_double_activations_are_counted_by_run(self):
        results = Results()
        results.add("a", "move", 0, {"answered_ms": 1.0, "twice": [{"what": "10.77.2.50"}] * 3})
        results.add("a", "move", 1, run(1.0))
        self.assertEqual(results.cell("a", "move").twice, 1)


class Ratio(unittest.TestCase):
    def test_compares_within_a_round_only(self):
        results = Results()
        for number, (mine, theirs) in enumerate(((200, 100), (900, 300))):
            results.add("a", "move", number, run(mine))
            results.add("k", "move", number, run(theirs))
        results.add("a", "move", 2, run(5000))
        self.assertEqual(results.ratio("a", "k", "move", "answered_ms"), 2.5)

    def test_without_a_common_round_there_is_none(self):
        results = Results()
        results.add("a", "move", 0, run(200))
        self.assertIsNone(results.ratio("a", "k", "move", "answered_ms"))
        results.add("k", "move", 1, run(100))
        self.assertIsNone(results.ratio("a", "k", "move", "answered_ms"))
