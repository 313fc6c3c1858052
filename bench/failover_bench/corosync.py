"""Corosync as Pacemaker's stack uses it, and what its log says of the membership (komainu's stack reads that, too)."""

import os

from . import journal

MEMBERS_LEFT = r"A new membership .* was formed\. Members.* left:"


def configuration(layout, token_ms=None):
    """corosync.conf for the lab's servers over both networks: with komainu's token and links (see
    src/config/corosync_conf.cc), or without a token Corosync's own defaults."""
    token = ""
    if token_ms:
        link_timeout_ms = max(600, token_ms // 2)
        token = f"  link_mode: active\n  token: {token_ms}\n  token_coefficient: 0\n  consensus: {token_ms * 6 // 5}\n"
        token += "".join(f"""  interface {{
    linknumber: {link}
    knet_ping_interval: {link_timeout_ms // 3}
    knet_ping_timeout: {link_timeout_ms}
  }}
""" for link in (0, 1))
    nodes = "".join(f"""  node {{
    name: {server.name}
    nodeid: {server.number}
    ring0_addr: {server.interconnect}
    ring1_addr: {server.public}
  }}
""" for server in layout.servers)
    return f"""totem {{
  version: 2
  cluster_name: bench
  transport: knet
  crypto_cipher: aes256
  crypto_hash: sha256
{token}}}
nodelist {{
{nodes}}}
quorum {{
  provider: corosync_votequorum
  two_node: 1
}}
logging {{
  to_syslog: yes
}}
"""


def set_up(lab, token_ms):
    key = os.urandom(256)
    for server in lab.servers:
        server.write("/etc/corosync/corosync.conf", configuration(lab.layout, token_ms))
        server.write("/etc/corosync/authkey", key, mode=0o400)


def members_left_at(server):
    return journal.times(server, "corosync", MEMBERS_LEFT)
