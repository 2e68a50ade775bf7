r"""People: who somebody is, asked of the realm's lambdas, many at once, else of the peer itself, and remembered.

::

    asked in one turn --> one POST /profiles --> found
                              \--> not found, no answer, or no realm --> the peer is asked --> found, or nobody knows

=====================================  ===============================================================================
what                                   then
=====================================  ===============================================================================
many are asked for in one turn         one request, ``Limits.whois_batch`` in each; one request at a time
the realm or the peer does not answer  ``Limits.whois_seconds`` each; then the next, or a Person that is not ``known``
known, and no newer version announced  at once, out of what is kept: ``Limits.people``, ``Limits.people_bytes``
nobody knew                            not asked again for ten seconds
too many wait                          SendQueueFull
a peer names another place to ask at   it is not asked there
=====================================  ===============================================================================
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

from dcl_comms_core.avatars.person import Person, SaidBy, read_person
from dcl_comms_core.commands import CancelFetch, Fetch
from dcl_comms_core.errors import CommsError, SendQueueFull
from dcl_comms_core.events import PeerLeft, ProfileAnnounced, ProfileReceived
from dcl_comms_core.inputs import Fetched, LinkRef
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.peers import PeerId, peer_id
from dcl_comms_core.tools.json_text import read_json
from dcl_comms_core.tools.timers import earlier

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import FetchFailed
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import Who

__all__ = ["Asking", "AsksPeers", "Lambdas", "People", "Sent"]

_PAUSE: Final = 10.0
"""Seconds until somebody whom nobody knew is asked for again, as explorers do."""
_OK: Final = 200


class Lambdas(NamedTuple):
    """Where a realm's profiles are."""

    url: str
    within: Place | None = None
    """Where the server is that named it."""


class Sent(Protocol):
    """What a peer sent of itself: a Profile."""

    @property
    def serialized(self) -> str:
        """JSON."""
        ...


class AsksPeers(Protocol):
    """Who can ask a peer for its profile: a session."""

    def request_profile(self, who: PeerId, version: int = 0, *, now: float) -> bool:
        """Ask it.  Raises CommsError where it can't be asked."""
        ...

    def profile(self, who: PeerId) -> Sent | None:
        """What it sent."""
        ...


class Asking:
    """A question for who somebody is."""

    __slots__ = ("person", "who")

    def __init__(self, who: PeerId, person: Person | None = None) -> None:
        self.who = who
        self.person = person
        """The answer; None: there is none yet."""

    @property
    def done(self) -> bool:
        """Whether there is an answer."""
        return self.person is not None


