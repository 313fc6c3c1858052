"""Puts onto a booted server what the lab's scenarios need: the web service, the movable clock, komainu itself."""

from . import layout as layouts
from .lab import SOURCE, build_folder, program

_FILES = SOURCE / "lab" / "files"
CLOCK_UNITS = ("corosync.service", "komainud.service")


def web_service(server):
    """nginx, not started: whoever is tested starts it."""
    server.write("/etc/nginx/sites-enabled/default", (_FILES / "nginx-site.conf").read_text())
    server.write("/etc/systemd/system/nginx.service.d/lab.conf", (_FILES / "nginx-lab.conf").read_text())


def movable_clock(server, units=CLOCK_UNITS):
    """The units see a wall clock that Server.shift_clock moves; the offset is 0 until then and after each boot."""
    library = build_folder() / "lib" / "libkomainu-lab-clock.so"
    if not library.exists():
        raise FileNotFoundError(f"{library} is missing: build it with ./dev build")
    server.copy_in(library, "/usr/lib/komainu-lab/clock.so")
    for unit in units:
        server.write(f"/etc/systemd/system/{unit}.d/lab-clock.conf", (_FILES / "lab-clock.conf").read_text())


def corosync_without_realtime(server):
    """A Corosync that finds no ring, because some servers hear each other and others do not, spins. At real-time priority it
    then takes a core for itself: a server has one to spare, but all servers of a lab share this machine's, and the kernel's
    network threads, the judge and everybody's daemons would starve."""
    settings = server.read("/etc/corosync/corosync.conf")
    server.write("/etc/corosync/corosync.conf", settings + "system {\n  sched_rr: no\n  priority: -5\n}\n")


def fence_agent(server):
    server.copy_in(program("fence_lab"), "/usr/sbin/fence_lab")


def komainu(server):
    server.copy_in(program("komainud"), "/usr/sbin/komainud")
    server.copy_in(program("komainu"), "/usr/bin/komainu")
    server.write("/etc/systemd/system/komainud.service", (SOURCE / "packaging" / "komainud.service").read_text())
    server.write("/etc/systemd/system/corosync.service.d/komainu.conf",
                 (SOURCE / "packaging" / "corosync-komainu.conf").read_text())
    server.write("/etc/systemd/system/corosync-qdevice.service.d/komainu.conf",
                 (SOURCE / "packaging" / "corosync-qdevice-komainu.conf").read_text())
    server.run(["groupadd", "--force", "--system", "komainu"])


def arbiter(server):
    """corosync-qnetd as Debian installs it, with an authority of its own."""
    server.run(["rm", "-rf", "/etc/corosync/qnetd/nssdb"])
    server.run(["corosync-qnetd-certutil", "-i", "-G"])
    server.run(["chgrp", "-R", "coroqnetd", "/etc/corosync/qnetd/nssdb"])
    server.systemctl("enable", "--now", "corosync-qnetd")


def everything(server):
    web_service(server)
    movable_clock(server)
    fence_agent(server)
    komainu(server)
    server.systemctl("daemon-reload")


def power_switch(layout):
    """A fencing level of cluster.toml: the lab's own switch."""
    return f"""\
[[fencing]]
device = [ {{ type = "agent", agent = "fence_lab", options = ["ip={layout.power}", "ipport=7700"] }} ]
"""


def chaos_toml(layout, levels):
    """A cluster with the ledger (ledger.py), fenced by these levels: functions like power_switch()."""
    fencing = "\n".join(level(layout) for level in levels)
    return cluster_toml(layout, template=(_FILES / "chaos.toml").read_text().replace("@FENCING@", fencing))


def cluster_toml(layout, *, http_interval="1s", template=None):
    """The demo's cluster.toml for this lab, with the arbiter if the lab has one."""
    text = template or (_FILES / "cluster.toml").read_text()
    nodes = "".join(f'[[node]]\nname  = "{server.name}"\nlinks = ["{server.interconnect}", "{server.public}"]\n\n'
                    for server in layout.servers)
    quorum = ""
    if layout.has_arbiter:
        quorum = f'[quorum]\narbiter = {{ type = "qnetd", address = "{layout.server(layouts.ARBITER).interconnect}" }}\n\n'
    values = {"NODES": nodes.rstrip("\n") + "\n", "QUORUM": quorum, "NAMES": ", ".join(f'"{name}"' for name in layout.server_names),
              "POWER": layout.power, "POWER_PORT": "7700", "FLOATING": layout.floating, "GATEWAY": layout.gateway,
              "HTTP_INTERVAL": http_interval}
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text
