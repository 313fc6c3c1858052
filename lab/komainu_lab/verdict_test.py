import unittest

from komainu_lab import verdict
from komainu_lab.faults import FAULTS, MOVED, RESTORED, UNDISTURBED, Fault, find


def fault(expect):
    return Fault("name", "title", lambda scene: None, expect, watch_requests=100)


def seen(**changes):
    report = {"since_us": 1_000_000, "now_us": 5_000_000, "requests": 400, "failed": 0, "total_us": 0, "outages": [],
              "violations": [], "activity": [], "largest_gap_us": 0, "complete": True}
    return {**report, **changes}


def outage(begin_us, end_us):
    return {"begin_us": begin_us, "end_us": end_us}


DOUBLE = {"what": "10.77.2.50", "servers": ["guest1", "guest2"]}


class Objections(unittest.TestCase):
    def test_a_quiet_run_has_none(self):
        for expect in (UNDISTURBED, RESTORED, MOVED):
            self.assertEqual(verdict.objections(fault(expect), seen()), [])

    def test_a_double_activation_is_never_survived(self):
        for expect in (UNDISTURBED, RESTORED, MOVED):
            self.assertTrue(verdict.objections(fault(expect), seen(violations=[DOUBLE])))

    def test_an_outage_that_lasts_is_not_survived(self):
        self.assertTrue(verdict.objections(fault(RESTORED), seen(outages=[outage(2_000_000, None)])))

    def test_an_outage_that_ended_is_survived_where_one_is_expected(self):
        report = seen(failed=6, outages=[outage(2_000_000, 2_060_000)])
        self.assertEqual(verdict.objections(fault(MOVED), report), [])
        self.assertTrue(verdict.objections(fault(UNDISTURBED), report))

    def test_an_outage_that_the_repair_makes_is_not_survived(self):
        report = seen(outages=[outage(2_000_000, 2_060_000), outage(3_000_000, 3_010_000)])
        self.assertTrue(verdict.objections(fault(MOVED), report, repaired_us=2_900_000))
        self.assertEqual(verdict.objections(fault(MOVED), report, repaired_us=3_900_000), [])

    def test_a_move_is_an_objection_where_nothing_may_happen(self):
        report = seen(activity=[{"what": "10.77.2.50", "servers": []}])
        self.assertTrue(verdict.objections(fault(UNDISTURBED), report))

    def test_a_judge_that_slept_or_forgot_proves_nothing(self):
        self.assertTrue(verdict.objections(fault(RESTORED), seen(largest_gap_us=150_000)))
        self.assertTrue(verdict.objections(fault(RESTORED), seen(complete=False)))

    def test_what_it_slept_through_is_made_again_unless_it_saw_what_may_never_be(self):
        twice = [{"what": "10.77.2.50", "servers": ["guest1", "guest2"]}]
        self.assertTrue(verdict.to_be_made_again(seen(largest_gap_us=150_000)))
        self.assertFalse(verdict.to_be_made_again(seen(largest_gap_us=150_000, violations=twice)))
        self.assertFalse(verdict.to_be_made_again(seen()))


class Reached(unittest.TestCase):
    def test_moved_needs_another_server(self):
        report = seen(outages=[outage(2_000_000, 2_060_000)])
        self.assertTrue(verdict.reached(fault(MOVED), report, "guest1", "guest2"))
        self.assertFalse(verdict.reached(fault(MOVED), report, "guest1", "guest1"))
        self.assertFalse(verdict.reached(fault(MOVED), report, "guest1", None))

    def test_restored_needs_good_replies_for_a_while(self):
        self.assertTrue(verdict.reached(fault(RESTORED), seen(outages=[outage(2_000_000, 2_060_000)]), "guest1", "guest1"))
        self.assertFalse(verdict.reached(fault(RESTORED), seen(outages=[outage(2_000_000, 4_900_000)]), "guest1", "guest1"))
        self.assertFalse(verdict.reached(fault(RESTORED), seen(outages=[outage(2_000_000, None)]), "guest1", None))

    def test_undisturbed_is_watched_to_its_end(self):
        self.assertTrue(verdict.reached(fault(UNDISTURBED), seen(requests=100), "guest1", "guest1"))
        self.assertFalse(verdict.reached(fault(UNDISTURBED), seen(requests=99), "guest1", "guest1"))


class Table(unittest.TestCase):
    def test_names_are_unique_and_found(self):
        names = [one.name for one in FAULTS]
        self.assertEqual(len(names), len(set(names)))
        self.assertIs(find("clock").expect, UNDISTURBED)
        with self.assertRaises(KeyError):
            find("clcok")


class Times(unittest.TestCase):
    def test_restored_after_counts_from_the_fault_to_the_end_of_the_last_outage(self):
        report = seen(outages=[outage(1_100_000, 1_200_000), outage(1_300_000, 1_400_000)])
        self.assertEqual(verdict.restored_after_us(report), 400_000)
        self.assertIsNone(verdict.restored_after_us(seen()))


if __name__ == "__main__":
    unittest.main()
