"""The faults of `./dev chaos` in a short form: each kind once, on two, three and five servers, with what must come of it. In
every test the witness sees nothing active twice, and at the end of each class the ledger has lost and doubled nothing."""

import random
import time
import unittest

from komainu_lab import bmc, chaos_plan
from komainu_lab.chaos import ChaosLab, play
from komainu_lab.chaos_faults import kill_at_random
from komainu_lab.chaos_plan import Step
from komainu_lab.waiting import NotInTime, wait_for


class ChaosTest(unittest.TestCase):
    nodes = 2

    @classmethod
    def setUpClass(cls):
        cls.chaos = cls.enterClassContext(ChaosLab(cls.nodes))
        cls.lab, cls.cluster, cls.witness = cls.chaos.lab, cls.chaos.cluster, cls.chaos.witness

    @classmethod
    def tearDownClass(cls):
        told = cls.chaos.ledger.verdict()
        if told.objections:
            raise AssertionError(f"{told.objections}; journals and ledger are in {cls.chaos.save()}")

    def setUp(self):
        self.addCleanup(self.settle)
        self.begin()

    def settle(self):
        try:
            self.chaos.settle()
        except NotInTime as failure:
            self.fail(f"{failure}; journals are in {self.chaos.save()}")

    def begin(self):
        self.active = self.lab.server(wait_for(self.witness.answering, 30, "the service answers"))
        self.mark = self.witness.mark()
        self.since_boot_us = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def tearDown(self):
        violations = self.witness.since(self.mark)["violations"]
        if violations:
            self.fail(f"active twice: {violations}; journals are in {self.chaos.save()}")

    def play(self, fault, lasts_s, rank=0, seed=1):
        result = play(self.chaos, (Step(fault, rank, 0.0, lasts_s, seed),), random.Random(seed))
        self.assertEqual((result.objections, result.void), ([], []))
        return result

    def successor(self, deadline=60):
        name = wait_for(lambda: self.witness.answering() not in (None, self.active.name) and self.witness.answering(),
                        deadline, "another server answers")
        return self.lab.server(name)

    def fences(self):
        """What was said about fences since the test began."""
        events = self.cluster.events_since(self.since_boot_us, self.lab.others(self.active))
        return [event.text for event in events if event.kind == "fence"]

    def served_by_another(self):
        return any(name != self.active.name for name in self.witness.since(self.mark)["answered"])


class TwoServers(ChaosTest):
    """A frozen server must be fenced, whatever its BMC does."""

    def test_a_bmc_that_fails_in_any_way_is_found_out_and_the_second_level_fences(self):
        for fault in (lambda broken: broken.hang(), lambda broken: broken.unplug(), lambda broken: broken.change_password(),
                      lambda broken: broken.behave("ignores")):
            self.begin()
            fault(self.chaos.bmcs[self.active.name])
            self.active.freeze()
            self.successor()
            self.assertFalse(self.active.powered(), "it was fenced before its group started elsewhere")
            self.assertTrue(any("is not confirmed" in text for text in self.fences()), "the first level failed")
            self.settle()

    def test_a_slow_bmc_or_one_whose_server_is_off_already_confirms_by_itself(self):
        self.chaos.bmcs[self.active.name].behave("slow 0.5")
        self.active.freeze()
        self.successor()
        self.assertFalse(self.active.powered())
        self.settle()
        self.begin()
        self.active.power_off()
        self.successor()
        self.assertFalse([text for text in self.fences() if "not confirmed" in text])

    def test_a_ring_whose_token_goes_round_and_that_carries_nothing_is_broken_and_formed_anew(self):
        for _ in range(3):  # it does not come about each time
            self.play("stuck-ring", 0.5)

    def test_where_no_level_can_fence_nothing_starts_until_an_operator_vouches(self):
        self.chaos.bmcs[self.active.name].behave("ignores")
        self.lab.power_fault(self.active, "refuses")
        standby = self.lab.others(self.active)[0]
        self.active.freeze()
        wait_for(lambda: sum("is not confirmed" in text for text in self.fences()) >= 3, 60, "both levels have failed",
                 interval=0.2)
        self.assertFalse(self.served_by_another())
        self.active.power_off()
        self.cluster.komainu(standby, "fence", "confirm", self.active.name, "--yes", timeout=60)
        self.successor()


