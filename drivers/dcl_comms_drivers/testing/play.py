"""One run of a bot in a memory room, whatever the loop: its transcript, its stage, its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias, cast

from dcl_comms_core.adapters.connection_string import SimulatorAdapter
from dcl_comms_core.codec import decode
from dcl_comms_core.commands import SendData
from dcl_comms_core.errors import ConnectionLost, DecodeError, LocalProtocolError
from dcl_comms_core.testing.pair import UNIX_START
from dcl_comms_drivers.connection.surroundings import Carried, Surroundings
from dcl_comms_drivers.connection.waiting import WaitingConnection
from dcl_comms_drivers.loops.host import WaitingHost
from dcl_comms_drivers.settings import Options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.testing.script import Action
    from dcl_comms_core.testing.stage import Stage
    from dcl_comms_drivers.loops.host import Receiver
    from dcl_comms_drivers.settings import Settings


__all__ = ["STOPPED", "Bot", "Ending", "Entry", "Play", "StageHost", "Transcript"]

Bot: TypeAlias = "Callable[[WaitingConnection], Awaitable[object]]"

_MOST_STEPS: Final = 100_000
"""Rounds of the loop without a pause; more is a bot that never waits."""
_GRACE: Final = 60.0
"""Virtual seconds that a bot may take to end after it was cancelled."""


class Ending(Enum):
    """How a bot's run came to its end."""

    RETURNED = "it returned"
    LOST = "it let out the ConnectionLost of a room that ended"
    IDLE = "it waited, and nothing would ever have happened again"
    TIME_OVER = "its time was over"


STOPPED: Final = frozenset({Ending.IDLE, Ending.TIME_OVER})
"""The bot was cancelled."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened."""

    at: float
    """Virtual seconds."""
    kind: Literal["received", "sent", "script", "skipped"]
    """``skipped``: an action of the script by somebody who was not there."""
    value: Event | SendData | Action

    def __str__(self) -> str:
        return f"{self.at:10.4f} {self.kind:8} {self.value}"


@dataclass(slots=True)
class Transcript:
    """What a bot got and sent, and what the script did, in order."""

    ending: Ending = Ending.RETURNED
    lost: ConnectionLost | None = None
    entries: list[Entry] = field(default_factory=list[Entry])
    heard: dict[str, list[Event]] = field(default_factory=dict[str, list["Event"]])
    """The events of each scripted peer."""

    @property
    def received(self) -> list[Event]:
        """The bot's events, also those that it did not read."""
        return [entry.value for entry in self.entries if entry.kind == "received"]  # type: ignore[misc]  # of that kind

    @property
    def sent(self) -> list[SendData]:
        """The bot's packets."""
        return [entry.value for entry in self.entries if isinstance(entry.value, SendData)]

    @property
    def chats(self) -> list[tuple[float, str]]:
        """When the bot wrote what, to whomever."""
        found: list[tuple[float, str]] = []
        for entry in self.entries:
            if isinstance(entry.value, SendData):
                try:
                    chat = decode(entry.value.data).chat
                except DecodeError:
                    continue  # bytes of the bot's own making
                if chat is not None:
                    found.append((entry.at, chat.message))
        return found

    def __str__(self) -> str:
        return "\n".join((*map(str, self.entries), f"{self.ending.value}"))


