"""A server's journal with the times at which journald received each message (CLOCK_MONOTONIC, the witness's clock)."""

import json
import re

_MOST_LINES = 3000


def parse(lines):
    """(microseconds, text) of each line of `journalctl -o json`, in order of time and each once: while it moves from
    memory to disk the journal shows messages twice."""
    found = set()
    for line in lines:
        entry = json.loads(line)
        text = entry.get("MESSAGE")
        if isinstance(text, str):
            found.add((int(entry["__MONOTONIC_TIMESTAMP"]), text))
    return sorted(found)


def times(server, unit, pattern, since_us=0):
    """When the unit wrote something that matches `pattern`."""
    output = server.run(["journalctl", "--no-pager", "--quiet", "--unit", unit, "--lines", _MOST_LINES, "--output", "json",
                         "--output-fields", "MESSAGE"]).stdout
    search = re.compile(pattern).search
    return [at_us for at_us, text in parse(output.splitlines()) if at_us >= since_us and search(text)]
