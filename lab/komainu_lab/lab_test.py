"""The lab itself, for real: two servers with systemd, and a witness that must see what is done to them. Needs root."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

from komainu_lab import bmc, layout as layouts, provision, teardown
from komainu_lab.lab import SOURCE, Lab
from komainu_lab.waiting import wait_for
from komainu_lab.witness import Witness


def take_address(lab, server):
    server.run(["ip", "address", "replace", f"{lab.layout.floating}/24", "dev", "eth1"])
    server.run(["arping", "-A", "-c", "1", "-I", "eth1", lab.layout.floating])


def drop_address(lab, server):
    server.run(["ip", "address", "del", f"{lab.layout.floating}/24", "dev", "eth1"])


class LabTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(2)
        cls.addClassCleanup(cls.lab.stop)
        cls.lab.start()
        cls.first, cls.second = cls.lab.servers
        for server in cls.lab.servers:
            provision.web_service(server)
            provision.fence_agent(server)
            provision.movable_clock(server)
            server.systemctl("daemon-reload")

    def setUp(self):
        for server in self.lab.servers:
            server.power_on()

    def fence(self, action, by=None, **options):
        options = {"action": action, "plug": self.first.name, "ip": self.lab.layout.power, **options}
        return (by or self.second).run(["fence_lab"], check=False,
                                       stdin="".join(f"{key}={value}\n" for key, value in options.items()))

    def reaches(self, sender, address):
        return sender.run(["ping", "-c", "1", "-W", "1", address], check=False).returncode == 0


class Server(LabTest):
    def test_has_systemd_as_its_first_process_and_a_name_and_files_of_its_own(self):
        self.assertEqual(self.first.read("/proc/1/comm").strip(), "systemd")
        self.assertEqual(self.first.output("hostname"), "guest1")
        self.first.write("/etc/only-here", "first\n")
        self.assertEqual(self.first.output("cat", "/etc/only-here"), "first")
        self.assertFalse(self.second.path("/etc/only-here").exists())
        self.assertFalse(os.path.exists("/etc/only-here"))

    def test_cannot_reach_this_machines_watchdog_disks_or_sysctls(self):
        devices = self.first.output("ls", "/dev").split()
        self.assertFalse([name for name in devices if name.startswith(("watchdog", "sd", "vd", "nvme", "mem"))])
        self.assertNotEqual(self.first.run(["sh", "-c", "echo 1 >/proc/sys/kernel/panic"], check=False).returncode, 0)

    def test_keeps_its_disk_over_a_power_cycle_but_not_its_addresses(self):
        self.first.write("/var/lib/kept", "x")
        take_address(self.lab, self.first)
        self.first.power_off()
        self.assertFalse(self.first.powered())
        self.assertFalse(self.reaches(self.second, self.first.plan.public))
        self.first.power_on()
        self.assertEqual(self.first.read("/var/lib/kept"), "x")
        self.assertNotIn(self.lab.layout.floating, self.first.output("ip", "address"))
        self.assertTrue(self.reaches(self.second, self.first.plan.public))

    def test_a_frozen_server_answers_ping_and_does_nothing(self):
        self.first.systemctl("start", "nginx")
        self.first.freeze()
        self.addCleanup(self.first.thaw)
        self.assertTrue(self.reaches(self.second, self.first.plan.public))
        fetch = ["curl", "-s", "--max-time", "0.5", f"http://{self.first.plan.public}/"]
        self.assertNotEqual(self.lab.in_client(fetch, check=False).returncode, 0)
        self.first.thaw()
        self.assertEqual(self.lab.in_client(fetch).stdout.strip(), "guest1")
        self.first.systemctl("stop", "nginx")

    def test_its_wall_clock_moves_for_the_labs_units_only_and_while_they_run(self):
        show = ["env", "LD_PRELOAD=/usr/lib/komainu-lab/clock.so", "date", "+%s"]
        self.first.shift_clock(3600)
        self.assertAlmostEqual(int(self.first.output(*show)) - time.time(), 3600, delta=5)
        self.assertAlmostEqual(int(self.second.output(*show)) - time.time(), 0, delta=5)
        self.assertAlmostEqual(int(self.first.output("date", "+%s")) - time.time(), 0, delta=5)
        self.first.shift_clock(0)
        self.assertAlmostEqual(int(self.first.output(*show)) - time.time(), 0, delta=5)


class Network(LabTest):
    def tearDown(self):
        self.lab.mend()
        self.lab.gateway_up()

    def test_a_pulled_cable_takes_the_carrier_of_one_network_only_also_over_a_power_cycle(self):
        self.lab.cut(self.first, "interconnect")
        carrier = lambda interface: self.first.output("cat", f"/sys/class/net/{interface}/carrier")
        wait_for(lambda: carrier("eth0") == "0", 5, "eth0 has lost its carrier")
        self.assertEqual(carrier("eth1"), "1")
        self.first.power_off()
        self.first.power_on()
        self.assertFalse(self.reaches(self.second, self.first.plan.interconnect))
        self.lab.mend(self.first, "interconnect")
        wait_for(lambda: self.reaches(self.second, self.first.plan.interconnect), 5, "the cable works again")

    def test_traffic_can_be_lost_one_way(self):
        self.second.run(["ping", "-c", "1", "-W", "2", self.first.plan.public])
        self.lab.drop(self.first, self.second, "public")
        self.assertFalse(self.reaches(self.first, self.second.plan.public))
        self.assertTrue(self.reaches(self.first, self.lab.layout.client))
        self.assertTrue(self.reaches(self.second, self.lab.layout.client))
        self.lab.mend()
        self.assertTrue(self.reaches(self.first, self.second.plan.public))

    def test_an_isolated_server_keeps_its_link_and_reaches_nobody(self):
        self.lab.isolate(self.first, "public")
        self.assertEqual(self.first.output("cat", "/sys/class/net/eth1/carrier"), "1")
        self.assertFalse(self.reaches(self.first, self.lab.layout.client))
        self.assertTrue(self.reaches(self.second, self.lab.layout.client))

    def test_large_frames_can_be_lost_without_a_word(self):
        ping = lambda size: self.second.run(["ping", "-c", "1", "-W", "1", "-s", size, self.first.plan.public], check=False)
        self.assertEqual(ping(1000).returncode, 0)
        self.lab.black_hole(self.first, "public", 600)
        self.assertNotEqual(ping(1000).returncode, 0)
        self.assertEqual(ping(100).returncode, 0)

    def test_some_of_a_servers_traffic_can_be_lost(self):
        self.lab.lose(self.first, "public", 50)
        said = self.second.run(["ping", "-c", "100", "-i", "0.01", "-W", "1", "-q", self.first.plan.public6], check=False).stdout
        lost = float(said.split("% packet loss")[0].split()[-1])
        self.assertTrue(20 < lost < 100, said)

    def test_pairs_can_be_separated_while_both_reach_everybody_else(self):
        self.lab.separate([self.lab.servers])
        self.assertFalse(self.reaches(self.first, self.second.plan.interconnect))
        self.assertFalse(self.reaches(self.second, self.first.plan.public))
        for server in self.lab.servers:
            self.assertTrue(self.reaches(server, self.lab.layout.power))
            self.assertTrue(self.reaches(server, self.lab.layout.client))

    def test_traffic_can_be_delayed_and_still_be_cut_and_lost(self):
        rtt = lambda: float(self.second.output("ping", "-c", "3", "-i", "0.2", "-q", self.first.plan.public).split(" = ")[1].split("/")[0])
        self.second.run(["ping", "-c", "1", "-W", "2", self.first.plan.public])
        self.lab.delay(self.first, "public", 80)
        self.assertGreaterEqual(rtt(), 160)
        self.lab.isolate(self.first, "public")
        self.assertFalse(self.reaches(self.second, self.first.plan.public))
        self.lab.mend()
        self.assertTrue(self.reaches(self.second, self.first.plan.public))
        self.lab.delay(self.first, "public", 10, 5)
        self.lab.cut(self.first, "public")
        self.assertFalse(self.reaches(self.second, self.first.plan.public))
        self.lab.mend(self.first, "public")
        self.assertTrue(self.reaches(self.second, self.first.plan.public))

    def test_the_gateway_can_die_while_the_client_lives(self):
        self.assertTrue(self.reaches(self.first, self.lab.layout.gateway))
        self.lab.gateway_down()
        self.assertFalse(self.reaches(self.first, self.lab.layout.gateway))
        self.assertTrue(self.reaches(self.first, self.lab.layout.client))

    def test_addresses_of_both_families_answer(self):
        self.assertTrue(self.reaches(self.first, self.second.plan.public6))


class Watchdog(LabTest):
    SAY = ("import socket, sys\n"
           "s = socket.socket(socket.AF_UNIX); s.connect('/run/lab/watchdog')\n"
           "for line in sys.argv[1:]: s.sendall(line.encode() + b'\\n')\n"
           "print(s.makefile().readline().strip())\n")

    def tearDown(self):
        self.say("timeout 1000", "disarm")

    def say(self, *lines):
        return self.first.output("python3", "-c", self.SAY, *lines)

    def test_resets_the_server_when_it_is_not_fed_also_after_its_owner_has_died(self):
        self.first.write("/run/lab/this-boot", "")
        fired, armed = self.first.watchdog()
        self.assertIsNone(armed)
        self.assertEqual(self.say("timeout 1000"), "ok 1000")
        wait_for(lambda: self.first.watchdog()[0] == fired + 1, 10, "it fires")
        wait_for(self.first.powered, 10, "the server is on again")
        self.first.wait_booted()
        self.assertFalse(self.first.path("/run/lab/this-boot").exists())
        self.assertIsNone(self.first.watchdog()[1], "a new boot has not armed it")

    def test_stands_still_with_a_frozen_server(self):
        fired, _ = self.first.watchdog()
        self.say("timeout 500")
        self.first.freeze()
        self.addCleanup(self.first.wait_booted)
        self.addCleanup(self.first.thaw)
        self.assertFalse(self.reaches(self.second, "10.77.1.99"), "which takes a second")
        self.assertEqual(self.first.watchdog()[0], fired)
        self.first.thaw()
        wait_for(lambda: self.first.watchdog()[0] == fired + 1, 10, "it fires when the server goes on")
        wait_for(self.first.powered, 10, "the server is on again")
        self.first.wait_booted()

    def test_says_what_it_did_not_understand(self):
        self.assertIn("error expected", self.say("bark"))


class PowerSwitch(LabTest):
    def tearDown(self):
        self.lab.power_fault(self.first, "none")
        self.lab.mend()

    def test_the_agent_switches_off_and_on_and_confirms(self):
        self.assertEqual(self.fence("status").returncode, 0)
        self.assertEqual(self.fence("off").returncode, 0)
        self.assertFalse(self.first.powered())
        self.assertEqual(self.fence("status").returncode, 2)
        self.assertEqual(self.fence("on").returncode, 0)
        self.first.wait_booted()
        self.assertEqual(self.fence("monitor").returncode, 0)
        self.assertEqual(self.fence("list").stdout, "guest1,\nguest2,\n")

    def test_a_reboot_is_another_boot(self):
        self.first.write("/run/lab/this-boot", "")
        self.assertEqual(self.fence("reboot").returncode, 0)
        self.first.wait_booted()
        self.assertFalse(self.first.path("/run/lab/this-boot").exists())

    def test_takes_long_options_like_every_fence_agent(self):
        done = self.second.run(["fence_lab", "--ip", self.lab.layout.power, "--plug=guest1", "-o", "status"])
        self.assertIn("ON", done.stdout)
        self.assertIn("<resource-agent", self.second.output("fence_lab", "--action=metadata"))

    def test_cannot_be_reached_over_the_public_network(self):
        self.lab.cut(self.second, "interconnect")
        done = self.fence("off", shell_timeout=1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("interconnect", done.stderr)
        self.assertTrue(self.first.powered())

    def test_a_refusing_switch_is_a_failed_fence(self):
        self.lab.power_fault(self.first, "refuses")
        self.assertEqual(self.fence("off").returncode, 1)
        self.assertTrue(self.first.powered())

    def test_a_hung_switch_is_a_failed_fence_within_the_timeout(self):
        self.lab.power_fault(self.first, "hung")
        self.assertEqual(self.fence("off", shell_timeout=1).returncode, 1)
        self.assertTrue(self.first.powered())

    def test_a_lying_switch_says_off_and_does_nothing(self):
        self.lab.power_fault(self.first, "lies")
        self.assertEqual(self.fence("off").returncode, 0)
        self.assertEqual(self.fence("status").returncode, 2)
        self.assertTrue(self.first.powered())

    def test_an_unknown_plug_is_an_error_that_names_the_plugs(self):
        done = self.fence("off", plug="guest9")
        self.assertEqual(done.returncode, 1)
        self.assertIn("guest1, guest2", done.stderr)

    def test_a_frozen_server_is_switched_off_too(self):
        self.first.freeze()
        self.assertEqual(self.fence("off").returncode, 0)
        self.assertFalse(self.first.powered())


class Bmc(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bmc = bmc.Bmc(cls.lab, cls.first)
        cls.addClassCleanup(cls.bmc.stop)

    def tearDown(self):
        self.bmc.well()

    def ask(self, action):
        options = {"action": action, "plug": self.first.name, "ip": self.first.plan.bmc, "lanplus": 1, "cipher": 3,
                   "username": bmc.USER, "password": bmc.PASSWORD, "power_wait": 0, "power_timeout": 2}
        return self.second.run(["fence_ipmilan"], check=False, timeout=40,
                               stdin="".join(f"{key}={value}\n" for key, value in options.items())).returncode

    def test_switches_off_and_on_by_a_real_fence_agent(self):
        self.assertEqual(self.ask("status"), 0)
        self.assertEqual(self.ask("off"), 0)
        self.assertFalse(self.first.powered())
        self.assertEqual(self.ask("status"), 2)
        self.assertEqual(self.ask("on"), 0)
        self.first.wait_booted()

    def test_that_ignores_orders_or_has_another_password_is_a_failed_fence(self):
        for fault in (lambda: self.bmc.behave("ignores"), self.bmc.change_password):
            fault()
            self.assertEqual(self.ask("off"), 1)
            self.assertTrue(self.first.powered())
            self.bmc.well()

    def test_that_lies_says_off_and_does_nothing(self):
        self.bmc.behave("lies")
        self.assertEqual(self.ask("off"), 0)
        self.assertEqual(self.ask("status"), 2)
        self.assertTrue(self.first.powered())


class Secret(unittest.TestCase):
    def test_without_the_secret_nothing_is_switched(self):
        with Lab(1, secret="s3cret") as lab:
            server = lab.server(0)
            provision.fence_agent(server)
            ask = lambda **options: server.run(["fence_lab"], check=False, stdin="".join(
                f"{key}={value}\n" for key, value in {"ip": lab.layout.power, "plug": "guest1", **options}.items()))
            self.assertEqual(ask(action="off", password="wrong").returncode, 1)
            self.assertEqual(ask(action="off").returncode, 1)
            self.assertTrue(server.powered())
            self.assertEqual(ask(action="status", passwd="s3cret").returncode, 0)


class Judge(LabTest):
    def setUp(self):
        super().setUp()
        self.witness = Witness(self.lab)
        self.addCleanup(self.witness.__exit__)
        self.first.systemctl("start", "nginx")
        self.second.systemctl("stop", "nginx")
        take_address(self.lab, self.first)
        self.addCleanup(self.clear)
        wait_for(lambda: self.witness.answering() == "guest1", 10, "guest1 answers")
        self.mark = self.witness.mark()

    def clear(self):
        for server in self.lab.servers:
            server.power_on()
            server.run(["ip", "address", "del", f"{self.lab.layout.floating}/24", "dev", "eth1"], check=False)
            server.systemctl("stop", "nginx")

    def answered(self, requests):
        return lambda: self.witness.since(self.mark)["requests"] >= requests

    def test_sees_nothing_while_nothing_happens(self):
        wait_for(self.answered(100), 10, "a hundred requests")
        seen = self.witness.since(self.mark)
        self.assertEqual(seen["failed"], 0)
        self.assertEqual(seen["violations"], [])
        self.assertEqual(seen["activity"], [])

    def test_sees_the_outage_of_a_move_and_no_double_activation(self):
        drop_address(self.lab, self.first)
        self.first.systemctl("stop", "nginx")
        self.second.systemctl("start", "nginx")
        take_address(self.lab, self.second)
        wait_for(lambda: self.witness.answering() == "guest2", 10, "guest2 answers")
        seen = self.witness.since(self.mark)
        self.assertEqual(len(seen["outages"]), 1)
        self.assertEqual((seen["outages"][0]["before"], seen["outages"][0]["after"]), ("guest1", "guest2"))
        self.assertGreater(seen["outages"][0]["lasted_us"], 0)
        self.assertEqual(seen["violations"], [])

    def test_sees_the_address_on_two_servers_although_only_one_answers(self):
        take_address(self.lab, self.second)
        wait_for(self.witness.violations, 10, "the double activation is seen")
        drop_address(self.lab, self.second)
        violation, = wait_for(lambda: [v for v in self.witness.violations() if v["end_us"]], 10, "its end is seen")
        self.assertEqual(violation["what"], self.lab.layout.floating)
        self.assertEqual(violation["servers"], ["guest1", "guest2"])

    def test_sees_the_service_on_two_servers(self):
        self.second.systemctl("start", "nginx")
        violation = wait_for(self.witness.violations, 10, "the double activation is seen")[0]
        self.assertEqual(violation["what"], "nginx.service")

    def test_sees_a_double_activation_behind_a_cut(self):
        """The client cannot notice it; two writers to one's data would not, either."""
        self.lab.cut(self.first, "public")
        self.addCleanup(self.lab.mend)
        take_address(self.lab, self.second)
        wait_for(self.witness.violations, 10, "the double activation is seen")

    def test_a_server_without_power_holds_nothing(self):
        self.first.power_off()
        self.second.systemctl("start", "nginx")
        take_address(self.lab, self.second)
        wait_for(lambda: self.witness.answering() == "guest2", 10, "guest2 answers")
        self.assertEqual(self.witness.violations(), [])

    def test_a_service_that_hangs_or_answers_500_is_an_outage(self):
        self.first.write("/run/lab/broken", "")
        wait_for(lambda: self.witness.since(self.mark)["outages"], 10, "500 is an outage")
        self.first.path("/run/lab/broken").unlink()
        wait_for(lambda: self.witness.answering() == "guest1", 10, "guest1 answers again")
        self.assertIn("status", self.witness.since(self.mark)["outages"][0]["failures"])
        mark = self.witness.mark()
        self.first.signal("nginx", signal.SIGSTOP)
        wait_for(lambda: self.witness.since(mark)["outages"], 10, "a hang is an outage")
        self.first.signal("nginx", signal.SIGCONT)
        wait_for(lambda: self.witness.answering() == "guest1", 10, "guest1 answers again")
        self.assertIn("timeout", self.witness.since(mark)["outages"][0]["failures"])


