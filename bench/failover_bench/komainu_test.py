import tomllib
import unittest

from failover_bench import komainu
from komainu_lab import provision
from komainu_lab.lab import SOURCE
from komainu_lab.layout import Layout

DEMO = (SOURCE / "lab" / "files" / "cluster.toml").read_text()
TOML = provision.cluster_toml(Layout("km1", ("guest1", "guest2"), "/sys/fs/cgroup"))


class Configuration(unittest.TestCase):
    def test_differs_from_the_demos_in_the_profile_only(self):
        changed = tomllib.loads(komainu.with_profile(TOML, "fast"))
        self.assertEqual(changed["cluster"].pop("profile"), "fast")
        expected = tomllib.loads(TOML)
        expected["cluster"].pop("profile")
        self.assertEqual(changed, expected)

    def test_the_crowd_has_as_many_monitors_of_every_type_as_its_budget_names(self):
        template = provision.cluster_toml(Layout("km1", ("guest1", "guest2"), "/sys/fs/cgroup"),
                                          template=komainu.with_monitors(DEMO, komainu.MONITORS))
        monitors = tomllib.loads(template)["monitor"]
        self.assertEqual(len(monitors), komainu.MONITORS)
        self.assertEqual(len({monitor["name"] for monitor in monitors}), komainu.MONITORS)
        self.assertEqual({monitor["type"] for monitor in monitors},
                         {"systemd-unit", "process", "tcp", "http", "ping", "nic-link", "command"})
        self.assertNotIn("@", template)

    def test_without_a_fencer_accepts_the_risk_of_a_split(self):
        changed = tomllib.loads(komainu.without_fencing(TOML))
        expected = tomllib.loads(TOML)
        expected.pop("fencing")
        expected.setdefault("quorum", {})["allow_split_risk"] = True
        self.assertEqual(changed, expected)
