"""The Station at work: the Board and its pages, what is looked at, and what pages ask for, on one asyncio loop."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from importlib.metadata import version
from itertools import count
from typing import TYPE_CHECKING, Any, Final, cast

from dcl_comms_core.errors import CommsError, InvalidFilter
from dcl_comms_core.readers.kinds import EVERY_KIND
from dcl_comms_station.board.asked import Arguments, Refused
from dcl_comms_station.board.board import Board
from dcl_comms_station.board.limits import STATION_LIMITS
from dcl_comms_station.board.messages import Source
from dcl_comms_station.board.observed import Step
from dcl_comms_station.recording import Newest
from dcl_comms_station.terminal import complain
from dcl_comms_station.web.clock import unix_clock
from dcl_comms_station.web.files import build_of, read_files
from dcl_comms_station.web.gate import Tokens
from dcl_comms_station.web.hands import Hands, refusal
from dcl_comms_station.web.links import Links
from dcl_comms_station.web.mailbox import StationTap
from dcl_comms_station.web.media.box import MediaBox
from dcl_comms_station.web.media.sounds import SOUND, Sounds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_drivers.connection.base import BaseConnection

    from dcl_comms_core.events import Event
    from dcl_comms_station.board.limits import StationLimits
    from dcl_comms_station.board.messages import Request
    from dcl_comms_station.board.observed import Observed
    from dcl_comms_station.board.page import Page
    from dcl_comms_station.board.store.timeline import Timeline
    from dcl_comms_station.web.replaying import FileRecording
    from dcl_comms_station.web.taping import Taping

__all__ = ["Seat", "Station"]

_COUNT_SECONDS: Final = 1.0
_NOTHING: Final[tuple[frozenset[str], frozenset[str]]] = frozenset(), frozenset()
_EARLY: Final = 64
"""So many requests wait for a room that is told of and not ours yet."""


class Seat:
    """A page's place here."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.work = asyncio.Event()
        """There is something to send, or it is to end."""

    def next_frame(self) -> str | bytes | None:
        """What it is to be sent next."""
        return self.page.frames.pop(0) if self.page.frames else None

    @property
    def stuck(self) -> bool:
        """Whether it is to be closed though it takes nothing."""
        return self.page.closing is not None


