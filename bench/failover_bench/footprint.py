"""What an idle stack uses on each server: CPU over some seconds, and memory. Nobody asks the service meanwhile."""

import statistics
import time

from . import processes


def median(measured):
    """Of several that are alike: the same again, with the median of each number."""
    first = measured[0]
    if isinstance(first, dict):
        return {key: median([one[key] for one in measured]) for key in first}
    return statistics.median(measured)


def measure(stack, active, seconds):
    """{"active": …, "standby": …}, each with percent of a core and MiB for every unit and `all` of them."""
    servers = {"active": active, "standby": stack.lab.others(active)[0]}
    before = {role: _cpu_us(stack, server) for role, server in servers.items()}
    begin = time.monotonic()
    time.sleep(seconds)
    after = {role: _cpu_us(stack, server) for role, server in servers.items()}
    elapsed_us = (time.monotonic() - begin) * 1_000_000
    found = {}
    for role, server in servers.items():
        units = {unit: {"cpu_percent": 100 * (after[role][unit] - before[role][unit]) / elapsed_us,
                        "pss_mib": _pss_mib(server, unit)} for unit in stack.units}
        found[role] = {"units": units, "all": {key: sum(unit[key] for unit in units.values())
                                               for key in ("cpu_percent", "pss_mib")}}
    return found


def _cpu_us(stack, server):
    return {unit: processes.cgroup_cpu_us(processes.unit_cgroup(server, unit))
                  - sum(processes.own_cpu_us(pid) for pid in processes.of_unit(server, unit) if processes.is_nginx(pid))
            for unit in stack.units}


def _pss_mib(server, unit):
    stacks_own = (pid for pid in processes.of_unit(server, unit) if not processes.is_nginx(pid))
    return sum(processes.pss_bytes(pid) for pid in stacks_own) / 2**20
