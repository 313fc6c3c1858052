"""What the demo cannot show: three nodes, a joiner, a partition that heals, cold starts, wrong configurations, a dead
disk and a stranger in the process group."""

import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

from komainu_lab import provision
from komainu_lab.cluster import Cluster, replay_all
from komainu_lab.lab import Lab, program
from komainu_lab.shell import CommandFailed
from komainu_lab.waiting import wait_for
from komainu_lab.witness import Witness

HERE = pathlib.Path(__file__).resolve().parent


def komainu(*words, **options):
    return subprocess.run([str(program("komainu")), *words], capture_output=True, text=True, timeout=60, check=False,
                          **options)


class Configuration(unittest.TestCase):
    def test_ten_mistakes_are_ten_reports_each_with_its_place(self):
        checked = komainu("config", "check", "--json", str(HERE / "ten_mistakes.toml"))
        self.assertEqual(checked.returncode, 1, checked.stdout + checked.stderr)
        diagnostics = [d for d in json.loads(checked.stdout)["diagnostics"] if d["severity"] == "error"]
        self.assertEqual(len(diagnostics), 10, checked.stdout)
        self.assertTrue(all(d["line"] > 0 and d["column"] > 0 for d in diagnostics))

    def test_a_daemon_with_a_wrong_configuration_says_so_and_is_not_started_again(self):
        with Lab(1) as lab:
            server = lab.server(0)
            provision.everything(server)
            server.write("/etc/komainu/cluster.toml", "[cluster]\nnam = \"x\"\n")
            self.assertRaises(CommandFailed, server.systemctl, "start", "komainud")
            wait_for(lambda: "nam" in server.journal("komainud"), 10, "the journal names the mistake")
            shown = server.output("systemctl", "show", "-p", "NRestarts", "--value", "komainud")
            self.assertEqual(shown.strip(), "0")


class Exits(unittest.TestCase):
    """How a daemon that cannot begin ends: 78 is for what only a person can mend, and systemd leaves it at that."""

    ALONE = """[cluster]
name = "alone"
[[node]]
name = "one"
[[group]]
name = "app"
autostart = false
  [[group.resource]]
  name = "app"
  type = "command"
  start = ["/bin/false"]
  stop = ["/bin/true"]
  probe = ["/bin/sh", "-c", "exit 3"]
[[monitor]]
name = "always"
type = "command"
watch = "app"
command = ["/bin/true"]
"""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        example = HERE.parent / "docs" / "examples" / "single-server.toml"
        (self.folder / "cluster.toml").write_text(example.read_text())
        self.node = re.search(r'\[\[node\]\]\s+name\s*=\s*"([^"]+)"', example.read_text()).group(1)

    def daemon(self, **options):
        words = {"config": self.folder / "cluster.toml", "state": self.folder, "socket": self.folder / "api.sock",
                 "corosync-conf": self.folder / "corosync.conf", "node": self.node} | options
        ended = subprocess.run([str(program("komainud")), *(f"--{name}={value}" for name, value in words.items())],
                               capture_output=True, text=True, timeout=30, check=False)
        return ended.returncode, ended.stderr

    def test_what_only_a_person_can_mend_ends_with_78(self):
        (self.folder / "store").write_bytes(b"not a store")
        for options, told in [({"config": self.folder / "none"}, "there is no"),
                              ({"node": "elsewhere"}, "no [[node]] has that name"),
                              ({}, "is damaged")]:
            if options:
                options["state"] = self.folder / "fresh"
            with self.subTest(told):
                code, text = self.daemon(**options)
                self.assertEqual(code, 78, text)
                self.assertIn(told, text)
                self.assertIn("systemctl start komainud", text)

    def run_until_told_to_stop(self):
        """A daemon that takes part, and what it has said; its node stands in the file or in the store."""
        words = {"config": "cluster.toml", "state": ".", "socket": "api.sock", "corosync-conf": "c", "runtime": "."}
        with subprocess.Popen([str(program("komainud")), "--node=one",
                               *(f"--{name}={self.folder / value}" for name, value in words.items())],
                              stderr=subprocess.PIPE, text=True) as daemon:
            try:
                wait_for(lambda: '"phase":"established"' in self.asked("status").replace(" ", ""), 30,
                         "the daemon takes part")
                events = self.asked("events")
                daemon.terminate()
                text = daemon.communicate(timeout=30)[1]
            finally:
                daemon.kill()
        self.assertEqual(daemon.returncode, 0, text)
        self.assertTrue((self.folder / "store").exists())
        self.assertFalse((self.folder / "api.sock").exists())
        return text + events

    def asked(self, word):
        return komainu("--json", "--socket", str(self.folder / "api.sock"), word).stdout

    def test_a_daemon_that_is_told_to_stop_ends_with_0(self):
        (self.folder / "cluster.toml").write_text(self.ALONE)
        self.run_until_told_to_stop()

    def test_a_file_that_has_been_spoilt_does_not_keep_a_member_from_coming_back(self):
        file = self.folder / "cluster.toml"
        file.write_text(self.ALONE)
        self.run_until_told_to_stop()
        file.write_text(self.ALONE.replace("name =", "nam =", 1))
        said = self.run_until_told_to_stop()
        self.assertIn(f"{file}:2:1: error", said)
        self.assertIn("is wrong: the configuration that the cluster agreed on is used", said)
        self.assertIn("nam =", file.read_text(), "an editor's work is left alone")
        file.unlink()
        self.assertIn("there is no", self.run_until_told_to_stop())
        file.mkdir()
        self.assertIn("is used", self.run_until_told_to_stop())

    def test_a_file_of_another_cluster_keeps_it_from_starting(self):
        (self.folder / "cluster.toml").write_text(self.ALONE)
        self.run_until_told_to_stop()
        (self.folder / "cluster.toml").write_text(self.ALONE.replace('"alone"', '"other"'))
        code, text = self.daemon(node="one")
        self.assertEqual(code, 78, text)
        self.assertIn("belongs to cluster 'alone', not to 'other'", text)

    def test_what_may_pass_ends_with_1_and_is_started_again(self):
        (self.folder / "folder").mkdir()
        for options in [{"socket": self.folder / "none" / "api.sock"}, {"config": self.folder / "folder"}]:
            with self.subTest(options):
                code, text = self.daemon(**options)
                self.assertEqual(code, 1, text)
                self.assertIn("cannot", text)
                self.assertIn("systemd starts it again", text)


