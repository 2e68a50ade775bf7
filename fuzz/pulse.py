"""Play seeds of Pulse: what a service says, well and badly, by messages, bytes and datagrams; see pulse_play.py.

    python fuzz/pulse.py --seeds 200 [--first 0] [--seconds 60] [--stop]

Ends with 1 if something was raised or did not hold, if two runs of a seed differ, and if under 95% of the rows of the
session's table of transitions were reached: the missing ones are named.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import time
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dcl_comms_core.pulse import session as session_module
from dcl_comms_core.states import PULSE_TRANSITIONS
from fuzz.pulse_play import STEPS, PulseHits, play
from fuzz.seeds import MOST_SHOWN, coverage, failure

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PulseReport", "main", "missed", "run"]

TWICE_EVERY = 20
"""Every how many seeds one is played a second time, to compare."""


class PulseReport(NamedTuple):
    """What came of some seeds."""

    hits: PulseHits
    seeds: int
    failures: list[str]


class _Counting(dict[Any, Any]):
    def __init__(self, table: Any, hits: PulseHits) -> None:
        super().__init__(table)
        self._hits = hits

    def __getitem__(self, key: Any) -> Any:
        self._hits.rows.add(key)
        return super().__getitem__(key)


@contextmanager
def _counting(hits: PulseHits) -> Iterator[None]:
    table = session_module.PULSE_TRANSITIONS
    setattr(session_module, "PULSE_TRANSITIONS", _Counting(table, hits))  # noqa: B010 - it is Final
    try:
        yield
    finally:
        setattr(session_module, "PULSE_TRANSITIONS", table)  # noqa: B010


def run(seeds: range, *, steps: int = STEPS, seconds: float = inf, stop: bool = False) -> PulseReport:
    """Play these seeds; the failures are lines that name the seed."""
    hits, failures, played = PulseHits(), [], 0
    began = time.monotonic()
    with _counting(hits):
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
    return PulseReport(hits, played, failures)


def missed(hits: PulseHits) -> list[str]:
    """Rows of the table that were not reached."""
    return [
        f"{state.value}, {trigger.value}" for state, trigger in PULSE_TRANSITIONS if (state, trigger) not in hits.rows
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument(
        "--seconds", type=float, default=inf, help="stop after so long, and don't ask how much was reached"
    )
    parser.add_argument("--stop", action="store_true", help="at the first failure")
    arguments = parser.parse_args()
    began = time.monotonic()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    report = run(seeds, seconds=arguments.seconds, stop=arguments.stop)
    print(f"{report.seeds} seeds, {time.monotonic() - began:.0f} s; told: {', '.join(sorted(report.hits.told))}")
    enough = coverage("rows of the table", missed(report.hits), len(PULSE_TRANSITIONS))
    print(f"failures: {len(report.failures)}", *report.failures[:MOST_SHOWN], sep="\n  ")
    return 1 if report.failures or not (enough or arguments.seconds < inf) else 0


if __name__ == "__main__":
    faulthandler.enable()
    sys.exit(main())
