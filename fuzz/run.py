"""Fuzz every engine of the codec against protobuf's own runtime.

    python fuzz/run.py --seconds 60 [--seed 7]
    python fuzz/run.py --examples 200000

Most executions come from the seeded generators (generate.py, objects.py), which are fast; one in forty comes from
Hypothesis, which shrinks what it finds.  A run first replays corpus/.  It prints executions for each class of input,
how many distinct (message, outcome, offset class) they reached, the excused differences, and failures.  A failure is
made smaller and written to corpus/, where the test suite replays it from then on; the run then ends with 1.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import sys
import time
import traceback
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from dcl_comms_core.codec import engines
from dcl_comms_core.proto import rfc4
from dcl_comms_core.testing import strategies
from fuzz.check import Disagreement, check, check_columns, check_message
from fuzz.generate import CLASSES, TARGETS, alike, make
from fuzz.objects import build

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.proto import WireMessage
    from fuzz.check import Outcome

__all__ = ["CORPUS", "STRATEGIES", "Tally", "fuzz", "keep", "load", "smaller"]

CORPUS = Path(__file__).with_name("corpus")
CUTS, ALIKE, OBJECTS = "every cut", "alike", "objects"
KINDS = (*CLASSES, CUTS, ALIKE, OBJECTS)
WEIGHTS = (22, 6, 27, 8, 30, 0.2, 0.7, 7)  # of KINDS; CUTS is as many executions as the message has bytes, ALIKE 12
SOUND = frozenset({"valid", "joined", ALIKE, OBJECTS})
BATCH = 1_000
DRAWN = 25
POLICY_SHARE = 0.01
ENOUGH = 10
STRATEGIES = {
    "valid": strategies.valid_bytes,
    "joined": strategies.joined_bytes,
    "mutated": strategies.mutated_bytes,
    "truncated": strategies.truncated_bytes,
    "hostile": strategies.hostile_bytes,
}


class Tally:
    """Executions by class, what they came to, excused differences by name, and failures."""

    def __init__(self) -> None:
        self.classes: Counter[str] = Counter()
        self.drawn: Counter[str] = Counter()
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.distinct: set[tuple[str, str, str]] = set()
        self.excused: Counter[str] = Counter()
        self.failures: list[str] = []

    def run(self, kind: str, cls: type[WireMessage], call: Callable[[], Outcome], *, drawn: bool = False) -> None:
        """One execution.  Raises Disagreement."""
        (self.drawn if drawn else self.classes)[kind] += 1
        outcome = call()
        self.outcomes[kind, outcome.result] += 1
        self.distinct.add((cls.__name__, outcome.result, outcome.place))
        if outcome.excused is not None:
            self.excused[outcome.excused] += 1

    @property
    def total(self) -> int:
        return self.classes.total() + self.drawn.total()

    @property
    def hostile(self) -> int:
        return sum(count for kind, count in (self.classes + self.drawn).items() if kind not in SOUND)

    def report(self) -> str:
        total = max(1, self.total)
        refused = sum(count for (_, result), count in self.outcomes.items() if result != "accepted")
        lines = [
            f"{self.total} executions on {', '.join(engines())} and protobuf",
            f"{self.hostile / total:.0%} of them mutated, truncated or hostile",
            *(f"  {kind:10} {self.classes[kind]:>9} generated {self.drawn[kind]:>8} from Hypothesis" for kind in KINDS),
            f"accepted {self.outcomes.total() - refused}, refused {refused}",
            *(f"  {count:>9}  {kind}: {result}" for (kind, result), count in self.outcomes.most_common()),
            f"distinct (message, outcome, offset class): {len(self.distinct)}",
            f"excused differences (fuzz/policy.py): {self.excused.total() / total:.3%}",
            *(f"  {count:>9}  {name}" for name, count in self.excused.most_common()),
            f"failures: {len(self.failures)}",
            *(f"  {text}" for text in self.failures),
        ]
        return "\n".join(lines)


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


def smaller(cls: type[WireMessage], data: bytes, problem: type[BaseException]) -> bytes:
    """The same kind of failure with fewer bytes, where leaving out a part of them keeps it."""
    size = len(data) // 2
    while size:
        for at in range(0, len(data), size):
            shorter = data[:at] + data[at + size :]
            try:
                check(cls, shorter)
            except problem:
                data = shorter
                break
            except Exception:  # noqa: BLE001, S112  # another failure is not this one
                continue
        else:
            size //= 2
    return data


def target(rng: Random) -> type[WireMessage]:
    """A Packet half of the time, as that is what anybody can send."""
    return rfc4.Packet if rng.random() < 0.5 else rng.choice(TARGETS)


def _generated(tally: Tally, rng: Random, end: int) -> None:
    packets: list[bytes] = []
    while tally.total < end and len(tally.failures) < ENOUGH:
        kind, cls = rng.choices(KINDS, WEIGHTS)[0], target(rng)
        if kind == OBJECTS:
            message, sound = build(rng, cls)
            try:
                tally.run(kind, cls, partial(check_message, message, sound=sound))
            except Exception as error:  # noqa: BLE001  # whatever escapes is a finding
                _failed(tally, f"objects, {message!r}", error)
            continue
        if kind == ALIKE:
            cls, inputs = rfc4.Packet, alike(rng)
        elif kind == CUTS:
            data = make(rng, "valid", cls)
            inputs = [data[:n] for n in range(min(len(data), 400))]
        else:
            inputs = [make(rng, kind, cls)]
        packets += inputs if cls is rfc4.Packet and kind != CUTS else []
        for data in inputs:
            try:
                tally.run(kind, cls, partial(check, cls, data))
            except Exception as error:  # noqa: BLE001  # likewise
                _failed(tally, f"{kind}, {cls.__name__}: {keep(cls, smaller(cls, data, type(error))).name}", error)
    try:
        check_columns(rng.choice(("position", "movement")), packets)
    except Exception as error:  # noqa: BLE001  # likewise
        _failed(tally, f"columns of {len(packets)} packets", error)


def _failed(tally: Tally, what: str, error: BaseException) -> None:
    tally.failures.append(f"{what}: {type(error).__name__}: {error}")
    print(f"FAILURE {tally.failures[-1]}", flush=True)
    if not isinstance(error, Disagreement):
        traceback.print_exception(error, limit=-4)


def _drawn(tally: Tally, rng: Random, count: int) -> None:
    failing: list[tuple[type[WireMessage], bytes]] = []

    @seed(rng.getrandbits(64))
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck),
              phases=[Phase.generate, Phase.shrink])  # fmt: skip
    @given(st.sampled_from(CLASSES), strategies.message_classes(), st.data())
    def body(kind: str, cls: type[WireMessage], data: st.DataObject) -> None:
        raw = data.draw(STRATEGIES[kind](cls))
        try:
            tally.run(kind, cls, partial(check, cls, raw), drawn=True)
        except Exception:
            failing[:] = [(cls, raw)]  # Hypothesis replays the smallest one last
            raise

    try:
        body()
    except Exception as error:  # noqa: BLE001  # whatever escapes is a finding
        names = [keep(cls, raw).name for cls, raw in failing]
        _failed(tally, f"Hypothesis: {', '.join(names)}", error)


def fuzz(*, seconds: float, examples: int | None, start: int) -> Tally:
    """Run until the time is over, the number of executions is reached, or enough failures are found."""
    tally, rng, began = Tally(), Random(start), time.monotonic()
    while time.monotonic() - began < seconds and (examples is None or tally.total < examples):
        end = tally.total + BATCH
        _generated(tally, rng, end if examples is None else min(end, examples))
        if len(tally.failures) >= ENOUGH:
            break
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
    corpus = load()
    for _, cls, data in corpus:
        check(cls, data)
    began = time.monotonic()
    tally = fuzz(seconds=seconds, examples=arguments.examples, start=start)
    print(f"{len(corpus)} cases of the corpus replayed; {time.monotonic() - began:.0f} s")
    print(tally.report())
    if tally.excused.total() > POLICY_SHARE * tally.total:
        print("FAILED: excused differences are over 1% of the executions")
        return 1
    return 1 if tally.failures else 0


if __name__ == "__main__":
    faulthandler.enable()
    sys.exit(main())
