"""The ledger and its clients on loopback: answered, killed, started again, and told apart from a second writer."""

import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from komainu_lab import ledger_check, ledger_clients
from komainu_lab.waiting import wait_for

LAB = pathlib.Path(__file__).resolve().parent.parent


class Clients(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.record = self.folder / "record"
        self.clients = None

    def start(self, command, **options):
        process = subprocess.Popen(command, cwd=LAB, **options)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def start_ledger(self, file="ledger"):
        return self.start([sys.executable, "ledger/ledger.py", str(self.folder / file), str(self.port)])

    def start_clients(self):
        self.clients = self.start([sys.executable, "-m", "komainu_lab.ledger_clients", "127.0.0.1", str(self.port), "3",
                                   str(self.record)], stdin=subprocess.PIPE)
        self.addCleanup(self.clients.stdin.close)

    def acknowledged(self):
        return sum(append.ended is not None for append in ledger_clients.parse(self.record.read_text())[0])

    def wait_for_more(self):
        before = self.acknowledged()
        wait_for(lambda: self.acknowledged() > before + 10, 20, "more is acknowledged")

    def verdict(self, file="ledger"):
        self.clients.stdin.close()
        self.assertEqual(self.clients.wait(timeout=10), 0)
        appends, reads = ledger_clients.parse(self.record.read_text())
        return ledger_check.check(ledger_check.parse((self.folder / file).read_text()), appends, reads)

    def test_a_ledger_that_is_killed_and_started_again_loses_and_doubles_nothing(self):
        self.start_clients()
        ledger = self.start_ledger()
        wait_for(lambda: self.record.exists(), 10, "the clients run")
        self.wait_for_more()
        for _ in range(3):
            ledger.send_signal(signal.SIGKILL)
            ledger.wait()
            ledger = self.start_ledger()
            self.wait_for_more()
        verdict = self.verdict()
        self.assertEqual(verdict.objections, ())
        self.assertEqual(len(verdict.writers), 4)
        self.assertGreater(verdict.reads, 0)

    def test_a_successor_with_an_old_copy_is_found(self):
        ledger = self.start_ledger()
        self.start_clients()
        wait_for(lambda: self.record.exists() and self.acknowledged() > 5, 20, "something is acknowledged")
        (self.folder / "copy").write_bytes((self.folder / "ledger").read_bytes())
        self.wait_for_more()
        ledger.kill()
        ledger.wait()
        self.start_ledger("copy")
        self.wait_for_more()
        self.assertTrue(self.verdict("copy").objections)


if __name__ == "__main__":
    unittest.main()