class Station:
    """What the server serves."""

    def __init__(
        self,
        *,
        limits: StationLimits = STATION_LIMITS,
        wallets: list[dict[str, Any]] | None = None,
    ) -> None:
        self.limits = limits
        self.now = unix_clock()
        self.tokens = Tokens(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        self.files = read_files()
        self.links = Links(limits.links, time.monotonic)
        welcome = {"version": version("dcl-comms"), "build": build_of(self.files), "wallets": wallets or []}
        self.board = Board(limits=limits, welcome=welcome)
        self.board.begin(Source(), now=self.now())
        self.on_first_page: Callable[[], object] | None = None
        """Called when somebody comes, once."""
        self.asked: Callable[[Request], None] | None = None
        """Told of what is done elsewhere: opening, recording, lists; None: that can't be done."""
        self._seats: dict[int, Seat] = {}
        self._numbers = count(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._counting: asyncio.TimerHandle | None = None
        self._tap: StationTap | None = None
        self._hands: Hands | None = None
        self._box = MediaBox(limits.media_bytes, lambda: self.soon(self._turn))
        self._perceiving = _NOTHING
        """What the room was last told to listen to and to look at."""
        self._sounds = Sounds(limits)
        self._early: list[Request] = []
        """What pages asked for in the moment before."""
        self._taping: Taping | None = None
        self._playing: FileRecording | None = None
        self._newest = Newest()
        self._open: dict[int, Request] = {}
        self._ended = False

    # --- from any thread

    def soon(self, what: Callable[[], object]) -> None:
        """Do this on the Station's loop; nothing where that has ended."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            loop.call_soon_threadsafe(what)
        except RuntimeError:
            if not loop.is_closed():
                raise

    def end(self) -> None:
        """Every page is told that it is over."""
        self.soon(self._end)

    def new_tap(self) -> StationTap:
        """A tap for a connection that is to be looked at."""
        return StationTap(self.now, limits=self.limits)

    def look_at(self, tap: StationTap, source: Source, names: Mapping[str, tuple[str, str]] | None = None) -> None:
        """From now on this is shown."""

        def begin() -> None:
            self._forget()
            self._tap = tap
            self.board.begin(source, now=self.now(), names=names)
            tap.attach(lambda: self.soon(self._turn))
            self._turn()

        self.soon(begin)

    def play(self, recording: FileRecording, source: Source) -> None:
        """From now on this plays; the Station closes it."""

        def begin() -> None:
            self._forget()
            self._playing = recording
            self.board.play(recording, source, now=self.now())
            self._turn()
            threading.Thread(target=survey, name="dcl-comms survey", daemon=True).start()

        def survey() -> None:
            timeline = recording.survey(self.limits)
            if timeline is not None:
                self.soon(lambda: surveyed(timeline))

        def surveyed(timeline: Timeline) -> None:
            if self._playing is recording:
                self.board.survey(timeline, now=self.now())
                self._turn()

        self.soon(begin)

    def take_hands(self, tap: StationTap, room: BaseConnection) -> None:
        """Pages may act in this room.  From the room's own thread."""
        hands = Hands(room, tap, self._box, self.limits)

        def begin() -> None:
            if self._tap is tap:
                self._hands, self._perceiving = hands, _NOTHING
                early, self._early = self._early, []
                for request in early:
                    self._do_it(request)
                self._count()
                self._turn()

        self.soon(begin)

    def over(self, tap: StationTap, reason: str = "", text: str = "", fix: str = "") -> None:
        """What this tap belongs to is over; ``text``: why, where none of its events says so."""

        def end() -> None:
            if self._tap is not tap:
                return
            self._turn()
            self._drop_hands()
            if text:
                self.board.lost(reason, text, fix, now=self.now())
            self._turn()

        self.soon(end)

    # --- the server

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """The server's loop runs."""
        self._loop = loop

    def stopped(self) -> None:
        """The server has ended."""
        self._forget()
        for timer in (self._timer, self._counting):
            if timer is not None:
                timer.cancel()
        self._loop = None

    def wrong_token(self) -> None:
        """Somebody came with a token that is none."""
        self.board.wrong_tokens += 1

    def sit(self, *, read_only: bool) -> Seat:
        """A page's socket is open."""
        number = next(self._numbers)
        seat = Seat(self.board.connect(number, read_only=read_only, now=self.now()))
        if seat.page.closing is None:
            self._seats[number] = seat
            first, self.on_first_page = self.on_first_page, None
            if first is not None:
                first()
        if self._ended:
            seat.page.closing = 4410
        return seat

    def leave(self, seat: Seat) -> None:
        """It is closed."""
        self._seats.pop(seat.page.number, None)
        self._sounds.forget(seat.page.number)
        self.board.gone(seat.page.number)
        self._turn()

    def receive(self, seat: Seat, message: str | bytes) -> None:
        """A page said something."""
        self.board.receive(seat.page.number, message, now=self.now())
        self._turn()

    # --- its turn

    def _turn(self) -> None:
        """Take what was observed, do what was asked, wake the pages that there is something for, arm the timer."""
        board, tap = self.board, self._tap
        if tap is not None:
            seen = tap.take()
            if seen:
                self._keep_newest(seen)
                board.observe(seen, now=self.now())
        perceived, media = self._box.take()
        if perceived or media is not None:
            board.perceive(perceived, media, now=self.now())
        due = board.deadline()
        if due is not None and due <= self.now():
            board.handle_timeout(self.now())
        for request in board.requests():
            self._do(request)
        self._listen()
        for seat in self._seats.values():
            if seat.page.frames or seat.page.closing is not None:
                seat.work.set()
        self._arm()

    def _listen(self) -> None:
        """Have the room listen to what pages do, and to nothing else."""
        wanted = self.board.perceiving
        if self._hands is not None and wanted != self._perceiving:
            self._perceiving = wanted
            self._hands.want(*wanted)

    def _keep_newest(self, seen: list[Observed]) -> None:
        """With what a recording begins that is begun later."""
        for one in seen:
            if isinstance(one, Step) and type(one.item) in EVERY_KIND:
                self._newest.take(cast("Event", one.item))

    # --- recording, on the Station's loop

    def tape(self, taping: Taping) -> None:
        """Record what is looked at.  Refused: nothing is, or that is done already."""
        tap, hands = self._tap, self._hands
        if self._taping is not None:
            raise Refused("busy", "a recording goes on already")
        if tap is None or hands is None:
            raise Refused("not_in_room", "no room is open yet")
        self._taping = taping
        known = list(self._newest.events())
        recording = taping.recording

        def begin(now: float) -> None:
            for event in known:
                recording.tap.step(now, event)
            tap.add(recording.tap, recording.note)

        hands.ask(lambda: begin(hands.now()), lambda _answer, _error: None)
        self._tell_taping()

    def stop_taping(self) -> Taping:
        """Record no more; it is to be finished elsewhere, as that takes a while.  Refused: nothing is recorded."""
        taping, self._taping = self._taping, None
        if taping is None:
            raise Refused("not_found", "nothing is being recorded")
        if self._tap is not None:
            self._tap.remove(taping.recording.tap)
        self._tell_taping()
        return taping

    def _tell_taping(self) -> None:
        self.board.facts["record"] = None if self._taping is None else self._taping.told()
        self.board.retell(now=self.now())

    # --- timers

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.board.deadline()
        if due is not None and self._loop is not None:
            self._timer = self._loop.call_later(max(due - self.now(), 0.0), self._turn)

    def _do(self, request: Request) -> None:
        try:
            asked = self._with_sound(request)
        except Refused as refused:
            self.refuse(request, refused)
            return
        if asked is not None:
            self._do_it(asked)

    def _with_sound(self, request: Request) -> Request | None:
        """What is to be done, with the WAV that it is about; None: it was done here.  Refused: there is none."""
        given = request.arguments
        match request.do:
            case "upload" if given.truth("sound", default=False):
                self._sounds.begin(request.page, given.whole("size"))
                self.answer(request, {"upload": SOUND})
            case "piece" if given.all["piece"].number == SOUND:
                self._sounds.piece(request.page, given.all["piece"])
            case "publish" if given.all.get("kind") == "wav":
                sound = self._sounds.take(request.page)
                return request._replace(arguments=Arguments({**given.all, "sound": sound}))
            case _:
                return request
        return None

    def _do_it(self, request: Request) -> None:
        if self._is_early and (request.do not in _ELSEWHERE or request.do == "record"):
            self._open[id(request)] = request
            self._early.append(request)
        elif request.do in _ELSEWHERE:
            if self.asked is None:
                self.refuse(request, Refused("unavailable", f"{request.do} is not for a page of one's own bot"))
            else:
                # It answers by itself, whatever becomes of the room.
                self._open.pop(id(request), None)
                self.asked(request)
        elif self._hands is not None:
            self._open[id(request)] = request
            self._act(self._hands, request)
        else:
            self.refuse(request, Refused("not_in_room", "no room is open yet"))

    @property
    def _is_early(self) -> bool:
        """Whether the tap told of a room that is ours in a moment."""
        is_told = self._tap is not None and self.board.stage.entering.state == "open"
        return is_told and self._hands is None and len(self._early) < _EARLY

    def _act(self, hands: Hands, request: Request) -> None:
        def done(answer: Any, error: CommsError | Refused | None) -> None:
            self.soon(lambda: self._done(request, answer, error))

        hands.act(request.do, request.arguments, done)

    def _done(self, request: Request, answer: Any, error: CommsError | Refused | None) -> None:
        if self._open.pop(id(request), None) is None:
            return
        if error is None:
            if request.do == "profile":
                self.board.stage.profile_asked(request.arguments.text("peer"), self.now())
            self.answer(request, answer)
        else:
            self.refuse(request, error)
        self._turn()

    def answer(self, request: Request, ok: Mapping[str, Any] | None = None) -> None:
        """It was done.  On the Station's loop."""
        self.board.answer(request, ok, now=self.now())

    def refuse(self, request: Request, error: CommsError | Refused) -> None:
        """It was not.  On the Station's loop."""
        told = error if isinstance(error, Refused | InvalidFilter) else refusal(error)
        self.board.refuse(request, told, now=self.now())

    def turn(self) -> None:
        """Something changed.  On the Station's loop."""
        self._turn()

    def _count(self) -> None:
        """Once a second, the connection counts."""
        if self._hands is not None and self._loop is not None:
            self._hands.count()
            if self._taping is not None:
                self._tell_taping()
                self._turn()
            self._counting = self._loop.call_later(_COUNT_SECONDS, self._count)

    def _drop_hands(self) -> None:
        hands, self._hands = self._hands, None
        self._early.clear()
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None
        if hands is not None:
            hands.let_go()
            self._box.take()
        for request in list(self._open.values()):
            self.refuse(request, Refused("lost", "the connection is over"))
        self._open.clear()

    def _forget(self) -> None:
        self._drop_hands()
        self._newest = Newest()
        if self._taping is not None:
            threading.Thread(target=_finish, args=(self.stop_taping(),), name="dcl-comms recording ends").start()
        if self._playing is not None:
            self._playing.close()
            self._playing = None
        if self._tap is not None:
            self._tap.attach(None)
            self._tap = None

    def _end(self) -> None:
        self._ended = True
        self.board.end()
        self._turn()


def _finish(taping: Taping) -> None:
    try:
        taping.finish()
    except Refused as refused:
        complain(f"the recording: {refused.text}")


_ELSEWHERE: Final = frozenset(
    {"open", "close", "record", "export", "upload", "uploaded", "piece", "recordings", "realms", "doctor", "report"}
)