class People:
    """Finds out who people are.  ``where``: says where the realm's profiles are now; None: there is no realm.

    ``session``: asks peers.  ``link``: the number of its requests' LinkRef, which no other has.
    """

    def __init__(
        self,
        session: AsksPeers,
        where: Callable[[], Lambdas | None],
        *,
        link: int = -1,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._session = session
        self._where = where
        self._limits = limits
        self._link = link
        self._generation = 0
        self._kept: OrderedDict[PeerId, Person] = OrderedDict()
        self._bytes = 0
        self._newer: OrderedDict[PeerId, int] = OrderedDict()
        """Versions that were announced since."""
        self._open: dict[PeerId, Asking] = {}
        self._wanted: dict[PeerId, None] = {}
        """Those of the next requests."""
        self._due: float | None = None
        self._batch: tuple[PeerId, ...] = ()
        """Those of the request that is under way."""
        self._until: float | None = None
        self._asked: dict[PeerId, float] = {}
        """Peers that were asked, and until when; the first is the earliest."""
        self._commands: list[Command] = []

    # --- questions

    def ask(self, who: Who, *, now: float) -> Asking:
        """Ask who somebody is.  SendQueueFull: too many are asked for already."""
        who = peer_id(who)
        kept = self._kept.get(who)
        if kept is not None and (kept.known or now - kept.at < _PAUSE):
            self._kept.move_to_end(who)
            return Asking(who, kept)
        asking = self._open.get(who)
        if asking is not None:
            return asking
        if len(self._open) >= self._limits.whois_waiting:
            msg = f"{len(self._open)} are asked for already (Limits.whois_waiting): wait for some of the answers"
            raise SendQueueFull(msg)
        asking = self._open[who] = Asking(who)
        if who.address is not None and self._where() is not None:
            self._wanted[who] = None
            self._due = now if self._due is None else self._due
        else:
            self._ask_peer(who, now)
        return asking

    # --- turns

    def take(self, events: list[Event], *, now: float) -> None:
        """Hear of what the session tells."""
        if not (self._kept or self._asked):
            return
        for event in events:
            if isinstance(event, ProfileAnnounced):
                known = None if event.sender is None else self._kept.get(event.sender)
                if known is not None and event.version > known.version:
                    self._outdate(known.id, event.version)
            elif isinstance(event, ProfileReceived) and (sender := event.sender) is not None and sender in self._asked:
                self._heard(sender, event.serialized, now)
            elif isinstance(event, PeerLeft) and event.sender in self._asked:
                self._finish(event.sender, None, now)

    def receive(self, inp: Fetched | FetchFailed, *, now: float) -> None:
        """Take the answer to a request; one that nobody waits for any more is passed over."""
        if self._until is None or inp.link != LinkRef(self._link, self._generation):
            return
        found: dict[str, object] = {}
        if isinstance(inp, Fetched) and inp.status == _OK:
            found = _by_address(inp.body, self._limits)
        self._answered(found, now)

    def deadline(self) -> float | None:
        """When to call ``handle_timeout``; None: not needed."""
        first = next(iter(self._asked.values()), None)
        return earlier(first, self._due if self._until is None else self._until)

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        if self._until is not None and self._until <= now:
            self._commands.append(CancelFetch(link=LinkRef(self._link, self._generation)))
            self._answered({}, now)
        elif self._until is None and self._due is not None and self._due <= now:
            self._request(now)
        while (first := next(iter(self._asked.items()), None)) is not None and first[1] <= now:
            self._finish(first[0], None, now)

    def commands(self) -> list[Command]:
        """Take what the network is to do."""
        commands, self._commands = self._commands, []
        return commands

    # --- the realm

    def _request(self, now: float) -> None:
        where = self._where()
        self._batch = tuple(self._wanted)[: self._limits.whois_batch]
        for who in self._batch:
            del self._wanted[who]
        self._due = now if self._wanted else None
        if where is None:
            self._answered({}, now)
            return
        self._generation += 1
        self._until = now + self._limits.whois_seconds
        body = json.dumps({"ids": [who.address for who in self._batch]}).encode()
        self._commands.append(
            Fetch(
                link=LinkRef(self._link, self._generation),
                url=where.url.rstrip("/") + "/profiles",
                method="POST",
                headers=(("content-type", "application/json"),),
                body=body,
                max_bytes=self._limits.whois_answer_bytes,
                within=where.within,
            )
        )

    def _answered(self, found: dict[str, object], now: float) -> None:
        batch, self._batch, self._until = self._batch, (), None
        for who in batch:
            document = found.get(who.key)
            person = read_person(document, who, SaidBy.REALM, at=now, limits=self._limits)
            if person is None:
                self._ask_peer(who, now)
            else:
                self._finish(who, person, now)

    # --- peers

    def _ask_peer(self, who: PeerId, now: float) -> None:
        try:
            asked = self._session.request_profile(who, self._newer.get(who, 0), now=now)
        except CommsError:
            # It is not there, or may not be asked: nobody knows.
            self._finish(who, None, now)
            return
        sent = None if asked else self._session.profile(who)
        if sent is None:
            self._asked[who] = now + self._limits.whois_seconds
        else:
            self._heard(who, sent.serialized, now)

    def _heard(self, who: PeerId, serialized: str, now: float) -> None:
        document = None
        if len(serialized) <= self._limits.person_bytes:
            document = read_json(serialized, nesting=self._limits.nesting)
        self._finish(who, read_person(document, who, SaidBy.PEER, raw=serialized, at=now, limits=self._limits), now)

    # --- answers

    def _finish(self, who: PeerId, person: Person | None, now: float) -> None:
        person = Person(id=who, at=now) if person is None else person
        self._asked.pop(who, None)
        asking = self._open.pop(who)
        asking.person = person
        self._newer.pop(who, None)
        self._forget(who)
        self._kept[who] = person
        self._bytes += _weight(person)
        while len(self._kept) > self._limits.people or self._bytes > self._limits.people_bytes:
            self._forget(next(iter(self._kept)))

    def _outdate(self, who: PeerId, version: int) -> None:
        """There is a newer version of this one."""
        self._forget(who)
        self._newer[who] = version
        if len(self._newer) > self._limits.people:
            self._newer.popitem(last=False)

    def _forget(self, who: PeerId) -> None:
        person = self._kept.pop(who, None)
        if person is not None:
            self._bytes -= _weight(person)


def _weight(person: Person) -> int:
    # What is read out of it is in there once more.
    return 8 * len(person.raw)


def _by_address(body: bytes, limits: Limits) -> dict[str, object]:
    """The avatars of an answer, by whose they are."""
    if len(body) > limits.whois_answer_bytes:
        return {}
    try:
        text = body.decode()
    except ValueError:
        return {}
    document = read_json(text, nesting=limits.nesting)
    found: dict[str, object] = {}
    for one in cast("list[object]", document) if isinstance(document, list) else []:
        avatars = cast("dict[str, object]", one).get("avatars") if isinstance(one, dict) else None
        if isinstance(avatars, list) and avatars and isinstance(avatars[0], dict):
            avatar = cast("dict[str, object]", avatars[0])
            for name in ("userId", "ethAddress"):
                address = avatar.get(name)
                if isinstance(address, str):
                    found.setdefault(address.lower(), avatar)
    return found
