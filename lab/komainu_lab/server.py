"""One server of the lab, seen from outside: commands, files, power, frozen or not."""

import os
import pathlib
import re
import shutil
import signal
import subprocess

from . import cgroup, power_switch, shell
from .waiting import wait_for


class Background:
    """A command that runs on while the scenario goes on."""

    def __init__(self, command):
        self._process = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def abandon(self):
        """Ends it if it still runs."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()


class Server:
    def __init__(self, layout, plan):
        self._layout = layout
        self.plan = plan
        self.name = plan.name
        self.cgroup = layout.server_cgroup(plan.name)

    def __repr__(self):
        return self.name

    def _init(self):
        try:
            return self._layout.init_pid(self.name).read_text()
        except FileNotFoundError:
            raise RuntimeError(f"{self.name} is powered off") from None

    # Commands and files.

    def run(self, command, *, timeout=20.0, check=True, stdin=""):
        """Runs a command on the server and returns its CompletedProcess. It dies with the server and freezes with it."""
        return shell.run(self._entering(command), timeout=timeout, check=check, stdin=stdin,
                         what=f"on {self.name}: {' '.join(map(str, command))}")

    def _entering(self, command):
        into = ["nsenter", "-t", self._init(), "-a", "-r", "-w", "--", *command]
        words = ["sh", "-c", 'echo 0 >"$0" && exec "$@"', self.cgroup / "lab" / "cgroup.procs", *into]
        return [str(word) for word in words]

    def interactive(self, command):
        """Runs a command with this process's terminal; returns its exit code."""
        return subprocess.run(self._entering(command), check=False).returncode

    def start(self, command):
        """Starts a command and does not wait for it; abandon() the result."""
        return Background(self._entering(command))

    def output(self, *command, timeout=20.0):
        return self.run(command, timeout=timeout).stdout.strip()

    def path(self, path):
        """The same file seen from this machine."""
        return pathlib.Path(f"/proc/{self._init()}/root") / str(path).lstrip("/")

    def read(self, path):
        return self.path(path).read_text()

    def write(self, path, content, mode=0o644):
        """Writes a file on the server (folders are made), by rename so that a reader never sees half of it."""
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(target.name + ".lab-new")
        if isinstance(content, str):
            content = content.encode()
        temporary.write_bytes(content)
        temporary.chmod(mode)
        temporary.rename(target)

    def copy_in(self, source, path, mode=0o755):
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
        target.chmod(mode)

    def journal(self, unit=None, lines=40):
        return self.run(["journalctl", "--no-pager", "-n", lines, *(["-u", unit] if unit else [])]).stdout

    # systemd.

    def systemctl(self, *words, timeout=30.0, check=True):
        return self.run(["systemctl", *words], timeout=timeout, check=check).stdout.strip()

    def active(self, unit):
        return self.run(["systemctl", "is-active", unit], check=False).stdout.strip()

    def wait_booted(self, deadline=30.0):
        wait_for(lambda: self.path("/run/systemd/private").exists(), deadline,
                 f"{self.name}: systemd answers (console: {self._layout.console(self.name)})")
        state = self.run(["systemctl", "is-system-running", "--wait"], timeout=deadline, check=False).stdout.strip()
        if state not in ("running", "degraded"):
            raise RuntimeError(f"{self.name} did not boot: systemd says '{state}', see {self._layout.console(self.name)}")

    def pids(self, unit):
        """The unit's processes, as this machine sees them: to be killed or stopped from outside."""
        unit = unit if "." in unit else unit + ".service"
        return cgroup.processes(self.cgroup / "system.slice" / unit)

    def signal(self, unit, number=signal.SIGKILL):
        """Sends a signal to every process of a unit, from outside: systemd does not know who did it."""
        pids = self.pids(unit)
        if not pids:
            raise RuntimeError(f"{self.name}: {unit} has no process to signal")
        return cgroup.signal_all(pids, number)

    def main_pid(self, unit):
        """The unit's main process, as this machine sees it; 0 if it has none."""
        inside = self.systemctl("show", "--property=MainPID", "--value", unit)
        for pid in self.pids(unit):
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if re.search(rf"^NSpid:.*\s{inside}$", status, re.MULTILINE):
                return pid
        return 0

    def signal_main(self, unit, number):
        pid = self.main_pid(unit)
        if not pid:
            raise RuntimeError(f"{self.name}: {unit} has no main process to signal")
        os.kill(pid, number)

    # Hardware.

    def powered(self):
        return power_switch.request(self._layout, f"status {self.name}") == "on"

    def power_off(self):
        power_switch.request(self._layout, f"off {self.name}")

    def power_on(self, *, wait=True):
        power_switch.request(self._layout, f"on {self.name}")
        if wait:
            self.wait_booted()

    def freeze(self):
        """The whole server stands still, like a paused VM; its addresses still answer ARP and ping."""
        cgroup.freeze(self.cgroup, True)

    def thaw(self):
        cgroup.freeze(self.cgroup, False)

    # Its watchdog (dead_man.py).

    def watchdog(self):
        """How often it fired, and its timeout in seconds, or None while it is not armed."""
        fired, armed, *milliseconds = power_switch.request(self._layout, f"watchdog {self.name}").split()
        return int(fired), int(milliseconds[0]) / 1000 if armed == "armed" else None

    def watchdog_action(self, action):
        """`reset`, as it is, or `off`: the server stays off when its watchdog fires."""
        power_switch.request(self._layout, f"watchdog {self.name} {action}")

    # Clock.

    def shift_clock(self, seconds):
        """Moves the wall clock that the lab's units on this server see, while they run (see clock/clock_shift.c)."""
        self.path("/run/lab/clock-offset").write_text(f"{int(seconds * 1_000_000_000)}\n")
