"""What chaos does, drawn from a seed: rounds of one to three faults that overlap. Pure, so that a seed says it all but the
weather: which server is active when a fault comes depends on what the cluster did before.
"""

import dataclasses
import itertools
import random

# How many faults a round has: mostly one or two, because three at once often leave nothing to protect.
_SIZES = (1, 1, 1, 1, 2, 2, 2, 3)
_LONGEST_BETWEEN_S = 2.5


@dataclasses.dataclass(frozen=True)
class Step:
    fault: str
    rank: int         # whom it hits: 0 is the active server, the others follow in order
    after_s: float    # … after the step before
    lasts_s: float    # … before the round is repaired
    seed: int         # of what the fault itself draws


def rounds(seed, nodes, faults):
    """Endless. `faults` have a name, `lasts` (shortest, longest) in seconds, and `least_nodes`."""
    draw = random.Random(seed)
    possible = [fault for fault in faults if fault.least_nodes <= nodes]
    if not possible:
        raise ValueError(f"none of these faults is for {nodes} nodes")
    while True:
        chosen = draw.sample(possible, min(draw.choice(_SIZES), len(possible)))
        steps = []
        for fault in chosen:
            steps.append(Step(fault.name, 0 if draw.random() < 0.6 else draw.randrange(1, nodes),
                              draw.uniform(0, _LONGEST_BETWEEN_S) if steps else 0.0,
                              draw.uniform(*fault.lasts), draw.randrange(2**32)))
        yield tuple(steps)


def partitions(names):
    """Every kind of partition of these servers: (its name, the pairs that hear nothing of each other)."""
    everybody = list(itertools.combinations(names, 2))
    found = []
    for size in range(1, len(names) // 2 + 1):
        for side in itertools.combinations(names, size):
            if 2 * size == len(names) and names[0] not in side:
                continue  # the same as its other half
            found.append((f"{'+'.join(side)} | rest", [(a, b) for a, b in everybody if (a in side) != (b in side)]))
    if len(names) > 2:
        found.append(("everyone alone", everybody))
        for bridge in names:
            left = [name for name in names if name != bridge][::2]
            pairs = [(a, b) for a, b in everybody if bridge not in (a, b) and (a in left) != (b in left)]
            found.append((f"two sides that both see {bridge}", pairs))
    for size in range(2, len(names) - 1):
        pairs = [(a, b) for a, b in everybody if a not in names[:size] or b not in names[:size]]
        found.append((f"{'+'.join(names[:size])} | everyone else alone", pairs))
    if len(names) > 4:
        ring = {frozenset(pair) for pair in zip(names, [*names[1:], names[0]])}
        found.append(("everyone sees two neighbours", [pair for pair in everybody if frozenset(pair) not in ring]))
        found.append((f"{names[0]}+{names[1]} | {names[2]}+{names[3]} | {names[4]}",
                      [(a, b) for a, b in everybody if names.index(a) // 2 != names.index(b) // 2]))
    return found
