"""One run of one scenario: waits until all is well, makes the fault, reads off the witness and the logs what came of it."""

import dataclasses
import time

from komainu_lab import verdict
from komainu_lab.shell import CommandFailed, CommandHung
from komainu_lab.waiting import NotInTime, wait_for
from komainu_lab.witness import Witness

from . import fences
from .scenarios import Scene

READY_DEADLINE = 150.0
# So long nothing may have failed before a fault is made.
_STEADY_US = 1_000_000
_STEADY_REQUESTS = 90
# A loss of membership so soon after a power-off is not its consequence: no token times out in that time.
_TOO_SOON_US = 200_000
# The power-off is made at different moments of the advertisements' and the token's second.
_PERIOD_S = 1.0


class Void(Exception):
    """The run says nothing about the stack's failover: something else happened at the same time."""


class Unsafe(Exception):
    """The stack started the service without the confirmation that it was to wait for."""


FAILURES = (NotInTime, CommandFailed, CommandHung, Unsafe, OSError, RuntimeError, ValueError, KeyError, StopIteration)


def now_us():
    """The clock of the witness and of the journals."""
    return time.monotonic_ns() // 1000


def wait_ready(stack, also=lambda: True):
    """Until both servers are members, the service runs, nothing is under way and `also` holds. A server that has been
    switched off by then was fenced by its own cluster, and nobody will switch it on."""
    def off():
        return [server.name for server in stack.lab.servers if not server.powered()]

    def ready():
        if off():
            return True
        why_not = stack.why_not_ready()
        if why_not:
            raise RuntimeError(why_not)
        return also()

    wait_for(ready, READY_DEADLINE, f"{stack.name} is ready", interval=0.1)
    if off():
        raise RuntimeError(f"{' and '.join(off())} was fenced, though nothing had been done to it")


def run(scenario, stack, phase):
    """What was measured, in milliseconds. `phase` (0 to 1) is the moment of the stack's period at which the fault comes."""
    moments = Moments(began_us=now_us())
    try:
        return _run(scenario, stack, phase, moments)
    except FAILURES as failure:
        lost = _false_losses(scenario, stack, moments)
        if lost:
            raise Void(f"{lost}; then: {failure}") from None
        raise


@dataclasses.dataclass
class Moments:
    began_us: int
    mark_us: int | None = None  # just before the fault


def _run(scenario, stack, phase, moments):
    if not scenario.from_stopped:
        wait_ready(stack)
        scenario.prepare(stack)
    with Witness(stack.lab, services=()) as witness:
        scene = Scene(stack, None if scenario.from_stopped else _steady(stack, witness))
        if not scenario.from_stopped:
            settled_us = witness.mark()
            time.sleep(phase * (stack.poll_s if scenario.polled else _PERIOD_S))
            _void_if_disturbed(scene, witness, settled_us)
        mark_us = moments.mark_us = witness.mark()
        scenario.inject(scene)
        injected_us = witness.mark()
        wait_for(lambda: _reached(scenario, scene, witness, mark_us), scenario.deadline, "the client is answered again",
                 interval=0.02)
        seen, target = witness.since(mark_us), stack.lab.server(witness.answering())
    lost = _false_losses(scenario, stack, moments)
    if lost:
        raise Void(lost)
    return _figures(scenario, scene, target, seen, mark_us, injected_us)


def _steady(stack, witness):
    """The server that answers, when it has for a while and all is well."""
    def steady():
        seen = witness.since(now_us() - _STEADY_US)
        return not seen["failed"] and seen["requests"] >= _STEADY_REQUESTS

    wait_ready(stack, also=steady)
    return stack.lab.server(witness.answering())


def _false_losses(scenario, stack, moments):
    """Why the run is void: somebody lost the other server though nothing had been done to it; or None."""
    powered = [server for server in stack.lab.servers if server.powered()]
    if not powered:
        return "the servers have fenced each other"
    if moments.mark_us is None or (stack.has_membership and not scenario.kills_server):
        until_us = now_us()
    else:
        until_us = moments.mark_us + (_TOO_SOON_US if stack.has_membership else 0)
    # A stack without a membership elects its first master in the same words.
    since_us = moments.began_us if stack.has_membership else until_us - _STEADY_US
    for server in powered:
        if any(since_us <= at_us <= until_us for at_us in stack.losses(server)):
            return f"false membership loss on {server}"
    return None


def _reached(scenario, scene, witness, mark_us):
    seen, answering = witness.since(mark_us), witness.answering()
    if answering is None or not verdict.settled(seen):
        return False
    if scenario.moves:
        return answering != scene.active.name
    return bool(seen["outages"])


def _answered_us(seen, target):
    """When the client was answered again for good; a move that no request noticed ends with the address's arrival."""
    if seen["outages"]:
        return seen["outages"][-1]["end_us"]
    return next(change["at_us"] for change in reversed(seen["activity"]) if change["servers"] == [target.name])


def _void_if_disturbed(scene, witness, begin_us):
    seen = witness.since(begin_us)
    if seen["failed"] or witness.answering() != scene.active.name:
        raise Void("the service was disturbed before the fault")
    for server in scene.stack.lab.servers:
        if any(at_us >= begin_us for at_us in scene.stack.losses(server)):
            raise Void(f"false membership loss on {server} before the fault")


def _figures(scenario, scene, target, seen, mark_us, injected_us):
    answered_us = _answered_us(seen, target)
    stack, since_mark = scene.stack, lambda at_us: None if at_us is None else (at_us - mark_us) / 1000
    figures = {"answered_ms": since_mark(answered_us), "downtime_ms": seen["total_us"] / 1000, "to": target.name,
               "twice": seen["violations"]}
    if not scenario.from_stopped:
        figures["ordered_ms"] = since_mark(stack.ordered_at(mark_us))
    if scenario.kills_server:
        figures |= _beyond_membership(scenario, scene, mark_us, answered_us)
    elif scenario.moves:
        service_us = stack.service_us(scene.active, target)
        figures |= {"command_ms": since_mark(injected_us), "service_ms": None if service_us is None else service_us / 1000}
    return figures


def _beyond_membership(scenario, scene, mark_us, answered_us):
    """Where the time went: until Corosync had the new membership, in the fence agent, and in all the rest."""
    if not scene.stack.has_membership:
        return {}
    membership_us = next((at_us for at_us in scene.stack.losses(scene.standby) if at_us > mark_us), None)
    if membership_us is None:
        raise Void("the survivor's journal has no new membership")
    made = [fence for fence in fences.of_server(scene.standby) if fence.plug == scene.active.name and fence.begin_us > mark_us
              and fence.begin_us < answered_us]
    if scenario.fenced and not any(fence.confirmed and fence.end_us <= answered_us for fence in made):
        raise Unsafe(f"{scene.stack.name} answered on {scene.standby} before a fence of {scene.active} was confirmed")
    fence_us = sum(fence.end_us - fence.begin_us for fence in made)
    return {"membership_ms": (membership_us - mark_us) / 1000, "fence_ms": fence_us / 1000 if made else None,
            "beyond_ms": (answered_us - membership_us - fence_us) / 1000}
