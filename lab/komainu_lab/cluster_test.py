import tomllib
import unittest

from komainu_lab import cluster, provision
from komainu_lab.cluster import Event
from komainu_lab.layout import Layout

LAYOUT = Layout("km1", ("guest1", "guest2", "guest3"), "/sys/fs/cgroup")


class Configuration(unittest.TestCase):
    def test_is_toml_with_a_node_for_each_server(self):
        parsed = tomllib.loads(provision.cluster_toml(LAYOUT))
        self.assertEqual([node["name"] for node in parsed["node"]], ["guest1", "guest2", "guest3"])
        self.assertEqual(parsed["node"][1]["links"], ["10.77.1.12", "10.77.2.12"])
        self.assertNotIn("@", provision.cluster_toml(LAYOUT).replace("@nobody", ""))


class Events(unittest.TestCase):
    EVENTS = [Event(5, "info", "view", "seen"), Event(10, "warning", "monitor", "nginx-lives failed"),
              Event(12, "info", "order", "restart nginx"), Event(13, "info", "order", "restart nginx")]

    def test_the_first_warning_is_the_detection(self):
        self.assertEqual(cluster.first_detection(self.EVENTS), 10)
        self.assertIsNone(cluster.first_detection(self.EVENTS[:1]))

    def test_the_reaction_names_orders_once(self):
        self.assertEqual(cluster.reaction(self.EVENTS), "restart nginx")

    def test_without_an_order_the_first_warning_is_the_reaction(self):
        self.assertEqual(cluster.reaction(self.EVENTS[:2]), "nginx-lives failed")


class Servers(unittest.TestCase):
    def test_names_that_would_not_fit_an_interface_are_refused(self):
        with self.assertRaises(ValueError):
            Layout("km1", ("averylongname",), "/sys/fs/cgroup")

    def test_more_than_five_are_refused(self):
        with self.assertRaises(ValueError):
            Layout("km1", tuple(f"g{n}" for n in range(6)), "/sys/fs/cgroup")


if __name__ == "__main__":
    unittest.main()
