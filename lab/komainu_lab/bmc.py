"""Baseboard management controllers: one for each server, that of OpenIPMI's simulator, on the interconnect and in a
network namespace of its own, so that it answers while its server is dead. Real fence agents talk IPMI over LAN to them.
"""

import os
import signal

from . import cgroup, network, shell
from .lab import SOURCE
from .waiting import wait_for

USER, PASSWORD = "ha", "secret12"
PASSWORD_FILE = "/etc/komainu/bmc.secret"

# cipher: ipmi_sim knows suite 3 only. power_wait: the lab's mains are off when the order is answered.
_OPTIONS = ("lanplus=1", "cipher=3", f"username={USER}", "power_wait=0")

_LAN = """\
name "bmc"
startlan 1
  addr {address} 623
  priv_limit admin
  allowed_auths_callback none md2 md5 straight
  allowed_auths_user none md2 md5 straight
  allowed_auths_operator none md2 md5 straight
  allowed_auths_admin none md2 md5 straight
  guid a123456789abcdefa123456789abcde{number}
endlan
chassis_control "/usr/bin/python3 -I {chassis} {socket} {server} {mode} 0x20"
user 1 true "" "nobody" user 10 none md2 md5 straight
user 2 true "{user}" "{password}" admin 10 none md2 md5 straight
"""
_CONTROLLER = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02
sel_enable 0x20 1000 0x0a
sensor_add 0x20 0 1 35 0x6f event-only
mc_enable 0x20
"""


def fencing(layout):
    """The level of cluster.toml that switches each server off by its BMC; an agent that hangs is given up soon."""
    devices = []
    for server in layout.servers:
        options = ", ".join(f'"{option}"' for option in (f"ip={server.bmc}", *_OPTIONS))
        devices.append(f'  {{ type = "agent", agent = "fence_ipmilan", nodes = ["{server.name}"], options = [{options}], '
                       f'secret = "{PASSWORD_FILE}", timeout = "5s", confirm_within = "1s" }},\n')
    return f"[[fencing]]\ndevice = [\n{''.join(devices)}]\n"


def write_password(server):
    server.write(PASSWORD_FILE, f"password={PASSWORD}\n", mode=0o600)


class Bmc:
    """The BMC of one server, from now on until the lab ends."""

    def __init__(self, lab, server):
        self._layout, self._plan = lab.layout, server.plan
        self._port = f"bmc-{server.name}"
        self._netns = self._layout.bmc_netns(server.name)
        self._cgroup = self._layout.tool_cgroup(self._port)
        self._folder = self._layout.state / self._port
        self._process = None
        (self._folder / "state").mkdir(parents=True)
        network.add_appliance(self._layout, self._netns, self._port, self._plan.bmc)
        self.behave("well")
        self._start(PASSWORD)

    def _start(self, password):
        values = {"address": self._plan.bmc, "number": self._plan.number, "socket": self._layout.control_socket,
                  "server": self._plan.name, "mode": self._folder / "mode", "user": USER, "password": password,
                  "chassis": SOURCE / "lab" / "bmc" / "chassis.py"}
        (self._folder / "lan.conf").write_text(_LAN.format(**values))
        (self._folder / "controller").write_text(_CONTROLLER)
        with open(self._folder / "log", "ab") as log:
            self._process = shell.start_in_cgroup(
                ["nsenter", f"--net=/run/netns/{self._netns}", "ipmi_sim", "-c", self._folder / "lan.conf", "-f",
                 self._folder / "controller", "-s", self._folder / "state", "-n"], self._cgroup, stdout=log, stderr=log)
        ask = ["nsenter", f"--net=/run/netns/{self._netns}", "ipmitool", "-I", "lanplus", "-C", "3", "-N", "1", "-R", "1", "-H",
               self._plan.bmc, "-U", USER, "-P", password, "chassis", "power", "status"]
        wait_for(lambda: "is on" in shell.run(ask).stdout or "is off" in shell.run(ask).stdout, 20,
                 f"the BMC of {self._plan.name} answers (see {self._folder / 'log'})", interval=0.1)

    # Faults; well() ends them all.

    def hang(self):
        self._faulty = True
        for pid in cgroup.processes(self._cgroup):
            os.kill(pid, signal.SIGSTOP)

    def unplug(self):
        self._faulty = True
        network.set_port(self._layout, self._port, False)

    def behave(self, mode):
        """`well`, or what chassis.py knows: `ignores`, `lies`, `slow SECONDS`."""
        self._faulty = mode != "well"
        temporary = self._folder / "mode.new"
        temporary.write_text(mode)
        temporary.rename(self._folder / "mode")

    def change_password(self):
        """As if somebody had, without telling the cluster: from now on it refuses what the cluster asks."""
        self._faulty = True
        self._restart("changed1")

    def well(self):
        if not self._faulty:
            return
        network.set_port(self._layout, self._port, True)
        self.behave("well")
        self._restart(PASSWORD)

    def _restart(self, password):
        self.stop()
        self._start(password)

    def stop(self):
        cgroup.kill(self._cgroup)
        self._process.wait()
