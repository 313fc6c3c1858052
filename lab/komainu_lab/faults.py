"""The demo's faults as a table: how each is made, what the client must see then, and how it is repaired.

The expectations are the witness's: *undisturbed* (no failed request, and nothing moved), *restored* (the service
answers again, wherever), *moved* (another server answers). What is expected of komainu beyond that, such as a fence,
is in `also`.
"""

import dataclasses
import signal
from typing import Callable

from . import provision
from .waiting import wait_for

UNDISTURBED, RESTORED, MOVED = "undisturbed", "restored", "moved"

# So long the client watches when nothing may happen: longer than every timeout of profile lan.
_WATCH_REQUESTS = 600


@dataclasses.dataclass
class Scene:
    """What a fault works on: the lab, its cluster, and who was active when the fault came."""
    lab: object
    cluster: object
    witness: object
    active: object
    mark: int = 0
    memory: dict = dataclasses.field(default_factory=dict)

    @property
    def standby(self):
        return self.lab.others(self.active)[0]

    def seen(self):
        return self.witness.since(self.mark)


def _never(_scene):
    return True


def _nothing(_scene):
    pass


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    title: str
    inject: Callable
    expect: str
    repair: Callable = _nothing
    also: Callable = _never
    deadline: float = 30.0
    watch_requests: int = _WATCH_REQUESTS


# What is done to the active server.

def _signal_nginx(number):
    def inject(scene):
        scene.memory["nginx"] = scene.active.signal("nginx", number)
    return inject


def _other_nginx(scene):
    """The processes that answer now are none of those that the fault hit: it did something, whatever the client saw."""
    answering = scene.witness.answering()
    pids = scene.lab.server(answering).pids("nginx") if answering else []
    return bool(pids) and not set(pids) & set(scene.memory["nginx"])


def _continue_nginx(scene):
    if scene.active.powered() and scene.active.pids("nginx"):
        scene.active.signal("nginx", signal.SIGCONT)


def _break_nginx(scene):
    scene.active.write("/run/lab/broken", "")


def _heal_nginx(scene):
    scene.active.path("/run/lab/broken").unlink(missing_ok=True)


def _cut(*networks):
    def inject(scene):
        for network in networks:
            scene.lab.cut(scene.active, network)
    return inject


def _plug_in_and_power_on(scene):
    scene.lab.mend()
    for server in scene.lab.servers:
        server.power_on()


def _signal_daemon(unit, number):
    def inject(scene):
        scene.memory["nginx"] = scene.active.pids("nginx")
        scene.memory["daemon"] = scene.active.main_pid(unit)
        scene.active.signal_main(unit, number)
    return inject


def _continue_daemon(unit):
    def repair(scene):
        if scene.active.powered() and scene.active.pids(unit):
            scene.active.signal_main(unit, signal.SIGCONT)
        _plug_in_and_power_on(scene)
    return repair


def _same_nginx_new_daemon(scene):
    daemon = scene.active.main_pid("komainud")
    return scene.active.pids("nginx") == scene.memory["nginx"] and daemon not in (0, scene.memory["daemon"])


def _kill_komainud_during_start(scene):
    """The group is moved by hand, its start on the other server is held up, and the daemon that starts it is killed."""
    target = scene.standby
    target.write("/run/lab/slow-start", "")
    mover = scene.cluster.start_move(target)
    try:
        wait_for(lambda: target.active("nginx") == "activating", 20, f"nginx is starting on {target}")
        scene.memory["target"], scene.memory["daemon"] = target, target.main_pid("komainud")
        target.signal_main("komainud", signal.SIGKILL)
    finally:
        target.path("/run/lab/slow-start").unlink(missing_ok=True)
        mover.abandon()


def _new_daemon_that_starts(scene):
    return scene.memory["target"].main_pid("komainud") not in (0, scene.memory["daemon"])


def _clock_ahead(scene):
    scene.active.shift_clock(3600)


def _clock_right(scene):
    scene.active.shift_clock(0)


def _change_configuration(scene):
    scene.memory["versions"] = scene.cluster.config_versions()
    scene.cluster.apply(provision.cluster_toml(scene.lab.layout, http_interval="2s"))


