"""The command line of komainu-lab."""

import argparse
import os
import sys

from . import chaos, chaos_faults, demo, faults, layout as layouts, teardown
from .lab import Lab, attach
from .shell import CommandFailed, CommandHung
from .terminal import Terminal
from .waiting import NotInTime, wait_for


def _parser():
    parser = argparse.ArgumentParser(
        prog="komainu-lab", description="Servers with systemd as PID 1, networks, power switches and a judge, on this machine.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    one = commands.add_parser("demo", help="a cluster of two, one fault after the other")
    one.add_argument("--fault", metavar="NAME", action="append", help="only this one; may be repeated")
    one.add_argument("--list", action="store_true", help="the faults there are")
    one.add_argument("--stay", action="store_true", help="leave the cluster up at the end, and say what to type")
    one.add_argument("--json", action="store_true", help="the result as JSON on standard output, nothing else")

    one = commands.add_parser("chaos", help="a cluster with data, random faults until the time is over, judged throughout")
    one.add_argument("--minutes", type=float, default=10, metavar="N", help="at least so long (default 10)")
    one.add_argument("--seed", type=int, metavar="S", help="the same faults again; default: another one each time")
    one.add_argument("--nodes", type=int, default=3, choices=(2, 3, 5), help="default 3")
    one.add_argument("--arbiter", action="store_true", help="and a server with corosync-qnetd, which is lost at times, too")
    one.add_argument("--fault", metavar="NAME", action="append", default=[], help="only this one; may be repeated")
    one.add_argument("--list", action="store_true", help="the faults there are")
    one.add_argument("--json", action="store_true", help="the result as JSON on standard output, nothing else")

    one = commands.add_parser("up", help="make a lab that stays until `down`; prints its name")
    one.add_argument("--nodes", type=int, default=2, metavar="N", help="1 to 5 servers (default 2)")
    one.add_argument("--komainu", action="store_true", help="with a running cluster")
    one.add_argument("--arbiter", action="store_true", help="and a server with corosync-qnetd, called `arbiter`")

    commands.add_parser("list", help="the labs on this machine")

    one = commands.add_parser("run", help="a command on a server, or on `client`")
    one.add_argument("lab")
    one.add_argument("server")
    one.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")

    one = commands.add_parser("power", help="a server's power switch")
    one.add_argument("lab")
    one.add_argument("server")
    one.add_argument("action", choices=["on", "off", "reset", "status"])

    for name, text in (("cut", "pull a server's cable"), ("mend", "plug it back in")):
        one = commands.add_parser(name, help=text)
        one.add_argument("lab")
        one.add_argument("server")
        one.add_argument("network", choices=layouts.NETWORKS)

    one = commands.add_parser("down", help="end a lab made by `up` or `demo --stay`")
    one.add_argument("lab", nargs="*", help="default: all")

    commands.add_parser("clean", help="remove what dead labs left behind")
    return parser


def _list_faults(table):
    width = max(len(fault.name) for fault in table)
    for fault in table:
        print(f"{fault.name:<{width}}  {fault.title}")
    return 0


def _chaos(options):
    if options.list:
        return _list_faults(chaos_faults.FAULTS)
    if options.arbiter and options.nodes % 2:
        raise ValueError("chaos: --arbiter is for an even number of servers: add --nodes 2")
    return chaos.run(minutes=options.minutes, seed=options.seed, nodes=options.nodes, names=options.fault,
                     arbiter=options.arbiter, as_json=options.json)


def _demo(options):
    if options.list:
        return _list_faults(faults.FAULTS)
    try:
        chosen = [faults.find(name) for name in options.fault] if options.fault else faults.FAULTS
    except KeyError as failure:
        raise ValueError(failure.args[0]) from None
    return demo.run(chosen, stay=options.stay, as_json=options.json)


def _up(options):
    from .cluster import Cluster
    terminal = Terminal(sys.stderr)
    with Lab(options.nodes, arbiter=options.arbiter, progress=terminal.progress) as lab:
        if options.komainu:
            Cluster(lab).set_up(terminal.progress)
        terminal.line(f"servers: {' '.join(lab.layout.server_names)}")
        run = lab.layout.run
        lab.stay()
    print(run)
    return 0


def _run(options):
    if not options.words:
        raise ValueError("run: a command is missing, as in: komainu-lab run km1234 guest1 komainu status")
    lab = attach(options.lab)
    if options.server == "client":
        os.execvp("nsenter", ["nsenter", f"--net={lab.layout.netns_path('client')}", *options.words])
    return lab.server(options.server).interactive(options.words)


def _power(options):
    from . import power_switch
    print(power_switch.request(attach(options.lab).layout, f"{options.action} {options.server}"))
    return 0


def _cable(options):
    lab = attach(options.lab)
    (lab.cut if options.command == "cut" else lab.mend)(lab.server(options.server), options.network)
    return 0


def _list(_options):
    for run, alive in teardown.runs():
        print(f"{run}  {'up' if alive else 'dead: komainu-lab clean removes it'}")
    return 0


def _down(options):
    chosen = options.lab or [run for run, alive in teardown.runs() if alive]
    for run in chosen:
        teardown.stop(run)
    for run in chosen:
        wait_for(lambda run=run: not (layouts.STATE_ROOT / run).exists(), 30, f"{run} is gone")
    return 0


def _clean(_options):
    for run in teardown.clean():
        print(f"removed {run}")
    return 0


_COMMANDS = {"demo": _demo, "chaos": _chaos, "up": _up, "list": _list, "run": _run, "power": _power, "cut": _cable, "mend": _cable,
             "down": _down, "clean": _clean}


def main(arguments=None):
    options = _parser().parse_args(arguments)
    if os.geteuid() != 0 and not getattr(options, "list", False):
        print("komainu-lab: makes network namespaces and needs root: sudo lab/komainu-lab …", file=sys.stderr)
        return 2
    try:
        return _COMMANDS[options.command](options)
    except KeyboardInterrupt:
        print("komainu-lab: interrupted; the lab was taken down", file=sys.stderr)
        return 130
    except (CommandFailed, CommandHung, NotInTime, OSError, RuntimeError, ValueError) as failure:
        print(f"komainu-lab: {failure}", file=sys.stderr)
        return 2