class ClusterTest(unittest.TestCase):
    """A cluster for each test, and a witness that sees no double activation in any."""
    nodes = 3

    def template(self):
        return None

    def setUp(self):
        self.lab = self.enterContext(Lab(self.nodes))
        self.cluster = Cluster(self.lab)
        self.cluster.set_up(template=self.template())
        self.cluster.wait_healthy()
        self.witness = self.enterContext(Witness(self.lab))
        self.active = self.lab.server(wait_for(self.witness.answering, 30, "the service answers"))
        self.mark = self.witness.mark()

    def tearDown(self):
        self.assertEqual(self.witness.since(self.mark)["violations"], [], "the group was active twice")
        compared, differences = replay_all(self.cluster)
        self.assertEqual(differences, [], "the records decide otherwise than the daemons did")
        self.assertGreater(compared, 0, "the records say what states their decisions led to")

    def answered_by_another(self, deadline=60):
        return wait_for(lambda: self.witness.answering() not in (None, self.active.name) and self.witness.answering(),
                        deadline, "another server answers")


class ThreeNodes(ClusterTest):
    def test_a_lost_one_is_replaced_and_joins_again_with_the_state_of_the_others(self):
        joiner = self.active
        joiner.power_off()
        successor = self.answered_by_another()
        # It cannot know of these.
        self.cluster.apply(provision.cluster_toml(self.lab.layout, http_interval="3s"))
        self.cluster.komainu(self.lab.server(successor), "monitor", "suspend", "gateway")
        expected = self.cluster.status(self.lab.server(successor))["config_version"]
        joiner.power_on()
        self.cluster.wait_healthy()
        self.assertEqual(self.cluster.online_at(), successor, "it does not move back")
        views = {self.cluster.status(server)["view"] for server in self.lab.servers}
        self.assertEqual(len(views), 1, "all are in one view")
        status = self.cluster.status(joiner)
        self.assertEqual(status["config_version"], expected)
        self.assertEqual([monitor["name"] for monitor in status["monitors"] if monitor["suspended"]], ["gateway"])
        wait_for(lambda: '"3s"' in joiner.read("/etc/komainu/cluster.toml"), 10, "its file follows")

    def test_one_that_is_cut_off_yields_is_fenced_and_comes_back(self):
        self.lab.isolate(self.active, "interconnect")
        self.lab.isolate(self.active, "public")
        self.answered_by_another()
        wait_for(lambda: not self.active.powered(), 30, "the server that was cut off is fenced")
        self.lab.mend()
        self.active.power_on()
        self.cluster.wait_healthy()

    def test_a_cold_start_with_one_missing_fences_it_first(self):
        for server in self.lab.servers:
            server.power_off()
        self.mark = self.witness.mark()
        missing, *others = self.lab.servers
        for server in others:
            server.power_on()
        wait_for(self.witness.answering, 90, "the two others start the group")
        events = self.cluster.events_since(0)
        fenced = [event.text for event in events if event.kind == "fence" and missing.name in event.text]
        self.assertTrue(fenced, "it was settled before anything was started")
        missing.power_on()
        self.cluster.wait_healthy()