COROSYNC = """
totem {
  version: 2
  cluster_name: lab
  transport: knet
  token: 1000
}
nodelist {
%s}
quorum {
  provider: corosync_votequorum
  two_node: 1
  wait_for_all: 0
}
logging {
  to_syslog: yes
}
"""
COROSYNC_NODE = """  node {
    name: %s
    nodeid: %d
    ring0_addr: %s
    ring1_addr: %s
  }
"""


class Corosync(LabTest):
    """Debian's corosync, as a unit of each server's systemd."""

    def members(self, server):
        answer = server.run(["corosync-quorumtool", "-s"], check=False).stdout
        nodes = [line.split(":")[1].strip() for line in answer.splitlines() if line.startswith("Nodes:")]
        return int(nodes[0]) if nodes else 0

    def test_forms_a_membership_keeps_it_over_a_clock_jump_and_sees_a_power_off(self):
        nodes = "".join(COROSYNC_NODE % (plan.name, plan.number, plan.interconnect, plan.public)
                        for plan in self.lab.layout.servers)
        for server in self.lab.servers:
            server.write("/etc/corosync/corosync.conf", COROSYNC % nodes)
            server.systemctl("start", "corosync")
        for server in self.lab.servers:
            wait_for(lambda server=server: self.members(server) == 2, 20, f"{server} sees two members", interval=0.1)

        ring = self.first.output("corosync-quorumtool", "-s").split("Ring ID:")[1].split()[0]
        self.first.shift_clock(3600)
        watched = time.monotonic() + 3  # longer than token and consensus
        wait_for(lambda: time.monotonic() > watched, 10, "three seconds with the clock ahead", interval=0.1)
        self.assertEqual(self.first.output("corosync-quorumtool", "-s").split("Ring ID:")[1].split()[0], ring)
        stamp = self.first.read(f"/proc/{self.first.output('pidof', 'corosync')}/environ")
        self.assertIn("komainu-lab/clock.so", stamp)

        self.first.power_off()
        wait_for(lambda: self.members(self.second) == 1, 20, "guest2 is alone", interval=0.1)
        self.first.power_on()
        self.first.systemctl("start", "corosync")
        wait_for(lambda: self.members(self.second) == 2, 20, "guest1 is back", interval=0.1)


