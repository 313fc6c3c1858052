"""Two nodes and an arbiter: corosync-qnetd on a third server, over TLS. Which half goes on, and what its loss means."""

import pathlib
import unittest

from komainu_lab import provision
from komainu_lab.cluster import Cluster
from komainu_lab.lab import Lab
from komainu_lab.layout import NETWORKS
from komainu_lab.waiting import wait_for
from komainu_lab.witness import Witness


TEMPLATE = (pathlib.Path(provision.__file__).parent.parent / "files" / "cluster.toml").read_text()


class ArbiterTest(unittest.TestCase):
    arbiter = True
    template = TEMPLATE

    def setUp(self):
        self.lab = self.enterContext(Lab(2, arbiter=self.arbiter))
        self.cluster = Cluster(self.lab)
        self.cluster.set_up(template=self.template)
        self.cluster.wait_healthy()
        if self.arbiter:
            wait_for(lambda: self.arbiter_healths() == ["healthy", "healthy"], 60, "the arbiter votes on both nodes")
        self.witness = self.enterContext(Witness(self.lab))
        self.active = self.lab.server(wait_for(self.witness.answering, 30, "the service answers"))
        self.standby, = self.lab.others(self.active)
        self.mark = self.witness.mark()

    def tearDown(self):
        self.assertEqual(self.witness.since(self.mark)["violations"], [], "the group was active twice")

    def arbiter_healths(self, server=None):
        status = self.cluster.status(server or self.cluster.answering_server())
        monitor, = [monitor for monitor in status["monitors"] if monitor["name"] == "arbiter"]
        return [at["health"] for at in monitor["at"]]

    def said(self, server, words):
        return any(words in alarm["text"] for alarm in self.cluster.status(server)["alarms"])

    def answered_by_standby(self):
        wait_for(lambda: self.witness.answering() == self.standby.name, 60, "the other server answers")

    def part(self, cut_off):
        """The two no longer hear each other, and `cut_off` does not reach the arbiter either."""
        for network in NETWORKS:
            for one, other in ((self.active, self.standby), (self.standby, self.active),
                               (cut_off, self.lab.arbiter), (self.lab.arbiter, cut_off)):
                self.lab.drop(one, other, network)


class TakeOver(ArbiterTest):
    def test_a_node_that_is_off_is_replaced_with_the_arbiters_vote(self):
        self.active.power_off()
        self.answered_by_standby()
        status = self.cluster.status(self.standby)
        self.assertTrue(status["quorate"])
        self.active.power_on()
        self.cluster.wait_healthy()
        self.assertEqual(self.cluster.online_at(), self.standby.name, "it does not move back")

    def test_the_half_that_reaches_the_arbiter_goes_on_and_fences_the_other(self):
        self.part(cut_off=self.active)
        self.answered_by_standby()
        self.assertFalse(self.active.powered(), "the half without the arbiter was fenced")
        self.lab.mend()
        self.active.power_on()
        self.cluster.wait_healthy()

    def test_the_half_without_the_arbiter_fences_nobody_and_what_runs_beside_it_stays(self):
        self.part(cut_off=self.standby)
        wait_for(lambda: not self.standby.powered(), 60, "the half without the arbiter is fenced")
        self.assertEqual(self.witness.answering(), self.active.name)
        self.assertEqual(self.witness.since(self.mark)["outages"], [])


class PingHint(ArbiterTest):
    """No arbiter: each half of two has the right to act, and only what they reach tells them apart."""
    arbiter = False
    template = TEMPLATE.replace("[[fencing]]", '[quorum]\nping = ["@GATEWAY@"]\n\n[[fencing]]', 1)

    def test_a_node_that_lost_its_network_does_not_shoot_the_one_that_did_not(self):
        self.lab.isolate(self.active, "public")
        self.lab.drop(self.active, self.standby, "interconnect")
        self.lab.drop(self.standby, self.active, "interconnect")
        self.answered_by_standby()
        self.assertFalse(self.active.powered(), "it was fenced, although it held the group and would have been faster")


class WithoutTheArbiter(ArbiterTest):
    def setUp(self):
        super().setUp()
        self.lab.arbiter.power_off()
        wait_for(lambda: self.said(self.active, "monitor arbiter fails on every node"), 30, "its loss is an alarm")

    def test_its_loss_is_an_alarm_and_moves_nothing(self):
        texts = [event.text for event in self.cluster.events_since(0) if "arbiter" in event.text]
        self.assertTrue(any("gives no vote" in text for text in texts), texts)
        self.assertEqual(self.witness.since(self.mark)["outages"], [])
        self.assertEqual(self.cluster.online_at(), self.active.name)
        self.lab.arbiter.power_on()
        wait_for(lambda: self.arbiter_healths() == ["healthy", "healthy"], 60, "it votes again")

    def test_a_node_that_is_off_as_well_is_replaced_only_when_the_arbiter_is_back(self):
        self.active.power_off()
        wait_for(lambda: self.said(self.standby, "has no quorum"), 60, "the other one knows that it may not act")
        fences = [event for event in self.cluster.events_since(0) if event.kind == "fence"]
        self.assertEqual(fences, [], "who has no quorum fences nobody")
        self.assertIsNone(self.witness.answering())
        self.lab.arbiter.power_on()
        self.answered_by_standby()


if __name__ == "__main__":
    unittest.main()
