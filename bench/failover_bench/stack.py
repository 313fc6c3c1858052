"""What the benchmark needs of a cluster stack. Each stack is one file that implements this, and its own commands,
configuration and logs are known nowhere else."""

import pathlib
import shutil

from komainu_lab import provision
from komainu_lab.shell import CommandFailed, CommandHung

NGINX_SITE = (pathlib.Path(provision.__file__).parent.parent / "files" / "nginx-site.conf").read_text()


class Stack:
    """One stack on the servers of one lab. `units` are its systemd units, in the order in which they start."""

    name = ""  # as given to --stack
    title = ""
    units = ()
    has_fencer = False
    has_membership = True
    # How long it may take until it looks again at what it polls: a process dies at any moment of that.
    poll_s = 1.0
    # The units whose idle use with many monitors is a budget; none: that is not measured.
    crowded_units = ()

    def __init__(self, lab):
        self.lab = lab

    # Life.

    @staticmethod
    def require():
        """FileNotFoundError, which says what to do, if this machine lacks something that the stack needs."""

    def set_up(self):
        """Installs configuration on every server; nothing runs yet, and everything starts at the next boot."""
        raise NotImplementedError

    def prepare_servers(self):
        """The web service, not started, and names that resolve without a DNS (keepalived asks for its own)."""
        names = "".join(f"{server.plan.public} {server.name}\n" for server in self.lab.servers)
        for server in self.lab.servers:
            server.write("/etc/nginx/sites-enabled/default", NGINX_SITE)
            server.write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{names}")

    def start(self):
        for server in self.lab.servers:
            server.systemctl("start", "--no-block", *self.units)

    def why_not_ready(self):
        """None when both servers are members, the service runs where it should and nothing is under way."""
        raise NotImplementedError

    def repair(self):
        """Undoes whatever a scenario left behind: counters, constraints, what was stopped. The servers have power."""

    def crowded(self):
        """A context in which the stack watches as much as the budget of `crowded_units` says."""
        raise NotImplementedError

    # The operator.

    def move(self, target):
        """Moves the service by the stack's own means and returns when its command ends."""
        raise NotImplementedError

    def without_fencer(self):
        """From now on a lost server is taken for dead unconfirmed; nothing to do where it always is."""

    # What its logs say; times are microseconds of CLOCK_MONOTONIC.

    def losses(self, server):
        """Every time when `server` saw the other one leave the cluster; a stack without a membership: took it for lost."""
        raise NotImplementedError

    def ordered_at(self, since_us):
        """When the stack first ordered a recovery since then, or None."""
        raise NotImplementedError

    def service_us(self, source, target):
        """What the service itself took to stop on `source` and to start on `target` in the move just made, or None if
        nobody wrote it down."""


def first_reason(checks):
    """The first of the checks' objections; a command that fails or hangs is one."""
    for check in checks:
        try:
            reason = check()
        except (CommandFailed, CommandHung, RuntimeError, ValueError, KeyError, OSError) as failure:
            reason = str(failure)
        if reason:
            return reason
    return None


def require_programs(*programs):
    for program in programs:
        if not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            raise FileNotFoundError(f"{program} is missing: ./dev bench failover installs it")
