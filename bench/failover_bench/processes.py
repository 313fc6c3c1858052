"""The processes of a server's systemd units, as this machine sees them: whose they are, what they use."""

import os
import pathlib
import re

from komainu_lab import cgroup

_TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


def of_unit(server, unit):
    return cgroup.processes(unit_cgroup(server, unit))


def unit_cgroup(server, unit):
    return server.cgroup / "system.slice" / f"{unit}.service"


def is_nginx(pid):
    """nginx is the load, not the stack; Pacemaker's agents start it inside Pacemaker's own unit."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "nginx"
    except (FileNotFoundError, ProcessLookupError):
        return False


def nginx_of(server, stack):
    return [pid for unit in ("nginx", *stack.units) for pid in of_unit(server, unit) if is_nginx(pid)]


def own_cpu_us(pid):
    """User and system time of one process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_US


def cgroup_cpu_us(path):
    """What all processes of a cgroup have used, those that have ended included (agents are short-lived)."""
    return int(re.search(r"^usage_usec (\d+)$", (path / "cpu.stat").read_text(), re.MULTILINE).group(1))


def pss_bytes(pid):
    """Memory, with each shared page counted in parts to its users; 0 for a process that has just ended."""
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE).group(1)) * 1024
