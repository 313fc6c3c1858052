import json
import re
import unittest

from failover_bench import corosync, journal


def line(at_us, text):
    return json.dumps({"__MONOTONIC_TIMESTAMP": str(at_us), "MESSAGE": text})


class Messages(unittest.TestCase):
    def test_are_ordered_and_told_once(self):
        lines = [line(20, "second"), line(10, "first"), line(20, "second")]
        self.assertEqual(journal.parse(lines), [(10, "first"), (20, "second")])

    def test_that_are_not_text_are_left_out(self):
        self.assertEqual(journal.parse([json.dumps({"__MONOTONIC_TIMESTAMP": "1", "MESSAGE": [255, 254]})]), [])


class Membership(unittest.TestCase):
    def test_is_lost_when_members_have_left(self):
        lost = re.compile(corosync.MEMBERS_LEFT).search
        self.assertTrue(lost("  [TOTEM ] A new membership (1.d) was formed. Members left: 2"))
        self.assertTrue(lost("  [TOTEM ] A new membership (1.d) was formed. Members joined: 2 left: 2"))
        self.assertFalse(lost("  [TOTEM ] A new membership (1.9) was formed. Members joined: 2"))
        self.assertFalse(lost("  [TOTEM ] A new membership (1.9) was formed. Members"))
