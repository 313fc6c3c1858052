"""Pacemaker on Corosync, configured with crmsh: IPaddr2 and nginx agents in one group, the lab's fence agent as its
stonith device. Monitors have the agents' own advised interval (10 s)."""

import xml.etree.ElementTree as xml

from komainu_lab import layout as layouts, provision

from . import corosync, journal
from .stack import Stack, first_reason, require_programs

GROUP, NGINX = "web", "nginx"
_CIB = "/var/lib/pacemaker/cib/cib.xml"
_DRAFT = "/run/lab/cib.xml"
# crmsh starts dozens of programs; on a busy machine each waits for its turn.
_PATIENCE = 120.0


def crm_configuration(layout):
    """A lost server is switched off, as komainu does: it stays off until the bench has measured. The stickiness keeps
    the service where it is when the other server comes back."""
    return f"""property stonith-enabled=true stonith-action=off
rsc_defaults resource-stickiness=100
primitive fence stonith:fence_lab params ip={layout.power} ipport={layouts.POWER_PORT} \
pcmk_host_list="{' '.join(layout.server_names)}" op monitor interval=60s
primitive address ocf:heartbeat:IPaddr2 params ip={layout.floating} cidr_netmask=24 nic=eth1 op monitor interval=10s
primitive {NGINX} ocf:heartbeat:nginx params configfile=/etc/nginx/nginx.conf op monitor interval=10s timeout=30s
group {GROUP} address {NGINX}
"""


class Pacemaker(Stack):
    units = ("corosync", "pacemaker")
    has_fencer = True
    poll_s = 10.0
    token_ms = None

    @staticmethod
    def require():
        require_programs("corosync", "pacemakerd", "crm")

    def set_up(self):
        """The configuration is made off line, so that the very first start is one of a configured cluster."""
        self.prepare_servers()
        corosync.set_up(self.lab, self.token_ms)
        first = self.lab.servers[0]
        for server in self.lab.servers:
            provision.fence_agent(server)
        first.run(["sh", "-c", f"cibadmin --empty >{_DRAFT} && CIB_file={_DRAFT} crm configure load update -"],
                  stdin=crm_configuration(self.lab.layout), timeout=_PATIENCE)
        cib = first.read(_DRAFT)
        for server in self.lab.servers:
            server.write(_CIB, cib, mode=0o600)
            server.run(["chown", "hacluster:haclient", _CIB])
            server.systemctl("enable", *self.units)

    def why_not_ready(self):
        return first_reason([self._why_not_online, self._why_not_settled])

    def _why_not_online(self):
        status = xml.fromstring(self._any().run(["crm_mon", "--one-shot", "--output-as=xml"], timeout=10).stdout)
        for node in status.iterfind("nodes/node"):
            if node.get("online") != "true" or node.get("unclean") != "false" or node.get("pending") != "false":
                return f"{node.get('name')} is not an online member"
        if len(status.findall("nodes/node")) != len(self.lab.servers):
            return "not all servers are members"
        for resource in status.iterfind("resources//resource"):
            if resource.get("active") != "true" or resource.get("failed") != "false":
                return f"{resource.get('id')} is not running"
        return None if status.findall("resources//resource") else "no resources are known yet"

    def _why_not_settled(self):
        self._any().run(["crm_resource", "--wait", "--timeout=30s"], timeout=40)

    def _any(self):
        return next(server for server in self.lab.servers if server.powered())

    def repair(self):
        server = self._any()
        server.run(["crm", "resource", "clear", GROUP], check=False, timeout=_PATIENCE)
        server.run(["crm", "resource", "cleanup", GROUP], check=False, timeout=_PATIENCE)

    def move(self, target):
        target.run(["crm", "--wait", "resource", "move", GROUP, target.name], timeout=_PATIENCE)

    def without_fencer(self):
        self._any().run(["crm", "configure", "property", "stonith-enabled=false"], timeout=_PATIENCE)

    def losses(self, server):
        return corosync.members_left_at(server)

    def ordered_at(self, since_us):
        times = [at_us for server in self.lab.servers if server.powered()
                 for at_us in journal.times(server, "pacemaker", r"Initiating (start|stop) operation", since_us)]
        return min(times, default=None)


class PacemakerDefault(Pacemaker):
    name = "pacemaker"
    title = "Pacemaker, Corosync's defaults (token 3 s)"


class PacemakerFast(Pacemaker):
    name = "pacemaker-fast"
    title = "Pacemaker, komainu's token of profile fast (300 ms)"
    token_ms = 300


class PacemakerLan(Pacemaker):
    name = "pacemaker-lan"
    title = "Pacemaker, komainu's token of profile lan (1 s)"
    token_ms = 1000
