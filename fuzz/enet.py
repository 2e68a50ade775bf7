"""Play seeds of ENet: clients and a host on a bad line, by operations and by forged bytes; see enet_play.py.

    python fuzz/enet.py --seeds 1000 [--first 0] [--seconds 60] [--stop]
    python fuzz/enet.py --show SEED

Ends with 1 if something was raised or did not hold, if two runs of a seed differ, and if under 95% of the rows of the
table of transitions, or of the (state, command) pairs, were reached: the missing ones are named.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import time
from itertools import product
from math import inf
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dcl_comms_core.states import ENET_TRANSITIONS, EnetState
from fuzz.enet_line import EnetHits, counting
from fuzz.enet_play import STEPS, play
from fuzz.seeds import MOST_SHOWN, coverage, failure

__all__ = ["EnetReport", "main", "missed", "run"]

TWICE_EVERY = 20
"""Every how many seeds one is played a second time, to compare."""
KINDS = range(1, 13)


class EnetReport(NamedTuple):
    """What came of some seeds."""

    hits: EnetHits
    seeds: int
    failures: list[str]


def run(seeds: range, *, steps: int = STEPS, seconds: float = inf, stop: bool = False) -> EnetReport:
    """Play these seeds; the failures are lines that name the seed."""
    hits, failures, played = EnetHits(), [], 0
    began = time.monotonic()
    with counting(hits):
        for seed in seeds:
            if time.monotonic() - began >= seconds or (stop and failures):
                break
            played += 1
            try:
                first = play(seed, hits, steps=steps)
                if seed % TWICE_EVERY == 0 and play(seed, hits, steps=steps) != first:
                    failures.append(f"seed {seed}: two runs of it differ")
            except Exception as error:  # noqa: BLE001 - whatever came out of it is what we look for
                failures.append(failure(seed, error))
                print(f"FAILURE {failures[-1]}", flush=True)
    return EnetReport(hits, played, failures)


def missed(hits: EnetHits) -> tuple[list[str], list[str]]:
    """Rows of the table and (state, command) pairs that were not reached."""
    rows = [f"{state.value}, {trigger.value}" for state, trigger in ENET_TRANSITIONS if not hits.rows[state, trigger]]
    pairs = [f"{state.value}, {kind}" for state, kind in product(EnetState, KINDS) if not hits.pairs[state.value, kind]]
    return rows, pairs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument(
        "--seconds", type=float, default=inf, help="stop after so long, and don't ask how much was reached"
    )
    parser.add_argument("--stop", action="store_true", help="at the first failure")
    parser.add_argument("--show", type=int, metavar="SEED")
    arguments = parser.parse_args()
    if arguments.show is not None:
        print("\n".join(play(arguments.show, EnetHits(), transcript=True).lines))
        return 0
    began = time.monotonic()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    report = run(seeds, seconds=arguments.seconds, stop=arguments.stop)
    hits = report.hits
    print(f"{report.seeds} seeds, {hits.datagrams} datagrams that came, {time.monotonic() - began:.0f} s")
    rows, pairs = missed(hits)
    enough = [
        coverage("rows of the table", rows, len(ENET_TRANSITIONS)),
        coverage("states and commands", pairs, len(EnetState) * len(KINDS)),
    ]
    print(f"failures: {len(report.failures)}", *report.failures[:MOST_SHOWN], sep="\n  ")
    return 1 if report.failures or not (all(enough) or arguments.seconds < inf) else 0


if __name__ == "__main__":
    faulthandler.enable()
    sys.exit(main())
