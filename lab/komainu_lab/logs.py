"""What the servers wrote, for whoever looks for the reason of a failure. Their journals are read from their disks: a server
may be off or frozen, and what was before its last boot counts too."""

import pathlib
import shutil

from . import shell
from .shell import CommandFailed, CommandHung


def save(lab, cluster, title, files=()):
    """Returns the folder."""
    folder = pathlib.Path("/var/tmp") / f"komainu-{title}-{lab.layout.run}"
    folder.mkdir(exist_ok=True)
    for server in lab.servers:
        disk = lab.layout.disk(server.name)
        journal = next((path for path in (disk / "upper/var/log/journal", disk / "var.upper/log/journal") if path.exists()), None)
        try:
            if journal:
                text = shell.run(["journalctl", "--no-pager", "--output=short-precise", f"--directory={journal}"]).stdout
                (folder / f"{server.name}.journal").write_text(text)
            events = cluster.komainu(server, "events", timeout=5, check=False).stdout
            (folder / f"{server.name}.events").write_text(events)
        except (CommandFailed, CommandHung, RuntimeError) as failure:
            (folder / f"{server.name}.error").write_text(f"{failure}\n")
    for file in files:
        if file.exists():
            shutil.copy(file, folder / file.name)
    return folder
