"""Delay, in user space, because this kernel has no netem: a relay between a server's port and the switch.

    server ── port ─[relay]─ e-port ── d-port ── switch

    python3 -m komainu_lab.relay PORT PORT DELAY_MS JITTER_MS      in the switch's network namespace

Frames pass as they are, each at most DELAY_MS + JITTER_MS later, in their order. The kernel puts a header before each
frame (PACKET_VNET_HDR, packet(7)) that says which checksums and segments are still to be made, so that nothing of the
servers' offloads has to be turned off.
"""

import collections
import pathlib
import random
import selectors
import socket
import subprocess
import sys
import time

from . import cgroup, network, shell

_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 15, 23
_ALL = 0x0003
_LARGEST_FRAME = 10 + 65_550
_MOST_HELD = 20_000


class Relay:
    """The cable of one server, delayed from now on until stop()."""

    def __init__(self, layout, server, network_name, delay_ms, jitter_ms):
        self._layout, self._server, self._network = layout, server, network_name
        self._cgroup = layout.tool_cgroup(server.relay_port(network_name))
        end = network.make_relay_port(layout, server, network_name)
        self._process = shell.start_in_cgroup(
            ["nsenter", f"--net={layout.netns_path('switch')}", "/usr/bin/python3", "-m", "komainu_lab.relay",
             server.port(network_name), end, delay_ms, jitter_ms], self._cgroup,
            cwd=pathlib.Path(__file__).parent.parent, stdout=subprocess.PIPE, text=True)
        if self._process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the relay of {server.name}'s cable of {network_name} ended with exit {self._process.wait()}")

    def stop(self):
        cgroup.kill(self._cgroup)
        self._process.wait()
        self._process.stdout.close()
        network.remove_relay_port(self._layout, self._server, self._network)
        cgroup.remove(self._cgroup)


class _Direction:
    def __init__(self, source, target, delay, jitter):
        self.source, self.target = source, target
        self._delay, self._jitter = delay, jitter
        self._held = collections.deque()

    def take(self):
        """All frames that are there; beyond the bound they are lost, as in a switch."""
        try:
            while frame := self.source.recv(_LARGEST_FRAME):
                if len(self._held) < _MOST_HELD:
                    self._held.append((time.monotonic() + self._delay + random.uniform(0, self._jitter), frame))
        except OSError:  # nothing more; or the port is down, as when its server is switched off
            pass

    def give(self):
        """Passes on what is due; returns when the next one is, or None."""
        while self._held and self._held[0][0] <= time.monotonic():
            frame = self._held.popleft()[1]
            try:
                self.target.send(frame)
            except OSError:  # the port is down, or its queue is full: lost
                pass
        return self._held[0][0] if self._held else None


def _open(port):
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    opened.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    opened.bind((port, _ALL))
    return opened


def main(first, second, delay_ms, jitter_ms):
    one, other = _open(first), _open(second)
    directions = [_Direction(source, target, delay_ms / 1000, jitter_ms / 1000)
                  for source, target in ((one, other), (other, one))]
    selector = selectors.DefaultSelector()
    for direction in directions:
        selector.register(direction.source, selectors.EVENT_READ, direction)
    print("ready", flush=True)
    while True:
        due = [at for at in (direction.give() for direction in directions) if at is not None]
        for key, _ in selector.select(max(min(due) - time.monotonic(), 0) if due else None):
            key.data.take()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
