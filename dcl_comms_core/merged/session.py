"""Several rooms as one: the island's, the scene's, and whatever else tells of the same peers.

A peer has joined when the first room has it and is gone when the last one lost it.  Chat, emotes and reactions that
come through several rooms are told once, and so are movements and profile versions.  What we say goes where the
explorers send it, and movements go out at their pace (see ``dcl_comms_core.merged.fan_out``):

==========================================  ===================================================
packet                                      goes to
==========================================  ===================================================
a scene's message                           the scene's room
movement, emote, profile version            island and scene, and the movement sources
everything else                             island and scene
==========================================  ===================================================

A packet to named peers goes to each room that has them; one that no room has is addressed in all, as it is written.
Rooms of other roles get what is sent through their own session.

The vocabulary is that of a RoomSession.  Commands and inputs of the rooms are told apart by ``link.link``; packets may
go to a room's own session, ``merged.session(number).receive_data(...)``, as from any transport.  Each event keeps the
label of its room; RoomClosed ends that room, not the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.seats import seat_of
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import ClockSet, LinkRef
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.merged.fan_out import Child, Spreading
from dcl_comms_core.merged.handover import Following, Wish
from dcl_comms_core.merged.maker import RoomMaker
from dcl_comms_core.merged.overview import RoomsView
from dcl_comms_core.merged.roles import AVATAR, RoomRole
from dcl_comms_core.merged.signatures import Requests
from dcl_comms_core.room.incoming.dedupe import Seen
from dcl_comms_core.room.options import Delivery, Subscribe
from dcl_comms_core.room.session import RoomSession
from dcl_comms_core.room.ws_room import WsRoomSession
from dcl_comms_core.states import RETRY, CloseReason, RoomState, Timer
from dcl_comms_core.tools.timers import earliest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.identity.guard import ChallengeGuard
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.merged.presence import Presence
    from dcl_comms_core.merged.sources import MovementSource
    from dcl_comms_core.packets.movement import MovementCodec
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.room.options import SubscribePolicy
    from dcl_comms_core.tools.backoff import Backoff

__all__ = ["MergedRooms", "RoomRole"]


class MergedRooms(Spreading, RoomsView):
    """One view of several rooms, which come and go.

    All options but ``limits`` are those of the sessions that ``join`` makes.  ``address`` (the wallet's) and ``guard``
    (what may be signed, and where) are for ws-rooms, which can't be joined without them.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        *,
        limits: Limits = DEFAULT_LIMITS,
        entropy: int = 0,
        reconnect: Backoff | None = None,
        delivery: Delivery = Delivery.EVENTS,
        subscribe: SubscribePolicy = Subscribe.ALL,
        announce: bool = True,
        movement_codec: MovementCodec | None = None,
        profile_version: int | None = None,
        silent: bool = False,
        address: str | None = None,
        guard: ChallengeGuard | None = None,
    ) -> None:
        super().__init__(limits, profile_version=profile_version, silent=silent)
        self.seen = Seen(limits.seen_messages)
        """What was told already: for sessions that are made elsewhere and taken in with ``add``."""
        self._maker = RoomMaker(
            limits=limits,
            entropy=entropy,
            reconnect=reconnect,
            delivery=delivery,
            subscribe=subscribe,
            announce=announce,
            codec=movement_codec,
            seen=self.seen,
            address=address,
            guard=guard,
        )
        self._requests = Requests[WsRoomSession](limits.rooms)
        self._links = 0
        # The island's stands first: of two rooms that wait for one place it gets it.
        self._following = {RoomRole.ISLAND: self._new_following()}
        self._commands: list[Command] = []
        self._opened_once = False

    # --- the rooms

    @property
    def peers(self) -> Presence:
        """Who is in any of the rooms."""
        return self._presence

    @property
    def rooms(self) -> Mapping[int, RoomSession]:
        """The sessions of all rooms that are not closed, by the number of their link, in the order of joining."""
        return {link: child.session for link, child in self._children.items() if isinstance(child.session, RoomSession)}

    def rooms_of(self, who: PeerId) -> tuple[str, ...]:
        """The labels of the rooms that a peer is in, the one that it came to first before the others."""
        return tuple(self._children[link].session.room for link in self._presence.ids(who))

    def new_link(self) -> int:
        """A number for a link that no room of this view had before."""
        self._links += 1
        return self._links

    @property
    def links(self) -> tuple[int, ...]:
        """The numbers of the links of all rooms and sources that are not closed."""
        return tuple(self._children)

    def go(self, adapter: Adapter, role: RoomRole, *, within: Place | None = None, now: float | None = None) -> None:
        """Be in this room instead of the one that the last ``go`` of this role led to.

        The old one is left once the new one is open, and kept if that fails: see the RoomClosed.  (A ws-room's service
        takes one session of ours, so of two of its rooms the old one is left first.)  Nothing happens where server and
        room are the same, whatever the token.  The newest call counts.  A room that is just being left, or that
        another role has, and a change while Limits.rooms are there, wait for their turn, however long that takes: see
        ``held_up``.  ``within``: where the server
        is that named the room, None: the user did.  LocalProtocolError: no room can be joined with this adapter.
        """
        self.clock.pass_time(now)
        self._maker.check(adapter)
        if role not in self._following:
            self._following[role] = self._new_following()
        self._following[role].want(Wish(adapter, within))
        self._settle()

    def _new_following(self) -> Following:
        return Following(lambda session, drain: self._depart(session.link.link, drain))

    def withdraw(self, role: RoomRole, *, drain: float | None = None, now: float | None = None) -> None:
        """Be in no room that a ``go`` of this role led to, nor on the way to one."""
        self.clock.pass_time(now)
        if role in self._following:
            self._following[role].withdraw(drain)
        self._settle()

    def goal(self, role: RoomRole) -> Adapter | None:
        """Where the last ``go`` of this role leads: to a room that is open or on its way; None: nowhere, or it failed.

        After a change that failed it is the old room again, if that is still there.
        """
        following = self._following.get(role)
        return None if following is None else following.goal

    def held_up(self, role: RoomRole, *, by: RoomRole) -> bool:
        """Whether the room of one role can't be had beside that of another one.

        They have one place for the two of them, or Limits.rooms are there without those that are being left.
        """
        first, second = self._following.get(role), self._following.get(by)
        goal = None if first is None else first.goal
        if first is None or second is None or goal is None:
            return False
        wanted = () if second.goal is None else (second.goal,)
        if seat_of(goal) in {seat_of(adapter) for adapter in (*wanted, *second.held)}:
            return True
        leaving = sum(session.state is RoomState.CLOSING for session in self.rooms.values())
        return first.pending and bool(second.held) and len(self._children) - leaving >= self.limits.rooms

    def _settle(self) -> None:
        """Join, leave and send what follows from what happened."""
        for role, following in self._following.items():
            wish = following.settle({seat_of(session.adapter) for session in self.rooms.values()})
            if wish is not None and len(self._children) < self.limits.rooms:
                following.joined(self.join(wish.adapter, role, within=wish.within))
        self._walk()

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
        version = self._version if role in AVATAR else None
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

    def _add(self, child: Child, now: float | None) -> None:
        self.clock.pass_time(now)
        if child.link in self._children:
            msg = f"link {child.link} is in use: take a number from new_link()"
            raise LocalProtocolError(msg)
        if len(self._children) >= self.limits.rooms:
            msg = f"{len(self._children)} rooms are joined already (Limits.rooms): leave one"
            raise LocalProtocolError(msg)
        if self.clock.unix_offset is not None:
            child.session.receive(ClockSet(unix_offset=self.clock.unix_offset), now=self.clock.now)
        child.session.open(now=self.clock.now)
        self._children[child.link] = child
        self._take(child)

    def leave(self, link: int, *, drain: float | None = None, now: float | None = None) -> None:
        """Leave one room, or end one source; see RoomSession.close.  One that is gone by now needs nothing."""
        self.clock.pass_time(now)
        self._depart(link, drain)
        self._settle()

    def _depart(self, link: int, drain: float | None) -> None:
        child = self._children.get(link)
        if child is not None:
            child.session.close(drain=drain, now=self.clock.now)
            if not isinstance(child.session, RoomSession):
                drain = self.limits.drain_seconds if drain is None else max(drain, 0.0)
                by = self.clock.now + drain + self.limits.close_seconds
                child.leave_by = by if child.leave_by is None else min(by, child.leave_by)
            self._take(child)

    def close(self, *, drain: float | None = None, now: float | None = None) -> None:
        """Leave all rooms.  It is over when the last RoomClosed came."""
        self.clock.pass_time(now)
        for following in self._following.values():
            following.forget()
        for link in tuple(self._children):
            self._depart(link, drain)

    # --- signatures of ws-rooms

    def provide_signature(self, request: int, chain: AuthChain, *, now: float | None = None) -> None:
        """Answer SignatureNeeded; see WsRoomSession.provide_signature."""
        self.clock.pass_time(now)
        asked = self._requests.find(request)
        if asked is None:
            self.counters["late"] += 1
        else:
            session, number = asked
            session.provide_signature(number, chain, now=self.clock.now)
            self._take_all()

    def refuse_signature(self, request: int, detail: str = "", *, now: float | None = None) -> None:
        """Answer SignatureNeeded: nobody will sign.  RoomClosed(NOT_SIGNED) follows."""
        self.clock.pass_time(now)
        asked = self._requests.find(request)
        if asked is None:
            self.counters["late"] += 1
        else:
            session, number = asked
            session.refuse_signature(number, detail, now=self.clock.now)
            self._take_all()
            self._settle()

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
        self.clock.pass_time(now)
        child = self._children.get(link)
        if child is None or not isinstance(child.session, RoomSession):
            self.counters["late"] += 1
            return
        child.session.receive_data(sender, data, reliable=reliable, topic=topic, now=self.clock.now, source=source)
        self._take(child)

    def receive_acknowledged(self, tokens: Iterable[int], *, link: int, now: float) -> None:
        """Take acknowledgements of packets of a room's current link, none of which failed."""
        self.clock.pass_time(now)
        child = self._children.get(link)
        if child is None or not isinstance(child.session, RoomSession):
            self.counters["late"] += 1
            return
        child.session.receive_acknowledged(tokens, now=self.clock.now)
        self._take(child)

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact from outside, and give it to the room whose link it names."""
        self.clock.pass_time(now)
        if isinstance(inp, ClockSet):
            self._set_clock(inp)
            return
        link = getattr(inp, "link", None)
        if not isinstance(link, LinkRef):
            msg = f"receive() takes an input of dcl_comms_core.inputs, not {type(inp).__name__}"
            raise LocalProtocolError(msg)
        child = self._children.get(link.link)
        if child is None:
            self.counters["late"] += 1
            return
        child.session.receive(inp, now=self.clock.now)
        self._take(child)
        self._settle()

    def _set_clock(self, inp: ClockSet) -> None:
        self.clock.set_unix(inp.unix_offset)
        for child in self._children.values():
            child.session.receive(inp, now=self.clock.now)

    def handle_timeout(self, now: float) -> None:
        """Let time pass, in all rooms."""
        self.clock.pass_time(now)
        for child in tuple(self._children.values()):
            child.session.handle_timeout(self.clock.now)
            self._take(child)
            if child.leave_by is not None and child.leave_by <= self.clock.now and child.link in self._children:
                self._give_up(child)
        self._settle()

    def _give_up(self, child: Child) -> None:
        """Be done with a source that was told to close and does not say that it did."""
        room, reason, detail = child.session.room, CloseReason.CLIENT, "the source did not confirm its end"
        end = ev.RoomClosed(at=self.clock.now, room=room, reason=reason, retry=RETRY[reason], detail=detail)
        self._forget(child, end)
        self._events.append(end)

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest: the earliest of the rooms' deadlines and our own."""
        times = [self._movement_due(), *(child.leave_by for child in self._children.values())]
        times += [child.session.deadline() for child in self._children.values()]
        return min((time for time in times if time is not None), default=None)

    @property
    def deadline_reason(self) -> Timer | None:
        """The timer behind the deadline; None: it is a movement source's, or there is none."""
        deadline = self.deadline()
        if deadline is None:
            return None
        if deadline == self._movement_due():
            return Timer.MOVE
        if deadline in {child.leave_by for child in self._children.values()}:
            return Timer.CLOSE
        child = next(child for child in self._children.values() if child.session.deadline() == deadline)
        return child.session.deadline_reason if isinstance(child.session, RoomSession) else None

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Every timer that runs, the rooms' too, and when the first of each name is due."""
        theirs = [timer for room in self.rooms.values() for timer in room.timers.items()]
        ours = [(Timer.CLOSE, child.leave_by) for child in self._children.values()]
        return earliest([*theirs, *ours, (Timer.MOVE, self._movement_due())])

    def commands(self) -> list[Command]:
        """Take everything that the transports are to do; ``link.link`` says which."""
        self._take_all()
        commands, self._commands = self._commands, []
        return commands

    def events(self) -> list[ev.Event]:
        """Take everything that happened, in order."""
        self._take_all()
        events, self._events = self._events, []
        return events

    # --- from the rooms

    def _take_all(self) -> None:
        for child in tuple(self._children.values()):
            self._take(child)

    def _take(self, child: Child) -> None:
        """Take what a room has for us, and leave out what another one told."""
        session = child.session
        self._commands += session.commands()
        for event in session.events():
            if isinstance(event, ev.SignatureNeeded) and isinstance(session, WsRoomSession):
                self._events.append(self._requests.ask(session, event))
                continue
            if isinstance(event, ev.RoomClosed):
                self._forget(child, event)
            if self._is_news(child, event):
                self._events.append(event)
        self._look(child)

    def _forget(self, child: Child, end: ev.RoomClosed) -> None:
        """Nobody is met through it any more."""
        del self._children[child.link]
        gone = self._presence.lose(child.link)
        self._events += [ev.PeerLeft(at=end.at, room=end.room, sender=who) for who in gone]

    def _settle_rooms(self) -> None:
        self._take_all()

    def _is_news(self, child: Child, event: ev.Event) -> bool:
        match event:
            case ev.PeerMoved():
                news = self._presence.move(child.link, event, source=child.role is RoomRole.SOURCE)
                self.counters["moved_twice"] += not news
                return news
            case ev.PeerJoined():
                return self._presence.join(child.link, event.sender)
            case ev.PeerLeft():
                return self._presence.leave(child.link, event.sender)
            case ev.ProfileAnnounced():
                news = self._presence.announce(child.link, event)
                self.counters["announced_twice"] += not news
                return news
            case ev.RoomOpened() if not self._opened_once:
                self._opened_once = True
                self.clock.origin = event.at
            case ev.Reconnected() if event.attempt:
                child.new = True
            case _:
                pass
        return True
