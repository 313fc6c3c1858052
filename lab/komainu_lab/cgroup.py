"""A server's subtree of cgroup v2: killed, frozen and emptied from outside."""

import os
import select
import time


def find_root(mountinfo=None):
    """Where cgroup v2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside the v1 hierarchies."""
    if mountinfo is None:
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            mountinfo = file.read()
    for line in mountinfo.splitlines():
        fields, _, source = line.partition(" - ")
        if source.split(" ")[0] == "cgroup2":
            return fields.split(" ")[4]
    raise RuntimeError("no cgroup v2 is mounted; mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified")


def _event(path, key):
    for line in (path / "cgroup.events").read_text().splitlines():
        name, value = line.split(" ")
        if name == key:
            return value == "1"
    raise RuntimeError(f"{path}/cgroup.events has no '{key}': this kernel's cgroup v2 is too old")


def populated(path):
    """Whether any process lives below `path`; a cgroup that does not exist has none."""
    try:
        return _event(path, "populated")
    except FileNotFoundError:
        return False


def _await_event(path, key, wanted, deadline):
    """cgroup.events notifies by POLLPRI when a value changes."""
    end = time.monotonic() + deadline
    with open(path / "cgroup.events", "rb", buffering=0) as events:
        poll = select.poll()
        poll.register(events, select.POLLPRI)
        while _event(path, key) != wanted:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{path}: '{key}' did not become {int(wanted)} within {deadline:g} s")
            poll.poll(min(left, 0.02) * 1000)


def kill(path, deadline=10.0):
    """Kills every process below `path` and returns when the last one is gone."""
    if not populated(path):
        return
    (path / "cgroup.kill").write_text("1")
    _await_event(path, "populated", False, deadline)


def freeze(path, on, deadline=5.0):
    (path / "cgroup.freeze").write_text("1" if on else "0")
    _await_event(path, "frozen", on, deadline)


def frozen(path):
    """Whether it stands still, or is about to."""
    try:
        return (path / "cgroup.freeze").read_text().strip() == "1"
    except FileNotFoundError:
        return False


def remove(path):
    """Removes `path` and all cgroups below; none may hold a process."""
    if not path.exists():
        return
    for directory, _, _ in os.walk(path, topdown=False):
        os.rmdir(directory)


def signal_all(pids, number):
    """Sends a signal to processes that may have ended meanwhile; returns those that it reached."""
    reached = []
    for pid in pids:
        try:
            os.kill(pid, number)
            reached.append(pid)
        except ProcessLookupError:
            pass
    return reached


def processes(path):
    """The ids, as this machine sees them, of all processes in `path` and below."""
    found = []
    for directory, _, _ in os.walk(path):
        try:
            with open(os.path.join(directory, "cgroup.procs"), encoding="ascii") as procs:
                found += [int(line) for line in procs]
        except FileNotFoundError:
            continue
    return found
