"""A lab: servers, networks, power switches and the witness, made on entry and gone on exit.

    with Lab(nodes=2) as lab:
        lab.server(0).run(["hostname"])
        lab.cut(lab.server(0), "public")
"""

import os
import pathlib
import secrets
import signal
import subprocess
import sys

from . import cgroup, layout as layouts, network, power_switch, relay, shell, teardown
from .server import Server

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent


def build_folder():
    """Where the programs were built: $KOMAINU_BUILD, or the preset `dev`."""
    return pathlib.Path(os.environ.get("KOMAINU_BUILD", SOURCE / "build" / "dev"))


def program(name):
    path = build_folder() / "bin" / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: build it with ./dev build")
    return path


class Lab:
    def __init__(self, nodes=2, *, arbiter=False, secret=None, progress=lambda text: None):
        """With `arbiter`: a further server on the networks, `lab.arbiter`, which is not one of `lab.servers`."""
        self._names = tuple(f"guest{number + 1}" for number in range(nodes))
        self._with_arbiter = arbiter
        self._secret = secret
        self._progress = progress
        self._switch = None
        self._relays = []
        self.layout = None
        self.servers = []
        self.arbiter = None

    # Life.

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        # SIGTERM ends the lab as Ctrl-C does: through the `with` block.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        self.layout = layouts.Layout(_new_run(), self._names, cgroup.find_root(), self._with_arbiter)
        self.layout.save()
        if self._secret:
            (self.layout.state / "secret").write_text(self._secret)
        self._progress("making the networks")
        # Its own standard error: who waits for the end of ours, as a shell's $(… 2>&1), does not wait for the lab's.
        with open(self.layout.state / "power.log", "w", encoding="utf-8") as log:
            self._switch = subprocess.Popen(
                ["/usr/bin/python3", "-m", "komainu_lab.power_switch", self.layout.run], cwd=SOURCE / "lab",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
        answer = self._switch.stdout.readline().strip()
        if answer != "ready":
            raise RuntimeError(f"the lab could not be made: {answer or 'its power switch died'}")
        self._plug_in()
        for server in self.machines:
            self._progress(f"booting {server.name}")
            server.power_on(wait=False)
        for server in self.machines:
            server.wait_booted()

    def _plug_in(self):
        self.servers = [Server(self.layout, plan) for plan in self.layout.servers]
        self.arbiter = Server(self.layout, self.layout.server(layouts.ARBITER)) if self.layout.has_arbiter else None

    @property
    def machines(self):
        return self.servers + ([self.arbiter] if self.arbiter else [])

    def stop(self):
        """Takes everything down. A second Ctrl-C does not leave anything behind: the power switch has its own session."""
        if self._switch:
            self._stop_relays()
            self._switch.stdin.close()
            self._switch.wait(timeout=60)
            rest = self._switch.stdout.read().strip()
            self._switch.stdout.close()
            self._switch = None
            if self.layout.state.exists():
                raise RuntimeError(f"the lab was not removed: {rest}; try komainu-lab clean")
        elif self.layout and self.layout.state.exists():
            teardown.remove(self.layout)

    def stay(self):
        """The lab outlives this process, until `komainu-lab down`."""
        power_switch.request(self.layout, "stay")
        self._switch.stdin.close()
        self._switch.stdout.close()
        self._switch = None
        self.layout = None

    # Parts.

    def server(self, which):
        """By number (from 0) or by name; the arbiter by its name."""
        if isinstance(which, int):
            return self.servers[which]
        return next(server for server in self.machines if server.name == which)

    def others(self, server):
        return [other for other in self.servers if other is not server]

    def in_client(self, command, **options):
        """Runs a command in the client's network namespace."""
        return shell.run(["nsenter", f"--net={self.layout.netns_path('client')}", *command], **options)

    # Faults of the surroundings.

    def cut(self, server, network_name):
        """Pulls the server's cable of one network: its NIC loses the carrier. It stays pulled over a power cycle."""
        power_switch.request(self.layout, f"cut {server.name} {network_name}")

    def mend(self, server=None, network_name=None):
        """Plugs a cable back in; without arguments every cable, and ends all loss and delay of traffic."""
        for one in [server] if server else self.machines:
            for name in [network_name] if network_name else layouts.NETWORKS:
                power_switch.request(self.layout, f"mend {one.name} {name}")
        if server is None:
            network.Filter(self.layout).clear()
            self._stop_relays()

    def _stop_relays(self):
        while self._relays:
            self._relays.pop().stop()

    def drop(self, sender, receiver, network_name):
        """What `sender` sends to `receiver` is lost; the links stay up, and the other direction works."""
        network.Filter(self.layout).drop([(sender.name, receiver.name)], [network_name])

    def separate(self, pairs, networks=layouts.NETWORKS):
        """Nothing passes between the two servers of each pair any more, from one moment to the next."""
        both_ways = [(one.name, other.name) for pair in pairs for one, other in (pair, pair[::-1])]
        network.Filter(self.layout).drop(both_ways, networks)

    def isolate(self, server, network_name):
        """All traffic of the server on one network is lost; its link stays up."""
        network.Filter(self.layout).harm(server.name, network_name)

    def lose(self, server, network_name, percent):
        """Of the server's traffic on one network each frame is lost with this probability."""
        network.Filter(self.layout).harm(server.name, network_name, f"numgen random mod 100 < {percent}")

    def black_hole(self, server, network_name, largest):
        """Frames that carry more than `largest` bytes are lost without a word; small ones, such as a ping, pass."""
        network.Filter(self.layout).harm(server.name, network_name, f"meta length > {largest}")

    def deafen(self, server, network_name, largest):
        """What others send to the server arrives only in frames of at most so many bytes."""
        network.Filter(self.layout).deafen(server.name, network_name, largest)

    def heal(self):
        """Ends all loss, and nothing else."""
        network.Filter(self.layout).clear()

    def delay(self, server, network_name, delay_ms, jitter_ms=0):
        """All traffic of the server on one network arrives later, each way, in order."""
        self._relays.append(relay.Relay(self.layout, server.plan, network_name, delay_ms, jitter_ms))

    def gateway_down(self):
        network.set_gateway(self.layout, False)

    def gateway_up(self):
        network.set_gateway(self.layout, True)

    def power_fault(self, server, fault):
        """The server's power switch is `hung`, `refuses`, `lies`, or is well (`none`)."""
        power_switch.request(self.layout, f"fault {server.name} {fault}")


def _new_run():
    """A run id that nobody uses, with its state folder."""
    layouts.STATE_ROOT.mkdir(parents=True, exist_ok=True)
    run = f"km{os.getpid()}"
    while True:
        try:
            (layouts.STATE_ROOT / run).mkdir(mode=0o755)
            return run
        except FileExistsError:
            run = f"km{os.getpid()}x{secrets.token_hex(1)}"


def attach(run):
    """The servers of a lab that another process made (komainu-lab up, demo --stay)."""
    lab = Lab()
    lab.layout = layouts.load(run)
    lab._plug_in()
    return lab
