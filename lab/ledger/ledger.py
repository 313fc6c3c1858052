#!/usr/bin/python3
"""The lab's application that holds data: a ledger of numbered entries behind the floating address.

Its file lies on storage that every server sees, and it does nothing to keep a second server from writing there: that
is the cluster's task, and what the lab tests. So nothing here notices another writer; each entry names the server and
the start of the program that wrote it, and the checker (komainu_lab/ledger_check.py) reads that.

    append CLIENT NUMBER   →  ok INDEX         on the disk; the same number again gives the same index
    read                   →  ok LENGTH LAST   LAST is CLIENT/NUMBER of the last entry, or -

One request a line on TCP; an entry is the line `INDEX CLIENT NUMBER SERVER START`. Started as `ledger.py FILE PORT`.
"""

import asyncio
import os
import pathlib
import secrets
import socket
import sys

_LONGEST_REQUEST = 256


class Ledger:
    def __init__(self, path, writer):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = writer
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        content = path.read_bytes()
        # A write that a crash cut short was never acknowledged.
        whole = content[:content.rfind(b"\n") + 1]
        if len(whole) != len(content):
            os.ftruncate(self._file, len(whole))
            os.fsync(self._file)
        self._index = {}
        self._last = "-"
        for line in whole.decode().splitlines():
            index, client, number, *_ = line.split(" ")
            self._take(int(index), client, number)

    def _take(self, index, client, number):
        self._index[client, number] = index
        self._last = f"{client}/{number}"

    def append(self, client, number):
        known = self._index.get((client, number))
        if known is not None:
            return known
        index = len(self._index)
        os.write(self._file, f"{index} {client} {number} {self._writer}\n".encode())
        os.fsync(self._file)
        self._take(index, client, number)
        return index

    def read(self):
        return f"{len(self._index)} {self._last}"


def _answer(ledger, line):
    match line.decode(errors="replace").split():
        case ["append", client, number] if client.isalnum() and number.isdecimal():
            return f"ok {ledger.append(client, number)}"
        case ["read"]:
            return f"ok {ledger.read()}"
    return "error expected: append CLIENT NUMBER, or: read"


async def _serve(ledger, port):
    async def connection(reader, writer):
        try:
            while line := await reader.readline():
                writer.write(_answer(ledger, line).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connection, port=port, limit=_LONGEST_REQUEST)
    if "NOTIFY_SOCKET" in os.environ:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(Ledger(pathlib.Path(sys.argv[1]), f"{socket.gethostname()} {secrets.token_hex(4)}"), int(sys.argv[2])))
