"""The ledger's clients: a program in the client's network namespace that appends and reads until its standard input
ends, and keeps what it was told.

    python3 -m komainu_lab.ledger_clients ADDRESS PORT CLIENTS RECORD

Each client appends a number, reads, and goes on to the next number. A write that was not answered is asked for again
until it is; the ledger takes the same number once. Each line of RECORD is one operation that ended, in nanoseconds of
CLOCK_MONOTONIC:

    append CLIENT NUMBER BEGAN ENDED INDEX      (at the end also those without an answer: ENDED and INDEX are -)
    read LENGTH LAST BEGAN ENDED
"""

import asyncio
import socket
import struct
import sys
import time

from .ledger_check import Append, Read

_PAUSE = 0.03
_DEADLINE = 0.5


class _Connection:
    """Asks the service, with a new connection after every failure. A connection that is given up is reset."""

    def __init__(self, address, port):
        self._where = (address, port)
        self._streams = None

    async def ask(self, request):
        """The words after `ok`, or None: no answer in time."""
        try:
            async with asyncio.timeout(_DEADLINE):
                reader, writer = self._streams or await self._connect()
                writer.write(request.encode() + b"\n")
                words = (await reader.readline()).decode().split()
        except (OSError, ValueError, TimeoutError):
            words = []
        if words[:1] == ["ok"] and len(words) > 1:
            return words[1:]
        self.close()
        return None

    async def _connect(self):
        self._streams = await asyncio.open_connection(*self._where)
        self._streams[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return self._streams

    def close(self):
        if self._streams:
            self._streams[1].transport.abort()
            self._streams = None


async def _client(name, connection, record):
    number = 0
    while True:
        number += 1
        began = time.monotonic_ns()
        try:
            while (answer := await connection.ask(f"append {name} {number}")) is None:
                await asyncio.sleep(_PAUSE)
        except asyncio.CancelledError:
            record.write(f"append {name} {number} {began} - -\n")
            connection.close()
            raise
        record.write(f"append {name} {number} {began} {time.monotonic_ns()} {answer[0]}\n")
        await asyncio.sleep(_PAUSE)
        began = time.monotonic_ns()
        answer = await connection.ask("read")
        if answer is not None:
            record.write(f"read {' '.join(answer)} {began} {time.monotonic_ns()}\n")
        await asyncio.sleep(_PAUSE)


async def _run(address, port, clients, record):
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, ended.set)
    tasks = [asyncio.create_task(_client(f"c{number + 1}", _Connection(address, port), record))
             for number in range(clients)]
    stop = asyncio.create_task(ended.wait())
    done, _ = await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done - {stop}:
        task.result()


def parse(text):
    """(appends, reads) of a record; a last line that is not whole is left out."""
    appends, reads = [], []
    for line in text[:text.rfind("\n") + 1].splitlines():
        match line.split(" "):
            case ["append", client, number, began, "-", "-"]:
                appends.append(Append(client, int(number), int(began)))
            case ["append", client, number, began, ended, index]:
                appends.append(Append(client, int(number), int(began), int(ended), int(index)))
            case ["read", length, last, began, ended]:
                reads.append(Read(int(length), last, int(began), int(ended)))
            case _:
                raise ValueError(f"the clients' record has the line '{line[:80]}'")
    return appends, reads


if __name__ == "__main__":
    with open(sys.argv[4], "w", encoding="ascii", buffering=1) as file:
        asyncio.run(_run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), file))
