"""What a page is sent next: events first, with them the windows whose time has come, then positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.tools.timers import earlier
from dcl_comms_station.board.hearing import SILENT
from dcl_comms_station.board.texts import js
from dcl_comms_station.board.windows import media_window, peers_window, rows_window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_station.board.page import Page
    from dcl_comms_station.board.store.stage import Stage
    from dcl_comms_station.board.store.timeline import Timeline
    from dcl_comms_station.board.views import View
    from dcl_comms_station.board.windows import Searches

__all__ = ["Filling"]

_PERIODS: Final = {"rows": 0.25, "peers": 0.5, "stats": 1.0, "learn": 0.5, "time": 1.0, "media": 0.25}
_BESIDE: Final = 8_000
"""Characters of events beside which a window still fits."""


class Filling:
    """It fills pages from what is shown."""

    def __init__(self, stage: Stage, searches: Searches) -> None:
        self._stage = stage
        self._searches = searches
        self.timeline: Timeline | None = None
        """Of all that can be looked at, where more is known than what was shown until now."""
        self.media = SILENT
        """How it stands with sound and pictures."""

    def fill(
        self,
        page: Page,
        now: float,
        t: float,
        snapshot: Callable[[], list[str]],
        also: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Give a page what it may be sent.  ``t``: the session's time; ``also``: of STATS, what the Board knows."""
        while page.open:
            if page.overran and not page.waits:
                count = page.caught_up()
                page.begin([*snapshot(), js({"k": "gap", "what": "event", "count": count})])
            texts = page.take()
            texts += self._windows(page, now, t, sum(map(len, texts)), also)
            if texts:
                page.send(texts, now)
            elif not self._binary(page, now, t):
                return

    def next_tick(self, page: Page) -> float | None:
        """When there is more for a page that draws what it has."""
        when: float | None = None
        if page.view.map.on and self._stage.people.version > page.moved:
            when = page.due.get("map", 0.0)
        for name, on in _looked_at(page.view):
            if on:
                when = earlier(when, page.due.get(name, 0.0))
        return when

    def _binary(self, page: Page, now: float, t: float) -> bool:
        """Positions, sound or a picture: each has its turn, so that none of them keeps the others from a slow page."""
        for _ in range(len(page.turns)):
            kind = page.turns[0]
            page.turns.rotate(-1)
            match kind:
                case "sound":
                    is_sent = page.send_sound(now, t)
                case "pictures":
                    is_sent = page.send_picture(now, t)
                case _:
                    is_sent = self._positions(page, now, t)
            if is_sent:
                return True
        return False

    def _positions(self, page: Page, now: float, t: float) -> bool:
        people, view = self._stage.people, page.view.map
        # Positions are of slots that the snapshot tells of.
        if not view.on or people.version <= page.moved or page.due.get("map", 0.0) > now or page.waits:
            return False
        rows = people.since(page.moved)
        page.moved = people.version
        if not rows:
            return False
        page.due["map"] = now + 1.0 / view.hz
        page.send_positions(rows, now, t)
        return True

    def _windows(self, page: Page, now: float, t: float, size: int, also: Callable[[], Mapping[str, Any]]) -> list[str]:
        """The windows whose time has come, as far as the frame has room."""
        texts: list[str] = []
        for name, on in _looked_at(page.view):
            # A window may be nearly as long as a frame.
            if not on or page.due.get(name, 0.0) > now or size > _BESIDE:
                continue
            page.due[name] = now + _PERIODS[name]
            text = self._window(name, page, t, also)
            if text == page.last.get(name):
                continue
            page.last[name] = text
            texts.append(text)
            size += len(text)
        return texts

    def _window(self, name: str, page: Page, t: float, also: Callable[[], Mapping[str, Any]]) -> str:
        stage = self._stage
        match name:
            case "rows":
                return rows_window(stage, self._searches, page.view.packets, page.good)
            case "peers":
                return peers_window(stage, page.view.peers, t)
            case "learn":
                return js(stage.steps.told())
            case "media":
                return js(media_window(self.media, page))
            case "time":
                timeline = self.timeline or stage.timeline
                told = timeline.told(page.timed)
                page.timed = t - timeline.step
                return js(told)
            case _:
                return js({**stage.stats(t), **also()})


def _looked_at(view: View) -> tuple[tuple[str, bool], ...]:
    return (
        ("stats", view.stats),
        ("rows", view.packets.on),
        ("peers", view.peers.on),
        ("learn", view.learn),
        ("time", view.time),
        ("media", view.media),
    )
