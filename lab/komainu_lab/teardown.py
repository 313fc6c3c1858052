"""Removes what one run of the lab made, in any state it may have been left in, and finds runs whose owner died."""

import fcntl
import os
import shutil
import signal

from . import cgroup, layout as layouts, network, shell


def remove(layout):
    """Kills the servers, then removes cgroups, networks, disks and the state folder. What is already gone is skipped;
    if a step fails the rest is still done, and the first failure is raised at the end."""
    failures = []

    def step(action, *arguments):
        try:
            action(*arguments)
        except Exception as failure:  # pylint: disable=broad-except
            failures.append(failure)

    step(cgroup.kill, layout.cgroup)
    step(cgroup.remove, layout.cgroup)
    step(network.remove, layout)
    disks = layout.state / "disks"
    if os.path.ismount(disks):
        step(shell.run, ["umount", disks])
    if not failures:
        step(shutil.rmtree, layout.state)
    if failures:
        raise failures[0]


def runs():
    """All runs that left a state folder: (run id, whether its power switch is alive)."""
    found = []
    if layouts.STATE_ROOT.exists():
        for folder in sorted(layouts.STATE_ROOT.iterdir()):
            found.append((folder.name, _alive(folder)))
    return found


def _alive(folder):
    try:
        with open(folder / "lock", "r+", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        # Between mkdir and lock: alive while the process that made it is.
        return os.path.exists(f"/proc/{folder.name.removeprefix('km').split('x')[0]}")
    except BlockingIOError:
        return True


def clean():
    """Removes every run whose power switch is dead; returns their ids."""
    removed = []
    for run, alive in runs():
        if alive:
            continue
        try:
            remove(layouts.load(run))
        except FileNotFoundError:
            shutil.rmtree(layouts.STATE_ROOT / run)
        removed.append(run)
    return removed


def stop(run):
    """Ends a living lab from outside, as `komainu-lab down` does."""
    os.kill(int((layouts.STATE_ROOT / run / "power.pid").read_text()), signal.SIGTERM)
