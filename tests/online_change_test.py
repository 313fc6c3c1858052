"""The cluster itself is changed while the business runs: times, links, nodes, the key. Corosync follows by itself."""

import re
import unittest

from komainu_lab import provision
from komainu_lab.cluster import Cluster
from komainu_lab.lab import Lab, program
from komainu_lab.verdict import twice
from komainu_lab.waiting import wait_for
from komainu_lab.witness import Witness


class OnlineChange(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab(3))
        self.cluster = Cluster(self.lab)
        self.newcomer = self.lab.servers.pop()
        self.cluster.install()
        provision.everything(self.newcomer)
        self.cluster.make(self.toml(two=True))
        self.cluster.start()
        self.cluster.wait_healthy()
        self.witness = self.enterContext(Witness(self.lab))
        wait_for(self.witness.answering, 30, "the service answers")
        self.mark = self.witness.mark()

    def tearDown(self):
        self.assertEqual(twice(self.witness.since(self.mark)), [])

    def toml(self, *, two, links=2, more=""):
        text = provision.cluster_toml(self.lab.layout)
        if links == 1:
            text = re.sub(r'(links = \["[^"]*"), "[^"]*"\]', r"\1]", text)
        if two:
            name = self.newcomer.name
            text = re.sub(rf'\[\[node\]\]\nname  = "{name}"\nlinks = .*\n', "", text).replace(f', "{name}"', "")
        return text + more

    def with_key(self, key):
        return self.toml(two=True).replace("[cluster]\n", f'[cluster]\nkey = "{key}"\n', 1)

    def refuses(self, server, toml):
        """What it says."""
        server.write("/etc/komainu/refused.toml", toml, mode=0o640)
        refused = self.cluster.komainu(server, "config", "apply", "/etc/komainu/refused.toml", check=False)
        self.assertNotEqual(refused.returncode, 0)
        return refused.stderr

    def apply(self, toml):
        """Until Corosync runs by it on all nodes that are on."""
        before = self.cluster.status(self.cluster.answering_server())["config_version"]
        self.cluster.apply(toml)
        words = f"Corosync runs by configuration {before + 1} on all nodes"
        for server in filter(lambda one: one.powered(), self.lab.servers):
            wait_for(lambda: any(words in event.text for event in self.cluster.events_since(0, [server])), 30,
                     f"{server} sees that Corosync has followed")

    def corosync(self, server, key):
        return server.output("corosync-cmapctl", "-g", key).split("=")[-1].strip()

    def votes(self, server, kind):
        quorum = server.run(["corosync-quorumtool", "-s"], check=False).stdout  # fails without quorum
        return re.search(rf"^{kind} votes:\s+(\d+)", quorum, re.MULTILINE).group(1)

    def is_in_ring(self, server):
        status = self.cluster.status(self.cluster.answering_server())
        return next(node["corosync"] for node in status["nodes"] if node["name"] == server.name)

    def alarms(self):
        return [event.text for server in self.lab.servers for event in self.cluster.events_since(self.mark, [server])
                if event.severity == "alarm"]

    def undisturbed(self, since):
        seen = self.witness.since(since)
        self.assertEqual((seen["outages"], seen["activity"]), ([], []), "nothing moved and every request was answered")

    def test_times_links_and_nodes_change_while_the_service_answers(self):
        self.apply(self.toml(two=True, more='\n[timing]\ntoken = "950ms"\n'))
        for server in self.lab.servers:
            self.assertEqual(self.corosync(server, "runtime.config.totem.token"), "950")
        self.apply(self.toml(two=True, links=1))
        for server in self.lab.servers:
            self.assertNotIn("ring1_addr", server.output("corosync-cmapctl"))
        self.apply(self.toml(two=True))
        self.undisturbed(self.mark)
        self.assertEqual(self.alarms(), [])

        # One more: it is known before it is there, and is waited for by nobody.
        self.apply(self.toml(two=False))
        first = self.lab.server(0)
        self.assertTrue(self.newcomer.powered(), "a node that has not joined yet is not fenced")
        self.cluster.komainu(first, "cluster", "init")
        self.newcomer.write("/root/join.bundle", first.path("/etc/komainu/join.bundle").read_bytes(), mode=0o600)
        self.cluster.komainu(self.newcomer, "cluster", "join", "/root/join.bundle")
        self.newcomer.systemctl("enable", *self.cluster.units)
        self.newcomer.systemctl("start", "--no-block", *self.cluster.units)
        self.lab.servers.append(self.newcomer)
        self.cluster.wait_healthy()
        self.undisturbed(self.mark)
        for server in self.lab.servers:
            self.assertEqual(self.votes(server, "Expected"), "3")
        self.cluster.move(self.newcomer)
        wait_for(lambda: self.witness.answering() == self.newcomer.name, 30, "it takes the group")

        # It is removed again: not while its Corosync is in the ring, and the group moves away first.
        self.newcomer.systemctl("stop", "komainud", timeout=60)
        wait_for(lambda: self.witness.answering() not in (None, self.newcomer.name), 30, "the group has moved away")
        self.lab.servers.remove(self.newcomer)
        self.assertIn(f"stop Corosync on {self.newcomer.name}", self.refuses(first, self.toml(two=True)))
        self.newcomer.systemctl("stop", "corosync")
        wait_for(lambda: not self.is_in_ring(self.newcomer), 30, "its Corosync has left the ring")
        mark = self.witness.mark()
        self.apply(self.toml(two=True))
        for server in self.lab.servers:
            self.assertEqual(self.votes(server, "Expected"), "2")
        self.cluster.wait_healthy()
        self.undisturbed(mark)

        # What is left of it does nothing.
        self.newcomer.systemctl("start", "--no-block", *self.cluster.units)
        wait_for(lambda: self.newcomer.active("komainud") == "active", 30, "its daemon runs")
        self.cluster.wait_healthy()
        self.undisturbed(mark)

    def test_komainu_is_upgraded_node_by_node_while_the_service_answers(self):
        def said(words):
            return any(words in event.text for server in self.lab.servers
                       for event in self.cluster.events_since(self.mark, [server]))

        first, second = self.lab.servers
        for server, then in ((first, f"all decide as version 1 does, like {second.name}: komainu is older there than on {first.name}"),
                             (second, "all members decide as version 2 from now on")):
            server.copy_in(program("komainud-next"), "/usr/sbin/komainud.new")
            server.run(["mv", "/usr/sbin/komainud.new", "/usr/sbin/komainud"])
            server.systemctl("kill", "--kill-whom=main", "--signal=KILL", "komainud")
            wait_for(lambda: said(then), 30, f"somebody says '{then}'")
            self.cluster.wait_healthy()
        self.undisturbed(self.mark)

    def new_key(self, server):
        said = self.cluster.komainu(server, "cluster", "new-key").stdout
        return re.search(r'key = "([0-9a-f]{16})"', said).group(1)

    def test_the_key_changes_while_the_service_answers(self):
        active = self.lab.server(self.witness.answering())
        other, = self.lab.others(active)
        key = self.new_key(active)

        # As long as a node does not have it, nothing changes.
        self.assertIn(f"{other.name} cannot hold the configuration: there is no /etc/corosync/authkey.{key}",
                      self.refuses(active, self.with_key(key)))
        for server in self.lab.servers:
            self.assertEqual(self.corosync(server, "totem.keyfile"), "/etc/corosync/authkey")

        other.write("/root/key.bundle", active.path("/etc/komainu/key.bundle").read_bytes(), mode=0o600)
        self.cluster.komainu(other, "cluster", "take-key", "/root/key.bundle")
        self.apply(self.with_key(key))
        for server in self.lab.servers:
            self.assertEqual(self.corosync(server, "totem.keyfile"), f"/etc/corosync/authkey.{key}")
        self.undisturbed(self.mark)
        self.assertEqual(self.alarms(), [])

        # Who starts with the new key alone hears the one that took it up while it ran.
        for server in self.lab.servers:
            server.run(["rm", "/etc/corosync/authkey"])
        other.systemctl("restart", "corosync", timeout=60)
        self.cluster.wait_healthy()
        self.undisturbed(self.mark)

    def test_who_was_off_follows_when_it_is_back(self):
        active = self.lab.server(self.witness.answering())
        other, = self.lab.others(active)
        other.power_off()

        def standing():
            return next(node["standing"] for node in self.cluster.status(active)["nodes"] if node["name"] == other.name)
        wait_for(lambda: standing() == "settled", 60, "it is known to be off")
        self.apply(self.toml(two=True, more='\n[timing]\ntoken = "950ms"\n'))

        # It may count other votes when it is back, or miss that they are counted otherwise.
        self.assertIn("only while all others are members", self.refuses(active, self.toml(two=False)))

        # It would not hear the others when it is back.
        key = self.new_key(active)
        self.assertIn("the key changes only while all others are members", self.refuses(active, self.with_key(key)))

        other.power_on()
        self.cluster.wait_healthy()
        for server in self.lab.servers:
            wait_for(lambda: self.corosync(server, "runtime.config.totem.token") == "950", 30, f"{server} follows")
        self.undisturbed(self.mark)


if __name__ == "__main__":
    unittest.main()