class WithoutAFencer(ClusterTest):
    """Three nodes and leases: who is cut off stops by itself, and the others wait until it must have."""

    def template(self):
        text = (pathlib.Path(provision.__file__).parent.parent / "files" / "cluster.toml").read_text()
        without = text.replace(text[text.index("[[fencing]]"):text.index("[[group]]")], "")
        brief = without.replace('unit = "nginx.service"', 'unit = "nginx.service"\n  stop_timeout = "5s"', 1)
        brief = brief.replace('type    = "floating-ip"', 'type    = "floating-ip"\n  stop_timeout = "2s"')
        brief = brief.replace('profile = "lan"', 'profile = "lan"\nwatchdog = "lab:/run/lab/watchdog"')
        # Long: what is asked here is what stops without it.
        return brief + '\n[timing]\nlease = "5s"\nwatchdog = "30s"\ndrain = "1s"\n'

    def test_a_partition_heals_into_one_cluster_with_the_group_running_once(self):
        self.lab.isolate(self.active, "interconnect")
        self.lab.isolate(self.active, "public")
        wait_for(lambda: not self.active.pids("nginx"), 60, "the server that was cut off has stopped the group")
        successor = self.answered_by_another(90)
        self.lab.mend()
        self.cluster.wait_healthy()
        self.assertEqual(self.cluster.online_at(), successor)
        self.assertTrue(self.active.powered(), "nobody was switched off")


    def loses_its_daemon(self):
        """And cannot get it back: its group has to stop all the same."""
        self.active.signal_main("komainud", signal.SIGKILL)
        wait_for(lambda: not self.active.pids("nginx"), 60, "the group is stopped without a daemon")
        wait_for(lambda: "komainud --yield" in self.active.journal("komainud", lines=2000), 10, "the journal says who did it")
        another = self.lab.others(self.active)[0]
        self.active.run(["rm", "-rf", "/run/komainu/api.sock"])
        self.active.write("/etc/komainu/cluster.toml", another.read("/etc/komainu/cluster.toml"))
        self.active.systemctl("start", "komainud")
        self.cluster.wait_healthy()

    def test_a_daemon_that_only_a_person_can_mend_leaves_nothing_running(self):
        text = self.active.read("/etc/komainu/cluster.toml")
        another = re.sub(r'(\[cluster\]\s+name\s*=\s*)"[^"]+"', r'\1"another"', text)
        self.assertNotEqual(another, text)
        self.active.write("/etc/komainu/cluster.toml", another)
        self.loses_its_daemon()

    def test_a_daemon_that_fails_again_and_again_leaves_nothing_running_beyond_grace(self):
        self.active.run(["rm", "/run/komainu/api.sock"])
        self.active.run(["mkdir", "/run/komainu/api.sock"])
        self.loses_its_daemon()


