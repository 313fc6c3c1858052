"""The power switch: the process that owns a lab's machines and stays alive when a server dies.

It builds the networks, boots and kills the servers, plugs and pulls their cables. It listens twice: on the
interconnect network (TCP), where the cluster's fencing reaches it as it would reach a BMC, and on a Unix socket for
the lab itself. One request per connection, one line each way:

    ACTION PLUG [SECRET]      action: on, off, reset, status, list, ping    →  ok [on|off|names]  |  error TEXT

and on the Unix socket also

    cut PLUG NETWORK, mend PLUG NETWORK, fault PLUG none|hung|refuses|lies, stay, shutdown
    watchdog PLUG [reset|off]     what the server's watchdog does when it fires  →  ok TIMES disarmed|armed MILLISECONDS

The faults are those of a real fencing device, and only the TCP side shows them: *hung* never answers, *refuses*
answers with an error, *lies* says that it was done and did nothing.

When the lab that started it ends, in whatever way, its standard input ends: it then takes everything down, unless it
was told to `stay`.
"""

import asyncio
import fcntl
import os
import signal
import socket
import subprocess
import sys

from . import cgroup, dead_man, layout as layouts, namespaces, network, teardown
from .waiting import wait_for

BOOT_SCRIPT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "boot_server.sh")
FAULTS = ("none", "hung", "refuses", "lies")
_REQUEST_DEADLINE = 10.0


class Machine:
    """One server's hardware: mains and two cables."""

    def __init__(self, layout, name, links):
        self._layout = layout
        self.name = name
        self._links = links
        self._cgroup = layout.server_cgroup(name)
        self._cut = set()
        self.lock = asyncio.Lock()
        self.fault = "none"
        self.claimed = "on"  # what a lying switch last said
        self._process = None
        self.watchdog = dead_man.DeadManSwitch(layout.watchdog_socket(name), self._cgroup, self._watchdog_fires)

    async def _watchdog_fires(self, action):
        async with self.lock:
            await asyncio.to_thread(self.power_off)
            if action == "reset":
                await asyncio.to_thread(self.power_on)

    def powered(self):
        return cgroup.populated(self._cgroup)

    def power_off(self):
        """First the cables, so that nobody hears a dying server's FINs, then every process of it at once."""
        self._set_ports(powered=False)
        cgroup.kill(self._cgroup)
        self.watchdog.power_off()
        if self._process:
            self._process.wait()
            self._process = None
        self._layout.init_pid(self.name).unlink(missing_ok=True)

    def power_on(self):
        if self.powered():
            return
        layout, name = self._layout, self.name
        cgroup.remove(self._cgroup)
        (self._cgroup / "lab").mkdir(parents=True)
        network.configure_server(layout, name)
        layout.disk(name).mkdir(exist_ok=True)
        with open(layout.console(name), "ab") as console:
            self._process = subprocess.Popen(
                ["nsenter", f"--net={layout.netns_path(name)}", "unshare", "-m", "-u", "-i", "-p", "-f", "--kill-child",
                 "--propagation", "private", BOOT_SCRIPT, name, str(layout.disk(name)), str(self._cgroup),
                 str(layout.watchdog_socket(name))],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True)
        children = f"/proc/{self._process.pid}/task/{self._process.pid}/children"

        def first_process():
            with open(children, encoding="ascii") as file:
                return file.read().split()

        pid = wait_for(first_process, 10, f"{name}'s first process (see {layout.console(name)})", interval=0.002)[0]
        layout.init_pid(name).write_text(pid)
        wait_for(self.powered, 10, f"{name} is in its cgroup (see {layout.console(name)})", interval=0.002)
        self._set_ports(powered=True)

    def set_cable(self, network_name, plugged):
        if plugged:
            self._cut.discard(network_name)
        else:
            self._cut.add(network_name)
        self._set_ports(powered=self.powered())

    def _set_ports(self, powered):
        server = self._layout.server(self.name)
        for name in layouts.NETWORKS:
            self._links.set_up(server.port(name), powered and name not in self._cut)


