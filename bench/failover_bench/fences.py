"""What the lab's fence agent noted on a server of its own calls (lab/README.md, Power)."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Fence:
    begin_us: int
    end_us: int
    action: str
    plug: str
    exit_code: int

    @property
    def confirmed(self):
        """Off was done, or status said off (exit code 2 of the fence-agents API)."""
        return (self.exit_code == 0 and self.action in ("off", "reboot")) or (self.exit_code == 2 and self.action == "status")


def parse(text):
    fences = []
    for line in text.splitlines():
        begin, end, action, plug, exit_code = line.split()
        fences.append(Fence(int(begin), int(end), action, plug, int(exit_code)))
    return fences


def of_server(server):
    try:
        return parse(server.read("/run/lab/fences"))
    except FileNotFoundError:
        return []
