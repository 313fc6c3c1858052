"""Runs commands of this machine with a deadline, and says what failed and why."""

import os
import signal
import subprocess


class CommandFailed(Exception):
    def __init__(self, what, code, output):
        super().__init__(f"{what}: exit {code}: {output.strip() or '(no output)'}")
        self.code = code
        self.output = output


class CommandHung(Exception):
    pass


def start_in_cgroup(command, path, **options):
    """Starts a process that lives in the cgroup `path` (made if need be) and returns its Popen."""
    path.mkdir(exist_ok=True)
    words = ["sh", "-c", 'echo 0 >"$0" && exec "$@"', path / "cgroup.procs", *command]
    return subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, start_new_session=True, **options)


def run(command, *, timeout=20.0, check=True, stdin="", what=None):
    """Runs `command` (a list) and returns a CompletedProcess with text output. At the deadline the command and
    everything it started in its session is killed and CommandHung is raised."""
    what = what or " ".join(map(str, command))
    process = subprocess.Popen(
        [str(word) for word in command], text=True, errors="replace", start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        stdout, stderr = process.communicate(stdin, timeout=timeout)
    except BaseException as failure:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.communicate()
        if isinstance(failure, subprocess.TimeoutExpired):
            raise CommandHung(f"{what}: no end within {timeout:g} s") from None
        raise
    if check and process.returncode != 0:
        raise CommandFailed(what, process.returncode, stderr + stdout)
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
