"""Fuzz the codec against protobuf's own runtime: ``python fuzz/run.py --seconds 60 [--seed 7] [--examples 200000]``.

Most executions come from the seeded generator (generate.py), which is fast; one in each round of ``SHARE`` comes from
Hypothesis, which shrinks what it finds.  Prints executions for each class and the excused differences; the first
disagreement ends the run with 1 and is written to corpus/, where the test suite replays it from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from dcl_comms_core.testing import strategies
from fuzz.check import Disagreement, check
from fuzz.generate import CLASSES, TARGETS, make

if TYPE_CHECKING:
    from dcl_comms_core.proto import WireMessage

__all__ = ["CORPUS", "Tally", "fuzz", "keep", "load"]

CORPUS = Path(__file__).with_name("corpus")
WEIGHTS = (40, 25, 10, 25)  # of CLASSES: six in ten executions are hostile input
BATCH = 5_000
DRAWN = 50
POLICY_SHARE = 0.01
STRATEGIES = {
    "valid": strategies.valid_bytes,
    "mutated": strategies.mutated_bytes,
    "truncated": strategies.truncated_bytes,
    "hostile": strategies.hostile_bytes,
}


class Tally:
    """Executions by class, by class and outcome, and by excused difference."""

    def __init__(self) -> None:
        self.classes: Counter[str] = Counter()
        self.drawn: Counter[str] = Counter()
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.excused: Counter[str] = Counter()

    def run(self, kind: str, cls: type[WireMessage], data: bytes, *, drawn: bool = False) -> None:
        """One execution.  Raises Disagreement."""
        (self.drawn if drawn else self.classes)[kind] += 1
        outcome = check(cls, data)
        self.outcomes[kind, outcome.result] += 1
        if outcome.excused is not None:
            self.excused[outcome.excused] += 1

    @property
    def total(self) -> int:
        return self.classes.total() + self.drawn.total()

    def report(self) -> str:
        hostile = self.total - self.classes["valid"] - self.drawn["valid"]
        lines = [f"{self.total} executions, {hostile / max(1, self.total):.0%} of them mutated, truncated or hostile"]
        lines += [
            f"  {kind:10} {self.classes[kind]:>9} generated {self.drawn[kind]:>8} from Hypothesis" for kind in CLASSES
        ]
        lines += ["outcomes"]
        lines += [f"  {count:>9}  {kind}: {result}" for (kind, result), count in self.outcomes.most_common()]
        lines += [f"excused differences (fuzz/policy.py): {self.excused.total() / max(1, self.total):.3%}"]
        return "\n".join(lines + [f"  {count:>9}  {name}" for name, count in self.excused.most_common()])


def keep(cls: type[WireMessage], data: bytes) -> Path:
    """Write a case to the corpus: the name of the class, and the bytes as hex, so that it can be read in a review."""
    name = f"{cls.__name__}-{hashlib.sha256(data).hexdigest()[:12]}.txt"
    CORPUS.mkdir(exist_ok=True)
    path = CORPUS / name
    path.write_text(f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}\n{data.hex()}\n", encoding="utf-8")
    return path


def load() -> list[tuple[str, type[WireMessage], bytes]]:
    """The corpus: name, class, bytes."""
    classes = {f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}": cls for cls in TARGETS}
    found: list[tuple[str, type[WireMessage], bytes]] = []
    for path in sorted(CORPUS.glob("*.txt")):
        name, text = path.read_text(encoding="utf-8").split("\n", 1)
        found.append((path.stem, classes[name], bytes.fromhex(text)))
    return found


def target(rng: Random) -> type[WireMessage]:
    """A Packet half of the time, as that is what anybody can send."""
    return next(cls for cls in TARGETS if cls.__name__ == "Packet") if rng.random() < 0.5 else rng.choice(TARGETS)


def _generated(tally: Tally, rng: Random, count: int) -> None:
    for _ in range(count):
        kind, cls = rng.choices(CLASSES, WEIGHTS)[0], target(rng)
        data = make(rng, kind, cls)
        try:
            tally.run(kind, cls, data)
        except Exception:
            print(f"{kind} {cls.__name__}: kept as {keep(cls, data)}")
            raise


def _drawn(tally: Tally, rng: Random, count: int) -> None:
    failing: list[tuple[type[WireMessage], bytes]] = []

    @seed(rng.getrandbits(64))
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck),
              phases=[Phase.generate, Phase.shrink])  # fmt: skip
    @given(st.sampled_from(CLASSES), strategies.message_classes(), st.data())
    def body(kind: str, cls: type[WireMessage], data: st.DataObject) -> None:
        raw = data.draw(STRATEGIES[kind](cls))
        try:
            tally.run(kind, cls, raw, drawn=True)
        except Exception:
            failing[:] = [(cls, raw)]  # Hypothesis replays the smallest one last
            raise

    try:
        body()
    except Exception:
        for cls, raw in failing:
            print(f"Hypothesis, {cls.__name__}: kept as {keep(cls, raw)}")
        raise


def fuzz(*, seconds: float, examples: int | None, start: int) -> Tally:
    """Run until the time is over or the number of executions is reached.  Raises Disagreement, or what escaped."""
    tally, rng, began = Tally(), Random(start), time.monotonic()
    while time.monotonic() - began < seconds and (examples is None or tally.total < examples):
        left = BATCH if examples is None else min(BATCH, examples - tally.total)
        _generated(tally, rng, left)
        if examples is None or tally.total < examples:
            _drawn(tally, rng, DRAWN)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, help="how long (default: 60, or no end where --examples is given)")
    parser.add_argument("--examples", type=int, help="how many executions")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run; printed by every run")
    arguments = parser.parse_args()
    start = Random().getrandbits(32) if arguments.seed is None else arguments.seed
    seconds = arguments.seconds or (float("inf") if arguments.examples else 60.0)
    print(f"seed {start}", flush=True)
    for name, cls, data in load():
        check(cls, data)
        del name
    try:
        tally = fuzz(seconds=seconds, examples=arguments.examples, start=start)
    except Disagreement as problem:
        print(f"DISAGREEMENT: {problem}")
        return 1
    print(tally.report())
    if tally.excused.total() > POLICY_SHARE * tally.total:
        print("FAILED: excused differences are over 1% of the executions")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
