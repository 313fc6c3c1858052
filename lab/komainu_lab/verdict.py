"""Whether a fault was survived: decided from what the witness saw, and from nothing that the cluster says. Pure.

`seen` is the witness's report since the fault was made (Witness.since): requests, failed, outages, violations,
activity, largest_gap_us, complete.
"""

from .faults import MOVED, RESTORED, UNDISTURBED

# The client's last requests before a service counts as restored.
SETTLED_REQUESTS = 50
# A judge that did not look for so long may have missed a double activation: a start takes about as long.
LONGEST_GAP_US = 100_000
# How often a fault is made whose judge did not look for so long: then the whole machine stood still, which proves nothing,
# neither for nor against.
ATTEMPTS = 3


def settled(seen):
    """No outage lasts, and some requests went well since the last one ended."""
    outages = seen["outages"]
    if not outages:
        return seen["requests"] >= SETTLED_REQUESTS
    if outages[-1]["end_us"] is None:
        return False
    return seen["now_us"] - outages[-1]["end_us"] >= SETTLED_REQUESTS * 10_000


def reached(fault, seen, active, answering):
    """Whether what must come of the fault has come. `active` answered before it, `answering` answers now."""
    if fault.expect == UNDISTURBED:
        return seen["requests"] >= fault.watch_requests
    if fault.expect == MOVED:
        return settled(seen) and answering is not None and answering != active
    assert fault.expect == RESTORED
    return settled(seen) and answering is not None


def objections(fault, seen, repaired_us=None):
    """Why the fault was not survived as it must be; empty if it was. What is seen from `repaired_us` on happened
    while the fault was being repaired: a server that comes back must not disturb the service."""
    found = twice(seen)
    if seen["outages"] and seen["outages"][-1]["end_us"] is None:
        found.append("the service did not come back")
    if repaired_us is not None and any(outage["begin_us"] >= repaired_us for outage in seen["outages"]):
        found.append("the service was disturbed while the fault was repaired")
    if fault.expect == UNDISTURBED:
        if seen["failed"]:
            found.append(f"{seen['failed']} requests failed, though nothing was to happen")
        if seen["activity"]:
            moves = ", ".join(f"{change['what']} → {'+'.join(change['servers']) or 'nowhere'}"
                              for change in seen["activity"][:3])
            found.append(f"something moved, though nothing was to happen: {moves}")
    return found + not_proved(seen)


def twice(seen):
    """What was active on two servers at once."""
    return [f"{violation['what']} was active on {' and '.join(violation['servers'])} at once"
            for violation in seen["violations"]]


def to_be_made_again(seen):
    """The machine stood still, and yet nothing was seen that may never be."""
    return seen["largest_gap_us"] > LONGEST_GAP_US and not seen["violations"]


def not_proved(seen):
    """Why the judge may have missed something."""
    found = []
    if not seen["complete"]:
        found.append("the judge's memory was full: not proved")
    if seen["largest_gap_us"] > LONGEST_GAP_US:
        found.append(f"the judge did not look for {seen['largest_gap_us'] / 1e3:.0f} ms: not proved")
    return found


def downtime_us(seen):
    return seen["total_us"]


def restored_after_us(seen):
    """From the fault to the end of the last outage; None if there was none or it lasts."""
    if not seen["outages"] or seen["outages"][-1]["end_us"] is None:
        return None
    return seen["outages"][-1]["end_us"] - seen["since_us"]
