"""The watchdog: real devices in a virtual machine, and in the lab what it makes safe: takeover without a fencer from a
node that hangs, or cannot stop."""

import pathlib
import signal
import unittest

from komainu_lab import provision
from komainu_lab.layout import NETWORKS, ServerPlan
from komainu_lab.waiting import wait_for
from program_test import ClusterTest
from watchdog_guest import Guest


class RealDevice(unittest.TestCase):
    """The daemon's feeder on what the kernel offers. Timeouts of 4 s: an emulated machine on a busy one is slow."""

    def test_i6300esb_is_owned_by_one_fed_disarmed_in_order_and_otherwise_resets_the_machine(self):
        script = """insmod /modules/i6300esb.ko
echo another owner
sh -c 'exec 3>/dev/watchdog; sleep 2; echo V >&3' & sleep 1
komainu-watchdog-test /dev/watchdog 4 1 end
wait; echo no such device
komainu-watchdog-test /dev/watchdog7 4 1 end
echo an orderly end
komainu-watchdog-test /dev/watchdog 4 6 end
sleep 6; echo it did not fire
komainu-watchdog-test /dev/watchdog0 4 60 hold & sleep 2; kill -9 $!; sleep 1
echo a successor
komainu-watchdog-test /dev/watchdog0 4 6 hold
"""
        with Guest(script, devices=["i6300esb"]) as guest:
            guest.wait_for_line("the watchdog is not fed: its time is over", 75)
            events = guest.wait_for_end(30)
            said = guest.console()
        self.assertEqual(events["WATCHDOG"], {"action": "reset"}, said)
        expected = ["another owner", "Device or resource busy, it belongs to", "no such device",
                    "cannot open the watchdog /dev/watchdog7: No such file or directory", "an orderly end",
                    "read back 4s", "the watchdog is disarmed", "it did not fire", "read back 4s", "a successor",
                    "read back 4s", "the watchdog is not fed"]
        position = 0
        for line in expected:
            self.assertIn(line, said[position:], said)
            position = said.index(line, position) + len(line)

    def test_softdog_is_fed_and_otherwise_restarts_the_machine(self):
        script = """insmod /modules/softdog.ko
komainu-watchdog-test /dev/watchdog 4 6 hold
"""
        with Guest(script) as guest:
            guest.wait_for_line("the watchdog is not fed: its time is over", 75)
            events = guest.wait_for_end(30)
            said = guest.console()
        self.assertIn("read back 4s", said)
        self.assertEqual(events["SHUTDOWN"]["reason"], "guest-reset", said)


class WatchdogTest(ClusterTest):
    """Three nodes, no fencer: who takes over waits for the lease and for the watchdog."""

    def node_tables(self):
        plans = [ServerPlan(f"guest{number}", number) for number in range(1, self.nodes + 1)]
        return "".join(f'[[node]]\nname = "{plan.name}"\nlinks = ["{plan.interconnect}", "{plan.public}"]\n'
                       for plan in plans)

    def template(self):
        text = (pathlib.Path(provision.__file__).parent.parent / "files" / "cluster.toml").read_text()
        text = text.replace(text[text.index("[[fencing]]"):text.index("[[group]]")], "")
        text = text.replace('profile = "lan"', 'profile = "lan"\nwatchdog = "lab:/run/lab/watchdog"')
        return text.replace("@NODES@", self.node_tables()) + '\n[timing]\nlease = "5s"\nwatchdog = "4s"\ndrain = "1s"\n'

    def setUp(self):
        super().setUp()
        self.assertEqual(self.active.watchdog(), (0, 4.0), "armed before the group was started")

    def only_its_watchdog_sees(self, server):
        """That komainud hangs: the system manager hangs with it, and does not start it again."""
        server.systemctl("service-watchdogs", "no")

    def komainud_says(self, server, text, deadline=10):
        wait_for(lambda: text in server.journal("komainud", lines=400), deadline, f"{server}'s komainud says '{text}'")


