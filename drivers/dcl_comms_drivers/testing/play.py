"""One run of a bot in a memory room or a deployment, whatever the loop: its transcript, its stage, its end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias, cast

from dcl_comms_core.codec import decode
from dcl_comms_core.commands import SendData
from dcl_comms_core.errors import ConnectionLost, DecodeError, LocalProtocolError
from dcl_comms_core.testing.archipelago import WorldPort
from dcl_comms_core.testing.pair import UNIX_START
from dcl_comms_core.testing.world_stage import WorldStage
from dcl_comms_drivers.connection.signing import Logins
from dcl_comms_drivers.connection.surroundings import Carried, Surroundings
from dcl_comms_drivers.connection.waiting import WaitingConnection
from dcl_comms_drivers.loops.host import WaitingHost
from dcl_comms_drivers.settings import Options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.testing.script import Action
    from dcl_comms_core.testing.stage import Seat, Stage
    from dcl_comms_core.testing.world_stage import WorldSeat
    from dcl_comms_drivers.loops.host import Receiver
    from dcl_comms_drivers.loops.network import Net
    from dcl_comms_drivers.settings import Settings


__all__ = ["STOPPED", "AnySeat", "AnyStage", "Bot", "Ending", "Entry", "Play", "StageHost", "Transcript"]

Bot: TypeAlias = "Callable[[WaitingConnection], Awaitable[object]]"
AnyStage: TypeAlias = "Stage | WorldStage"
AnySeat: TypeAlias = "Seat | WorldSeat"

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
    """The events of each scripted peer, and of those that are programs."""

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
        return [
            (entry.at, text)
            for entry in self.entries
            if isinstance(entry.value, SendData) and (text := _chat_in(entry.value)) is not None
        ]

    def chats_to(self, who: str) -> list[tuple[float, str]]:
        """When the bot wrote what that this identity was to read: to everybody, or to it among others."""
        key = who.lower()
        return [
            (entry.at, text)
            for entry in self.entries
            if isinstance(command := entry.value, SendData)
            and (command.to is None or key in (one.lower() for one in command.to))
            and (text := _chat_in(command)) is not None
        ]

    def __str__(self) -> str:
        return "\n".join((*map(str, self.entries), f"{self.ending.value}"))


def _chat_in(command: SendData) -> str | None:
    try:
        chat = decode(command.data).chat
    except DecodeError:
        return None  # bytes of the bot's own making
    return None if chat is None else chat.message


class Play:
    """One run, whatever the loop."""

    def __init__(
        self,
        bot: Bot,
        stage: AnyStage,
        *,
        identity: str,
        seconds: float,
        settings: Settings,
        seed: int,
        peers: Mapping[str, Bot],
    ) -> None:
        self.stage = stage
        self.identity = identity
        self.transcript = Transcript()
        self.failure: LocalProtocolError | None = None
        self.raised: list[BaseException] = []
        """What programs of peers let out."""
        self.seed = seed
        self.stop: Callable[[], object] = lambda: None
        self.peers = {identity: (peer, stage.seat(identity)) for identity, peer in peers.items()}
        """Others that are programs, and their seats."""
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
        await self._live(self._bot, self.identity, host, Options.of(self._settings), self._on_stage())

    def _on_stage(self) -> _InSeat:
        """The bot's seat, whose doings go into the transcript."""

        def heard(events: list[Event]) -> None:
            for event in events:
                self.note("received", event)

        return _InSeat(self.stage, self.stage.first, self.seed, heard, lambda command: self.note("sent", command))

    async def accompany(self, identity: str, host: WaitingHost) -> None:
        """The whole life of a peer that is a program; it ends with the bot's at the latest."""
        peer, seat = self.peers[identity]
        number = self.seed + 1 + list(self.peers).index(identity)
        heard = self.transcript.heard.setdefault(identity, [])
        try:
            await self._live(peer, identity, host, Options.of({}), _InSeat(self.stage, seat, number, heard.extend))
        except Exception as error:  # noqa: BLE001 - run_bot raises it
            if not _all_lost(error):
                error.add_note(f"of the peer {identity!r}")
                self.raised.append(error)
                self.stop()

    def check_peers(self) -> None:
        """Raise what a peer that is a program let out."""
        if self.raised:
            raise self.raised[0]

    async def _live(
        self, bot: Bot, identity: str, host: WaitingHost, options: Options, surroundings: Surroundings
    ) -> None:
        if isinstance(self.stage, WorldStage):
            options = _in_world(options, self.stage, identity)
        if options.looks_up:
            # What the bot sends is all that is sent, unless it was given a profile.
            options = replace(options, profile_version=None, looks_up=False)
        room = WaitingConnection(self.stage.target, host, options, surroundings)
        try:
            room.driver.start()
            await room.opened()
            await bot(room)
            await room.aclose()
        finally:
            room.let_go()

    def forgives(self, error: BaseException) -> bool:
        """What the bot let out is an end like any other: of the room, also out of groups of tasks."""
        if not _all_lost(error):
            return False
        if self.transcript.ending not in STOPPED:
            lost = next(leaf for leaf in _leaves(error) if isinstance(leaf, ConnectionLost))
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


