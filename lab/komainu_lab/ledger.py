"""The ledger in a lab: put onto the servers, used by clients, and checked. What it is for: ledger/ledger.py."""

import subprocess

from . import ledger_check, ledger_clients, layout as layouts
from .lab import SOURCE
from .waiting import wait_for

UNIT = "ledger.service"
_CLIENTS = 3


def install(server):
    server.copy_in(SOURCE / "lab" / "ledger" / "ledger.py", "/usr/lib/komainu-lab/ledger.py")
    server.write(f"/etc/systemd/system/{UNIT}", (SOURCE / "lab" / "files" / UNIT).read_text())


class Ledger:
    """Use in a `with` block: its clients append and read from the beginning of the block to verdict()."""

    def __init__(self, lab):
        self._layout = lab.layout
        self.record = lab.layout.state / "ledger-clients"
        self.file = lab.layout.shared / "ledger"
        self._process = None

    def __enter__(self):
        self._process = subprocess.Popen(
            ["nsenter", f"--net={self._layout.netns_path('client')}", "/usr/bin/python3", "-m", "komainu_lab.ledger_clients",
             self._layout.floating, str(layouts.LEDGER_PORT), str(_CLIENTS), str(self.record)],
            cwd=SOURCE / "lab", stdin=subprocess.PIPE, start_new_session=True)
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()

    def wait_for_more(self, deadline=30.0):
        """Until something is acknowledged that was not when this was called."""
        size = self.record.stat().st_size if self.record.exists() else 0

        def acknowledged():
            with open(self.record, encoding="ascii") as file:
                file.seek(size)
                return any(line.startswith("append") for line in file)

        wait_for(acknowledged, deadline, "the ledger acknowledges", interval=0.05)

    def verdict(self):
        """Ends the clients and checks what they were told."""
        self._process.stdin.close()
        code = self._process.wait(timeout=10)
        if code != 0:
            raise RuntimeError(f"the ledger's clients ended with exit {code}")
        appends, reads = self._told()
        return ledger_check.check_text(self.file.read_text(), appends, reads)

    def _told(self):
        return ledger_clients.parse(self.record.read_text()) if self.record.exists() else ([], [])
