"""The table of rooms and sources: by link, in the order of joining; which have news, and when the first is due.

A room says itself when something may have changed (``Output.watcher``), whoever it was that told it something.  What
another make of source has nobody knows before it is asked, so it passes for one that always has news.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dcl_comms_core.errors import CommsError
from dcl_comms_core.merged.roles import AVATAR, RoomRole
from dcl_comms_core.room.session import RoomSession

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dcl_comms_core.merged.sources import MovementSource
    from dcl_comms_core.states import Timer

__all__ = ["Child", "Children"]


class Child:
    """A room or a source, and what we know of it."""

    __slots__ = (
        "due", "flowed", "flows", "is_source", "leave_by", "link", "name", "new", "refuses", "returned", "role", "room",
        "seen_in", "session", "version",
    )  # fmt: skip

    def __init__(self, session: RoomSession | MovementSource, role: RoomRole, version: int | None = None) -> None:
        self.session = session
        self.room = session if isinstance(session, RoomSession) else None
        """The session again, where it is a room's."""
        self.role = role
        self.is_source = role is RoomRole.SOURCE
        self.seen_in = role in AVATAR
        """Are we seen there, so that movements and profile versions go there?"""
        self.link = session.link.link
        self.due: float | None = None
        """When its session is due, when we looked last."""
        self.flows = False
        """Whether packets go out there, when we looked last."""
        self.leave_by: float | None = None
        """When we are done with a source that was told to close; a room sees to that itself."""
        self.refuses = False
        """Did it refuse the last packet?  Said once."""
        self.flowed = False
        """Did they, when it was told last where we are?"""
        self.new = True
        """Has nobody there seen us move since we came, or since we jumped?"""
        self.name = ""
        """What its server calls the room."""
        self.returned = False
        """Is it the room that was lost before, by that name?"""
        self.version = version
        """The profile version that it announces by itself."""

    @property
    def flowing(self) -> bool:
        """Whether packets go out there now, and do not wait for its link."""
        session = self.session
        return session.flowing if isinstance(session, RoomSession) else session.sending

    @property
    def addresses(self) -> bool:
        """Whether a packet may be for some alone there."""
        return self.room is None or self.room.carrier.addresses

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Its timers; a source that does not tell them keeps them to itself."""
        timers: Mapping[Timer, float] = getattr(self.session, "timers", {})
        return timers

    def objection(self, now: float) -> CommsError | None:
        """Why it would take no packet; None: it would."""
        try:
            if self.room is not None:
                self.room.check_sending(now)
        except CommsError as error:
            return error
        return None


class Children:
    """All of them that are not closed."""

    __slots__ = ("_all", "_deadline", "_late", "_walkers", "news", "rooms", "seen", "sources")

    def __init__(self) -> None:
        self._all: dict[int, Child] = {}
        self._walkers: set[int] = set()
        self._deadline: float | None = None
        self._late = False
        """Is the deadline another one by now?"""
        self.rooms: dict[int, RoomSession] = {}
        """The rooms' sessions, by link.  For reading, as is what follows."""
        self.sources: dict[int, Child] = {}
        """What is no room, by link."""
        self.news: set[int] = set()
        """The links of rooms that were told something since we looked at them last."""
        self.seen: set[int] = set()
        """Those that may have something which was not taken, and of which we know when they are due."""

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Child]:
        return iter(tuple(self._all.values()))

    def __contains__(self, link: object) -> bool:
        return link in self._all

    def get(self, link: int) -> Child | None:
        """The one of this link."""
        return self._all.get(link)

    @property
    def links(self) -> tuple[int, ...]:
        """The numbers of their links."""
        return tuple(self._all)

    def add(self, child: Child) -> None:
        """One more."""
        link = child.link
        self._all[link] = child
        if child.room is None:
            self.sources[link] = child
        else:
            self.rooms[link] = child.room
            child.room.watch(partial(self.news.add, link))
            self.news.add(link)

    def remove(self, child: Child) -> None:
        """One less."""
        link = child.link
        del self._all[link]
        if child.room is None:
            del self.sources[link]
        else:
            child.room.watch(None)
            del self.rooms[link]
        for links in (self.news, self.seen, self._walkers):
            links.discard(link)
        self._late = True

    def give_until(self, child: Child, when: float) -> None:
        """Be done with a source at this time, or when that was said before."""
        child.leave_by = when if child.leave_by is None else min(when, child.leave_by)
        self._late = True

    # --- news

    @property
    def restless(self) -> bool:
        """Whether any may have something that was not taken."""
        return bool(self.news or self.seen or self.sources)

    def with_news(self) -> list[Child]:
        """Those that may have something that was not taken, in the order of joining."""
        if not self.restless:
            return []
        news, seen, sources = self.news, self.seen, self.sources
        return [child for link, child in self._all.items() if link in news or link in seen or link in sources]

    def taken(self, child: Child, *, changed: bool) -> None:
        """What it had was taken.  ``changed``: that may have moved it."""
        link, news = child.link, self.news
        if link in news or changed or child.is_source:
            news.discard(link)
            if link in self._all:
                self._look(child)
        self.seen.discard(link)

    # --- what is known of them

    def deadline(self) -> float | None:
        """When the first of them is due."""
        if self.news or self.sources:
            self._look_at_all()
        if self._late:
            self._late = False
            times = [when for child in self._all.values() for when in (child.due, child.leave_by) if when is not None]
            self._deadline = min(times, default=None)
        return self._deadline

    @property
    def any_walks(self) -> bool:
        """Whether a movement would go out somewhere now."""
        if self.news or self.sources:
            self._look_at_all()
        return bool(self._walkers)

    def walking(self) -> list[Child]:
        """Where a movement would go out now."""
        return [child for child in self._all.values() if child.seen_in and child.flowing]

    def all_new(self) -> None:
        """We jumped: where nobody sees it now it is told as a jump later."""
        for child in self._all.values():
            child.new = True

    def _look_at_all(self) -> None:
        for link in self.news:
            self._look(self._all[link])
        for source in self.sources.values():
            self._look(source)
        self.seen |= self.news
        self.news.clear()

    def _look(self, child: Child) -> None:
        due, flows = child.session.deadline(), child.flowing
        if due != child.due:
            child.due = due
            self._late = True
        if flows is not child.flows:
            child.flows = flows
            if child.seen_in:
                (self._walkers.add if flows else self._walkers.discard)(child.link)
