"""Sockets inside another network namespace: a socket stays in the namespace in which it was opened."""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def _setns(fd):
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns into a network namespace: needs root")


@contextlib.contextmanager
def inside(netns_path):
    """The calling thread is in the network namespace for the time of the `with` block."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    target = os.open(netns_path, os.O_RDONLY)
    try:
        _setns(target)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)
        os.close(target)


class LinkControl:
    """Sets links of one network namespace up and down at once, without starting a program."""

    def __init__(self, netns_path):
        with inside(netns_path):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def set_up(self, interface, up):
        request = struct.pack("16sh14x", interface.encode(), 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(self._socket, _SIOCGIFFLAGS, request))[1]
        flags = flags | _IFF_UP if up else flags & ~_IFF_UP
        fcntl.ioctl(self._socket, _SIOCSIFFLAGS, struct.pack("16sh14x", interface.encode(), flags))