class ALyingBmc(unittest.TestCase):
    """What a fencing device says is believed: that it is true is one of the protocol's assumptions. A server that still
    answers ARP is found by its address even then; of one that is frozen and cut off nobody can know. The judges see it."""

    def test_that_says_off_of_a_server_that_is_frozen_and_cut_off_lets_the_group_be_active_twice_and_the_witness_sees_it(self):
        with ChaosLab(2, levels=(bmc.fencing,)) as chaos:
            active = chaos.lab.server(chaos.witness.answering())
            chaos.bmcs[active.name].behave("lies")
            active.freeze()
            chaos.lab.isolate(active, "public")
            wait_for(lambda: chaos.witness.answering() not in (None, active.name), 60, "another server answers")
            wait_for(chaos.witness.violations, 10, "the double activation is seen")


class ThreeServers(ChaosTest):
    nodes = 3

    def test_a_server_frozen_below_the_token_goes_on(self):
        self.play("freeze-short", 0.5)
        self.assertEqual(self.witness.answering(), self.active.name)
        self.assertTrue(self.active.powered())

    def test_a_server_frozen_for_about_a_membership_change_never_serves_beside_its_successor(self):
        self.play("freeze-medium", 2.6)

    def test_a_server_frozen_for_long_is_fenced_before_its_group_starts_elsewhere_and_never_serves_again(self):
        self.active.freeze()
        successor = self.successor()
        self.assertFalse(self.active.powered(), "it was fenced first")
        mark = self.witness.mark()
        self.active.thaw()
        wait_for(lambda: self.witness.since(mark)["requests"] > 100, 20, "a hundred requests after the thaw")
        self.assertEqual(set(self.witness.since(mark)["answered"]), {successor.name})

    def test_partitions(self):
        names = [self.active.name, *(server.name for server in self.lab.others(self.active))]
        shapes = dict(chaos_plan.partitions(names))
        for shape in (f"{names[0]} | rest", f"two sides that both see {names[0]}", f"two sides that both see {names[1]}",
                      "everyone alone"):
            with self.subTest(shape):
                mark = self.witness.mark()
                self.lab.separate([(self.lab.server(one), self.lab.server(other)) for one, other in shapes[shape]])
                wait_for(lambda: self.witness.since(mark)["requests"] > 500, 30, "five seconds of it")
                self.settle()
                self.assertEqual(self.witness.since(mark)["violations"], [])

    def test_one_way_loss(self):
        self.play("one-way", 5.0)

    def test_large_frames_lost(self):
        self.play("black-hole", 6.0)

    def test_random_loss(self):
        self.play("loss", 6.0)

    def test_delay(self):
        self.play("delay", 5.0)


class FiveServers(ChaosTest):
    nodes = 5

    def test_two_against_three(self):
        side = [self.active, self.lab.others(self.active)[0]]
        rest = [server for server in self.lab.servers if server not in side]
        self.lab.separate([(one, other) for one in side for other in rest])
        self.assertIn(self.successor(), rest)
        self.assertFalse(self.active.powered(), "it was fenced first")

    def test_power_lost_everywhere_and_one_stays_off(self):
        for server in self.lab.servers:
            server.power_off()
        for server in self.lab.others(self.active):
            server.power_on(wait=False)
        self.successor(120)
        self.chaos.ledger.wait_for_more()

    def test_a_hundred_random_kills_in_a_row(self):
        hit = kill_at_random(self.chaos.scene(), 100)
        self.assertEqual(sum(hit.values()), 100, hit)


if __name__ == "__main__":
    unittest.main()
