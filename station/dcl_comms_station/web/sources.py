"""What the Station looks at: one session after the other, as pages or the command ask for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_drivers.livekit.choice import RoomEngine
from dcl_comms_drivers.settings import Subscribe

from dcl_comms_core.adapters.connection_string import Adapter
from dcl_comms_core.adapters.targets import parse_target
from dcl_comms_core.errors import CommsError, ConnectionLost, InvalidConnectionString
from dcl_comms_core.tools.urls import url_without_secrets
from dcl_comms_station.board.asked import Refused
from dcl_comms_station.board.messages import Source
from dcl_comms_station.board.texts import cut
from dcl_comms_station.clean import clean
from dcl_comms_station.exits import explain
from dcl_comms_station.recording import InvalidRecording
from dcl_comms_station.visitor import NOBODY
from dcl_comms_station.web.asides import Asides
from dcl_comms_station.web.own import OwnRealm
from dcl_comms_station.web.replaying import FileRecording
from dcl_comms_station.web.stopping import run_until
from dcl_comms_station.web.taping import Folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dcl_comms_drivers.settings import Settings

    from dcl_comms_station.board.asked import Arguments
    from dcl_comms_station.board.messages import Request
    from dcl_comms_station.loops import Bell, Loop
    from dcl_comms_station.visitor import Visitor
    from dcl_comms_station.web.mailbox import StationTap
    from dcl_comms_station.web.station import Station

__all__ = ["Order", "Sources", "wallets_of"]

_BOTS: Final = 3
_MOST_BOTS: Final = 50
_TEXT: Final = 300
_TARGET: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be looked at next."""

    target: str | None = None
    """A realm or a room; None, without ``bots``: nothing."""
    recording: Path | None = None
    bots: int | None = None
    """A realm of our own, with so many."""
    visitor: Visitor = NOBODY
    record: bool = False
    """From the beginning."""
    media: bool = False
    """With sound and pictures: over the livekit package's engine; our own realm, in a livekit-server's rooms."""


