"""The stages in a realm: wallet, /about, Pulse, island service, island, its room.  One stay; each goes on with it.

It is a polled connection: it tells what happened before it failed, which ``connect`` can't.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from dcl_comms_drivers import polled
from dcl_comms_drivers.settings import Subscribe

from dcl_comms_core.adapters.connection_string import ArchipelagoAdapter, LiveKitAdapter, OfflineAdapter
from dcl_comms_core.errors import InvalidRealm, TargetProblem
from dcl_comms_core.events import IslandChanged, RealmOpened, RoomClosed, RoomOpened, WarningCode, WorldClosed
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.identity.login import AuthIdentity
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.states import CloseReason, RoomState
from dcl_comms_station.clean import clean
from dcl_comms_station.doctor.engine import CHANGED, carried_by
from dcl_comms_station.doctor.findings import Good, Problem, Skipped, Trial
from dcl_comms_station.doctor.pulse import PULSE, PulseVisit
from dcl_comms_station.doctor.token import judge
from dcl_comms_station.exits import CLOSE_EXITS, Exit
from dcl_comms_station.rooms import in_rooms
from dcl_comms_station.visitor import open_wallet

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.events import Event
    from dcl_comms_station.loops import Loop
    from dcl_comms_station.visitor import Visitor

__all__ = ["RealmVisit"]

_POLL_SECONDS: Final = 0.01
_STAGES: Final = 8.0
"""The connection's own limit of time, in those of a stage: here the stages decide."""
_ADVICE: Final = {
    CloseReason.BANNED: "this wallet is banned here: ask those who run the realm, or use another wallet",
    CloseReason.DENIED: "this wallet is not let in: ask those who run the realm, or use another wallet (--wallet)",
    CloseReason.WRONG_SECRET: "give the world's password: --secret - asks for it, --secret @FILE and DCL_COMMS_SECRET "
    "have it; it goes to the realm's own host only",
    CloseReason.BLOCKED: "what stands before the service does not let us through, whatever the wallet: see its text, "
    "try from another network, or ask those who run it",
    CloseReason.AUTHENTICATION: "the service does not take our signature or refuses this wallet: set this machine's "
    "clock, try another wallet (--wallet)",
    CloseReason.CLOCK: "set this machine's clock: signatures are good for a minute",
    CloseReason.NO_WALLET: 'pip install "dcl-comms[wallet]"',
    CloseReason.THROTTLED: "we asked too often: wait a minute or two",
    CloseReason.ROOM_FULL: "it is full: try again later, or another realm",
    CloseReason.DUPLICATE_IDENTITY: "the same wallet joined elsewhere, or was banned: end that, or use another one",
    CloseReason.PROTOCOL: "this is not the answer of a realm: check the URL, or tell those who run it",
    CloseReason.NOT_FOUND: "check the URL: nothing of that kind is there",
    CloseReason.UNREACHABLE: "see the text; if the realm runs, what stands before it does not let us through",
    CloseReason.FORBIDDEN: "the realm names an address that its clients must not use: tell those who run it",
    CloseReason.SIGNING_REFUSED: "the realm wants a signature for another host than its own: we don't give it",
    CloseReason.ENGINE: "the native engine failed: see the text, and try another version of the livekit package",
}
_PLAIN: Final = (
    "https: or wss: would do; --plain allows it without encryption, such as to a preview in your own network"
)
_OTHERWISE: Final = "see the text, and try again later"
_NOT_ON_PULSE: Final = "islands may be formed by Pulse, and we are not on it: see its stages"
_PULSE_NOT_ASKED: Final = "islands may be formed by Pulse, which is not asked: --pulse HOST:PORT says where it is"
_FROM_PULSE: Final = "we are on Pulse, and were sent nowhere: try another place (--at), or tell those who run the realm"
_T = TypeVar("_T", bound="Event")
_Found = TypeVar("_Found")


