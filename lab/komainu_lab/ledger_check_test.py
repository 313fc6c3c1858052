import random
import unittest

from komainu_lab.ledger_check import Append, Entry, Read, check, check_text, parse

A, B = ("guest1", "a"), ("guest2", "b")


def entry(index, number, writer=A, client="c1"):
    return Entry(index, client, number, *writer)


def append(number, began, ended=None, index=None, client="c1"):
    return Append(client, number, began, ended, index)


def objections(entries, appends, reads=()):
    return check(entries, list(appends), list(reads)).objections


class Ledger(unittest.TestCase):
    def said(self, words, *history):
        found = objections(*history)
        self.assertTrue(any(words in one for one in found), found)

    def test_a_takeover_that_keeps_everything_is_right(self):
        entries = [entry(0, 1), entry(1, 2), entry(2, 3, B)]
        appends = [append(1, 0, 5, 0), append(2, 6, 9, 1), append(3, 10, 90, 2)]
        reads = [Read(1, "c1/1", 5, 6), Read(2, "c1/2", 20, 60), Read(3, "c1/3", 91, 92)]
        verdict = check(entries, appends, reads)
        self.assertEqual(verdict.objections, ())
        self.assertEqual((verdict.entries, verdict.acknowledged, verdict.reads), (3, 3, 3))
        self.assertEqual(verdict.writers, (A, B))

    def test_a_write_without_an_answer_may_be_there_or_not(self):
        self.assertEqual(objections([], [append(1, 0)]), ())
        self.assertEqual(objections([entry(0, 1)], [append(1, 0)]), ())

    def test_an_acknowledged_write_that_is_not_there_is_lost(self):
        self.said("lost", [], [append(1, 0, 5, 0)])

    def test_an_acknowledged_write_has_its_place(self):
        self.said("is entry 1", [entry(0, 2), entry(1, 1)], [append(1, 0, 5, 0), append(2, 0)])

    def test_an_entry_is_there_once(self):
        self.said("twice", [entry(0, 1), entry(1, 1, B)], [append(1, 0, 5, 0)])

    def test_an_entry_was_asked_for(self):
        self.said("nobody asked", [entry(0, 7)], [])

    def test_an_entry_that_does_not_know_its_place_was_written_beside_another(self):
        self.said("did not know", [entry(0, 1), entry(0, 2, B)], [append(1, 0, 5, 0), append(2, 0)])

    def test_a_writer_that_comes_back_after_its_successor_is_a_second_one(self):
        entries = [entry(0, 1), entry(1, 2, B), entry(2, 3)]
        self.said("after guest2 had taken over", entries, [append(1, 0), append(2, 0), append(3, 0)])

    def test_a_read_after_an_acknowledged_write_sees_it(self):
        self.said("stale", [entry(0, 1)], [append(1, 0, 5, 0)], [Read(0, "-", 6, 7)])
        self.assertEqual(objections([entry(0, 1)], [append(1, 0, 5, 0)], [Read(0, "-", 5, 7)]), ())

    def test_a_read_after_a_read_sees_no_less(self):
        entries, appends = [entry(0, 1)], [append(1, 0)]
        self.said("stale", entries, appends, [Read(1, "c1/1", 1, 2), Read(0, "-", 3, 4)])
        self.assertEqual(objections(entries, appends, [Read(1, "c1/1", 1, 3), Read(0, "-", 2, 4)]), ())

    def test_a_read_sees_what_is_there(self):
        self.said("and that is c1/1", [entry(0, 1)], [append(1, 0)], [Read(1, "c2/9", 1, 2)])
        self.said("there are 1", [entry(0, 1)], [append(1, 0)], [Read(2, "c1/2", 1, 2)])

    def test_a_read_sees_nothing_that_was_asked_for_later(self):
        self.said("before what had ended", [entry(0, 1)], [append(1, 5, 6, 0)], [Read(1, "c1/1", 1, 2)])

    def test_a_write_comes_after_those_that_had_ended(self):
        entries = [entry(0, 2), entry(1, 1)]
        self.said("before what had ended", entries, [append(1, 0, 5, 1), append(2, 6, 7, 0)])

    def test_a_last_line_that_was_cut_short_is_none_and_another_damaged_one_is_told(self):
        self.assertEqual(parse("0 c1 1 guest1 a\n1 c1 2 gue"), [entry(0, 1)])
        self.assertIn("line 2 is damaged", check_text("0 c1 1 guest1 a\n1 c1\n", [], []).objections[0])


class AgainstTheDefinition(unittest.TestCase):
    """The one pass through time against every pair of operations."""

    def test_both_say_the_same_of_random_histories(self):
        random.seed(1)
        wrong = 0
        for _ in range(2000):
            entries = [entry(index, index) for index in range(4)]
            appends, reads = [], []
            for index in range(4):
                began = random.randrange(12)
                appends.append(append(index, began, began + random.randrange(1, 5), index))
            for _ in range(2):
                began, length = random.randrange(12), random.randrange(5)
                reads.append(Read(length, f"c1/{length - 1}" if length else "-", began, began + random.randrange(1, 5)))
            timed = [(one.began, one.ended, 2 * one.index + 1) for one in appends]
            timed += [(one.began, one.ended, 2 * one.length) for one in reads]
            broken = any(first[1] < second[0] and first[2] > second[2] for first in timed for second in timed)
            self.assertEqual(bool(objections(entries, appends, reads)), broken)
            wrong += broken
        self.assertTrue(100 < wrong < 2000, wrong)


if __name__ == "__main__":
    unittest.main()
