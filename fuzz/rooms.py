"""Play seeds of the memory room, and see that everything holds that has to: see play.py and actors.py.

    python fuzz/rooms.py --seeds 1000 [--first 0] [--processes 2] [--journal-every 20] [--stop]
    python fuzz/rooms.py --show SEED

Ends with 1 if a promise was broken or something was raised, and if under 95% of the transition table's rows, or of the
(state, input) pairs, were reached: the missing ones are named.  ``--show`` prints the transcript of one seed.
"""

from __future__ import annotations

import argparse
import faulthandler
import multiprocessing
import os
import sys
import time
from contextlib import contextmanager
from itertools import product
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dcl_comms_core import inputs
from dcl_comms_core.states import ROOM_TRANSITIONS, RoomState
from fuzz.actors import VERBS, Hits, watched
from fuzz.chances import NEWS
from fuzz.play import STEPS, play
from fuzz.seeds import ENOUGH, MOST_SHOWN, coverage, failure

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Report", "main", "missed", "run"]

BATCH = 25


class Report(NamedTuple):
    """What came of some seeds."""

    hits: Hits
    steps: int
    failures: list[str]


def run(seeds: range, *, journal_every: int = 10, steps: int = STEPS) -> Report:
    """Play these seeds; the failures are lines that name the seed."""
    hits = Hits()
    done = 0
    failures: list[str] = []
    with watched(hits):
        for seed in seeds:
            try:
                done += play(seed, hits, steps=steps, journal=seed % journal_every == 0).steps
            except Exception as error:  # noqa: BLE001 - whatever came out of it is what we look for
                failures.append(failure(seed, error))
    return Report(hits, done, failures)


def _batch(work: tuple[range, int]) -> Report:
    return run(work[0], journal_every=work[1])


@contextmanager
def _reports(seeds: range, processes: int, journal_every: int, batch: int) -> Iterator[Any]:
    """The reports of all batches, as they come."""
    batches = ((seeds[at : at + batch], journal_every) for at in range(0, len(seeds), batch))
    if processes == 1:
        yield map(_batch, batches)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield pool.imap(_batch, batches)


def missed(hits: Hits) -> tuple[list[str], list[str]]:
    """Rows of the table and (state, input) pairs that were not reached."""
    rows = [f"{state.value}, {trigger.value}" for state, trigger in ROOM_TRANSITIONS if not hits.rows[state, trigger]]
    pairs = [f"{state}, {what}" for state, what in _pairs() if not hits.pairs[state, what]]
    return rows, pairs


def _pairs() -> list[tuple[str, str]]:
    """Every state with every input and the main verbs; packets come with an object around them, and without."""
    kinds = sorted({kind.__name__ for kind in (*NEWS, inputs.ClockSet)} | VERBS)
    return list(product((state.value for state in RoomState), kinds))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--journal-every", type=int, default=20, help="every how many seeds are recorded and run again")
    parser.add_argument(
        "--seconds", type=float, default=inf, help="stop after so long, and don't ask how much was reached"
    )
    parser.add_argument("--stop", action="store_true", help="at the first failure")
    parser.add_argument("--show", type=int, metavar="SEED")
    arguments = parser.parse_args()
    if arguments.show is not None:
        return _show(arguments.show)
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    began = time.monotonic()
    hits, steps, failures = Hits(), 0, 0
    batch = 1 if arguments.stop else BATCH
    with _reports(seeds, arguments.processes, arguments.journal_every, batch) as reports:
        for report in reports:
            hits.rows += report.hits.rows
            hits.pairs += report.hits.pairs
            hits.deeds += report.hits.deeds
            steps += report.steps
            for line in report.failures:
                failures += 1
                if failures <= MOST_SHOWN:
                    print(f"FAILURE {line}", flush=True)
            if failures and arguments.stop:
                return 1
            if time.monotonic() - began > arguments.seconds:
                break
    took, cpu = time.monotonic() - began, sum(os.times()[:4])
    print(f"{steps // STEPS + failures} seeds, {steps} steps, 3 peers each")
    print(f"{took:.1f} s with {arguments.processes} processes, {cpu:.1f} s of processor time")
    print(f"recorded and run again: one in {arguments.journal_every}")
    print("deeds: " + ", ".join(f"{name} {count}" for name, count in sorted(hits.deeds.items())))
    rows, pairs = missed(hits)
    enough = coverage("rows of the room's transition table", rows, len(ROOM_TRANSITIONS))
    enough = coverage("(state, input) pairs", pairs, len(_pairs())) and enough
    print(f"failures: {failures}")
    enough = enough or arguments.seconds < inf
    if not enough:
        print(f"FAILED: under {ENOUGH:.0%} were reached")
    return 0 if enough and not failures else 1


def _show(seed: int) -> int:
    hits = Hits()
    with watched(hits):
        try:
            result = play(seed, hits, transcript=True)
        except Exception as error:
            # What it did until then is on the exception.
            print("\n".join(getattr(error, "transcript", [])))
            raise
    print("\n".join(result.lines))
    return 0


if __name__ == "__main__":
    faulthandler.enable()
    sys.exit(main())
