"""A session's journal: every call and what came of it, to be run again.

::

    journal = Journal()
    session = journal.record(RoomSession, adapter, entropy=7)     # use it like the session itself
    ...
    replay = Journal.read(journal.text()).replay()
    assert replay.identical, replay

It records calls (inputs, intents, time) and after each of them the commands, the events, the deadline and its reason,
what was returned and what was raised.  A replay makes the same calls on a new session and compares; the first step
that differs ends it, because what follows would be its consequences.

The text is JSON lines: a first line with the format's version, the session's class and its arguments, then a line a
call.  What stands for what is in ``journal_values``; secrets do not stand in it.

A session that has further ones within (``rooms``, by the numbers of their links) is recorded with them: a call on one
of these is a step too, which says ``in`` which.  Sessions and sources that were made elsewhere are not.
"""

# JSON from a file has no types.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, ParamSpec, TypeVar, cast

from dcl_comms_core.errors import InvalidJournal, JournalProblem, LocalProtocolError
from dcl_comms_core.handshake.archipelago import ArchipelagoSession
from dcl_comms_core.journal.differences import differences, shown
from dcl_comms_core.journal.values import Opaque, Placeholders, read_value
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.merged.session import MergedRooms
from dcl_comms_core.printable import clean
from dcl_comms_core.proto import WireMessage
from dcl_comms_core.room.session import RoomSession
from dcl_comms_core.room.ws_room import WsRoomSession
from dcl_comms_core.tools.json_text import read_json
from dcl_comms_core.world.session import WorldSession

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits

__all__ = ["Difference", "Journal", "Replay"]

P = ParamSpec("P")
S = TypeVar("S")

