"""Whether what the ledger's clients were told is true: nothing acknowledged lost, nothing doubled, no stale read, one
writer at a time. Pure.

The ledger is a list that only grows, so its order is known from its file and linearizability is simple to decide: put
entry i at place 2i+1 and a read of length n at place 2n. The history is linearizable exactly if no operation that
began after another one had ended has a lower place (Herlihy and Wing, 1990: the order in which things took effect must
agree with real time).
"""

import dataclasses
import itertools

_MOST_OF_A_KIND = 5


@dataclasses.dataclass(frozen=True)
class Entry:
    index: int
    client: str
    number: int
    server: str
    start: str


@dataclasses.dataclass(frozen=True)
class Append:
    """One write, from its first attempt to the answer that counted; without one it may have happened at any time."""
    client: str
    number: int
    began: int
    ended: int | None = None
    index: int | None = None


@dataclasses.dataclass(frozen=True)
class Read:
    length: int
    last: str  # CLIENT/NUMBER of the last entry, or -
    began: int
    ended: int


@dataclasses.dataclass(frozen=True)
class Verdict:
    objections: tuple
    entries: int
    acknowledged: int
    reads: int
    writers: tuple  # (server, start) in the order of their entries


def parse(text):
    """The entries of a ledger's file. A last line without an end was cut short by a crash and acknowledged to nobody."""
    entries = []
    for line in text[:text.rfind("\n") + 1].splitlines():
        fields = line.split(" ")
        if len(fields) != 5 or not fields[0].isdecimal() or not fields[2].isdecimal():
            raise ValueError(f"the ledger's line {len(entries) + 1} is damaged: '{line[:80]}'")
        entries.append(Entry(int(fields[0]), fields[1], int(fields[2]), fields[3], fields[4]))
    return entries


def check_text(text, appends, reads):
    """The same for a ledger's file as it is; one that is damaged is itself an objection."""
    try:
        entries = parse(text)
    except ValueError as damage:
        return Verdict((str(damage),), 0, 0, 0, ())
    return check(entries, appends, reads)


def check(entries, appends, reads):
    places = {(entry.client, entry.number): place for place, entry in enumerate(entries)}
    kinds = [_misplaced(entries), _doubled(entries), _second_writers(entries), _lost(appends, places),
             _unasked(entries, appends), _wrong_reads(reads, entries), _out_of_time(appends, reads, places)]
    objections = []
    for found in kinds:
        objections += itertools.islice(found, _MOST_OF_A_KIND)
    return Verdict(tuple(objections), len(entries), sum(append.ended is not None for append in appends), len(reads),
                   tuple(writer for writer, _ in itertools.groupby((entry.server, entry.start) for entry in entries)))


def _misplaced(entries):
    for place, entry in enumerate(entries):
        if entry.index != place:
            yield f"entry {place} says that it is entry {entry.index}: {entry.server} did not know what was written before"


def _doubled(entries):
    seen = set()
    for entry in entries:
        if (entry.client, entry.number) in seen:
            yield f"{entry.client}/{entry.number} is there twice"
        seen.add((entry.client, entry.number))


def _second_writers(entries):
    done, now = set(), None
    for entry in entries:
        writer = (entry.server, entry.start)
        if writer != now:
            if writer in done:
                yield f"{entry.server} wrote entry {entry.index} after {now[0]} had taken over"
            done.add(now)
            now = writer


def _lost(appends, places):
    for append in appends:
        if append.ended is None:
            continue
        place = places.get((append.client, append.number))
        if place is None:
            yield f"{append.client}/{append.number} was acknowledged as entry {append.index} and is lost"
        elif place != append.index:
            yield f"{append.client}/{append.number} was acknowledged as entry {append.index} and is entry {place}"


def _unasked(entries, appends):
    asked = {(append.client, append.number) for append in appends}
    for entry in entries:
        if (entry.client, entry.number) not in asked:
            yield f"nobody asked for entry {entry.index}, {entry.client}/{entry.number}"


def _wrong_reads(reads, entries):
    for read in reads:
        if read.length > len(entries):
            yield f"a read saw {read.length} entries, and there are {len(entries)}"
            continue
        last = entries[read.length - 1] if read.length else None
        expected = f"{last.client}/{last.number}" if last else "-"
        if read.last != expected:
            yield f"a read saw {read.last} as entry {read.length - 1}, and that is {expected}"


def _out_of_time(appends, reads, places):
    """Every operation against the highest place of those that had ended before it began."""
    timed = [(append.began, append.ended, 2 * place + 1, append) for append in appends
             if (place := places.get((append.client, append.number))) is not None]
    timed += [(read.began, read.ended, 2 * read.length, read) for read in reads]
    ended = sorted(((end, place) for _, end, place, _ in timed if end is not None), reverse=True)
    highest = -1
    for began, _, place, operation in sorted(timed, key=lambda one: one[0]):
        while ended and ended[-1][0] < began:
            highest = max(highest, ended.pop()[1])
        if place >= highest:
            continue
        if isinstance(operation, Read):
            yield f"a stale read: {operation.length} entries, when {(highest + 1) // 2} had been acknowledged or read"
        else:
            yield f"{operation.client}/{operation.number} is entry {place // 2}, before what had ended when it began"
