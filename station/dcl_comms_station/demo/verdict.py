"""What each part must have read, and what none may have: the table at the end, and the exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dcl_comms_core import RoomRole
from dcl_comms_station.demo.script import SINGER, farewell, greeting, whisper
from dcl_comms_station.residents.tone import PITCH

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from dcl_comms_station.demo.part import Part

__all__ = ["Check", "judge", "table"]

_TOLERANCE: Final = 0.05
"""Of the pitch: a codec and a count of zero crossings lie between."""


@dataclass(frozen=True, slots=True)
class Check:
    """One row: a question, and what each part answers.  None: it was not asked."""

    question: str
    answers: tuple[bool | None, ...]

    @property
    def passed(self) -> bool:
        """Whether somebody was asked, and nobody said no."""
        return False not in self.answers and True in self.answers


def judge(parts: Sequence[Part], *, islands: bool = False, whispers: bool = True, sound: bool) -> list[Check]:
    """All checks, over all parts: those for which the place has what they are about."""
    together = {part.island for part in parts}
    walkers = {part.role.name for part in parts if part.role.start is not None}
    questions: list[tuple[str, Callable[[Part], bool | None]]] = []
    if islands:
        questions.append(("is on the island of both others", lambda part: together == {part.island} != {None}))
        questions.append(("came there from another one, on foot", lambda part: _moved(part, walkers)))
    questions.append(("read the greetings of both others", _greetings))
    if whispers:
        questions.append(("read the whisper that was for it", _whispers))
        questions.append(("got no whisper that was for another", _discretion))
    questions += [
        ("read the movements of both others", _movements),
        *((("was told of them by Pulse", _told), ("read them in the island's room", _talked)) if islands else ()),
        ("read the farewells of both others", _farewells),
    ]
    if sound:
        questions.append((f"heard {SINGER}'s tone of {PITCH:.0f} Hz", _tone))
    return [Check(question, tuple(answer(part) for part in parts)) for question, answer in questions]


def table(parts: Sequence[Part], checks: Sequence[Check]) -> list[str]:
    """The checks as lines of text."""
    width = max(len(check.question) for check in checks)
    words = {True: "yes", False: "NO", None: "-"}
    lines = [f"{'':<{width}}" + "".join(f"{part.role.name:>7}" for part in parts)]
    lines += [
        f"{check.question:<{width}}" + "".join(f"{words[answer]:>7}" for answer in check.answers) for check in checks
    ]
    return lines


def _greetings(part: Part) -> bool:
    return all(part.has_read(other, greeting(other)) for other in part.others)


def _whispers(part: Part) -> bool | None:
    if not part.confidants:
        return None
    return all(part.has_read(other, whisper(other), private=True) for other in part.confidants)


def _discretion(part: Part) -> bool:
    """Its absence proves something only if what was sent later has come: the farewells."""
    secrets = [whisper(other) for other in part.others if other.whispers_to not in {None, part.role.name}]
    overheard = any(line.text in secrets for line in part.read)
    return _farewells(part) and not overheard


def _movements(part: Part) -> bool:
    return all(other.name in part.seen for other in part.others)


def _moved(part: Part, walkers: Collection[str]) -> bool | None:
    if part.role.name not in walkers:
        return None
    return len(set(part.islands)) > 1


def _told(part: Part) -> bool:
    return all(other.name in part.by_pulse for other in part.others)


def _talked(part: Part) -> bool:
    return part.talked_in == {RoomRole.ISLAND.value}


def _farewells(part: Part) -> bool:
    return all(part.has_read(other, farewell(other)) for other in part.others)


def _tone(part: Part) -> bool | None:
    if part.role.name == SINGER:
        return None
    return part.heard is not None and abs(part.heard - PITCH) <= _TOLERANCE * PITCH
