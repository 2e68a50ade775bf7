"""The Board: observations and what pages say go in, frames for each page come out.  It has no clock and does no IO.

``now`` are unix seconds that never go back.  After any call: ``deadline()`` says when ``handle_timeout`` is due, each
page's ``frames`` are to be sent and its ``closing`` obeyed, ``requests()`` are what the Station has to do.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

from dcl_comms_core.commands import SendDatagram, SendFrame
from dcl_comms_core.errors import InvalidFilter
from dcl_comms_core.inputs import DatagramReceived, FrameReceived
from dcl_comms_core.tools.timers import earlier
from dcl_comms_station.board.asked import Arguments, Refused, error_of
from dcl_comms_station.board.asking import ANSWERS, Asking
from dcl_comms_station.board.filling import Filling
from dcl_comms_station.board.frames import read_upload
from dcl_comms_station.board.hearing import SILENT, how_to_hear
from dcl_comms_station.board.limits import STATION_LIMITS
from dcl_comms_station.board.looking import Looking
from dcl_comms_station.board.marks import Marks
from dcl_comms_station.board.messages import ACTING, ASKING, CHANGING, Closing, Request, Source
from dcl_comms_station.board.observed import Step
from dcl_comms_station.board.page import Page
from dcl_comms_station.board.player import Player
from dcl_comms_station.board.store.stage import Stage
from dcl_comms_station.board.texts import js
from dcl_comms_station.board.windows import Searches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dcl_comms_station.board.hearing import MediaState, Perceived
    from dcl_comms_station.board.limits import StationLimits
    from dcl_comms_station.board.observed import Observed
    from dcl_comms_station.board.player import Recording
    from dcl_comms_station.board.store.timeline import Timeline

__all__ = ["Board"]

_CARRIERS: Final = SendFrame | FrameReceived | SendDatagram | DatagramReceived


class Board:
    """The machine.  ``welcome``: what a page is told of the Station beside what the Board knows."""

    def __init__(self, *, limits: StationLimits = STATION_LIMITS, welcome: Mapping[str, Any] | None = None) -> None:
        self.limits = limits
        self.welcome: dict[str, Any] = dict(welcome or {})
        self.source = Source()
        self.facts: dict[str, Any] = {"record": None}
        """Of STATE, what the Station knows: ``record``."""
        self.wrong_tokens = 0
        self._pages: dict[int, Page] = {}
        self._requests: list[Request] = []
        self._live: Stage | None = None
        self._stage = Stage(limits)
        self._player: Player | None = None
        self._now = 0.0
        self._scanning = False
        self._marks = Marks(limits.marks)
        self._history: deque[Observed] = deque(maxlen=limits.history)
        self._forgot = False
        self._searches = Searches(self._stage, self._time)
        self._filling = Filling(self._stage, self._searches)
        self._media = SILENT
        self._survey: Timeline | None = None
        self._asking = Asking(self)
        self._looking = Looking(self)

    # --- the session

    @property
    def stage(self) -> Stage:
        """What pages see."""
        return self._stage

    @property
    def live(self) -> Stage | None:
        """The session that is open; None: there is none."""
        return self._live

    @property
    def player(self) -> Player | None:
        """What plays; None: what is shown is live, or nothing."""
        return self._player

    @property
    def searches(self) -> Searches:
        """The filters in use."""
        return self._searches

    @property
    def pages(self) -> list[Page]:
        """Those that are there."""
        return list(self._pages.values())

    def page(self, number: int) -> Page | None:
        """The page of this number; None: it is gone."""
        return self._pages.get(number)

    def time(self, now: float) -> float:
        """The session's time."""
        return now if self._player is None else self._player.time(now)

    def _time(self) -> float:
        return self.time(self._now)

    def begin(self, source: Source, *, now: float, names: Mapping[str, tuple[str, str]] | None = None) -> None:
        """A session begins, or (``none``) there is none any more."""
        self._now = max(now, self._now)
        self.source = source
        self._marks.clear()
        self._history.clear()
        self._forgot = False
        self._player = None
        self._media = SILENT
        self._show(Stage(self.limits, names=names))
        self._live = None if source.kind == "none" else self._stage
        if source.kind == "none":
            self._stage.entering.state = "start"
        self._renew()

    def play(self, recording: Recording, source: Source, *, now: float) -> None:
        """A recording plays from its beginning."""
        self._now = max(now, self._now)
        self.source, self._live = source, None
        self._media = SILENT
        self._marks.clear()
        self._survey = None
        self._player = Player(recording, now)
        self._replay()

    def survey(self, timeline: Timeline, *, now: float) -> None:
        """What happens when in all of the recording that plays."""
        self._survey = self._filling.timeline = timeline
        for page in self._pages.values():
            page.timed = None
            page.due.pop("time", None)
        self._fill(now)

    def look_back(self, recording: Recording, *, at: float, now: float) -> None:
        """While the session goes on, what was is shown again."""
        self._player = Player(recording, now, live=True)
        self._player.seek(at, now)
        self._replay()

    def look_live(self, *, now: float) -> None:
        """What is shown is live again; nothing where there is nothing live."""
        self._now = max(now, self._now)
        if self._live is not None and self._player is not None:
            self._player = None
            self._show(self._live)
            self._renew()

    def seek(self, at: float, *, now: float) -> None:
        """Show what was at a time of the recording."""
        assert self._player is not None  # noqa: S101 - who calls looked
        if self._player.seek(at, now):
            self._replay()
        else:
            self._feed(now)

    def _replay(self) -> None:
        """Show what plays, from its beginning to its time."""
        assert self._player is not None  # noqa: S101 - who calls looked
        names = self._live.people.names if self._live is not None else None
        self._show(Stage(self.limits, names=names))
        self._filling.timeline = self._survey if self._live is None else self._live.timeline
        self._stage.lenient = True
        for seen in self._player.take(self._now):
            self._stage.observe(seen)
        self._stage.pass_time(self._time())
        self._renew()

    def _show(self, stage: Stage) -> None:
        self._stage = stage
        self._searches = Searches(stage, self._time)
        self._filling = Filling(stage, self._searches)
        self._filling.media = self._media

    def _renew(self) -> None:
        """Everybody begins with a snapshot."""
        self._stage.news.clear()
        self._stage.changed = False
        for page in self._pages.values():
            if page.ready and not page.paused:
                page.begin(self.snapshot())
        self._fill(self._now)

    def observe(self, items: Iterable[Observed], *, now: float) -> None:
        """Take what was observed of the live session."""
        self._now = max(now, self._now)
        live = self._live
        if live is None:
            return
        for seen in items:
            live.observe(seen)
            self._remember(seen)
        if live is self._stage:
            self._spread()
            self._fill(self._now)
        else:
            live.news.clear()

    def _remember(self, seen: Observed) -> None:
        """For looking back.  What comes without end and says nothing is left out."""
        if isinstance(seen, Step) and isinstance(seen.item, _CARRIERS):
            return
        if len(self._history) == self._history.maxlen:
            self._forgot = True
        self._history.append(seen)

    @property
    def remembered(self) -> list[Observed]:
        """What may be looked back at."""
        return list(self._history)

    @property
    def forgotten(self) -> str:
        """What is to be said of it where the beginning is missing."""
        return "what was before is not kept: who came before it shows once it moves" if self._forgot else ""

    # --- sound and pictures

    @property
    def perceiving(self) -> tuple[frozenset[str], frozenset[str]]:
        """The tracks that some page listens to, and those that one looks at; none while what was is shown."""
        pages = [page for page in self._pages.values() if page.ready and not page.paused]
        if self._live is None or self._player is not None:
            pages = []
        heard = frozenset(sid for page in pages for sid in page.view.audio)
        return heard, frozenset(sid for page in pages for sid in page.view.video)

    def perceive(self, items: Iterable[Perceived], media: MediaState | None, *, now: float) -> None:
        """Sound and pictures came; ``media``: how it stands with them, None: as before."""
        if media is not None:
            self._media = self._filling.media = media
        if self._player is None:
            for perceived in items:
                for page in self._pages.values():
                    if page.ready and not page.paused:
                        page.hearing.take(perceived)
        self._fill(now)

    def lost(self, reason: str, text: str, fix: str = "", *, now: float) -> None:
        """The session ended, and none of its events says so."""
        if self._live is not None:
            self._live.entering.lost(reason, text, fix)
            self._live.changed = True
            self.observe((), now=now)

    def tell(self, event: Mapping[str, Any], *, now: float) -> None:
        """Tell every page of something."""
        text = js(event)
        for page in self._pages.values():
            page.tell(text)
        self._fill(now)

    def retell(self, *, now: float) -> None:
        """STATE is another: the Station's part of it."""
        self._stage.changed = True
        self._spread()
        self._fill(now)

    def _spread(self) -> None:
        """Tell every page what is new."""
        stage = self._stage
        if stage.changed:
            stage.changed = False
            stage.news.append(self.state())
        news, stage.news = stage.news, []
        if not any(page.ready and not page.paused for page in self._pages.values()):
            return
        for event in _newest(news):
            text = js(event)
            for page in self._pages.values():
                page.tell(text)

    # --- pages

    def connect(self, number: int, *, read_only: bool, now: float) -> Page:
        """A page's socket is open."""
        self._now = max(now, self._now)
        page = Page(number, self.limits, read_only)
        if len(self._pages) >= self.limits.pages:
            page.closing = Closing.TOO_MANY
        else:
            self._pages[number] = page
        return page

    def gone(self, number: int) -> None:
        """A page's socket is closed."""
        if self._pages.pop(number, None) is not None:
            self.keep_searches()

    def end(self) -> None:
        """The Station ends."""
        for page in self._pages.values():
            page.closing = Closing.END

    def receive(self, number: int, message: str | bytes, *, now: float) -> None:
        """A page said something."""
        self._now = max(now, self._now)
        page = self._pages.get(number)
        if page is None or page.closing is not None:
            return
        if isinstance(message, bytes):
            self._uploaded(page, message)
            return
        given = _read(message) if len(message) <= self.limits.page_bytes else None
        if given is None:
            page.closing = Closing.BAD
            return
        ack = given.get("ack")
        if isinstance(ack, int) and "do" not in given:
            page.acknowledge(ack)
        else:
            self._do(page, given)
        self._fill(self._now)

    def _uploaded(self, page: Page, message: bytes) -> None:
        piece = read_upload(message)
        if piece is None or page.read_only or not page.ready:
            page.closing = Closing.BAD
            return
        self._requests.append(Request(page.number, None, "piece", Arguments({"piece": piece})))

    def _do(self, page: Page, given: dict[str, Any]) -> None:
        number, do = given.get("id"), given.get("do")
        if isinstance(number, bool) or not isinstance(number, int) or not isinstance(do, str):
            page.closing = Closing.BAD
            return
        if not page.ready and do != "hello":
            page.closing = Closing.BAD
            return
        try:
            ok = self._done(page, number, do, Arguments(given))
        except (Refused, InvalidFilter) as refused:
            page.answer(number, error=error_of(refused))
        else:
            if ok is not None:
                page.answer(number, ok=ok)

    def _done(self, page: Page, number: int, do: str, given: Arguments) -> dict[str, Any] | None:
        """Do it; None: the Station does, and answers later."""
        if not page.may_ask(self._now):
            raise Refused("too_fast", f"{self.limits.page_messages} messages a second are enough")
        if page.read_only and do in ACTING | CHANGING:
            raise Refused("read_only", "this page may look and not act", fix="use the link that may act")
        looking = self._looking
        own: Callable[[Page, Arguments], dict[str, Any]] | None = {
            "hello": looking.hello, "view": looking.view, "pause": looking.pause, "resume": looking.resume,
            "mark": self._mark,
        }.get(do)  # fmt: skip
        if own is not None:
            return own(page, given)
        if do in ANSWERS:
            return self._asking.answer(do, given, self._now)
        if do in ACTING:
            self._check_acting()
        elif do not in CHANGING | ASKING:
            raise Refused("unknown", f"there is no {do[:40]!r}")
        if page.verbs >= self.limits.verbs:
            raise Refused("limit", f"{self.limits.verbs} things are being done for this page already")
        page.verbs += 1
        self._requests.append(Request(page.number, number, do, given))
        return None

    def _check_acting(self) -> None:
        if self._player is not None and not self._player.live:
            raise Refused("recording", "a recording plays: nobody hears us", fix="open a realm")
        if self._live is None:
            raise Refused("no_session", "nothing is open", fix="open a realm, a room or a recording")

    def requests(self) -> list[Request]:
        """What the Station has to do, since the last call."""
        requests, self._requests = self._requests, []
        return requests

    def answer(self, request: Request, ok: Mapping[str, Any] | None = None, *, now: float) -> None:
        """It was done."""
        page = self._answered(request)
        if page is not None:
            page.answer(request.number, ok=dict(ok or {}))
        self._fill(now)

    def refuse(self, request: Request, refused: Refused | InvalidFilter, *, now: float) -> None:
        """It was not."""
        page = self._answered(request)
        if page is not None:
            page.answer(request.number, error=error_of(refused))
        self._fill(now)

    def _answered(self, request: Request) -> Page | None:
        page = self._pages.get(request.page)
        if page is None or request.number is None:
            return None
        page.verbs -= 1
        return page

    # --- what the Board does itself

    def _mark(self, _: Page, given: Arguments) -> dict[str, Any]:
        answer = self._marks.change(given, self._stage.packets, self._time())
        for event in self._marks.told():
            text = js(event)
            for page in self._pages.values():
                page.tell(text)
        return answer

    def keep_searches(self) -> None:
        """Forget the filters that no page uses any more."""
        self._searches.keep(text for page in self._pages.values() for text in page.good.values())

    # --- what is told

    def state(self) -> dict[str, Any]:
        """The event ``state``."""
        stage, counted = self._stage, self._stage.counted
        told: dict[str, Any] = {"k": "state", "source": self.source.kind, "target": self.source.target, "slot": 0}
        told["recording"] = self.source.recording
        told |= stage.entering.told()
        player = self._player
        told["realm"] = self.source.realm or counted.get("realm")
        told["silent"] = stage.silent()
        told["can"] = counted.get("can", {})
        told["media"] = None if player is not None else how_to_hear(self.source.kind, counted.get("mute"))
        told["play"] = None if player is None else player.told(self._now)
        if player is not None and not player.live:
            told["state"] = "playing"
            told["can"] = dict.fromkeys(sorted(ACTING), "a recording plays: nobody hears us")
        return told | self.facts

    def snapshot(self) -> list[str]:
        """Events that, applied to an empty page, give what is now."""
        stage, most = self._stage, self.limits.snapshot
        events: list[dict[str, Any]] = [{"k": "reset"}, self.state()]
        if stage.people.me is not None:
            events.append(stage.people.me.told())
        events += [person.told() for person in stage.people.here()]
        events += [line.told() for line in stage.talk.newest(most)]
        events += stage.log.newest(most)
        events += self._marks.told()
        if self.source.realm is not None:
            events.append({"k": "realm", **self.source.realm})
        return [js(event) for event in events]

    # --- time

    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due; None: nothing waits."""
        when: float | None = self._now if self._scanning else None
        if self._player is not None:
            when = earlier(when, self._player.deadline(self._now))
        elif (due := self._stage.due()) is not None:
            when = earlier(when, due)
        for page in self._pages.values():
            when = earlier(when, page.deadline())
            if page.ready and not page.paused and page.open:
                when = earlier(when, self._filling.next_tick(page))
        return when

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        self._now = max(now, self._now)
        now = self._now
        if self._player is not None:
            self._feed(now)
        if self._live is not None:
            self._live.pass_time(now)
        for page in list(self._pages.values()):
            if page.is_stuck(now):
                page.closing = Closing.SLOW
            elif page.paused:
                page.ping(now)
        self._spread()
        self._fill(now)

    def _feed(self, now: float) -> None:
        """What plays goes on."""
        assert self._player is not None  # noqa: S101 - who calls looked
        self._now = max(now, self._now)
        for seen in self._player.take(self._now):
            self._stage.observe(seen)
        self._stage.pass_time(self._time())
        if self._player.news:
            self._player.news = False
            self._stage.changed = True
        self._spread()
        self._fill(self._now)

    def _also(self) -> dict[str, Any]:
        """What of STATS the Board knows."""
        return {"pages": len(self._pages), "wrong_tokens": self.wrong_tokens}

    def _fill(self, now: float) -> None:
        """Give every page what it may be sent now."""
        self._now = max(now, self._now)
        self._scanning = self._searches.look(self.limits.scan)
        for page in self._pages.values():
            if page.ready and not page.paused and page.closing is None:
                self._filling.fill(page, self._now, self._time(), self.snapshot, self._also)


def _newest(news: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, and of what tells the whole of a peer the first word and the last: what is between is old already."""
    last = {event["slot"]: at for at, event in enumerate(news) if event["k"] in {"peer", "gone"}}
    kept: list[dict[str, Any]] = []
    told: set[int] = set()
    for at, event in enumerate(news):
        if event["k"] == "peer":
            slot = event["slot"]
            if slot in told and at != last[slot]:
                continue
            told.add(slot)
        kept.append(event)
    return kept


def _read(message: str) -> dict[str, Any] | None:
    try:
        given: object = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", given) if isinstance(given, dict) else None
