"""Play seeds of whole worlds: a realm, Pulse, LiveKit rooms and the network between them; see play.py.

    python fuzz/worlds/run.py --seeds 500 [--first 0] [--seconds 60] [--processes 2] [--stop]
    python fuzz/worlds/run.py --real --short --seeds 200
    python fuzz/worlds/run.py --show SEED [--real]

Their WebRTC peers have no keys and draw a seed's numbers: each seed is the same, byte for byte, which some are played
twice for.  ``--real``: those of dcl_comms_rtc, which ``make rtc`` builds; without it, it says so and ends with 0, or
with 1 where REQUIRE_RTC=1.  Only outcomes are looked at then.

Ends with 1 if something was raised or did not hold, or if two runs of a seed differ.  Which rows of the LiveKit
session's table of transitions were not reached is told; some need a server that refuses, or one of another make.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import multiprocessing
import os
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dcl_comms_core.livekit import session as session_module
from dcl_comms_core.states.livekit import SIGNAL_TRANSITIONS
from fuzz.seeds import MOST_SHOWN, coverage, failure
from fuzz.worlds.play import Plan, plan_of, play

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["WorldReport", "main", "missed", "run"]

TWICE_EVERY = 20
"""Every how many seeds one is played a second time, to compare."""
BATCH = 10


class WorldReport(NamedTuple):
    """What came of some seeds."""

    rows: set[Any]
    """Of the table, that were reached."""
    seeds: int
    failures: list[str]


class _Counting(dict[Any, Any]):
    def __init__(self, table: Any, rows: set[Any]) -> None:
        super().__init__(table)
        self._rows = rows

    def get(self, key: Any, default: Any = None) -> Any:
        self._rows.add(key)
        return super().get(key, default)


@contextmanager
def _counting(rows: set[Any]) -> Iterator[None]:
    table = session_module.SIGNAL_TRANSITIONS
    setattr(session_module, "SIGNAL_TRANSITIONS", _Counting(table, rows))  # noqa: B010 - it is Final
    try:
        yield
    finally:
        setattr(session_module, "SIGNAL_TRANSITIONS", table)  # noqa: B010


def real_peer() -> Any:
    """What makes str0m's peers."""
    return importlib.import_module("dcl_comms_rtc").Peer


def run(seeds: range, *, real: bool = False, stop: bool = False, short: bool = False) -> WorldReport:
    """Play these seeds; the failures are lines that name the seed.  ``short``: with one deed and two people each."""
    rows: set[Any] = set()
    failures: list[str] = []
    played = 0
    new_peer = real_peer() if real else None
    with _counting(rows):
        for seed in seeds:
            if stop and failures:
                break
            played += 1
            try:
                first = play(_plan(seed, short=short), new_peer=new_peer)
                if not real and seed % TWICE_EVERY == 0 and play(_plan(seed, short=short)) != first:
                    failures.append(f"seed {seed}: two runs of it differ")
            except Exception as error:  # noqa: BLE001 - whatever came out of it is what we look for
                failures.append(failure(seed, error))
    return WorldReport(rows, played, failures)


def _plan(seed: int, *, short: bool) -> Plan:
    if not short:
        return plan_of(seed)
    plan = plan_of(seed, chaos=False, deeds=1, people=2)
    plan.tick = 0.25
    return plan


def _batch(work: tuple[range, bool, bool, bool]) -> WorldReport:
    seeds, real, stop, short = work
    return run(seeds, real=real, stop=stop, short=short)


@contextmanager
def _reports(seeds: range, processes: int, *, real: bool, stop: bool, short: bool) -> Iterator[Any]:
    """The reports of all batches, as they come."""
    size = 1 if stop else BATCH
    batches = ((seeds[at : at + size], real, stop, short) for at in range(0, len(seeds), size))
    if processes == 1:
        yield map(_batch, batches)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield pool.imap(_batch, batches)


def missed(rows: set[Any]) -> list[str]:
    """Rows of the table that were not reached."""
    return [f"{state.value}, {trigger.value}" for state, trigger in SIGNAL_TRANSITIONS if (state, trigger) not in rows]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--real", action="store_true", help="with str0m's peers")
    parser.add_argument("--short", action="store_true", help="with one deed and two people each")
    parser.add_argument("--seconds", type=float, default=inf, help="stop after so long")
    parser.add_argument("--stop", action="store_true", help="at the first failure")
    parser.add_argument("--show", type=int, metavar="SEED")
    arguments = parser.parse_args()
    if arguments.real and find_spec("dcl_comms_rtc") is None:
        print("dcl_comms_rtc is not built here: make rtc")
        return int(os.environ.get("REQUIRE_RTC") == "1")
    if arguments.show is not None:
        return _show(arguments.show, real=arguments.real)
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    began = time.monotonic()
    rows: set[Any] = set()
    played = failures = 0
    how = {"real": arguments.real, "stop": arguments.stop, "short": arguments.short}
    with _reports(seeds, arguments.processes, **how) as reports:
        for report in reports:
            rows |= report.rows
            played += report.seeds
            for line in report.failures:
                failures += 1
                if failures <= MOST_SHOWN:
                    print(f"FAILURE {line}", flush=True)
            if (failures and arguments.stop) or time.monotonic() - began > arguments.seconds:
                break
    kind = "str0m's peers" if arguments.real else "peers without keys"
    print(f"{played} worlds with {kind}, in {time.monotonic() - began:.1f} s")
    coverage("rows of the LiveKit session's transition table", missed(rows), len(SIGNAL_TRANSITIONS))
    print(f"failures: {failures}")
    return 1 if failures else 0


def _show(seed: int, *, real: bool) -> int:
    plan = plan_of(seed)
    try:
        result = play(plan, new_peer=real_peer() if real else None, transcript=True)
    except Exception as error:
        # What it did until then is on the exception.
        print("\n".join(getattr(error, "transcript", None) or []))
        raise
    print("\n".join(result.lines))
    print(result.outcome)
    return 0


if __name__ == "__main__":
    faulthandler.enable()
    sys.exit(main())