def _restore_configuration(scene):
    scene.cluster.apply(provision.cluster_toml(scene.lab.layout))


def _new_configuration_everywhere(scene):
    versions = scene.cluster.config_versions()
    return len(set(versions)) == 1 and versions[0] > scene.memory["versions"][0]


def _said(severity, words):
    """An alarm or a warning with these words is on the standby's status."""
    def check(scene):
        alarms = scene.cluster.status(scene.standby)["alarms"]
        return any(alarm["severity"] == severity and words in alarm["text"] for alarm in alarms)
    return check


def _silence_gateway(scene):
    for server in scene.lab.servers:
        server.path("/run/lab/alerts").unlink(missing_ok=True)
    scene.lab.gateway_down()


def _alerted(words):
    """The alert command of the configuration was run with these words, on every server."""
    def check(scene):
        files = [server.path("/run/lab/alerts") for server in scene.lab.servers]
        return all(file.exists() and words in file.read_text() for file in files)
    return check


def _all(*checks):
    return lambda scene: all(check(scene) for check in checks)


def _fenced(scene):
    return not scene.active.powered()


FAULTS = (
    Fault("nginx-killed", "nginx killed", _signal_nginx(signal.SIGKILL), RESTORED, also=_other_nginx),
    Fault("nginx-hangs", "nginx stopped (it hangs)", _signal_nginx(signal.SIGSTOP), RESTORED, repair=_continue_nginx,
          also=_other_nginx),
    Fault("nginx-500", "nginx answers 500", _break_nginx, MOVED, repair=_heal_nginx),
    Fault("public-nic", "public NIC of the active node down", _cut("public"), MOVED, repair=_plug_in_and_power_on),
    Fault("interconnect", "interconnect cut only", _cut("interconnect"), UNDISTURBED, repair=_plug_in_and_power_on,
          also=_said("warning", "link")),
    Fault("both-networks", "both networks of the active node cut", _cut("interconnect", "public"), MOVED,
          repair=_plug_in_and_power_on, also=_fenced),
    Fault("komainud-killed", "komainud killed", _signal_daemon("komainud", signal.SIGKILL), UNDISTURBED,
          also=_same_nginx_new_daemon),
    Fault("komainud-killed-starting", "komainud killed during a start", _kill_komainud_during_start, RESTORED,
          also=_new_daemon_that_starts),
    # systemd's watchdog kills it; its successor adopts the application.
    Fault("komainud-stopped", "komainud stopped (it hangs)", _signal_daemon("komainud", signal.SIGSTOP), UNDISTURBED,
          repair=_continue_daemon("komainud"), also=_same_nginx_new_daemon, deadline=60),
    # systemd starts it again before its token is missed.
    Fault("corosync-killed", "corosync killed", _signal_daemon("corosync", signal.SIGKILL), UNDISTURBED,
          repair=_plug_in_and_power_on, deadline=60),
    Fault("corosync-stopped", "corosync stopped (it hangs)", _signal_daemon("corosync", signal.SIGSTOP), MOVED,
          repair=_continue_daemon("corosync"), deadline=60),
    Fault("clock", "clock of the active node one hour ahead", _clock_ahead, UNDISTURBED, repair=_clock_right),
    Fault("gateway", "gateway dead for both", _silence_gateway, UNDISTURBED,
          repair=lambda scene: scene.lab.gateway_up(), also=_all(_said("alarm", "fails on every node"), _alerted("gateway fails on every node"))),
    Fault("move", "group moved by hand", lambda scene: scene.cluster.move(scene.standby), MOVED),
    Fault("drain", "node drained and resumed", lambda scene: scene.cluster.drain(scene.active), MOVED,
          repair=lambda scene: scene.cluster.resume(scene.active)),
    Fault("config", "configuration changed and applied online", _change_configuration, UNDISTURBED,
          repair=_restore_configuration, also=_new_configuration_everywhere),
    Fault("power", "node powered off and on again", lambda scene: scene.active.power_off(), MOVED,
          repair=_plug_in_and_power_on),
)


def find(name):
    for fault in FAULTS:
        if fault.name == name:
            return fault
    raise KeyError(f"no fault '{name}'; there are {', '.join(fault.name for fault in FAULTS)}")
