"""The judge: starts komainu-witness for a lab and asks it. What it says decides; komainu is not asked."""

import json
import os
import select
import subprocess

from .lab import program


def _before_all_others():
    """The judge comes before whom it judges: a moment in which it did not look proves nothing."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:  # no real time for this control group
        os.nice(-15)


class Witness:
    """Use in a `with` block. `services` are systemd units that may run on one server at a time."""

    def __init__(self, lab, *, services=("nginx.service",), addresses=None, target=None, interval_ms=10, timeout_ms=200):
        layout = lab.layout
        addresses = [layout.floating] if addresses is None else addresses
        command = [program("komainu-witness"), "--client-netns", layout.netns_path("client"),
                   "--target", target or layout.floating, "--interval-ms", interval_ms, "--timeout-ms", timeout_ms]
        for address in addresses:
            command += ["--address", address]
        for service in services:
            command += ["--service", service]
        for name in layout.server_names:
            command += ["--server", f"{name},{layout.netns_path(name)},{layout.server_cgroup(name)}"]
        self.address = addresses[0] if addresses else None
        self.service = services[0] if services else None
        self._process = subprocess.Popen([str(word) for word in command], text=True, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, bufsize=1, preexec_fn=_before_all_others)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _ask(self, command):
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(f"komainu-witness ended with exit {self._process.wait()}") from None
        if not select.select([self._process.stdout], [], [], 10)[0]:
            raise RuntimeError(f"komainu-witness: no answer to '{command}' within 10 s")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"komainu-witness ended with exit {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"komainu-witness: {answer['error']}")
        return answer

    def mark(self):
        """A point in time (microseconds of CLOCK_MONOTONIC, as time.monotonic()) to ask from."""
        return self._ask("mark")["mark_us"]

    def since(self, mark=0):
        """What was seen since `mark`: requests, failed, outages, longest_us, total_us, answered (by server),
        violations, activity (changes of where things were), largest_gap_us (time the judge did not look)."""
        return self._ask(f"since {mark}")

    def now(self):
        return self._ask("now")

    def answering(self):
        """The server that gave the last reply, or None if the last request failed."""
        return self.now()["answers"]

    def holders(self, what=None):
        """The servers on which a watched address or service is active at this moment; default: the address."""
        return self.now()["active"][what or self.address]

    def violations(self):
        return self.since(0)["violations"]