def _all_lost(error: BaseException) -> bool:
    return all(isinstance(leaf, ConnectionLost) for leaf in _leaves(error))


def _in_world(options: Options, stage: WorldStage, identity: str) -> Options:
    if options.wallet is not None:
        msg = "a world knows its own wallets only, wallet_of(identity): leave out wallet="
        raise LocalProtocolError(msg)
    gatekeeper = options.gatekeeper or stage.deployment.scene_adapter_url
    return replace(options, wallet=stage.login(identity), gatekeeper=gatekeeper)


class StageHost(WaitingHost):
    """Timers and wakes of the connection are the stage's, so that they come in one order on every loop."""

    stage: AnyStage
    seat: AnySeat

    def now(self) -> float:
        """Virtual seconds."""
        return self.stage.clock.now

    def at_end(self, callback: Callable[[], None]) -> None:
        """Never: a play is over before its loop."""

    def call_at(self, when: float | None, callback: Callable[[], None]) -> None:
        """Call back at a time."""
        self.seat.due, self.seat.turn = when, callback

    def wake(self, callback: Callable[[], None]) -> None:
        """Call back soon."""
        self.seat.woken, self.seat.turn = True, callback

    def wake_fd(self, callback: Callable[[], None]) -> int | None:  # noqa: ARG002 - the protocol's
        """There is none."""
        return None

    def close(self) -> None:
        """No more turns."""
        self.seat.turn = None


class _StageLink:
    name: ClassVar[str] = "memory"

    def __init__(self, stage: AnyStage, seat: AnySeat, sent: Callable[[SendData], None] | None = None) -> None:
        self._stage = stage
        self._port = seat.port
        self._sent = sent

    def execute(self, command: Command, *, now: float) -> None:
        if self._sent is not None and isinstance(command, SendData):
            self._sent(command)
        self._port.execute(command, now=now)

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        for inp in self._port.inputs(now, limit):
            session.receive(inp, now=now)
        due = self._port.deadline()
        return due is not None and due <= now

    def deadline(self) -> float | None:
        return self._port.deadline()

    def measure(self, then: Callable[[float | None], None]) -> None:
        then(2.0 * self._stage.latency)

    def hasten(self) -> None:
        """Nothing: acknowledgements come by themselves."""

    def abandon(self) -> None:
        self._port.abandon(self._stage.clock.now)


class _NoNet:
    """A Runner for a login that is there: nothing is ever asked of a net."""

    def call(self, function: Callable[[Net], object]) -> None:
        pass

    def stop(self) -> None:
        pass

    def at_exit(self, function: Callable[[Net], object]) -> None:
        pass


class _InSeat(Surroundings):
    """The stage's chance, wall clock and link, for one in a seat.  ``heard``: gets what it is told, ``sent``: sends."""

    def __init__(
        self,
        stage: AnyStage,
        seat: AnySeat,
        number: int,
        heard: Callable[[list[Event]], None],
        sent: Callable[[SendData], None] | None = None,
    ) -> None:
        self._stage = stage
        self._seat = seat
        if isinstance(seat.port, WorldPort):
            self.islands = seat.port.islands
        self._number = number
        self._heard = heard
        self._sent = sent

    def entropy(self) -> int:
        return self._number

    def unix_now(self) -> float:
        return UNIX_START + self._stage.clock.now

    def carry(
        self,
        where: str | Adapter,
        realm: object,
        options: Options,
        host: object,
        *,
        wake: Callable[[], None],
        turn: Callable[[], None],
    ) -> Carried:
        del where, realm, host, turn
        wallet, signing = options.wallet, None
        if wallet is not None and isinstance(self._stage, WorldStage):
            signing = Logins(wallet, _NoNet(), wake, self.unix_now, options.limits)
        return Carried(_StageLink(self._stage, self._seat, self._sent), signing)

    def seen(self, events: list[Event]) -> None:
        self._heard(events)
