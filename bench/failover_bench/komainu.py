"""komainu with the demo's cluster.toml: only the profile differs, and the fencer in the unsafe scenario."""

import contextlib
import re
import time

from komainu_lab import provision
from komainu_lab.cluster import GROUP, UNITS, Cluster
from komainu_lab.lab import SOURCE, program

from . import corosync
from .stack import Stack, first_reason


def with_profile(toml, profile):
    changed, count = re.subn(r'^profile = ".*"$', f'profile = "{profile}"', toml, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"the lab's cluster.toml sets the profile {count} times, not once")
    return changed


def without_fencing(toml):
    """The operator accepts the risk of a split instead."""
    changed, count = re.subn(r"^\[\[fencing\]\]\n(?:(?!\[).*\n)*", "[quorum]\nallow_split_risk = true\n\n", toml,
                             flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"the lab's cluster.toml has {count} [[fencing]] sections, not one")
    return changed


MONITORS = 50
_KINDS = (
    'type = "systemd-unit"\nunit = "dbus.service"',
    'type = "process"\nunit = "corosync.service"',
    'type = "tcp"\nhost = "@POWER@"\nport = @POWER_PORT@',
    'type = "http"\nurl = "http://@FLOATING@/"',
    'type = "ping"\ntargets = ["@GATEWAY@"]',
    'type = "nic-link"\ninterface = "eth0"',
    'type = "command"\ncommand = ["/bin/true"]',
)


def with_monitors(template, number):
    """As many monitors in all, the new ones of every type in turn, at their default intervals; nothing depends on them."""
    more = number - template.count("[[monitor]]")
    return template + "".join(f'\n[[monitor]]\nname = "more-{index}"\n{_KINDS[index % len(_KINDS)]}\n'
                              for index in range(more))


class Komainu(Stack):
    units = UNITS
    has_fencer = True
    profile = ""

    def __init__(self, lab):
        super().__init__(lab)
        self._cluster = Cluster(lab)

    @staticmethod
    def require():
        for name in ("komainud", "komainu"):
            program(name)

    def set_up(self):
        self.prepare_servers()
        for server in self.lab.servers:
            provision.fence_agent(server)
            provision.komainu(server)
            server.systemctl("daemon-reload")
        self._cluster.make(self._toml())

    def _toml(self, template=None):
        return with_profile(provision.cluster_toml(self.lab.layout, template=template), self.profile)

    @contextlib.contextmanager
    def crowded(self):
        demo = (SOURCE / "lab" / "files" / "cluster.toml").read_text()
        self._cluster.apply(self._toml(with_monitors(demo, MONITORS)))
        yield
        self._cluster.apply(self._toml())

    def why_not_ready(self):
        return first_reason([self._cluster.why_not_healthy])

    def repair(self):
        self._cluster.clear()

    def move(self, target):
        self._cluster.komainu(target, "group", "move", GROUP, target.name, timeout=60)

    def without_fencer(self):
        self._cluster.apply(without_fencing(self._toml()))

    def losses(self, server):
        return corosync.members_left_at(server)

    def ordered_at(self, since_us):
        # Events carry CLOCK_BOOTTIME, which runs ahead of CLOCK_MONOTONIC by the time this machine was suspended.
        ahead_us = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()) // 1000
        events = self._cluster.events_since(since_us + ahead_us)
        return min((event.at_us - ahead_us for event in events if event.kind == "order"), default=None)

    def service_us(self, source, target):
        return (_unit_time(source, "InactiveEnterTimestampMonotonic") - _unit_time(source, "ActiveExitTimestampMonotonic")
                + _unit_time(target, "ActiveEnterTimestampMonotonic") - _unit_time(target, "InactiveExitTimestampMonotonic"))


def _unit_time(server, name):
    return int(server.systemctl("show", "--value", f"--property={name}", "nginx"))


class KomainuFast(Komainu):
    name = "komainu-fast"
    title = "komainu, profile fast (token 300 ms)"
    profile = "fast"


class KomainuLan(Komainu):
    name = "komainu-lan"
    title = "komainu, profile lan (token 1 s)"
    profile = "lan"
    crowded_units = ("komainud",)
