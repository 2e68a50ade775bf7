"""Windows, as pages look at them: of long lists, packets and peers; of sound and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dcl_comms_core.records.filters import Context, Filter
from dcl_comms_station.board.store.packets import Search
from dcl_comms_station.board.texts import js

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dcl_comms_core.peers import PeerId
    from dcl_comms_station.board.hearing import MediaState
    from dcl_comms_station.board.page import Page
    from dcl_comms_station.board.store.people import Person
    from dcl_comms_station.board.store.stage import Stage
    from dcl_comms_station.board.views import Packets, Peers

__all__ = ["Searches", "media_window", "peers_window", "rows_window"]

_ROOM: int = 48_000
"""Characters of JSON for the rows of one window."""


class Searches:
    """The filters that pages look through, each once."""

    def __init__(self, stage: Stage, now: Callable[[], float]) -> None:
        self._stage = stage
        self._context = Context(me=self._me, where=self._where, now=now)
        self._searches: dict[str, Search] = {}
        self._filters: dict[str, Filter | None] = {"": None}

    def filter(self, text: str) -> Filter | None:
        """The filter of a text; None: it lets everything through.  InvalidFilter: it is none."""
        text = text.strip()
        if text not in self._filters:
            self._filters[text] = Filter(text, context=self._context)
        return self._filters[text]

    def search(self, text: str) -> Search:
        """What it lets through."""
        text = text.strip()
        if text not in self._searches:
            self._searches[text] = Search(self._stage.packets, self.filter(text))
        return self._searches[text]

    def keep(self, texts: Iterable[str]) -> None:
        """Only these are looked at now."""
        wanted = {text.strip() for text in texts} | {""}
        self._searches = {text: search for text, search in self._searches.items() if text in wanted}
        self._filters = {text: one for text, one in self._filters.items() if text in wanted}

    def look(self, most: int) -> bool:
        """Look at what is new; True: there is more."""
        more = [search.look(most) for search in self._searches.values()]
        return any(more)

    def _me(self) -> PeerId | None:
        me = self._stage.people.me
        return None if me is None else me.who

    def _where(self) -> tuple[float, float, float] | None:
        me = self._stage.people.me
        return None if me is None else me.place


def rows_window(stage: Stage, searches: Searches, view: Packets, good: dict[str, str]) -> str:
    """The event ``rows``; ``good``: the filters that are in force."""
    text = good.get("filter", "")
    search = searches.search(text)
    highlight = searches.filter(good.get("highlight", ""))
    end = search.end
    # A place behind the end is of another filter's list: its end is the nearest.
    at_end = view.anchor is None or view.anchor >= end
    first = max(end - view.rows, search.first) if at_end else max(view.anchor or 0, search.first)
    rows: list[str] = []
    room = _ROOM
    found = search.window(first, view.rows)
    # Where not all fit, those go that are farthest from where somebody looks.
    for kept in reversed(found) if at_end else found:
        person = stage.people.me if kept.ours else stage.people.get(kept.sender)
        row = js(stage.packets.row(kept, None if person is None else person.slot, highlight))
        room -= len(row) + 1
        if room < 0:
            break
        rows.append(row)
    if at_end:
        rows.reverse()
        first = end - len(rows)
    head = {
        "k": "rows",
        "kept": len(stage.packets),
        "oldest": stage.packets.oldest,
        "matching": [search.first, end],
        "first": first,
        "follow": view.anchor is None,
        "filter": text,
    }
    return f'{js(head)[:-1]},"rows":[{",".join(rows)}]}}'


def peers_window(stage: Stage, view: Peers, t: float) -> str:
    """The event ``peers``."""
    people, us = [one for one in stage.people if one is not stage.people.me], stage.people.me
    wanted = view.filter.casefold()
    matching = [one for one in people if wanted in one.who.key or wanted in one.name.casefold()] if wanted else people
    matching.sort(key=_order(view.sort, us, t), reverse=view.down)
    rows: list[str] = []
    room = _ROOM
    for person in matching[view.first : view.first + view.rows]:
        row = js(person.row(t, us))
        room -= len(row) + 1
        if room < 0:
            break
        rows.append(row)
    head = {"k": "peers", "total": len(people), "matching": len(matching), "first": view.first}
    return f'{js(head)[:-1]},"rows":[{",".join(rows)}]}}'


def media_window(media: MediaState, page: Page) -> dict[str, Any]:
    """The event ``media``: of the tracks that a page listens to and looks at."""
    sids = dict.fromkeys((*page.view.audio, *page.view.video))
    tracks = [
        {"sid": sid, **media.tracks.get(sid, {"state": "waiting"}), "missed": page.hearing.lost_ms(sid)} for sid in sids
    ]
    return {"k": "media", "tracks": tracks, "speaking": media.speaking}


def _order(sort: str, us: Person | None, t: float) -> Callable[[Person], Any]:
    def key(person: Person) -> Any:
        match sort:
            case "distance":
                far = person.distance(us)
                value: Any = float("inf") if far is None else far
            case "id":
                value = person.who.key
            case "name":
                value = person.name.casefold()
            case "rooms":
                value = ",".join(person.rooms)
            case "pps" | "bps":
                value = person.bins.per_second(t)[sort == "bps"]
            case "mic" | "camera":
                kind = "audio" if sort == "mic" else "video"
                value = sum(track.kind.value == kind for track, _ in person.tracks.values())
            case "profile_version":
                value = -1 if person.profile_version is None else person.profile_version
            case _:
                value = getattr(person, sort)
        return value, person.slot

    return key
