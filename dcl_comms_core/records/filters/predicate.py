"""A filter at work: what was read, as one function of an event or a packet.

=====================  ================================================================================================
term                   passes
=====================  ================================================================================================
``word``               what has it in its kind, a name or a text, in whatever case; ``"private"`` in quotes too
``kind:chat``          kinds that begin so; ``kind=chat_received`` this one only
``peer:0x7c6*``        the sender; ``*`` at the end stands for the rest
``me``                 what is of ourselves, packets that we sent too
``dir:in``             what came; ``dir:out``: what we sent
``private``            what was for us alone; ``reliable`` and ``lossy``: how it came
``rejected``           packets that were not acceptable; ``verdict:...`` what became of it
``text:hello``         what has it in any text
``near:80``            movements within 80 m of us; ``near:8,24,20``: within 20 m of x 8, z 24
``after:12:51``        from then on, today's time or with seconds; ``before:``: until then
``since:10s``          of the last 10 s; also ``m`` and ``h``
``marked``             what somebody marked
``chat.text~"^hi"``    any field, by its path: ``:`` has it or is it, ``=`` and ``!=``, ``<`` and so on of numbers,
                       ``~`` a pattern
=====================  ================================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import hypot, isfinite
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.errors import InvalidFilter
from dcl_comms_core.records.filters.facts import EventFacts
from dcl_comms_core.records.filters.packets import PacketFacts, TapPacket
from dcl_comms_core.records.filters.parser import parse
from dcl_comms_core.records.filters.patterns import MOST_TEXT, Pattern
from dcl_comms_core.records.filters.tree import And, Not, Term, Word, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.records.filters.tree import Expression

    Test = Callable[[Any], bool]

__all__ = ["Context", "Filter"]

_DAY: Final = 86_400.0
_CLOCK: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?", re.ASCII)
_SPAN: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(s|m|h)", re.ASCII)
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0}
_TRUTH: Final = {"true": True, "yes": True, "false": False, "no": False}
_EQUAL: Final = frozenset({":", "="})
_EVENTS: Final = EventFacts()
_PACKETS: Final = PacketFacts()


def _nothing() -> None:
    """Where nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a filter may have to know beside the event.  Each is asked when it is needed."""

    me: Callable[[], PeerId | None] = _nothing
    """Who we are."""
    where: Callable[[], tuple[float, float, float] | None] = _nothing
    """Where we are, in metres."""
    now: Callable[[], float | None] = _nothing
    """Unix seconds."""
    utc_offset: float = 0.0
    """What makes of UTC the time that people read there, in seconds."""


class Filter:
    """A filter that was read: ``Filter("kind:chat & !private")(event)``, also as ``where`` of ``room.listen``.

    It takes events and ``TapPacket``s, or what ``facts`` answers for.  InvalidFilter: it is none.  A filter costs what
    its terms cost; the dearest, a pattern, is bounded too, and a packet is decoded once, where a term asks for it.
    """

    __slots__ = ("_of_event", "_of_packet", "expression")

    def __init__(self, text: str, *, context: Context | None = None, facts: Any = _EVENTS) -> None:
        self.expression = parse(text)
        known = Context() if context is None else context
        self._of_event = _Compiler(known, facts).test(self.expression)
        self._of_packet = _Compiler(known, _PACKETS).test(self.expression)

    def __call__(self, item: Any) -> bool:
        """Whether it passes."""
        return self._of_packet(item) if isinstance(item, TapPacket) else self._of_event(item)

    def __str__(self) -> str:
        return write(self.expression)

    def __repr__(self) -> str:
        return f"Filter({str(self)!r})"


class _Compiler:
    def __init__(self, context: Context, facts: Any) -> None:
        self._context = context
        self._facts = facts
        self._words: dict[str, Test] = {
            "me": lambda event: facts.is_ours(event) or _is(facts.peer(event), context.me()),
            "private": lambda event: facts.value(event, ("private",)) is True,
            "reliable": lambda event: facts.value(event, ("reliable",)) is True,
            "lossy": lambda event: facts.value(event, ("reliable",)) is False,
            "rejected": lambda event: facts.verdict(event).startswith("rejected"),
            "marked": lambda event: facts.value(event, ("marked",)) is True,
        }
        self._terms: dict[str, Callable[[Term], Test]] = {
            "kind": self._kind,
            "peer": self._peer,
            "dir": self._direction,
            "verdict": self._verdict,
            "text": self._text,
            "near": self._near,
            "after": self._after,
            "before": self._before,
            "since": self._since,
        }

    def test(self, expression: Expression) -> Test:
        match expression:
            case Word(text, quoted):
                known = None if quoted else self._words.get(text.lower())
                return self._word(text) if known is None else known
            case Term(name):
                return self._terms.get(name, self._field)(expression)
            case Not(part):
                test = self.test(part)
                return lambda event: not test(event)
            case And(parts):
                tests = tuple(map(self.test, parts))
                return lambda event: all(one(event) for one in tests)
            case _:
                choices = tuple(map(self.test, expression.parts))
                return lambda event: any(one(event) for one in choices)

    def _word(self, text: str) -> Test:
        facts, wanted = self._facts, text.casefold()
        return lambda event: any(
            wanted in part[:MOST_TEXT].casefold() for part in (*facts.kinds(event), *facts.texts(event))
        )

    def _kind(self, term: Term) -> Test:
        facts, wanted = self._facts, term.value.lower()
        if term.op == ":":
            return lambda event: any(kind.startswith(wanted) for kind in facts.kinds(event))
        compare = _comparison(term)
        return _negated(term, lambda event: any(compare(kind) for kind in facts.kinds(event)))

    def _peer(self, term: Term) -> Test:
        facts, wanted = self._facts, term.value.lower()
        if term.op == ":" and wanted.endswith("*"):
            begins = wanted[:-1]
            return lambda event: (who := facts.peer(event)) is not None and who.key.startswith(begins)
        if term.op == "~":
            compare = _comparison(term)
            return lambda event: (who := facts.peer(event)) is not None and compare(who.text)
        _only(term, ":", "=", "!=")
        return _negated(term, lambda event: (who := facts.peer(event)) is not None and who.key == wanted)

    def _direction(self, term: Term) -> Test:
        _only(term, ":", "=")
        facts, wanted = self._facts, term.value.lower()
        if wanted not in {"in", "out"}:
            raise _refuse(term, "dir is in or out")
        return lambda event: (facts.value(event, ("dir",)) or "in") == wanted

    def _verdict(self, term: Term) -> Test:
        facts, compare = self._facts, _comparison(term)
        return _negated(term, lambda event: compare(facts.verdict(event)))

    def _text(self, term: Term) -> Test:
        facts, compare = self._facts, _comparison(term)
        return _negated(term, lambda event: any(map(compare, facts.texts(event))))

    def _field(self, term: Term) -> Test:
        facts, path = self._facts, tuple(term.name.split("."))
        if not facts.knows(path):
            raise _refuse(term, f"there is no field {term.name}")
        compare = _comparison(term)
        return _negated(term, lambda event: compare(facts.value(event, path)))

    # --- where and when

    def _near(self, term: Term) -> Test:
        _only(term, ":")
        facts, where = self._facts, self._context.where
        try:
            numbers = [float(part) for part in term.value.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) not in {1, 3} or not all(map(isfinite, numbers)):
            raise _refuse(term, "near is metres around us, or x,z,metres")
        *place, reach = numbers

        def test(event: Any) -> bool:
            at = facts.position(event)
            us = where() if at is not None and not place else None
            around = tuple(place) if place else None if us is None else (us[0], us[2])
            return at is not None and around is not None and hypot(at.x - around[0], at.z - around[1]) <= reach

        return test

    def _clock(self, term: Term) -> float:
        _only(term, ":")
        told = _CLOCK.fullmatch(term.value)
        if told is None:
            raise _refuse(term, f"{term.name} is a time of day, as 12:51 or 12:51:30")
        hours, minutes, seconds = (int(part or 0) for part in told.groups())
        return hours * 3_600.0 + minutes * 60.0 + seconds

    def _after(self, term: Term) -> Test:
        facts, offset, wanted = self._facts, self._context.utc_offset, self._clock(term)
        return lambda event: (at := facts.unix(event)) is not None and (at + offset) % _DAY >= wanted

    def _before(self, term: Term) -> Test:
        facts, offset, wanted = self._facts, self._context.utc_offset, self._clock(term)
        return lambda event: (at := facts.unix(event)) is not None and (at + offset) % _DAY < wanted

    def _since(self, term: Term) -> Test:
        _only(term, ":")
        told = _SPAN.fullmatch(term.value)
        if told is None:
            raise _refuse(term, "since is a time such as 10s, 5m or 1h")
        facts, clock, span = self._facts, self._context.now, float(told[1]) * _SECONDS[told[2]]

        def test(event: Any) -> bool:
            at, now = facts.unix(event), clock()
            return at is not None and now is not None and at >= now - span

        return test


def _is(one: PeerId | None, other: PeerId | None) -> bool:
    return one is not None and one == other


def _refuse(term: Term, problem: str) -> InvalidFilter:
    return InvalidFilter(problem, term.column)


def _only(term: Term, *ops: str) -> None:
    if term.op not in ops:
        raise _refuse(term, f"{term.name} takes {' '.join(ops)}, not {term.op}")


def _negated(term: Term, test: Test) -> Test:
    """``!=`` passes what ``=`` does not."""
    return (lambda event: not test(event)) if term.op == "!=" else test


def _comparison(term: Term) -> Test:
    """Of a value: text, number, truth or None; of ``!=`` what ``=`` says."""
    text = term.value.casefold()
    if term.op == "~":
        pattern = Pattern(term.value, term.column)
        return lambda value: isinstance(value, str) and pattern.found(value)
    try:
        number: float | None = float(text)
    except ValueError:
        number = None
    if term.op in {"<", "<=", ">", ">="}:
        if number is None:
            raise _refuse(term, f"{term.op} compares with a number")
        return _ordered(term.op, number)
    has = term.op == ":"
    truth = _TRUTH.get(text)

    def test(value: Any) -> bool:
        if isinstance(value, bool):
            return value is truth
        if isinstance(value, int | float):
            return value == number
        if isinstance(value, str):
            said = value[:MOST_TEXT].casefold()
            return text in said if has else said == text
        return value is None and text == "none"

    return test


def _ordered(op: str, number: float) -> Test:
    compare: Callable[[float, float], bool] = {
        "<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__,
    }[op]  # fmt: skip

    def test(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e308:  # noqa: PLR2004
            return False
        return compare(float(value), number)

    return test