class Life(unittest.TestCase):
    def leftovers(self, run):
        names = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
        mounts = pathlib.Path("/proc/mounts").read_text()
        return [where for where, text in (("netns", names), ("mount", mounts)) if run in text]

    def test_two_labs_live_side_by_side(self):
        with Lab(1) as one, Lab(1) as other:
            one.server(0).write("/etc/which", "one")
            other.server(0).write("/etc/which", "other")
            self.assertEqual(one.server(0).read("/etc/which"), "one")
            one.server(0).power_off()
            self.assertTrue(other.server(0).powered())

    def test_leaves_nothing_after_a_failure_inside(self):
        with self.assertRaises(ZeroDivisionError):
            with Lab(1) as lab:
                run = lab.layout.run
                1 / 0  # pylint: disable=pointless-statement
        self.assertEqual(self.leftovers(run), [])
        self.assertFalse((layouts.STATE_ROOT / run).exists())

    def start_lab_elsewhere(self):
        script = ("from komainu_lab.lab import Lab\nimport signal\n"
                  "with Lab(1) as lab:\n  print(lab.layout.run, flush=True)\n  signal.pause()\n")
        process = subprocess.Popen([sys.executable, "-c", script], cwd=SOURCE / "lab", text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        run = process.stdout.readline().strip()
        self.assertTrue(run)
        return process, run

    def test_leaves_nothing_after_sigterm_or_sigkill(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            process, run = self.start_lab_elsewhere()
            process.send_signal(number)
            process.wait(timeout=30)
            wait_for(lambda run=run: not (layouts.STATE_ROOT / run).exists(), 30, f"{run} is gone after signal {number}")
            self.assertEqual(self.leftovers(run), [])

    def test_clean_removes_what_is_left_when_the_power_switch_is_killed_too(self):
        process, run = self.start_lab_elsewhere()
        switch = int((layouts.STATE_ROOT / run / "power.pid").read_text())
        process.kill()
        process.wait(timeout=30)
        os.kill(switch, signal.SIGKILL)
        # The switch may have begun to clean up before it was killed.
        wait_for(lambda: dict(teardown.runs()).get(run) in (False, None), 10, "the lab is dead")
        teardown.clean()
        self.assertFalse((layouts.STATE_ROOT / run).exists())
        self.assertEqual(self.leftovers(run), [])


if __name__ == "__main__":
    unittest.main()
