"""Who is where in one run of the lab: names, addresses, paths. Values only; nothing here touches the machine.

                 client (10.77.2.100), gateway (10.77.2.254)
    public        ────┬─────────────────┬──────────────────┬────      10.77.2.0/24, fd77:2::/64
                      │ eth1            │ eth1             client
                   guest1            guest2   …            power switch 10.77.1.250:7700, BMCs 10.77.1.201 …
                      │ eth0            │ eth0             arbiter 10.77.1.40, if there is one
    interconnect  ────┴─────────────────┴──────────────────┴────      10.77.1.0/24

Every name on this machine begins with the run's own prefix, so that labs run side by side and each removes only
what it made. The addresses may be the same in all of them: each run has its own switches.
"""

import dataclasses
import json
import pathlib

STATE_ROOT = pathlib.Path("/run/komainu-lab")
NETWORKS = ("interconnect", "public")
INTERFACE = {"interconnect": "eth0", "public": "eth1"}
PORT_PREFIX = {"interconnect": "ic", "public": "pub"}
POWER_PORT = 7700
LEDGER_PORT = 7000
MOST_SERVERS = 5
ARBITER = "arbiter"
_ARBITER_NUMBER = 30  # beyond every server's


@dataclasses.dataclass(frozen=True)
class ServerPlan:
    name: str
    number: int

    @property
    def interconnect(self):
        return f"10.77.1.{10 + self.number}"

    @property
    def public(self):
        return f"10.77.2.{10 + self.number}"

    @property
    def public6(self):
        return f"fd77:2::{10 + self.number}"

    @property
    def bmc(self):
        return f"10.77.1.{200 + self.number}"

    def port(self, network):
        """The name of the switch port that this server's cable of `network` is plugged into."""
        return f"{PORT_PREFIX[network]}-{self.name}"

    def relay_port(self, network):
        """What takes the port's place in the switch while the cable is delayed (relay.py)."""
        return f"d-{self.port(network)}"


@dataclasses.dataclass(frozen=True)
class Layout:
    run: str
    server_names: tuple
    cgroup_root: str
    has_arbiter: bool = False

    floating = "10.77.2.50"
    floating6 = "fd77:2::50"
    gateway = "10.77.2.254"
    gateway6 = "fd77:2::fe"
    client = "10.77.2.100"
    client6 = "fd77:2::100"
    power = "10.77.1.250"

    def __post_init__(self):
        if not 1 <= len(self.server_names) <= MOST_SERVERS:
            raise ValueError(f"a lab has 1 to {MOST_SERVERS} servers, not {len(self.server_names)}")
        for name in self.server_names:
            if not name.isalnum() or len(name) > 8:
                raise ValueError(f"server name '{name}': letters and digits, at most 8, so that port names fit")

    @property
    def servers(self):
        return [ServerPlan(name, index + 1) for index, name in enumerate(self.server_names)]

    @property
    def machines(self):
        """Everything with a power plug and two cables: the servers, and the arbiter, which is no member."""
        return self.servers + ([ServerPlan(ARBITER, _ARBITER_NUMBER)] if self.has_arbiter else [])

    def server(self, name):
        return next(machine for machine in self.machines if machine.name == name)

    @property
    def state(self):
        return STATE_ROOT / self.run

    def disk(self, name):
        return self.state / "disks" / name

    @property
    def shared(self):
        """What every server sees as /srv/shared: the disk of a storage network, which loses power with no server."""
        return self.state / "disks" / "shared"

    def console(self, name):
        return self.state / f"{name}.console"

    def init_pid(self, name):
        return self.state / f"{name}.init"

    def watchdog_socket(self, name):
        return self.state / f"{name}.watchdog"

    @property
    def control_socket(self):
        return self.state / "power.sock"

    def netns(self, name):
        return f"{self.run}-{name}"

    def netns_path(self, name):
        return pathlib.Path("/run/netns") / self.netns(name)

    @property
    def all_netns(self):
        return [self.netns(name) for name in (*(machine.name for machine in self.machines), "switch", "client", "power")]

    def bmc_netns(self, name):
        return self.netns(f"bmc-{name}")

    @property
    def possible_netns(self):
        return [*self.all_netns, *map(self.bmc_netns, self.server_names)]

    @property
    def cgroup(self):
        return pathlib.Path(self.cgroup_root) / self.run

    def server_cgroup(self, name):
        return self.cgroup / name

    def tool_cgroup(self, name):
        """Of a process of the lab beside the servers, such as a BMC: it ends with the lab, however that ends."""
        return self.cgroup / f"tool-{name}"

    def save(self):
        text = json.dumps({"run": self.run, "servers": self.server_names, "cgroup_root": self.cgroup_root,
                           "arbiter": self.has_arbiter})
        (self.state / "lab.json").write_text(text + "\n")


def load(run):
    """The layout of an existing run; FileNotFoundError if there is none."""
    saved = json.loads((STATE_ROOT / run / "lab.json").read_text())
    return Layout(saved["run"], tuple(saved["servers"]), saved["cgroup_root"], saved["arbiter"])
