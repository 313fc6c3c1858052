"""keepalived: VRRP on the public network, nginx always running on both servers, a script that looks for its process.

It has neither a membership nor a fencer nor a quorum: what it does on a lost peer is always unsafe."""

from . import journal
from .stack import Stack, first_reason, require_programs


def configuration(layout, advert_s):
    """nopreempt: the service stays where it is when the other server comes back. A high priority takes over soonest: a
    backup waits three advertisements and (256 - priority)/256 of one (RFC 5798, 6.1)."""
    return f"""global_defs {{
  vrrp_version 3
  vrrp_garp_master_delay 0
  script_user root
  enable_script_security
}}
vrrp_script nginx {{
  script "/usr/bin/pgrep -x nginx"
  interval 1
}}
vrrp_instance web {{
  state BACKUP
  nopreempt
  interface eth1
  virtual_router_id 51
  priority 254
  advert_int {advert_s}
  virtual_ipaddress {{
    {layout.floating}/24
  }}
  track_script {{
    nginx
  }}
}}
"""


class Keepalived(Stack):
    units = ("keepalived",)
    has_membership = False
    advert_s = 1

    @staticmethod
    def require():
        require_programs("keepalived")

    def set_up(self):
        self.prepare_servers()
        for server in self.lab.servers:
            server.write("/etc/keepalived/keepalived.conf", configuration(self.lab.layout, self.advert_s))
            server.systemctl("enable", "nginx", *self.units)
            server.systemctl("start", "nginx")

    def why_not_ready(self):
        checks = [lambda server=server, unit=unit: self._why_not_active(server, unit)
                  for server in self.lab.servers for unit in ("nginx", *self.units)]
        return first_reason([*checks, self._why_not_one_master])

    @staticmethod
    def _why_not_active(server, unit):
        return None if server.active(unit) == "active" else f"{server}: {unit} is not active"

    def _why_not_one_master(self):
        holders = [server.name for server in self.lab.servers if self._holds_address(server)]
        return None if len(holders) == 1 else f"the address is on {' and '.join(holders) or 'no server'}"

    def _holds_address(self, server):
        return f" {self.lab.layout.floating}/" in server.output("ip", "-4", "-o", "address", "show", "dev", "eth1")

    def repair(self):
        for server in self.lab.servers:
            server.systemctl("start", "nginx", *self.units)

    def move(self, target):
        """Its master stops, and says so with an advertisement of priority 0."""
        master = next(server for server in self.lab.servers if self._holds_address(server))
        if master is not target:
            master.systemctl("stop", *self.units)

    def losses(self, server):
        """There is no membership: what is lost by mistake is the mastership."""
        return journal.times(server, "keepalived", r"Entering (MASTER|FAULT) STATE")

    def ordered_at(self, since_us):
        times = [at_us for server in self.lab.servers if server.powered() for at_us in self.losses(server)]
        return min((at_us for at_us in times if at_us >= since_us), default=None)


class KeepalivedSecond(Keepalived):
    name = "keepalived-1s"
    title = "keepalived, an advertisement a second"
    advert_s = 1


class KeepalivedTenth(Keepalived):
    name = "keepalived-100ms"
    title = "keepalived, ten advertisements a second"
    advert_s = 0.1
