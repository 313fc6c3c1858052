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
    """Traffic lost between ports of the switches while every link stays up. Rules add to each other until clear()."""

    def __init__(self, layout):
        self._layout = layout

    def _add(self, rules):
        """All of them take effect at once."""
        lines = "\n".join(f"    {rule}" for rule in rules)
        _inside(self._layout.netns("switch"), "nft", "-f", "-", stdin=f"""
table bridge lab {{
  chain forward {{
    type filter hook forward priority 0; policy accept;
{lines}
  }}
}}
""")

    def _port(self, name, network):
        plan = self._layout.server(name)
        return f'{{ "{plan.port(network)}", "{plan.relay_port(network)}" }}'

    def drop(self, pairs, networks):
        """What the first of each pair sends to the second is lost; the other direction works."""
        self._add(f"iifname {self._port(sender, network)} oifname {self._port(receiver, network)} drop"
                  for sender, receiver in pairs for network in networks)

    def harm(self, name, network, what=""):
        """Of all that `name` sends or receives on `network`, what nft's expression matches is lost; by default all."""
        self._add(f"{direction} {self._port(name, network)} {what} drop" for direction in ("iifname", "oifname"))

    def deafen(self, name, network, largest):
        """Frames of more than `largest` bytes to `name` are lost; what it sends arrives."""
        self._add([f"oifname {self._port(name, network)} meta length > {largest} drop"])

    def clear(self):
        _inside(self._layout.netns("switch"), "nft", "flush", "ruleset")


def add_appliance(layout, netns, port, address):
    """A network namespace of its own on the interconnect, for what stands beside the servers."""
    switch = layout.netns("switch")
    _ip_batch([f"netns add {netns}", f"link add eth0 netns {netns} type veth peer name {port} netns {switch}"])
    _ip_batch([f"link set {port} master {_BRIDGES['interconnect']}", f"link set {port} up"], switch)
    _ip_batch(["link set lo up", "link set eth0 up", f"addr add {address}/24 dev eth0"], netns)


def set_port(layout, port, up):
    _ip_batch([f"link set {port} {'up' if up else 'down'}"], layout.netns("switch"))


def make_relay_port(layout, server, network):
    """Takes the server's port out of the switch and puts another one in its place, whose other end is returned: what
    a relay must join with the server's port."""
    port, place = server.port(network), server.relay_port(network)
    end = f"e-{port}"
    _ip_batch([f"link add {place} type veth peer name {end}", f"link set {end} up",
               f"link set {place} master {_BRIDGES[network]}", f"link set {place} up", f"link set {port} nomaster"],
              layout.netns("switch"))
    return end


def remove_relay_port(layout, server, network):
    _ip_batch([f"link del {server.relay_port(network)}", f"link set {server.port(network)} master {_BRIDGES[network]}"],
              layout.netns("switch"))


def remove(layout):
    existing = shell.run(["ip", "netns", "list"]).stdout.split()
    _ip_batch([f"netns del {netns}" for netns in layout.possible_netns if netns in existing])