class RealmVisit:
    """One stay in a realm, or in what else asks for a wallet.  ``adapter`` None: ``target`` is a realm's URL."""

    def __init__(self, loop: Loop, target: str, adapter: Adapter | None, visitor: Visitor, patience: float) -> None:
        self._loop = loop
        self._target = target
        self._adapter = adapter
        self._visitor = visitor
        self._patience = patience
        self._room: polled.PolledConnection | None = None
        self._events: list[Event] = []
        self._pulse = PulseVisit(self._turn, patience)

    def way_in(self, *needs: str) -> list[Trial]:
        """The stages until it is known what the realm is."""
        stages = [Trial("wallet", self.log_in, needs)]
        return stages if self._adapter is not None else [*stages, Trial("about", self.read_about, ("wallet",))]

    def inside(self) -> list[Trial]:
        """The stages after that; none if it is not known."""
        pulse = self._pulse.stages()
        match self._adapter:
            case None:
                return []
            case OfflineAdapter():
                return [*pulse, Trial("leave", self.leave)]
            case ArchipelagoAdapter():
                stages = [
                    *pulse,
                    Trial("service", self.await_service, ("wallet",)),
                    Trial("island", self.await_island, ("service",), is_limited=False),
                    Trial("token", self.judge_token, ("island",)),
                ]
                needs = "island"
            case _:
                stages, needs = pulse, "wallet"
        return [
            *stages,
            Trial("join", self.await_room, (needs,)),
            Trial("announced", self.await_announcement, ("join",)),
            Trial("leave", self.leave, ("join",)),
        ]

    async def log_in(self) -> Good:
        """The wallet signs a login."""
        where = self._adapter or self._target
        wallet = open_wallet(where, self._visitor.key_file)
        at = self._visitor.at or (0.0, 0.0, 0.0)
        seconds = self._patience
        limits = replace(
            DEFAULT_LIMITS, pulse_connect_seconds=seconds, pulse_sign_seconds=seconds, pulse_stage_seconds=seconds
        )
        room = self._room = polled.open(
            self._target,
            wallet=wallet,
            position=at,
            limits=limits,
            pulse=self._visitor.pulse,
            tap=self._pulse,
            timeout=_STAGES * self._patience,
            reconnect=False,
            subscribe=Subscribe.NONE,
            secret=self._visitor.secret,
            plain=self._visitor.plain,
        )
        if wallet is None:
            return Good("none", 'where a signature is asked for it takes one: pip install "dcl-comms[wallet]"')
        await self._until(lambda: room.state is not RoomState.NEW or None)
        # In the letters in which servers know it, so that it is the same in every line.
        who = clean(wallet.address.lower())
        if isinstance(wallet, AuthIdentity):
            return Good(f"{who}, a login that was made elsewhere")
        return Good(f"{who}, a key of yours" if self._visitor.key_file else f"{who}, a guest")

    async def read_about(self) -> Good:
        """What the realm says of itself."""
        room = self._opened()
        realm = await self._until(lambda: room.realm)
        try:
            self._adapter = adapter = realm.choose()
        except InvalidRealm as error:
            fix = _ADVICE[CloseReason.PROTOCOL]
            raise Problem(Exit.PROTOCOL, clean(str(error), limit=200), fix) from None
        detail = f"{clean(realm.name or 'without a name', limit=80)}, by {adapter.protocol}:"
        if isinstance(adapter, OfflineAdapter):
            return Good(detail, "nobody is met there, except in scenes")
        if unread := self._warning(WarningCode.PULSE_UNREADABLE):
            text = clean(unread.text, limit=200)
            return Good(
                detail, f"Pulse is not asked: {text}; tell those who run the realm, or name it: --pulse HOST:PORT"
            )
        if realm.healthy is False:
            return Good(detail, "the realm says that it is not healthy: if it does not work, try again later")
        if realm.accepting_users is False:
            return Good(detail, "the realm says that it takes nobody in: if it does not work, try again later")
        return Good(detail)

    async def await_service(self) -> Good:
        """The island service's challenge, our signature, its welcome."""
        opened = await self._await(RealmOpened)
        return Good(f"knows us as {clean(str(opened.identity), limit=80)}")

    async def await_island(self) -> Good:
        """The island for where we are."""
        end = time.monotonic() + self._patience

        def found() -> IslandChanged | None:
            change = self._first(IslandChanged)
            if change is None and time.monotonic() >= end:
                asked, there = self._pulse.asked, self._pulse.there
                advice = _FROM_PULSE if there else _NOT_ON_PULSE if asked else _PULSE_NOT_ASKED
                raise Problem(Exit.NETWORK, f"no island within {self._patience:g} s", advice)
            return change

        change = await self._until(found)
        self._adapter = change.adapter
        # Of an island that Pulse forms it is not said who is on it.
        count = f" of {len(change.peers)}" if change.peers else ""
        return Good(f"{clean(change.island, limit=80)}{count}, a room of {change.adapter.protocol}:")

    async def judge_token(self) -> Good:
        """What the island's token says."""
        if not isinstance(self._adapter, LiveKitAdapter):
            raise Skipped("such a room has none")
        return judge(self._adapter.token)

    async def await_room(self) -> Good:
        """The island's or world's room is open."""
        opened = await self._await(RoomOpened)
        room = self._opened()
        who, others = clean(str(opened.identity), limit=80), len(in_rooms(room))
        by = carried_by(room.stats.links.get(opened.room, room.stats.link))
        warning = CHANGED if self._warning(WarningCode.ENGINE_CHANGED) else ""
        return Good(f"{clean(opened.name, limit=80)!r}, as {who}, with {others} others{by}", warning)

    async def await_announcement(self) -> Good:
        """The server makes us known."""
        room = self._opened()
        await self._until(lambda: room.stats.credits > 0 or None)
        return Good("others know us")

    async def leave(self) -> Good:
        """Out again."""
        room = self._opened()
        if not room.closed:
            room.begin_close(drain=0.0)
        while not room.closed:
            room.poll()
            await self._loop.sleep(_POLL_SECONDS)
        self._room = None
        room.close()
        return Good("left")

    async def aclose(self) -> None:
        """Leave, if that did not happen yet."""
        if self._room is not None:
            await self.leave()

    async def _await(self, kind: type[_T]) -> _T:
        """The first event of a kind, but for Pulse's."""
        return await self._until(lambda: self._first(kind))

    def _first(self, kind: type[_T]) -> _T | None:
        return next((event for event in self._events if isinstance(event, kind) and event.room != PULSE), None)

    def _warning(self, code: WarningCode) -> WarningEvent | None:
        warnings = (event for event in self._events if isinstance(event, WarningEvent))
        return next((event for event in warnings if event.code is code), None)

    async def _turn(self) -> bool:
        """Let the connection go on for a moment.  False: it is over."""
        room = self._opened()
        self._events += room.poll()
        if room.closed or any(isinstance(event, WorldClosed) for event in self._events):
            return False
        await self._loop.sleep(_POLL_SECONDS)
        return True

    async def _until(self, found: Callable[[], _Found | None]) -> _Found:
        """Wait until something is there.  Problem: the stay is over, and it is not."""
        room = self._opened()
        while True:
            self._events += room.poll()
            thing = found()
            if thing is not None:
                return thing
            ends = (WorldClosed, RoomClosed) if room.closed else (WorldClosed,)
            for event in reversed(self._events):
                if isinstance(event, ends) and event.room != PULSE:
                    detail = event.reason.value + (f": {clean(event.detail, limit=200)}" if event.detail else "")
                    plain = event.reason is CloseReason.FORBIDDEN and TargetProblem.PLAIN.value in event.detail
                    advice = _PLAIN if plain else _ADVICE.get(event.reason, _OTHERWISE)
                    raise Problem(CLOSE_EXITS[event.reason], detail, advice)
            await self._loop.sleep(_POLL_SECONDS)

    def _opened(self) -> polled.PolledConnection:
        assert self._room is not None  # noqa: S101 - the stage before did not fail
        return self._room