class TwoNodes(ClusterTest):
    nodes = 2

    def test_both_off_and_on_again_start_the_group(self):
        for server in self.lab.servers:
            server.power_off()
        self.mark = self.witness.mark()
        for server in self.lab.servers:
            server.power_on()
        wait_for(self.witness.answering, 60, "the service answers")
        self.cluster.wait_healthy()

    def test_corosync_crashes_and_nothing_moves_but_who_restarts_it_moves_the_group_first(self):
        def processes():
            return self.active.main_pid("komainud"), self.active.pids("nginx")

        before, corosync = processes(), self.active.main_pid("corosync")
        self.active.signal_main("corosync", signal.SIGKILL)
        wait_for(lambda: self.active.main_pid("corosync") not in (0, corosync), 10, "systemd starts Corosync again")
        self.cluster.wait_healthy()
        self.assertEqual(processes(), before, "what depends on it has lived on")

        self.active.systemctl("restart", "corosync", timeout=60)
        self.assertEqual(self.answered_by_another(10), self.lab.others(self.active)[0].name)
        self.cluster.wait_healthy()
        self.assertNotEqual(self.active.main_pid("komainud"), before[0])
        fences = [event.text for event in self.cluster.events_since(0) if event.kind == "fence"]
        self.assertEqual(fences, [])

    def test_a_fencer_that_does_not_answer_is_told_before_it_is_needed(self):
        right = provision.cluster_toml(self.lab.layout)
        wrong = re.sub(r'"ipport=\d+"', '"ipport=9"', right)
        self.assertNotEqual(wrong, right)
        self.cluster.apply(wrong)
        for server in self.lab.servers:
            other = self.lab.others(server)[0]
            wait_for(lambda: f"fencing from {server}: {other} cannot be fenced from here"
                     in self.cluster.komainu(server, "status").stdout, 60, f"{server} tells that it could not fence")
            asked = self.cluster.komainu(server, "fence", "test", check=False)
            self.assertEqual(asked.returncode, 1, asked.stdout)
            self.assertIn(f"{other} cannot be fenced from {server}", asked.stdout)
        self.cluster.apply(right)
        self.cluster.wait_healthy()
        for server in self.lab.servers:
            self.assertIn(f"each can be fenced from {server}", self.cluster.komainu(server, "fence", "test").stdout)

    def test_an_operator_switches_the_active_node_off_and_then_the_standby(self):
        victim, other = self.active, self.lab.others(self.active)[0]
        for standing in ("active", "standby"):
            with self.subTest(standing):
                said = self.cluster.komainu(other, "fence", "off", victim.name, "--yes", timeout=60)
                self.assertIn(f"{victim} is off, confirmed", said.stdout)
                self.assertFalse(victim.powered())
                wait_for(lambda: self.witness.answering() == other.name, 60, f"{other} answers")
                self.assertIn(f"root: fence {victim} off", self.cluster.komainu(other, "events").stdout)
                victim.power_on()
                self.cluster.wait_healthy()

    def test_while_it_is_disarmed_what_is_below_can_be_worked_on_and_nothing_is_done(self):
        other = self.lab.others(self.active)[0]
        daemon, application = self.active.main_pid("komainud"), self.active.pids("nginx")
        self.cluster.komainu(self.active, "cluster", "disarm", "--for", "10min", "--why", "a new switch")

        self.active.systemctl("restart", "corosync", timeout=60)
        self.assertNotEqual(self.active.main_pid("komainud"), daemon, "it starts anew with Corosync")
        self.wait_for_members(other, 2)
        self.active.signal_main("corosync", signal.SIGSTOP)
        self.wait_for_members(other, 1)
        grace = 4.0  # of the profile `lan`; without the operator's word the group would stop by then
        began = time.monotonic()
        wait_for(lambda: time.monotonic() - began > 2 * grace, 3 * grace, "more than grace is over")
        self.assertEqual(self.active.pids("nginx"), application)
        self.assertIn("disarmed by root", self.cluster.komainu(other, "status").stdout)
        self.active.signal_main("corosync", signal.SIGCONT)
        self.wait_for_members(other, 2)
        self.assertEqual(self.active.pids("nginx"), application)
        self.assertEqual([event.text for event in self.cluster.events_since(0) if event.kind == "fence"], [])

        self.cluster.komainu(other, "cluster", "arm")
        self.cluster.wait_healthy()
        self.active.signal("nginx")
        wait_for(lambda: self.active.pids("nginx") not in ([], application), 20, "komainu acts again")

    def wait_for_members(self, seen_by, number):
        def members():
            return sum(node["standing"] == "member" for node in self.cluster.status(seen_by)["nodes"])
        wait_for(lambda: members() == number, 60, f"{seen_by} sees {number} members")

    def test_one_of_two_starts_only_what_an_operator_vouches_for(self):
        missing, server = self.lab.servers
        for one in self.lab.servers:
            one.power_off()
        self.lab.power_fault(missing, "refuses")
        self.mark = self.witness.mark()
        server.power_on()

        def waits_for_the_other():
            status = self.cluster.status(server)
            return status["phase"] != "established" and not status["quorate"]

        wait_for(waits_for_the_other, 30, "it waits to see the other one")
        self.cluster.komainu(server, "cluster", "start-alone", "--yes")
        wait_for(lambda: self.cluster.status(server)["phase"] == "established", 30, "it acts alone")
        wait_for(lambda: any(event.kind == "fence" and event.severity != "info" and "not" in event.text
                             for event in self.cluster.events_since(0)), 60, "the other one cannot be fenced")
        self.assertIsNone(self.witness.answering())
        self.assertEqual(self.witness.holders(), [])
        self.cluster.komainu(server, "fence", "confirm", missing.name, "--yes")
        self.assertEqual(wait_for(self.witness.answering, 30, "the service answers"), server.name)

        self.lab.power_fault(missing, "none")
        missing.power_on()
        self.cluster.wait_healthy()
        self.assertEqual(self.cluster.online_at(), server.name)