class Sources:
    """It stands between the Station's loop, where pages ask, and the connections' loop, where they are opened."""

    def __init__(self, station: Station, visitors: list[Visitor], folder: Path, *, timeout: float = 20.0) -> None:
        self._station = station
        self._visitors = visitors
        self._timeout = timeout
        self._lock = threading.Lock()
        self._order: Order | None = None
        self._stop: Callable[[], None] | None = None
        self._bell: Bell | None = None
        self._own: OwnRealm | None = None
        self._looked_at: Order | None = None
        self._folder = Folder(folder)
        self._asides = Asides(station, self._open_now, self._folder)

    def _open_now(self) -> tuple[str, Visitor] | None:
        """What is open, with its secrets, and who we are there."""
        order, own = self._looked_at, self._own
        if order is None:
            return None
        target = order.target if order.bots is None else None if own is None else own.url
        return None if target is None else (target, order.visitor)

    # --- the Station's loop

    def asked(self, request: Request) -> None:
        """A page asks for what the Board can't do."""
        try:
            self._ask(request)
        except Refused as refused:
            self._station.refuse(request, refused)

    def _ask(self, request: Request) -> None:
        match request.do:
            case "open":
                order = self._read(request.arguments)
                self.order(order)
                self._station.answer(request)
            case "close":
                self.order(Order())
                self._station.answer(request)
            case _:
                self._asides.ask(request)

    def _read(self, given: Arguments) -> Order:
        media = given.truth("media", default=False)
        if given.truth("again", default=False):
            before = self._looked_at
            if before is None or (before.target is None and before.bots is None):
                raise Refused("no_session", "nothing is open that could be opened again")
            return replace(before, media=media)
        number = given.whole("wallet", 0)
        if not 0 <= number < len(self._visitors):
            raise Refused("wallet", f"there is no wallet {number}", field="wallet")
        visitor = self._visitors[number]
        if "at" in given:
            visitor = replace(visitor, at=given.point("at"))
        if "scene" in given:
            scene = type(given)(given.object("scene"))
            visitor = replace(visitor, scene=(scene.text("id", most=1_000), scene.parcel("parcel")))
        if "secret" in given:
            visitor = replace(visitor, secret=given.text("secret", most=1_000), names_secret=True)
        if "own" in given:
            own = type(given)(given.object("own"))
            return Order(bots=min(max(own.whole("bots", _BOTS), 0), _MOST_BOTS), visitor=visitor, media=media)
        if "recording" in given:
            return Order(recording=self._folder.find(given.whole("recording")))
        target = given.text("target", most=_TARGET).strip()
        try:
            parse_target(target)
        except InvalidConnectionString as error:
            raise Refused("target", str(error), field="target") from None
        return Order(target=target, visitor=visitor, media=media)

    def order(self, order: Order) -> None:
        """Look at something else.  From any thread."""
        with self._lock:
            self._order = order
            stop, bell = self._stop, self._bell
        if stop is not None:
            stop()
        if bell is not None:
            bell.ring()

    # --- the connections' loop

    async def attend(self, loop: Loop) -> None:
        """Look at what is ordered, until cancelled."""
        bell = loop.bell()
        with self._lock:
            self._bell = bell
        try:
            while True:
                with self._lock:
                    order, self._order = self._order, None
                if order is None:
                    await bell.wait()
                    continue
                await run_until(loop, partial(self._look, loop, order), self._stopper)
        finally:
            if self._own is not None:
                self._own.stop()
            self._asides.close()

    def _stopper(self, stop: Callable[[], None] | None) -> None:
        with self._lock:
            self._stop = stop
            is_late = self._order is not None
        if stop is not None and is_late:
            stop()

    async def _look(self, loop: Loop, order: Order) -> None:
        station = self._station
        tap = station.new_tap()
        self._looked_at = order
        if order.recording is not None:
            self._leave_own()
            self._play(order.recording)
            return
        if order.target is None and order.bots is None:
            station.look_at(tap, Source())
            self._leave_own()
            return
        kind = "target" if order.bots is None else "own"
        shown = _shown(order)
        station.look_at(tap, Source(kind=kind, target=shown))
        try:
            target = self._target(order)
            if self._own is not None and order.bots is not None:
                source = Source(kind=kind, target=shown, realm=self._own.told)
                station.look_at(tap, source, names=self._own.names)
            settings = self._settings(order, target, tap)
            async with loop.connect(target, **settings) as room:
                station.take_hands(tap, room)
                if order.record:
                    station.soon(self._asides.record)
                if order.visitor.scene is not None:
                    room.enter_scene(*order.visitor.scene)
                async for _ in room:
                    pass
        except (CommsError, ModuleNotFoundError) as error:
            known = explain(error)
            if known is None:
                raise
            reason = error.reason.value if isinstance(error, ConnectionLost) else type(error).__name__
            station.over(tap, reason, clean(known[1], limit=500), "look at the target and the wallet, and try again")
        else:
            station.over(tap)

    def _settings(self, order: Order, target: str, tap: StationTap) -> Settings:
        """What ``connect`` is told; errors as of Visitor.settings."""
        settings = order.visitor.settings(target)
        settings |= {"tap": tap, "timeout": self._timeout, "subscribe": Subscribe.NONE}
        if order.media:
            settings["engine"] = RoomEngine.LIVEKIT
        return settings

    def _play(self, path: Path) -> None:
        number = self._folder.add(path)
        source = Source(kind="recording", target=clean(path.name, limit=100), recording=number)
        try:
            recording = FileRecording(path)
        except (InvalidRecording, OSError) as error:
            tap = self._station.new_tap()
            self._station.look_at(tap, source)
            text = (error.strerror or "it can't be read") if isinstance(error, OSError) else str(error)
            self._station.over(tap, "no recording", clean(text, limit=300), "dcl-comms recover makes cut ones whole")
        else:
            self._station.play(recording, source)

    def _target(self, order: Order) -> str:
        """Where to connect to.  Our own realm is started where it is wanted, and ended where it is not."""
        if order.bots is None:
            self._leave_own()
            assert order.target is not None  # noqa: S101 - one of the two
            return order.target
        if self._own is None or (self._own.bots, self._own.media) != (order.bots, order.media):
            self._leave_own()
            own = OwnRealm(order.bots, media=order.media)
            own.start()
            self._own = own
        return self._own.url

    def _leave_own(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.stop()


def _shown(order: Order) -> str:
    """The target as pages are told."""
    if order.target is None:
        return "a realm on this machine"
    try:
        where = parse_target(order.target)
    except CommsError:
        return "?"
    return cut(str(where) if isinstance(where, Adapter) else url_without_secrets(where), _TEXT)[0]


def wallets_of(visitors: list[Visitor]) -> list[dict[str, Any]]:
    """As pages are told of them: numbers and names, and no key."""
    told: list[dict[str, Any]] = []
    for number, one in enumerate(visitors):
        name = "a guest" if one.key_file is None else clean(one.key_file.rpartition("/")[2], limit=80)
        told.append({"n": number, "name": name, "address": None})
    return told
