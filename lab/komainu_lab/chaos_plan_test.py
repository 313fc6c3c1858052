import itertools
import unittest

from komainu_lab import chaos_plan
from komainu_lab.chaos_faults import FAULTS


class Rounds(unittest.TestCase):
    def first(self, seed, nodes, count=200):
        return list(itertools.islice(chaos_plan.rounds(seed, nodes, FAULTS), count))

    def test_a_seed_gives_the_same_rounds_and_another_one_others(self):
        self.assertEqual(self.first(7, 3), self.first(7, 3))
        self.assertNotEqual(self.first(7, 3), self.first(8, 3))

    def test_every_fault_comes_and_hits_the_active_server_and_others(self):
        for nodes in (2, 3, 5):
            steps = [step for steps in self.first(1, nodes, 1000) for step in steps]
            self.assertEqual({step.fault for step in steps}, {f.name for f in FAULTS if f.least_nodes <= nodes})
            self.assertEqual({step.rank for step in steps}, set(range(nodes)))

    def test_a_fault_lasts_as_its_table_says(self):
        bounds = {fault.name: fault.lasts for fault in FAULTS}
        for step in itertools.chain.from_iterable(self.first(2, 5)):
            shortest, longest = bounds[step.fault]
            self.assertTrue(shortest <= step.lasts_s <= longest)


class Partitions(unittest.TestCase):
    def test_of_two_there_is_one(self):
        self.assertEqual(chaos_plan.partitions(["a", "b"]), [("a | rest", [("a", "b")])])

    def test_of_three_each_alone_all_alone_and_two_that_both_see_the_third(self):
        found = dict(chaos_plan.partitions(["a", "b", "c"]))
        self.assertEqual(found["b | rest"], [("a", "b"), ("b", "c")])
        self.assertEqual(found["everyone alone"], [("a", "b"), ("a", "c"), ("b", "c")])
        self.assertEqual(found["two sides that both see b"], [("a", "c")])
        self.assertEqual(len(found), 7)

    def test_of_five_a_side_stands_against_any_other_number_of_sides(self):
        found = dict(chaos_plan.partitions(["a", "b", "c", "d", "e"]))
        self.assertEqual(found["a+b+c | everyone else alone"],
                         [("a", "d"), ("a", "e"), ("b", "d"), ("b", "e"), ("c", "d"), ("c", "e"), ("d", "e")])
        self.assertEqual(len(found["a+b | everyone else alone"]), 9)
        self.assertEqual(len(found["a+b | c+d | e"]), 8)

    def test_of_five_all_are_different_and_none_is_empty(self):
        found = chaos_plan.partitions(["a", "b", "c", "d", "e"])
        shapes = {frozenset(frozenset(pair) for pair in pairs) for _, pairs in found}
        self.assertEqual(len(shapes), len(found))
        self.assertNotIn(frozenset(), shapes)
        ring = dict(found)["everyone sees two neighbours"]
        self.assertEqual(len(ring), 5)


if __name__ == "__main__":
    unittest.main()