class PowerSwitch:
    def __init__(self, layout, secret=None):
        self._layout = layout
        self._secret = secret
        self.stay = False
        self.finished = asyncio.Event()
        links = namespaces.LinkControl(layout.netns_path("switch"))
        self._machines = {name: Machine(layout, name, links) for name in (machine.name for machine in layout.machines)}

    async def serve(self):
        with namespaces.inside(self._layout.netns_path("power")):
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._layout.power, layouts.POWER_PORT))
        await asyncio.start_server(lambda r, w: self._answer(r, w, trusted=False), sock=listener)
        await asyncio.start_unix_server(lambda r, w: self._answer(r, w, trusted=True), path=self._layout.control_socket)
        for machine in self._machines.values():
            await machine.watchdog.serve()

    async def _answer(self, reader, writer, trusted):
        try:
            line = await asyncio.wait_for(reader.readline(), _REQUEST_DEADLINE)
            words = line.decode(errors="replace").split()
            try:
                reply = await (self._control(words) if trusted else self._fence(words))
            except Exception as failure:  # pylint: disable=broad-except
                reply = f"error {failure}".replace("\n", " ")
            if reply is None:
                await reader.read()
                return
            writer.write(reply.encode() + b"\n")
            await asyncio.wait_for(writer.drain(), _REQUEST_DEADLINE)
        except (OSError, asyncio.TimeoutError):
            pass
        finally:
            writer.close()

    async def _fence(self, words):
        """A request of the network: the password is checked, and the switch's own fault shows. None: no answer, ever."""
        action, plug, secret = (words + [None] * 3)[:3]
        if self._secret is not None and secret != self._secret:
            return "error wrong or missing password"
        machine = self._machines.get(plug)
        if machine and machine.fault == "hung":
            return None
        if machine and machine.fault == "refuses":
            return "error the device refuses"
        if machine and machine.fault == "lies":
            machine.claimed = {"on": "on", "off": "off", "reset": "on"}.get(action, machine.claimed)
            return f"ok {machine.claimed}"
        return await self._power(action, plug)

    async def _control(self, words):
        action = words[0] if words else ""
        if action == "stay":
            self.stay = True
            return "ok"
        if action == "shutdown":
            self.finished.set()
            return "ok"
        if action in ("cut", "mend", "fault"):
            machine, value = self._machine(words[1]), words[2]
            async with machine.lock:
                if action == "fault":
                    if value not in FAULTS:
                        raise ValueError(f"no fault '{value}' of a power switch; there are {', '.join(FAULTS)}")
                    machine.fault, machine.claimed = value, "on"
                else:
                    if value not in layouts.NETWORKS:
                        raise ValueError(f"no network '{value}'; there are {', '.join(layouts.NETWORKS)}")
                    machine.set_cable(value, plugged=action == "mend")
            return "ok"
        if action == "watchdog":
            watchdog = self._machine(words[1]).watchdog
            if len(words) > 2:
                if words[2] not in dead_man.ACTIONS:
                    raise ValueError(f"no action '{words[2]}' of a watchdog; there are {', '.join(dead_man.ACTIONS)}")
                watchdog.action = words[2]
            return f"ok {watchdog.state()}"
        return await self._power(action, words[1] if len(words) > 1 else None)

    def _machine(self, plug):
        if plug not in self._machines:
            raise ValueError(f"no plug '{plug}'; there are {', '.join(self._machines)}")
        return self._machines[plug]

    async def _power(self, action, plug):
        if action == "ping":
            return "ok"
        if action == "list":
            return "ok " + " ".join(self._machines)
        machine = self._machine(plug)
        async with machine.lock:
            if action in ("off", "reset"):
                await asyncio.to_thread(machine.power_off)
            if action in ("on", "reset"):
                await asyncio.to_thread(machine.power_on)
            if action not in ("on", "off", "reset", "status"):
                raise ValueError(f"no action '{action}'; there are on, off, reset, status, list, ping")
            return "ok on" if machine.powered() else "ok off"


def request(layout, line, timeout=20.0):
    """Asks the power switch of `layout` over its Unix socket and returns what follows `ok`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(str(layout.control_socket))
        connection.sendall(line.encode() + b"\n")
        reply = connection.makefile().readline().strip()
    if reply != "ok" and not reply.startswith("ok "):
        raise RuntimeError(f"power switch: '{line}': {reply or 'no answer'}")
    return reply[3:]


async def _run(layout):
    loop = asyncio.get_running_loop()
    secret_file = layout.state / "secret"
    switch = PowerSwitch(layout, secret_file.read_text().strip() if secret_file.exists() else None)
    for signal_number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(signal_number, switch.finished.set)

    def lab_has_ended():
        if not os.read(0, 4096):
            loop.remove_reader(0)
            if not switch.stay:
                switch.finished.set()

    loop.add_reader(0, lab_has_ended)
    await switch.serve()
    print("ready", flush=True)
    await switch.finished.wait()


def main(run):
    layout = layouts.load(run)
    # The lock says "this lab is alive"; the system releases it however this process ends.
    lock = open(layout.state / "lock", "w", encoding="ascii")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (layout.state / "power.pid").write_text(str(os.getpid()))
    try:
        disks = layout.state / "disks"
        disks.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", f"{run}-disks", str(disks)], check=True)
        layout.cgroup.mkdir()
        network.build(layout)
        asyncio.run(_run(layout))
    except Exception as failure:  # pylint: disable=broad-except
        print(f"error {failure}", flush=True)
    finally:
        teardown.remove(layout)


if __name__ == "__main__":
    main(sys.argv[1])
