"""Several rooms as one: the island's, the scene's, and whatever else tells of the same peers.

A peer has joined when the first room has it and is gone when the last one lost it.  Chat, emotes and reactions that
come through several rooms are told once, and so are movements and profile versions.  What we say goes where the
explorers send it, and movements go out at their pace (see ``dcl_comms_core.merged.showing``):

==========================================  ===================================================
packet                                      goes to
==========================================  ===================================================
a scene's message                           the scene's room
movement, emote, profile version            island and scene, and the movement sources
everything else                             island and scene
==========================================  ===================================================

A packet to named peers goes to each room that has them; one that no room has is addressed in all, as it is written,
whether or not a movement source tells of it: rooms say in a Warning that it may reach nobody.
Rooms of other roles get what is sent through their own session.

The vocabulary is that of a RoomSession.  Commands and inputs of the rooms are told apart by ``link.link``; packets may
go to a room's own session, ``merged.session(number).receive_data(...)``, as from any transport.  Each event keeps the
label of its room; RoomClosed ends that room, not the others.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Unpack

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.events import RoomClosed
from dcl_comms_core.inputs import ClockSet, LinkRef
from dcl_comms_core.merged.arrivals import Arrivals
from dcl_comms_core.merged.bearings import Bearings
from dcl_comms_core.merged.children import Child, Children
from dcl_comms_core.merged.fan_out import FanOut, Played
from dcl_comms_core.merged.handover import Handover, Wish
from dcl_comms_core.merged.ignoring import Ignoring
from dcl_comms_core.merged.maker import RoomMaker
from dcl_comms_core.merged.news import News
from dcl_comms_core.merged.overview import Overview
from dcl_comms_core.merged.presence import Presence
from dcl_comms_core.merged.roles import AVATAR, RoomRole
from dcl_comms_core.merged.showing import Showing
from dcl_comms_core.merged.signatures import Requests
from dcl_comms_core.merged.sources import Signing
from dcl_comms_core.packets.motion import check_position
from dcl_comms_core.peers import EVERYONE, addressees, peer_id
from dcl_comms_core.proto import rfc4
from dcl_comms_core.room.incoming.dedupe import Seen
from dcl_comms_core.room.options import RoomOptions
from dcl_comms_core.room.outgoing.intents import Intents, check_version, packed
from dcl_comms_core.room.output import Output
from dcl_comms_core.states import RETRY, CloseReason, Timer
from dcl_comms_core.tools.arguments import require
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.labels import Label
from dcl_comms_core.tools.timers import earliest
from dcl_comms_core.weather.can import ability

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Mapping

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.company.ignoring import Ignored
    from dcl_comms_core.events import Event, WarningCode
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.identity.guard import ChallengeGuard
    from dcl_comms_core.inputs import Input, Track, TrackSource
    from dcl_comms_core.merged.sources import MovementSource
    from dcl_comms_core.peers import Addressees, Who
    from dcl_comms_core.room.incoming.allowances import PeerTraffic
    from dcl_comms_core.room.incoming.profiles import Profile
    from dcl_comms_core.room.options import RoomSettings
    from dcl_comms_core.room.outgoing.outbox import Messages, Outgoing
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.weather.can import Ability, Can, Obstacle

__all__ = ["MergedRooms", "RoomRole"]

_SOURCES: Final = frozenset({RoomRole.SOURCE})


class MergedRooms(Intents):
    """One view of several rooms, which come and go.

    ``settings``: those of :class:`~dcl_comms_core.room.options.RoomOptions`, or of ``options`` what is to be different:
    for the sessions that ``join`` makes.  ``address`` (the wallet's) and ``guard`` (what may be signed, and where) are
    for ws-rooms, which can't be joined without them.  ``clock``: of a session that has this one within, which says
    itself what its stamps count from.
    """

    def __init__(
        self,
        *,
        address: str | None = None,
        guard: ChallengeGuard | None = None,
        clock: Clock | None = None,
        options: RoomOptions | None = None,
        **settings: Unpack[RoomSettings],
    ) -> None:
        chosen = RoomOptions.of(options, settings)
        limits = chosen.limits
        super().__init__(limits, Clock() if clock is None else clock)
        self.seen = Seen(limits.seen_messages) if chosen.seen is None else chosen.seen
        """What was told already: for sessions that are made elsewhere and taken in with ``add``."""
        self._silent = chosen.silent
        self._maker = RoomMaker(replace(chosen, seen=self.seen), address, guard)
        self._output = Output(Label("", self.clock), self.clock)
        self.children = Children()
        """The rooms and sources: for reading."""
        self._rooms = self.children.rooms
        self._presence = Presence(limits)
        self._overview = Overview(self._rooms, self._presence)
        self._fan_out = FanOut(self.children, self._presence, self._output, self.clock)
        self._showing = Showing(
            self.children, self._fan_out, self.clock, version=chosen.profile_version, silent=chosen.silent
        )
        self._bearings = Bearings(self.children, self.clock)
        self._requests = Requests[Signing](limits.rooms)
        self._ignoring = Ignoring(self._rooms, self.clock, limits)
        self._news = News(
            self._output,
            self._presence,
            self._requests,
            ignoring=self._ignoring,
            clock=self.clock if clock is None else None,
            over=self.children.remove,
        )
        self._handover = Handover(
            self.children,
            limits,
            join=lambda wish, role: self.join(wish.adapter, role, within=wish.within),
            leave=lambda session, drain: self._depart(session.link.link, drain),
            call_off=self._call_off,
        )
        self.arrivals = Arrivals(self.children, self._output, self.clock, self._take_packets)
        """Where packets of rooms go that came in: what ``receive_data`` does, for who calls it all the time."""
        self._links = 0
        self.heir: Callable[[RoomRole, list[Outgoing]], object] | None = None
        """Who gets what waits in a room that ends without our doing; None: it is dropped."""

    # --- the rooms

    @property
    def counters(self) -> Counter[str]:
        """How often: late, moved_twice, emoted_twice, announced_twice, not_sent; rooms' own sessions count the rest.

        That is news of a room that is gone; movements, emotes and profile versions that were told already; and packets
        of ours that a room did not take.
        """
        self.arrivals.settle()
        return self._output.counters

    @property
    def peers(self) -> Presence:
        """Who is in any of the rooms, or told of by a movement source."""
        return self._presence

    @property
    def rooms(self) -> Mapping[int, RoomSession]:
        """The sessions of all rooms that are not closed, by the number of their link, in the order of joining."""
        return self._rooms.copy()

    def rooms_of(self, who: Who) -> tuple[str, ...]:
        """The labels of the rooms that a peer is in, the one that it came to first before the others.

        Empty: it is not known, or to movement sources alone, which are no rooms.
        """
        rooms = self._rooms
        return tuple(rooms[link].room for link in self._presence.ids(who) if link in rooms)

    def new_link(self) -> int:
        """A number for a link that no room of this view had before."""
        self._links += 1
        return self._links

    @property
    def links(self) -> tuple[int, ...]:
        """The numbers of the links of all rooms and sources that are not closed."""
        return self.children.links

    def go(self, adapter: Adapter, role: RoomRole, *, within: Place | None = None, now: float | None = None) -> None:
        """Be in this room instead of the one that the last ``go`` of this role led to.

        The old one is left once the new one is open, and kept if that fails: see the RoomClosed.  (A ws-room's service
        takes one session of ours, so of two of its rooms the old one is left first.)  Nothing happens where server and
        room are the same, whatever the token.  The newest call counts.  A room that is just being left, or that
        another role has, and a change while Limits.rooms are there, wait for their turn, however long that takes: see
        ``held_up``.  ``within``: where the server
        is that named the room, None: the user did.  LocalProtocolError: no room can be joined with this adapter.
        """
        self._begin(now)
        self._maker.check(adapter)
        self._handover.want(role, Wish(adapter, within))
        self._settle()

    def withdraw(self, role: RoomRole, *, drain: float | None = None, now: float | None = None) -> None:
        """Be in no room that a ``go`` of this role led to, nor on the way to one."""
        self._begin(now)
        self._handover.withdraw(role, drain)
        self._settle()

    def goal(self, role: RoomRole) -> Adapter | None:
        """Where the last ``go`` of this role leads: to a room that is open or on its way; None: nowhere, or it failed.

        After a change that failed it is the old room again, if that is still there.
        """
        return self._handover.goal(role)

    def held_up(self, role: RoomRole, *, by: RoomRole) -> bool:
        """Whether the room of one role can't be had beside that of another one.

        They have one place for the two of them, or Limits.rooms are there without those that are being left.
        """
        return self._handover.held_up(role, by=by)

    def join(
        self,
        adapter: Adapter,
        role: RoomRole,
        *,
        room: str | None = None,
        within: Place | None = None,
        now: float | None = None,
    ) -> RoomSession:
        """Join one more room; ``room`` is its label, the role's name unless told otherwise.

        LocalProtocolError: no room can be joined with this adapter, or Limits.rooms are there.
        """
        self._maker.check(adapter)
        label = role.value if room is None else room
        version = self._showing.version if role in AVATAR else None
        silent = self._silent and role in AVATAR
        session = self._maker.make(adapter, label, self.new_link(), within, version, silent=silent)
        self._add(Child(session, role, version), now)
        return session

    def add(self, session: RoomSession, role: RoomRole, *, now: float | None = None) -> None:
        """Open a session that is made elsewhere, of a ws-room for example, with ``link=new_link()`` and ``seen=seen``.

        LocalProtocolError: its link's number is in use, it was opened before, or Limits.rooms are there.
        """
        self._add(Child(session, role), now)

    def attach(self, source: MovementSource, *, now: float | None = None) -> None:
        """Open a movement source and listen to it.

        While it speaks of a peer, and for Limits.source_seconds after, what rooms say of that peer's movements is let
        go.  LocalProtocolError: its link's number is in use, or Limits.rooms are there.
        """
        self._add(Child(source, RoomRole.SOURCE), now)

    def set_realm(self, name: str | None, *, now: float | None = None) -> None:
        """Tell sources that follow it (RealmFollowing) the realm's name, those to come too; None: it has none."""
        require(name, str | None, "a realm's name is text, or None")
        self._begin(now)
        self._bearings.set_realm(name)
        self._take_all()

    def set_position(
        self, position: tuple[float, float, float], *, moving: bool = False, now: float | None = None
    ) -> None:
        """Tell sources that an island may come of (Placing) where we are, those to come too, and no room.

        ``moving``: a movement says it too, so that only sources to come are told.
        """
        check_position(position)
        self._begin(now)
        self._bearings.set_position(position, moving=moving)
        self._take_all()

    def _add(self, child: Child, now: float | None) -> None:
        self._begin(now)
        if child.link in self.children:
            msg = f"link {child.link} is in use: take a number from new_link()"
            raise LocalProtocolError(msg)
        if len(self.children) >= self.limits.rooms:
            msg = f"{len(self.children)} rooms are joined already (Limits.rooms): leave one"
            raise LocalProtocolError(msg)
        if self.clock.unix_offset is not None:
            child.session.receive(ClockSet(unix_offset=self.clock.unix_offset), now=self.clock.now)
        if child.is_source:
            self._bearings.tell(child)
        if child.room is not None:
            self._ignoring.tell(child.room)
        if child.room is not None and self.heir is not None:
            child.room.heir = partial(self.heir, child.role)
        child.session.open(now=self.clock.now)
        self.children.add(child)
        self._take(child)

    def leave(self, link: int, *, drain: float | None = None, now: float | None = None) -> None:
        """Leave one room, or end one source; see RoomSession.close.  One that is gone by now needs nothing."""
        self._begin(now)
        self._depart(link, drain)
        self._settle()

    def _depart(self, link: int, drain: float | None) -> None:
        child = self.children.get(link)
        if child is None:
            return
        child.session.close(drain=drain, now=self.clock.now)
        if child.room is None:
            drain = self.limits.drain_seconds if drain is None else max(drain, 0.0)
            self.children.give_until(child, self.clock.now + drain + self.limits.close_seconds)
        self._take(child)

    def _call_off(self, session: RoomSession) -> None:
        child = self.children.get(session.link.link)
        if child is not None:
            session.call_off(now=self.clock.now)
            self._take(child)

    def close(self, *, drain: float | None = None, now: float | None = None) -> None:
        """Leave all rooms.  It is over when the last RoomClosed came."""
        self._begin(now)
        self._handover.forget()
        for link in self.children.links:
            self._depart(link, drain)

    # --- signatures of ws-rooms and sources

    def provide_signature(self, request: int, chain: AuthChain, *, now: float | None = None) -> None:
        """Answer SignatureNeeded; see WsRoomSession.provide_signature."""
        self._begin(now)
        asked = self._requests.find(request)
        if asked is None:
            self._output.counters["late"] += 1
        else:
            session, number = asked
            session.provide_signature(number, chain, now=self.clock.now)
            self._take_all()

    def refuse_signature(self, request: int, detail: str = "", *, now: float | None = None) -> None:
        """Answer SignatureNeeded: nobody will sign.  RoomClosed(NOT_SIGNED) follows."""
        self._begin(now)
        asked = self._requests.find(request)
        if asked is None:
            self._output.counters["late"] += 1
        else:
            session, number = asked
            session.refuse_signature(number, detail, now=self.clock.now)
            self._take_all()
            self._settle()

    # --- whom we ignore

    def ignore(self, who: Who, *, seconds: float | None = None, now: float | None = None) -> None:
        """Let go what somebody sends, in all rooms, in those to come too, and what sources tell of it.

        See RoomSession.ignore.
        """
        self._begin(now)
        self._take_all()
        self._ignoring.ignore(peer_id(who), seconds)
        self._take_all()

    def unignore(self, who: Who, *, now: float | None = None) -> bool:
        """Listen to somebody again.  False: it was not ignored."""
        self._begin(now)
        self._take_all()
        found = self._ignoring.unignore(peer_id(who))
        self._take_all()
        return found

    @property
    def ignored(self) -> Ignored:
        """Who is ignored, and until when."""
        return self._ignoring.table

    # --- to the rooms

    def check_sending(self, now: float | None = None) -> None:
        """May we move?  LocalProtocolError: no room is open; PermissionMissing: none of them lets us."""
        self._begin(now)
        self._fan_out.check(AVATAR)

    def put(
        self,
        messages: Messages,
        *,
        reliable: bool,
        now: float | None,
        else_everybody: bool = False,
        role: RoomRole | None = None,
    ) -> None:
        """Give packets of one content to the rooms that they are for, or to those of one role.

        What ``send_bytes`` ends in.
        """
        self._begin(now)
        roles = None if role is None else frozenset({role})
        self._fan_out.put(messages, reliable=reliable, roles=roles, else_everybody=else_everybody)

    def check_moving(self, now: float | None = None) -> None:
        """May we move?  Where we are is remembered for rooms to come; PermissionMissing: none of those here lets us."""
        self._begin(now)
        if self.reaches(AVATAR):
            self._fan_out.check(AVATAR)

    def can(self, what: Can) -> Ability:
        """Whether all of this can be done in one of the rooms as they are now, and if not, why."""
        return ability(what, self.obstacle)

    def obstacle(self, one: Can) -> Obstacle | None:
        """Why one thing can't be done in any of the rooms; None: it can."""
        self.arrivals.settle()
        return self._overview.obstacle(one, seen=self._fan_out.reaches(_SOURCES))

    def reaches(self, roles: frozenset[RoomRole]) -> bool:
        """Whether a room of these roles takes packets, or a movement source, if it is among them."""
        self.arrivals.settle()
        return self._fan_out.reaches(roles)

    def play(
        self,
        emote: rfc4.PlayerEmote,
        duration: float | None,
        *,
        to: Addressees,
        now: float | None,
        else_everybody: bool = False,
    ) -> None:
        """Send an emote; ``duration`` is for sources that are told more than a packet holds (Emoting)."""
        data = packed(rfc4.Packet(player_emote=emote), self.limits)
        named = None if to is EVERYONE else addressees(to)
        self._begin(now)
        messages: Messages = [] if named == () else [(data, named, "")]
        self._fan_out.put(messages, reliable=True, played=Played(emote, duration), else_everybody=else_everybody)

    def walk(self, movement: rfc4.Movement) -> None:
        """Be there, in all rooms."""
        self._showing.walk(movement)

    def announce_profile(self, version: int, *, to: Addressees = EVERYONE, now: float | None = None) -> None:
        """Tell the version of our profile, now and from now on, in these rooms and in those to come.

        Once, if ``to`` names some or we are silent.
        """
        if to is not EVERYONE:
            super().announce_profile(version, to=to, now=now)
            return
        check_version(version)
        self._begin(now)
        self._showing.announce(version)

    def warn(self, code: WarningCode, text: str) -> None:
        """Tell a Warning."""
        self._output.warn(code, text)

    # --- the vocabulary

    def receive_data(
        self,
        sender: str | None,
        data: bytes,
        *,
        link: int,
        reliable: bool = True,
        topic: str = "",
        now: float,
        source: int | None = None,
    ) -> None:
        """Take a packet of a room's current link: what ``receive(DataReceived(...))`` does, without the object."""
        self.arrivals.receive(sender, data, link, reliable, topic, now, source)

    def receive_acknowledged(self, tokens: Iterable[int], *, link: int, now: float) -> None:
        """Take acknowledgements of packets of a room's current link, none of which failed."""
        self._begin(now)
        child = self.children.get(link)
        if child is None or child.room is None:
            self._output.counters["late"] += 1
            return
        child.room.receive_acknowledged(tokens, now=self.clock.now)
        self._take(child)

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact from outside, and give it to the room whose link it names."""
        self._begin(now)
        if isinstance(inp, ClockSet):
            self._set_clock(inp)
            return
        link = getattr(inp, "link", None)
        if not isinstance(link, LinkRef):
            msg = f"receive() takes an input of dcl_comms_core.inputs, not {type(inp).__name__}"
            raise LocalProtocolError(msg)
        child = self.children.get(link.link)
        if child is None:
            self._output.counters["late"] += 1
            return
        child.session.receive(inp, now=self.clock.now)
        self._take(child)
        self._settle()

    def _set_clock(self, inp: ClockSet) -> None:
        self.clock.set_unix(inp.unix_offset)
        for child in self.children:
            child.session.receive(inp, now=self.clock.now)

    def handle_timeout(self, now: float) -> None:
        """Let time pass, in all rooms."""
        self._begin(now)
        for child in self.children:
            child.session.handle_timeout(self.clock.now)
            self._take(child)
            if child.leave_by is not None and child.leave_by <= self.clock.now and child.link in self.children:
                self._give_up(child)
        self._settle()

    def _give_up(self, child: Child) -> None:
        """Be done with a source that was told to close and does not say that it did."""
        room, reason, detail = child.session.room, CloseReason.CLIENT, "the source did not confirm its end"
        end = RoomClosed(at=self.clock.now, room=room, reason=reason, retry=RETRY[reason], detail=detail)
        self._news.tell(child, [end])

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest: the earliest of the rooms' deadlines and our own."""
        theirs, ours = self.children.deadline(), self._showing.due
        return theirs if ours is None or (theirs is not None and theirs <= ours) else ours

    @property
    def deadline_reason(self) -> Timer | None:
        """The timer behind the deadline; None: it is that of a source which does not say, or there is none."""
        deadline = self.deadline()
        if deadline is None:
            return None
        if deadline == self._showing.due:
            return Timer.MOVE
        if deadline in {child.leave_by for child in self.children}:
            return Timer.CLOSE
        child = next(child for child in self.children if child.session.deadline() == deadline)
        reason: Timer | None = getattr(child.session, "deadline_reason", None)
        return reason

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Every timer that runs, the rooms' and sources' too, and when the first of each name is due."""
        theirs = [timer for child in self.children for timer in child.timers.items()]
        ours = [(Timer.CLOSE, child.leave_by) for child in self.children]
        return earliest([*theirs, *ours, (Timer.MOVE, self._showing.due)])

    def commands(self) -> list[Command]:
        """Take everything that the transports are to do; ``link.link`` says which."""
        self._take_all()
        return self._output.take_commands()

    def events(self) -> list[Event]:
        """Take everything that happened, in order."""
        self._take_all()
        return self._output.take_events()

    def take(self) -> tuple[list[Command], list[Event]]:
        """What ``commands()`` and ``events()`` give, in one call."""
        self._take_all()
        output = self._output
        return output.take_commands() if output.commands else [], output.take_events()

    # --- from the rooms

    def _begin(self, now: float | None) -> None:
        """What every call begins with."""
        self.arrivals.settle()
        self.clock.pass_time(now)

    def _settle(self) -> None:
        """Join, leave and send what follows from what happened."""
        self._handover.settle()
        self._showing.send()

    def _take_all(self) -> None:
        self.arrivals.settle()
        children = self.children
        if children.news or children.seen or children.sources:
            for child in children.with_news():
                self._take(child)

    def _take_packets(self, child: Child) -> None:
        """Take what came of packets, which change nothing else: not when it is due, nor whether packets flow."""
        room, children = child.room, self.children
        if room is None or room.output.commands or child.link in children.news or child.link in children.seen:
            self._take(child)
        else:
            self._news.tell(child, room.output.take_events())

    def _take(self, child: Child) -> None:
        """Take what a room has for us, and leave out what another one told."""
        session = child.session
        commands = session.commands()
        if commands:
            self._output.commands += commands
        events = session.events()
        if events:
            self._news.tell(child, events)
        self.children.taken(child, changed=bool(commands))
        if child.flows is not child.flowed:
            self._showing.look(child)

    # --- credit, profiles, tracks: over all rooms

    @property
    def sending(self) -> bool:
        """Whether any room takes packets."""
        return self._overview.sending

    @property
    def waiting(self) -> int:
        """Packets that wait for credit, in all rooms."""
        return self._overview.waiting

    @property
    def waiting_bytes(self) -> int:
        """What the packets that wait for credit hold."""
        return self._overview.waiting_bytes

    @property
    def in_flight_bytes(self) -> int:
        """What the packets hold that the transports have and did not acknowledge yet."""
        return self._overview.in_flight_bytes

    @property
    def credits(self) -> int:
        """Further packets that every open room would take now."""
        return self._overview.credits

    @property
    def unacknowledged(self) -> int:
        """Packets that wait for credit or for an acknowledgement, in all rooms."""
        return self._overview.unacknowledged

    def has_credit(self, *, reliable: bool = True) -> bool:
        """Whether a packet sent now goes straight to the transports of all open rooms."""
        return self._overview.has_credit(reliable=reliable)

    def traffic(self, who: Who) -> PeerTraffic | None:
        """What came from a peer, in the room where its abuse score is highest; None: no room knows it."""
        return self._overview.traffic(who)

    def request_profile(self, who: Who, version: int = 0, *, now: float | None = None) -> bool:
        """Ask a peer for its own profile, in the first room that has it; see RoomSession.request_profile."""
        asked = self._overview.request_profile(who, version, now=now)
        self._take_all()
        return asked

    def profile(self, who: Who) -> Profile | None:
        """The profile that a peer sent, the newest of its versions; None: none, or it was forgotten."""
        return self._overview.profile(who)

    def subscribe(self, track: Track | str, *, wanted: bool = True, now: float | None = None) -> bool:
        """Receive a track, or stop receiving it, in whichever room it is; see RoomSession.subscribe."""
        known = self._overview.subscribe(track, wanted=wanted, now=now)
        self._take_all()
        return known

    def room_with(self, track: Track | str) -> int | None:
        """The number of the link of the room in which somebody offers this track; None: nobody does any more."""
        return self._overview.room_with(track)

    def check_publish(self, source: TrackSource) -> None:
        """May we publish a track from this source somewhere?  Raises what ``room_to_publish`` raises."""
        self._overview.room_to_publish(source)

    def room_to_publish(self, source: TrackSource) -> int:
        """The number of the link of the room in which a track from this source is published: the first that allows it.

        NotInARoom: no room is open; LocalProtocolError: none has tracks; PermissionMissing: no token allows it.
        """
        return self._overview.room_to_publish(source)
