"""Waits for a condition with a deadline: how the lab lets time pass."""

import time


class NotInTime(Exception):
    pass


def wait_for(condition, deadline, what, *, interval=0.01):
    """Calls `condition` every `interval` seconds until it returns something true, and returns that. After `deadline`
    seconds raises NotInTime, which names `what` was waited for and the last thing the condition returned or raised.
    An exception of the condition counts as "not yet"."""
    end = time.monotonic() + deadline
    while True:
        try:
            result = condition()
            if result:
                return result
            last = f"last answer {result!r}"
        except Exception as failure:  # pylint: disable=broad-except
            last = f"last error: {failure}"
        if time.monotonic() >= end:
            raise NotInTime(f"{what}: not within {deadline:g} s ({last})")
        time.sleep(interval)


def pass_time(seconds):
    """For a fault that lasts so long by its nature; never to wait for something."""
    time.sleep(seconds)
