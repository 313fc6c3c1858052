"""The countdown of a server's watchdog."""

import unittest

from komainu_lab.dead_man import Countdown


class CountdownTest(unittest.TestCase):
    def setUp(self):
        self.countdown = Countdown()

    def test_unarmed_it_never_ends(self):
        self.assertFalse(self.countdown.passes(3600))

    def test_ends_when_it_is_not_fed_in_time(self):
        self.countdown.arm(5)
        self.assertFalse(self.countdown.passes(4))
        self.countdown.feed()
        self.assertFalse(self.countdown.passes(4))
        self.assertTrue(self.countdown.passes(1))

    def test_a_new_timeout_counts_from_now(self):
        self.countdown.arm(5)
        self.countdown.passes(4)
        self.countdown.arm(2)
        self.assertFalse(self.countdown.passes(1.5))
        self.assertTrue(self.countdown.passes(0.5))

    def test_disarmed_it_never_ends_and_feeding_does_not_arm_it(self):
        self.countdown.arm(5)
        self.countdown.disarm()
        self.countdown.feed()
        self.assertFalse(self.countdown.passes(3600))


if __name__ == "__main__":
    unittest.main()