class Play:
    """One run, whatever the loop."""

    def __init__(self, bot: Bot, stage: Stage, seconds: float, settings: Settings, seed: int) -> None:
        self.stage = stage
        self.transcript = Transcript()
        self.failure: LocalProtocolError | None = None
        self.seed = seed
        self.stop: Callable[[], object] = lambda: None
        self._bot = bot
        self._end = seconds
        self._settings = settings
        self._stopped = False
        self._busy = 0
        stage.on_action = self._acted

    def note(self, kind: Literal["received", "sent", "script", "skipped"], value: Any) -> None:
        """Put it into the transcript, with the time."""
        self.transcript.entries.append(Entry(self.stage.clock.now, kind, value))

    def _acted(self, action: Action, done: bool) -> None:  # noqa: FBT001 - a callback
        self.note("script" if done else "skipped", action)

    async def perform(self, host: WaitingHost) -> None:
        """The whole life of the bot."""
        adapter = SimulatorAdapter(self.stage.room.name)
        room = WaitingConnection(adapter, host, Options.of(self._settings), _OnStage(self))
        try:
            room.driver.start()
            await room.opened()
            await self._bot(room)
            await room.aclose()
        finally:
            room.let_go()

    def forgives(self, error: BaseException) -> bool:
        """What the bot let out is an end like any other: of the room, also out of groups of tasks."""
        lost = next((leaf for leaf in _leaves(error) if isinstance(leaf, ConnectionLost)), None)
        if lost is None or not all(isinstance(leaf, ConnectionLost) for leaf in _leaves(error)):
            return False
        if self.transcript.ending not in STOPPED:
            self.transcript.ending, self.transcript.lost = Ending.LOST, lost
        return True

    def busy(self) -> None:
        """The loop went round without a pause."""
        self._busy += 1
        if self._busy > _MOST_STEPS:
            self._fail("the bot never waits: nothing else can happen, and no time can pass")

    def idle(self, loops: float) -> None:
        """Everybody waits: go on to what is next.  ``loops``: when the loop's own next timer is due, or infinity."""
        self._busy = 0
        stages = self.stage.next_time()
        soonest = loops if stages is None else min(stages, loops)
        if not self._stopped and soonest > self._end:
            self._stopped = True
            self.transcript.ending = Ending.IDLE if soonest == inf else Ending.TIME_OVER
            self.stage.clock.advance_to(self._end if soonest < inf else 0.0)
            self._end += _GRACE
            self.stop()
        elif soonest > self._end:
            self._fail("the bot goes on although it was cancelled")
        elif stages is not None and stages <= loops:
            self.stage.run(stages)
        else:
            self.stage.clock.advance_to(loops)

    def _fail(self, text: str) -> None:
        self.failure = LocalProtocolError(text)
        raise self.failure


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(part)
    else:
        yield error


class StageHost(WaitingHost):
    """Timers and wakes of the connection are the stage's, so that they come in one order on every loop."""

    stage: Stage

    def now(self) -> float:
        """Virtual seconds."""
        return self.stage.clock.now

    def at_end(self, callback: Callable[[], None]) -> None:
        """Never: a play is over before its loop."""

    def call_at(self, when: float | None, callback: Callable[[], None]) -> None:
        """Call back at a time."""
        self.stage.due, self.stage.turn = when, callback

    def wake(self, callback: Callable[[], None]) -> None:
        """Call back soon."""
        self.stage.woken, self.stage.turn = True, callback

    def wake_fd(self, callback: Callable[[], None]) -> int | None:  # noqa: ARG002 - the protocol's
        """There is none."""
        return None

    def close(self) -> None:
        """No more turns."""
        self.stage.turn = None


class _StageLink:
    name: ClassVar[str] = "memory"

    def __init__(self, play: Play) -> None:
        self._play = play
        self._port = play.stage.port

    def execute(self, command: Command, *, now: float) -> None:
        if isinstance(command, SendData):
            self._play.note("sent", command)
        self._port.execute(command, now=now)

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        for inp in self._port.inputs(now, limit):
            session.receive(inp, now=now)
        due = self._port.deadline()
        return due is not None and due <= now

    def deadline(self) -> float | None:
        return self._port.deadline()

    def measure(self, then: Callable[[float | None], None]) -> None:
        then(2.0 * self._play.stage.room.faults.latency)

    def abandon(self) -> None:
        self._port.abandon(self._play.stage.clock.now)


class _OnStage(Surroundings):
    """The stage's chance, wall clock and link."""

    def __init__(self, play: Play) -> None:
        self._play = play

    def entropy(self) -> int:
        return self._play.seed

    def unix_now(self) -> float:
        return UNIX_START + self._play.stage.clock.now

    def carry(self, where: str | Adapter, *_: object, **__: object) -> Carried:
        del where
        return Carried(_StageLink(self._play))

    def seen(self, events: list[Event]) -> None:
        for event in events:
            self._play.note("received", event)
