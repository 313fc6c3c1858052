import unittest

from komainu_lab import cgroup

V1 = "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"


class Root(unittest.TestCase):
    def test_is_found_beside_version_one(self):
        unified = "31 25 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
        self.assertEqual(cgroup.find_root(V1 + unified), "/sys/fs/cgroup/unified")

    def test_is_found_where_version_two_is_alone(self):
        self.assertEqual(cgroup.find_root("31 25 0:27 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"), "/sys/fs/cgroup")

    def test_without_version_two_the_error_says_what_to_do(self):
        with self.assertRaisesRegex(RuntimeError, "mount -t cgroup2"):
            cgroup.find_root(V1)


if __name__ == "__main__":
    unittest.main()
