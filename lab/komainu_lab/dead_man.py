"""A server's watchdog: a dead-man switch that resets it when it is not fed in time.

It is a Unix socket that the server sees as /run/lab/watchdog, served from outside the server:

    timeout MILLISECONDS    →  ok MILLISECONDS | error TEXT      the first one arms it
    feed
    disarm                                                       nothing resets the server any more

As with a watchdog device, one process owns it at a time, and a connection that ends without `disarm` leaves it armed. A
frozen server is a paused virtual machine: its watchdog stands still with it.
"""

import asyncio
import time

from . import cgroup

TICK = 0.02
SHORTEST_MS, LONGEST_MS = 100, 600_000
ACTIONS = ("reset", "off")


class Countdown:
    """How long the server has left. Unarmed: for ever."""

    def __init__(self):
        self.timeout = None
        self._left = None

    def arm(self, timeout):
        self.timeout = self._left = timeout

    def feed(self):
        self._left = self.timeout

    def disarm(self):
        self.timeout = self._left = None

    def passes(self, seconds):
        """Whether that was the end."""
        if self._left is None:
            return False
        self._left -= seconds
        return self._left <= 0


class DeadManSwitch:
    def __init__(self, path, server_cgroup, fire):
        self._path = path
        self._cgroup = server_cgroup
        self._fire = fire  # a coroutine function of the action
        self._countdown = Countdown()
        self._owner = None
        self.action = "reset"
        self.fired = 0

    async def serve(self):
        await asyncio.start_unix_server(self._own, path=self._path)
        self._counting = asyncio.create_task(self._count())

    def state(self):
        timeout = self._countdown.timeout
        armed = "disarmed" if timeout is None else f"armed {timeout * 1000:.0f}"
        return f"{self.fired} {armed}"

    def power_off(self):
        self._countdown.disarm()

    async def _own(self, reader, writer):
        if self._owner:
            writer.write(b"error it belongs to another process\n")
            writer.close()
            return
        self._owner = writer
        try:
            while line := await reader.readline():
                reply = self._obey(line.decode(errors="replace").split())
                if reply:
                    writer.write(reply.encode() + b"\n")
        except OSError:
            pass
        finally:
            self._owner = None
            writer.close()

    def _obey(self, words):
        if words == ["feed"]:
            self._countdown.feed()
        elif words == ["disarm"]:
            self._countdown.disarm()
        elif len(words) == 2 and words[0] == "timeout" and words[1].isdigit():
            milliseconds = min(max(int(words[1]), SHORTEST_MS), LONGEST_MS)
            self._countdown.arm(milliseconds / 1000)
            return f"ok {milliseconds}"
        else:
            return f"error expected timeout MILLISECONDS, feed or disarm, not '{' '.join(words)}'"
        return None

    async def _count(self):
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            elapsed, last = now - last, now
            if self._countdown.timeout is None or cgroup.frozen(self._cgroup):
                continue
            if self._countdown.passes(elapsed):
                self._countdown.disarm()
                self.fired += 1
                await self._fire(self.action)
