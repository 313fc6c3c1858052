import unittest

from failover_bench import fences


class Fences(unittest.TestCase):
    def test_are_read_as_the_agent_wrote_them(self):
        self.assertEqual(fences.parse("10 25 off guest1 0\n"), [fences.Fence(10, 25, "off", "guest1", 0)])

    def test_confirm_only_what_is_off(self):
        confirmed = {"0 1 off g 0": True, "0 1 reboot g 0": True, "0 1 status g 2": True, "0 1 off g 1": False,
                     "0 1 status g 0": False, "0 1 on g 0": False, "0 1 monitor - 0": False}
        for text, expected in confirmed.items():
            with self.subTest(text):
                self.assertEqual(fences.parse(text)[0].confirmed, expected)
