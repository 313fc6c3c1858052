import tomllib
import unittest

from failover_bench import komainu
from komainu_lab import provision
from komainu_lab.layout import Layout

TOML = provision.cluster_toml(Layout("km1", ("guest1", "guest2"), "/sys/fs/cgroup"))


class Configuration(unittest.TestCase):
    def test_differs_from_the_demos_in_the_profile_only(self):
        changed = tomllib.loads(komainu.with_profile(TOML, "fast"))
        self.assertEqual(changed["cluster"].pop("profile"), "fast")
        expected = tomllib.loads(TOML)
        expected["cluster"].pop("profile")
        self.assertEqual(changed, expected)

    def test_without_a_fencer_accepts_the_risk_of_a_split(self):
        changed = tomllib.loads(komainu.without_fencing(TOML))
        expected = tomllib.loads(TOML)
        expected.pop("fencing")
        expected.setdefault("quorum", {})["allow_split_risk"] = True
        self.assertEqual(changed, expected)