class Stranger(ClusterTest):
    """A program that says what no daemon says, beside a node's daemon and then as that node's member."""

    def daemons(self):
        return {server.name: server.systemctl("show", "-p", "MainPID", "-p", "NRestarts", "komainud")
                for server in self.others}

    def counted(self, server):
        health = server.output("curl", "--silent", "--unix-socket", "/run/komainu/api.sock", "http://node/v1/health")
        counters = json.loads(health)["counters"]
        return counters["messages_malformed"], counters["stream_misbehaved"]

    def rogue_speaks(self):
        before = {server.name: self.counted(server) for server in self.others}
        said = json.loads(self.host.output("komainu-rogue", "demo", timeout=120))

        def grown(server):
            return [now - then for now, then in zip(self.counted(server), before[server.name])]

        return said, grown

    def test_what_it_says_changes_nothing(self):
        self.host = self.lab.others(self.active)[-1]
        self.others = self.lab.others(self.host)
        self.host.copy_in(program("komainu-rogue"), "/usr/local/bin/komainu-rogue")
        daemons = self.daemons()

        said, grown = self.rogue_speaks()
        for server in self.others:
            wait_for(lambda server=server: grown(server)[1] >= said["sent"], 30, "all of it was refused unread")

        self.host.systemctl("stop", "komainud")
        said, grown = self.rogue_speaks()
        for server in self.others:
            wait_for(lambda server=server: grown(server)[1] >= said["cut_wrong"], 30, "the channel refused what is no message")
            wait_for(lambda server=server: grown(server)[0] >= said["unreadable"], 30, "the daemon refused the messages")
            self.assertLess(grown(server)[1], said["sent"], "whole ones came through the channel")

        self.host.systemctl("start", "komainud")
        self.cluster.wait_healthy()
        self.assertEqual(self.daemons(), daemons, "no daemon was restarted")
        self.assertEqual(self.witness.since(self.mark)["outages"], [])
        self.assertEqual(self.cluster.online_at(), self.active.name)


class DeadDisk(unittest.TestCase):
    """A program on a file system that never answers holds up neither the API nor another group."""

    CONFIG = """[cluster]
name = "alone"
[[node]]
name = "guest1"
[[group]]
name = "other"
autostart = false
  [[group.resource]]
  name = "app"
  type = "command"
  start = ["/usr/bin/touch", "/run/lab/other"]
  stop  = ["/bin/rm", "-f", "/run/lab/other"]
  probe = ["/bin/sh", "-c", "test -e /run/lab/other || exit 3"]
[[monitor]]
name = "dead"
type = "command"
command = ["@DEAD@"]
interval = "1s"
timeout = "1s"
affects = []
"""

    def test_status_answers_and_another_group_starts(self):
        with Lab(1) as lab:
            server = lab.server(0)
            provision.everything(server)
            server.copy_in(program("komainu-dead-filesystem"), "/usr/local/bin/komainu-dead-filesystem")
            if not server.path("/dev/fuse").exists():
                server.run(["mknod", "/dev/fuse", "c", "10", "229"])
            server.run(["mkdir", "-p", "/run/lab"])
            disk = server.start(["komainu-dead-filesystem", "/run/lab/dead"])
            self.addCleanup(disk.abandon)
            dead = wait_for(lambda: server.read("/run/lab/dead").strip(), 20, "the dead file system is mounted")
            server.write("/etc/komainu/cluster.toml", self.CONFIG.replace("@DEAD@", dead))
            server.systemctl("start", "komainud")

            def health(counter):
                text = server.output("curl", "--silent", "--unix-socket", "/run/komainu/api.sock", "http://node/v1/health")
                return json.loads(text)["counters"][counter]

            wait_for(lambda: health("agents_stuck") > 0, 60, "the monitor's program survives SIGKILL")
            begin = time.monotonic()
            status = json.loads(server.output("komainu", "--json", "status"))
            answered = time.monotonic()
            self.assertEqual(status["phase"], "established")
            server.output("komainu", "group", "start", "other")
            wait_for(lambda: server.path("/run/lab/other").exists(), 30, "the other group starts", interval=0.005)
            started = time.monotonic()
            print(f"\nbeside a dead disk: status after {1000 * (answered - begin):.0f} ms, another group started "
                  f"{1000 * (started - answered):.0f} ms after that, the loop late by at most "
                  f"{health('loop_delay_recent_max_us') / 1000:.1f} ms", flush=True)
            disk.abandon()
            wait_for(lambda: health("agents_stuck") == 0, 30, "the program ends with its disk")
            server.systemctl("stop", "komainud")


if __name__ == "__main__":
    unittest.main()