_MAGIC: Final = "dcl-comms-journal"
_VERSION: Final = 1
_NESTING: Final = 32
_SESSIONS: Final[Mapping[str, Any]] = {
    cls.__name__: cls for cls in (RoomSession, MergedRooms, ArchipelagoSession, WsRoomSession, WorldSession)
}
"""The classes that a journal may name.  Each has ``commands()``, ``events()``, ``deadline()`` and its verbs."""
_READS: Final = frozenset(
    {"commands", "events", "deadline", "traffic", "has_credit", "check_publish", "can", "obstacle"}
    | {"rooms_of", "has_track", "room_with", "room_to_publish"}
)
"""What changes nothing, and so is not a step."""
_WITHIN: Final = "rooms"
"""The sessions within a session, by their numbers."""
_FULL: Final = '{"full": true}'
_NONE: Final[Mapping[int, object]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first step of a replay that went otherwise."""

    step: int
    """Which call, from 1."""
    line: int
    """Where it stands in the journal."""
    call: str
    """The call, as text."""
    lines: tuple[str, ...]
    """What was expected and what came, for people."""

    def __str__(self) -> str:
        # What a file says may be anybody's; each of these is one line, and stays one.
        return "\n  ".join(map(clean, (f"step {self.step} (line {self.line}): {self.call}", *self.lines)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What came of running a journal again."""

    steps: int
    """How many calls were repeated."""
    skipped: int
    """Calls that were not, because an argument could not be written down."""
    difference: Difference | None

    @property
    def identical(self) -> bool:
        """Whether the same commands and events came."""
        return self.difference is None

    def __str__(self) -> str:
        return f"identical: {self.steps} steps" if self.difference is None else str(self.difference)


class Journal:
    """Records one session, or runs again what was recorded.

    ``sink`` gets each line, with its end, as it is written; without it the lines are kept.  Either way it ends at
    ``limits.journal_bytes``, which its last line says.
    """

    def __init__(self, *, sink: Callable[[str], object] | None = None, limits: Limits = DEFAULT_LIMITS) -> None:
        self._lines: list[str] = []
        self._sink = self._lines.append if sink is None else sink
        self._left = limits.journal_bytes
        self._places = Placeholders()
        self._begun = False
        self.full = False
        """Whether something was left out at the end."""

    def __reduce__(self) -> NoReturn:
        msg = "a Journal is not pickled, because that would write out the secrets that it hides: pass on its text"
        raise LocalProtocolError(msg)

    # --- recording

    def record(self, make: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> S:
        """Make a session that is recorded: ``journal.record(RoomSession, adapter, ...)``.

        LocalProtocolError: a class that is not known here, or the journal has its session.
        """
        name = getattr(make, "__name__", "")
        if _SESSIONS.get(name) is not make:
            msg = f"a journal records one of {', '.join(_SESSIONS)}"
            raise LocalProtocolError(msg)
        if self._begun:
            msg = "a journal records one session: make another Journal"
            raise LocalProtocolError(msg)
        self._begun = True
        answers = _Answers(self._places)
        given = [answers.wrap(arg) for arg in args]
        named = {key: answers.wrap(value) for key, value in kwargs.items()}
        # An observer changes nothing, and there is none when it is run again.
        written = {key: value for key, value in named.items() if key != "tap"}
        if isinstance(secret := written.get("secret"), str):
            written["secret"] = self._places.password(secret)
        self._write({_MAGIC: _VERSION, "session": name, **self._arguments(given, written)})
        session = cast("Any", make)(*given, **named)
        return cast("S", _Recorder(self, session, answers))

    def _arguments(self, args: Iterable[object], named: Mapping[str, object]) -> dict[str, object]:
        write = self._places.write
        return {"args": [write(arg) for arg in args], "named": {key: write(value) for key, value in named.items()}}

    def call(
        self, recorder: _Recorder, name: str, args: tuple[Any, ...], named: dict[str, Any], room: int | None = None
    ) -> Any:
        """Call a verb of a recorded session, or of one within it, and write down what comes of it."""
        # An iterator would be spent by writing it down.
        args, named = tuple(map(_kept, args)), {key: _kept(value) for key, value in named.items()}
        where = {} if room is None else {"in": room}
        document = {} if self.full else {"call": name, **where, **self._arguments(args, named)}
        outcome = _Outcome(recorder.session, self._places, room)
        recorder.answers.taken = []
        try:
            return outcome.call(name, args, named)
        finally:
            commands, events = outcome.drain()
            recorder.pending_commands += commands
            recorder.pending_events += events
            if not self.full:
                document |= {"answers": recorder.answers.taken} if recorder.answers.taken else {}
                self._write(document | outcome.document)

    def _write(self, document: Mapping[str, object]) -> None:
        line = json.dumps(document) + "\n"
        self._left -= len(line)
        self.full = self._left < len(_FULL) + 1
        self._sink(_FULL + "\n" if self.full else line)

    def text(self) -> str:
        """What was recorded so far; empty when it went to a sink."""
        return "".join(self._lines)

    # --- running again

    @classmethod
    def read(cls, text: str, *, limits: Limits = DEFAULT_LIMITS) -> Journal:
        """Take a journal's text.  InvalidJournal: too long, or its first line is not that of a journal."""
        if len(text) > limits.journal_bytes:
            raise InvalidJournal(JournalProblem.TOO_LARGE)
        journal = cls(limits=limits)
        journal._begun = True
        # Whoever wrote it may have died in the middle of a line.
        journal._lines = [line + "\n" for line in text.split("\n")[:-1]]
        journal._header()
        return journal

    def replay(self) -> Replay:
        """Make the calls again.  InvalidJournal: a line that is no step."""
        answers = _Replayed()
        session = self._session(answers)
        steps = skipped = 0
        for number, document in self._steps():
            name, room = document["call"], document.get("in")
            expected = {key: document[key] for key in document.keys() - _CALL_KEYS}
            try:
                verb = getattr(type(_session_at(session, room)), name, None)
                args, named = read_value(document.get("args", [])), _read_named(document.get("named", {}))
                args = tuple(args)
            except Exception:  # noqa: BLE001 - the file may hold anything in place of what we wrote
                raise InvalidJournal(JournalProblem.BAD_LINE, number) from None
            if name.startswith("_") or name in _READS or not callable(verb):
                raise InvalidJournal(JournalProblem.BAD_LINE, number)
            if any(isinstance(value, Opaque) for value in (*args, *named.values())):
                skipped += 1
                continue
            steps += 1
            taken = document.get("answers", [])
            answers.left = list(cast("list[object]", taken)) if isinstance(taken, list) else []
            outcome = _Outcome(session, self._places, room)
            outcome.run(name, args, named)
            if lines := differences(expected, outcome.document):
                call = shown({"$": name, **document.get("named", {})}, document.get("args", []))
                found = Difference(step=steps + skipped, line=number, call=call, lines=lines)
                return Replay(steps=steps, skipped=skipped, difference=found)
        return Replay(steps=steps, skipped=skipped, difference=None)

    def _header(self) -> dict[str, Any]:
        document = read_json(self._lines[0], nesting=_NESTING) if self._lines else None
        if not isinstance(document, dict) or _MAGIC not in document:
            raise InvalidJournal(JournalProblem.NOT_A_JOURNAL)
        header = cast("dict[str, Any]", document)
        if header[_MAGIC] != _VERSION:
            raise InvalidJournal(JournalProblem.OTHER_VERSION, 1)
        if not isinstance(header.get("session"), str) or header["session"] not in _SESSIONS:
            raise InvalidJournal(JournalProblem.BAD_SESSION, 1)
        return header

    def _session(self, answers: _Replayed) -> Any:
        header = self._header()
        try:
            args, named = read_value(header.get("args", [])), _read_named(header.get("named", {}))
            given = [answers if isinstance(arg, Opaque) else arg for arg in args]
            named = {key: answers if isinstance(value, Opaque) else value for key, value in named.items()}
            return _SESSIONS[header["session"]](*given, **named)
        except Exception:  # noqa: BLE001 - the file may hold anything in place of what we wrote
            raise InvalidJournal(JournalProblem.BAD_SESSION, 1) from None

    def _steps(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in enumerate(self._lines[1:], 2):
            document = read_json(line, nesting=_NESTING)
            if not isinstance(document, dict):
                raise InvalidJournal(JournalProblem.BAD_LINE, number)
            step = cast("dict[str, Any]", document)
            if step == {"full": True}:
                return
            if not isinstance(step.get("call"), str) or not isinstance(step.get("named", {}), dict):
                raise InvalidJournal(JournalProblem.BAD_LINE, number)
            yield number, step


_CALL_KEYS: Final = frozenset({"call", "in", "args", "named", "answers"})


def _read_named(document: dict[str, object]) -> dict[str, Any]:
    return {key: read_value(value) for key, value in document.items()}


def _session_at(session: Any, room: Any) -> Any:
    """The session itself, or the one within it.  LookupError: there is none of this number."""
    return session if room is None else getattr(session, _WITHIN)[room]


def _kept(value: object) -> object:
    """The value, or a tuple of what it yields."""
    if isinstance(value, Iterable) and not isinstance(
        value, str | bytes | bytearray | memoryview | tuple | list | Mapping | WireMessage | Enum
    ):
        return tuple(cast("Iterable[object]", value))
    return value


class _Outcome:
    """One call, and what comes of it."""

    def __init__(self, session: Any, places: Placeholders, room: int | None) -> None:
        self._session = session
        self._called = _session_at(session, room)
        self._write = places.write
        self.document: dict[str, object] = {}

    def call(self, name: str, args: Iterable[Any], named: Mapping[str, Any]) -> Any:
        try:
            answer = getattr(self._called, name)(*args, **named)
        except BaseException as error:
            self.document["raised"] = error.name if isinstance(error, _Raised) else type(error).__name__
            raise
        if answer is not None:
            self.document["returned"] = self._write(answer)
        return answer

    def drain(self) -> tuple[list[Any], list[Any]]:
        commands, events = self._session.commands(), self._session.events()
        if commands:
            self.document["commands"] = self._write(commands)
        if events:
            self.document["events"] = self._write(events)
        deadline = self._session.deadline()
        if deadline is not None:
            reason = getattr(self._session, "deadline_reason", None)
            self.document |= {"deadline": self._write(deadline), "timer": self._write(reason)}
        return commands, events

    def run(self, name: str, args: Iterable[Any], named: Mapping[str, Any]) -> None:
        """The same for a replay, in which nothing comes out but the outcome."""
        # What it raised stands in the document, and is compared.
        with suppress(Exception):
            self.call(name, args, named)
        self.drain()


class _Recorder:
    """A session to all appearances."""

    def __init__(self, journal: Journal, session: Any, answers: _Answers) -> None:
        self.journal = journal
        self.session = session
        self.answers = answers
        self.pending_commands: list[Any] = []
        self.pending_events: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        if name == _WITHIN:
            return {number: _Within(self, number) for number in getattr(self.session, name)}
        value = getattr(self.session, name)
        if name.startswith("_") or name in _READS or not callable(value):
            return value
        return partial(self._call, name)

    def _call(self, verb: str, /, *args: Any, **named: Any) -> Any:
        answer = self.journal.call(self, verb, args, named)
        # A room that was joined is recorded like any other.
        for number, room in getattr(self.session, _WITHIN, _NONE).items():
            if room is answer:
                return _Within(self, number)
        return answer

    def commands(self) -> list[Any]:
        """Take everything that the transport is to do, in order."""
        commands, self.pending_commands = self.pending_commands, []
        return commands

    def events(self) -> list[Any]:
        """Take everything that happened, in order."""
        events, self.pending_events = self.pending_events, []
        return events


class _Within:
    """A session within a recorded one, to all appearances.  What it wants and tells comes through the one around it."""

    def __init__(self, recorder: _Recorder, number: int) -> None:
        self._recorder = recorder
        self._number = number
        self._session = getattr(recorder.session, _WITHIN)[number]

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._session, name)
        return value if name.startswith("_") or name in _READS or not callable(value) else partial(self._call, name)

    def _call(self, verb: str, /, *args: Any, **named: Any) -> Any:
        recorder = self._recorder
        if self._number not in getattr(recorder.session, _WITHIN):
            # It is closed: nothing comes of it any more.
            return getattr(self._session, verb)(*args, **named)
        return recorder.journal.call(recorder, verb, args, named, self._number)


class _Raised(Exception):
    """What a function of the application raised when the journal was written."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Answers:
    """What functions that a session was given answered during one call: a subscribe policy decides by any rule."""

    def __init__(self, places: Placeholders) -> None:
        self._places = places
        self.taken: list[object] = []

    def wrap(self, value: Any) -> Any:
        return partial(self._ask, value) if callable(value) else value

    def _ask(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            answer = function(*args)
        except Exception as error:
            self.taken.append({"raised": type(error).__name__})
            raise
        self.taken.append(self._places.write(answer))
        return answer


class _Replayed:
    """Answers the same again."""

    def __init__(self) -> None:
        self.left: list[object] = []

    def __call__(self, *_args: object) -> Any:
        match self.left.pop(0) if self.left else {"raised": "nothing: it was not asked"}:
            case {"raised": str(name)}:
                raise _Raised(name)
            case answer:
                return read_value(answer)
