"""The lab's network namespaces, switches and cables (drawn in layout.py)."""

from . import shell
from .layout import INTERFACE, NETWORKS

_BRIDGES = {"interconnect": "br-ic", "public": "br-pub"}


def _ip_batch(lines, netns=None):
    into = ["-n", netns] if netns else []
    shell.run(["ip", *into, "-batch", "-"], stdin="\n".join(lines) + "\n", what=f"ip -batch in {netns or 'this netns'}")


def _inside(netns, *command, stdin="", check=True):
    return shell.run(["nsenter", f"--net=/run/netns/{netns}", *command], stdin=stdin, check=check)


def build(layout):
    switch = layout.netns("switch")
    _ip_batch([f"netns add {netns}" for netns in layout.all_netns])
    for netns in layout.all_netns:
        # nodad: nobody else is on these networks when they are made. ping_group_range: ICMP sockets for everybody.
        _inside(netns, "sysctl", "-qw", "net.ipv6.conf.all.accept_ra=0", "net.ipv6.conf.default.accept_dad=0",
                "net.ipv4.ping_group_range=0 2147483647")
    _ip_batch(
        ["link set lo up"] + [
            line for bridge in _BRIDGES.values()
            for line in (f"link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0", f"link set {bridge} up")
        ], switch)
    cables = [(server.name, INTERFACE[network], server.port(network), network)
              for server in layout.machines for network in NETWORKS]
    cables += [("client", "eth0", "pub-client", "public"), ("power", "eth0", "ic-power", "interconnect")]
    _ip_batch([
        f"link add {interface} netns {layout.netns(owner)} type veth peer name {port} netns {switch}"
        for owner, interface, port, _ in cables
    ])
    _ip_batch([f"link set {port} master {_BRIDGES[network]}" for _, _, port, network in cables], switch)
    _ip_batch(["link set pub-client up", "link set ic-power up"], switch)
    _ip_batch([
        "link set lo up", "link set eth0 up", f"addr add {layout.client}/24 dev eth0",
        f"addr add {layout.client6}/64 dev eth0 nodad"
    ], layout.netns("client"))
    set_gateway(layout, True)
    _ip_batch(["link set lo up", "link set eth0 up", f"addr add {layout.power}/24 dev eth0"], layout.netns("power"))


def set_gateway(layout, alive):
    verb = "replace" if alive else "del"
    flags = " nodad" if alive else ""
    _ip_batch([f"addr {verb} {layout.gateway}/24 dev eth0", f"addr {verb} {layout.gateway6}/64 dev eth0{flags}"],
              layout.netns("client"))


def configure_server(layout, name):
    """What a server's NICs have after power-on: their own addresses, and nothing that was left from before."""
    server, netns = layout.server(name), layout.netns(name)
    _inside(netns, "nft", "flush", "ruleset")
    _ip_batch([
        "addr flush dev lo", "addr flush dev eth0", "addr flush dev eth1", "link set lo down", "link set lo up",
        "link set eth0 up", "link set eth1 up", f"addr add {server.interconnect}/24 dev eth0",
        f"addr add {server.public}/24 dev eth1", f"addr add {server.public6}/64 dev eth1 nodad",
        f"route replace default via {layout.gateway} dev eth1"
    ], netns)


class Filter:
    """Traffic lost between ports of the switches while every link stays up: one way, or all of one cable."""

    def __init__(self, layout):
        self._layout = layout

    def _add(self, rule):
        _inside(self._layout.netns("switch"), "nft", "-f", "-", stdin=f"""
table bridge lab {{
  chain forward {{
    type filter hook forward priority 0; policy accept;
    {rule}
  }}
}}
""")

    def drop(self, sender, receiver, network):
        """What `sender` sends to `receiver` on `network` is lost; the other direction works."""
        source = self._layout.server(sender).port(network)
        target = self._layout.server(receiver).port(network)
        self._add(f'iifname "{source}" oifname "{target}" drop')

    def isolate(self, name, network):
        """Nothing reaches `name` on `network` nor comes from it, and its link stays up."""
        port = self._layout.server(name).port(network)
        self._add(f'iifname "{port}" drop')
        self._add(f'oifname "{port}" drop')

    def clear(self):
        _inside(self._layout.netns("switch"), "nft", "flush", "ruleset")


def remove(layout):
    existing = shell.run(["ip", "netns", "list"]).stdout.split()
    _ip_batch([f"netns del {netns}" for netns in layout.all_netns if netns in existing])