class WithoutAFencer(WatchdogTest):
    def test_a_node_whose_daemon_hangs_is_reset_and_replaced(self):
        self.active.watchdog_action("off")
        self.only_its_watchdog_sees(self.active)
        self.active.signal_main("komainud", signal.SIGSTOP)
        wait_for(lambda: self.active.watchdog()[0] == 1, 30, "its watchdog fires")
        self.assertFalse(self.active.powered())
        successor = self.answered_by_another()
        self.active.power_on()
        self.cluster.wait_healthy()
        self.assertEqual(self.cluster.online_at(), successor)

    def test_a_stop_that_hangs_after_a_cut_ends_with_a_reset_before_the_group_starts_elsewhere(self):
        self.active.watchdog_action("off")
        hangs = "/etc/systemd/system/nginx.service.d/hangs.conf"
        self.active.write(hangs, "[Service]\nExecStop=\nExecStop=/bin/sleep infinity\nTimeoutStopSec=infinity\n")
        self.active.systemctl("daemon-reload")
        self.lab.isolate(self.active, "interconnect")
        self.lab.isolate(self.active, "public")
        self.komainud_says(self.active, "stops its groups", 30)
        self.komainud_says(self.active, "the watchdog is not fed: the lease has run out", 30)
        self.assertTrue(self.active.pids("nginx"), "which does not stop")
        wait_for(lambda: self.active.watchdog()[0] == 1, 30, "its watchdog fires")
        self.assertFalse(self.active.powered())
        self.assertNotIn(self.witness.answering(), [server.name for server in self.lab.others(self.active)])
        successor = self.answered_by_another()
        self.lab.mend()
        self.active.power_on()
        self.active.path(hangs).unlink()
        self.active.systemctl("daemon-reload")
        self.cluster.wait_healthy()
        self.assertEqual(self.cluster.online_at(), successor)

    def test_a_daemon_that_crashes_is_followed_by_one_that_feeds_on_and_an_orderly_end_disarms(self):
        served = self.active.pids("nginx")
        for crash in range(1, 4):
            self.active.signal_main("komainud", signal.SIGKILL)
            wait_for(lambda count=crash + 1: self.active.journal("komainud", lines=400).count("the watchdog is armed with") == count,
                     10, "a new daemon has armed it")
            self.cluster.wait_healthy()
        self.assertEqual(self.active.pids("nginx"), served, "it was adopted")
        self.assertEqual(self.active.watchdog(), (0, 4.0))
        self.active.systemctl("stop", "komainud", timeout=60)
        self.answered_by_another()
        self.assertEqual(self.active.watchdog(), (0, None))


class ANodeWithoutADevice(WatchdogTest):
    without = "guest1"  # which the group prefers

    def node_tables(self):
        text = super().node_tables()
        name = f'name = "{self.without}"\n'
        return text.replace(name, name + 'watchdog = "/dev/watchdog"\n')

    def test_says_so_and_starts_no_group(self):
        self.assertNotEqual(self.active.name, self.without)
        bad = self.lab.server(self.without)
        self.assertEqual(bad.watchdog(), (0, None))
        self.komainud_says(bad, "cannot open the watchdog /dev/watchdog: No such file or directory")
        status = self.cluster.status(self.active)
        self.assertIn(f"node {self.without} starts no group: its watchdog is not armed",
                      [alarm["text"] for alarm in status["alarms"]])
        self.active.power_off()
        self.assertNotEqual(self.answered_by_another(), self.without)


class Frozen(WatchdogTest):
    """A paused virtual machine: its watchdog stands still, too. No lease survives that (docs/protocol.md)."""

    def tearDown(self):
        pass  # it was active twice for as long as it took to stop; that is the limit

    def test_a_node_that_stood_still_for_longer_than_max_pause_yields_before_anything_else(self):
        said_by_komainud = ("journalctl", "-t", "komainud", "-o", "cat")
        # A cursor of an entry that the filter leaves out would cost the first entry after it (systemd 252).
        cursor = self.active.output(*said_by_komainud, "-n", "1", "--show-cursor").split("-- cursor: ")[1]
        self.only_its_watchdog_sees(self.active)
        self.active.freeze()
        for network in NETWORKS:  # a paused machine answers no ARP; the kernel of a frozen server does
            self.lab.isolate(self.active, network)
        successor = self.answered_by_another()
        self.assertEqual(self.active.watchdog(), (0, 4.0), "it stood still, too")
        self.lab.mend()
        self.active.thaw()
        said = wait_for(lambda: self.active.output(*said_by_komainud, f"--after-cursor={cursor}"), 20, "komainud goes on")
        self.assertIn("stops its groups", said.splitlines()[0], said)
        self.cluster.wait_healthy()
        self.assertEqual(self.cluster.online_at(), successor)
        self.assertEqual(self.witness.holders(), [successor])
        self.assertEqual(self.active.watchdog()[0], 0, "it had stopped in time")


if __name__ == "__main__":
    unittest.main()
