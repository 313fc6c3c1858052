"""What is done to each stack, as a table. The expectation is the same for all: the client is answered again."""

import dataclasses
import signal
from typing import Callable

from komainu_lab import cgroup

from . import processes


@dataclasses.dataclass
class Scene:
    stack: object
    active: object  # the server that answered when the fault came; None at a cold start

    @property
    def standby(self):
        return self.stack.lab.others(self.active)[0]


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    inject: Callable
    prepare: Callable = lambda stack: None
    moves: bool = False  # the other server must answer
    from_stopped: bool = False  # it begins with the stack's daemons down: in a new lab
    kills_server: bool = False
    fenced: bool = False  # nothing may start before the stack's fencer has confirmed
    polled: bool = False  # how soon it is noticed depends on when the stack last looked
    deadline: float = 60.0

    def applies_to(self, stack):
        return stack.has_fencer or not self.fenced


def _power_off(scene):
    scene.active.power_off()


def _kill_nginx(scene):
    """The master and its workers in one go: a lone master's workers would go on serving, unseen by the client."""
    cgroup.signal_all(processes.nginx_of(scene.active, scene.stack), signal.SIGKILL)


SCENARIOS = {scenario.name: scenario for scenario in (
    Scenario("cold-start", "cold start: from both servers' daemons down to the client answered", lambda scene: scene.stack.start(),
             from_stopped=True, deadline=120),
    Scenario("process-death", "process death: kill -9 of nginx", _kill_nginx, polled=True),
    Scenario("move", "move by hand", lambda scene: scene.stack.move(scene.standby), moves=True),
    Scenario("power-off", "node power-off, confirmed by a fencer", _power_off, moves=True, kills_server=True, fenced=True),
    Scenario("power-off-unsafe", "node power-off, UNSAFE: nobody confirms that the node is off", _power_off,
             prepare=lambda stack: stack.without_fencer(), moves=True, kills_server=True),
)}
