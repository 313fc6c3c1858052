"""What the lab prints: progress, one line per fault, aligned tables; colours only where a person looks."""

import os
import shutil
import sys

_CODES = {"good": "32", "bad": "31;1", "warning": "33", "faint": "2", "bold": "1"}


class Terminal:
    def __init__(self, stream=sys.stdout, quiet=False):
        self._stream = stream
        self._quiet = quiet
        self._tty = stream.isatty()
        self._colours = self._tty and "NO_COLOR" not in os.environ
        self._progress_shown = False

    def style(self, text, style):
        return f"\033[{_CODES[style]}m{text}\033[0m" if self._colours else text

    def progress(self, text):
        """What goes on right now: overwritten by the next line on a terminal, a line of its own elsewhere."""
        if self._quiet:
            return
        if self._tty:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r\033[K" + self.style(f"  … {text}"[:width], "faint"))
            self._progress_shown = True
        else:
            self._stream.write(f"  … {text}\n")
        self._stream.flush()

    def line(self, text=""):
        if self._quiet:
            return
        if self._progress_shown:
            self._stream.write("\r\033[K")
            self._progress_shown = False
        self._stream.write(text + "\n")
        self._stream.flush()

    def table(self, header, rows):
        """Columns as wide as their longest cell."""
        widths = [max(len(str(row[column])) for row in [header, *rows]) for column in range(len(header))]
        self.line(self.style("  ".join(name.ljust(width) for name, width in zip(header, widths)).rstrip(), "bold"))
        for row in rows:
            self.line("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())


def milliseconds(us):
    """A duration for people: '63 ms', '1.84 s', '–' for none."""
    if us is None:
        return "–"
    return f"{us / 1000:.0f} ms" if us < 1_000_000 else f"{us / 1_000_000:.2f} s"
