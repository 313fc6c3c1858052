#!/usr/bin/python3
"""What a BMC of the lab does when its chassis is asked or told something: OpenIPMI's ipmi_sim runs it as

    chassis.py SOCKET SERVER MODE 0x20 get power | set power 0|1 | set reset 1 | …

SOCKET is that of the lab's power switch, which holds the server's mains. The file MODE says what is wrong with the
BMC: `ignores` obeys no order and reports the truth, `lies` obeys none and reports what it was told to do, `slow N`
takes N seconds for everything.
"""

import pathlib
import socket
import sys
import time

path, server, mode_file, _address, *request = sys.argv[1:]


def ask(action):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(path)
        connection.sendall(f"{action} {server}\n".encode())
        return connection.makefile().readline().strip()


mode, _, value = pathlib.Path(mode_file).read_text(encoding="ascii").strip().partition(" ")
if mode == "slow":
    time.sleep(float(value))
match request:
    case ["get", "power"]:
        is_on = value != "0" if mode == "lies" else ask("status") == "ok on"
        print(f"power:{int(is_on)}")
    case ["get", "boot"]:
        print("boot:default")
    case ["set", "power" | "reset" as what, state] if mode not in ("ignores", "lies"):
        ask("reset" if what == "reset" else "on" if state == "1" else "off")
    case ["set", "power", state] if mode == "lies":
        pathlib.Path(mode_file).write_text(f"lies {state}", encoding="ascii")
