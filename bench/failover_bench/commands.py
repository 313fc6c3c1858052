"""The command line of `./dev bench failover`."""

import argparse
import json
import os
import sys

from komainu_lab.terminal import Terminal

from . import report, stacks
from .campaign import Campaign
from .scenarios import SCENARIOS

RUNS, QUICK_RUNS = 7, 2
FOOTPRINT_S, QUICK_FOOTPRINT_S = 20.0, 5.0


def _parser():
    parser = argparse.ArgumentParser(
        prog="./dev bench failover",
        description="The same nginx and floating IP in the same lab under several cluster stacks, asked every 10 ms.")
    parser.add_argument("--stack", action="append", metavar="NAME", choices=stacks.STACKS,
                        help=f"only this one; may be repeated ({', '.join(stacks.STACKS)}; default: {', '.join(stacks.DEFAULT)})")
    parser.add_argument("--scenario", action="append", metavar="NAME", choices=SCENARIOS,
                        help=f"only this one; may be repeated ({', '.join(SCENARIOS)})")
    parser.add_argument("--runs", type=_positive, metavar="N", help=f"runs of each (default {RUNS})")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs, and a shorter look at the idle stacks")
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output, nothing else there")
    return parser


def _positive(text):
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def main(arguments=None):
    """Exit code 0: everything was measured; 1: a run failed; 2: it could not begin; 130: interrupted."""
    options = _parser().parse_args(arguments)
    # In the table's order, whatever the order on the command line.
    names = [name for name in stacks.STACKS if name in (options.stack or stacks.DEFAULT)]
    scenarios = [scenario for name, scenario in SCENARIOS.items() if not options.scenario or name in options.scenario]
    runs = options.runs or (QUICK_RUNS if options.quick else RUNS)
    if os.geteuid() != 0:
        print("bench failover: makes network namespaces and needs root: sudo ./dev bench failover", file=sys.stderr)
        return 2
    try:
        for name in names:
            stacks.STACKS[name].require()
    except FileNotFoundError as failure:
        print(f"bench failover: {failure}", file=sys.stderr)
        return 2

    progress = Terminal(sys.stderr)
    campaign = Campaign(names, scenarios, runs=runs, footprint_s=QUICK_FOOTPRINT_S if options.quick else FOOTPRINT_S,
                        progress=progress.progress)
    code = 0
    try:
        campaign.run()
    except KeyboardInterrupt:
        code = 130
    progress.line("interrupted; what was measured until then:" if code else "")
    if options.json:
        print(json.dumps(report.as_json(campaign.results, names, scenarios, runs), indent=2))
    else:
        report.print_tables(Terminal(), campaign.results, names, scenarios)
    return code or (1 if campaign.results.failures() else 0)
