"""The budgets of docs that this benchmark can judge, as a table."""

import dataclasses
from typing import Callable

from .komainu import MONITORS, KomainuFast, KomainuLan
from .results import CROWDED


@dataclasses.dataclass(frozen=True)
class Budget:
    text: str
    stacks: tuple
    scenario: str
    limit: float
    of_run: Callable  # a run's figures → what is limited, or None
    unit: str = "ms"


BUDGETS = (
    Budget("node off → answered, beyond membership and fencer", (KomainuFast.name, KomainuLan.name), "power-off", 80,
           lambda run: run.get("beyond_ms")),
    Budget("node off → answered, in all", (KomainuFast.name,), "power-off", 1000, lambda run: run["answered_ms"]),
    Budget("cold start → answered", (KomainuFast.name, KomainuLan.name), "cold-start", 3000, lambda run: run["answered_ms"]),
    Budget("process death → recovery ordered", (KomainuFast.name, KomainuLan.name), "process-death", 10,
           lambda run: run.get("ordered_ms")),
    Budget("move, beyond the service's own stop and start", (KomainuFast.name, KomainuLan.name), "move", 200,
           lambda run: None if run.get("service_ms") is None else run["downtime_ms"] - run["service_ms"]),
    Budget(f"idle komainud, {MONITORS} monitors: memory", (KomainuLan.name,), CROWDED, 25, lambda run: run["pss_mib"], "MiB PSS"),
    Budget(f"idle komainud, {MONITORS} monitors: CPU", (KomainuLan.name,), CROWDED, 0.5, lambda run: run["cpu_percent"],
           "% of a core"),
)
