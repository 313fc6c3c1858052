"""The stacks there are."""

from .keepalived import KeepalivedSecond, KeepalivedTenth
from .komainu import KomainuFast, KomainuLan
from .pacemaker import PacemakerDefault, PacemakerFast, PacemakerLan

STACKS = {stack.name: stack for stack in (KomainuFast, KomainuLan, PacemakerDefault, PacemakerFast, PacemakerLan,
                                          KeepalivedSecond, KeepalivedTenth)}
# Pacemaker is compared with Corosync's defaults and with the token of komainu's fastest profile.
DEFAULT = tuple(name for name in STACKS if name != PacemakerLan.name)
# What the others are compared with.
REFERENCES = (KomainuFast.name, KomainuLan.name)
