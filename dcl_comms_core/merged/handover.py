"""Changing rooms: which room we want, which we are in, and which is on its way.

A new room is joined before the old one is left, so that we are never without one; of several changes in a row the
newest counts, and waits for the one that is on its way, which the transport may be unable to call off; and no room is
joined while any link to it lasts, because a server knows one session for each identity and room, and ends the other.
A ws-room service (``/rooms/NAME``) knows one session for each identity in all its rooms: there the old room is left
first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.adapters.seats import room_of, seat_of
from dcl_comms_core.merged.roles import RoomRole
from dcl_comms_core.states import RoomState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.merged.children import Children
    from dcl_comms_core.room.session import RoomSession

__all__ = ["Following", "Handover", "Wish"]

_CLOSED: Final = RoomState.CLOSED
_AT_ONCE: Final = 3
"""The room that we are in, the one on its way, and one that is being left.  A further change waits.  That is how many
parts a change has, and so nothing to choose; how many rooms there may be in all is: Limits.rooms."""


class Wish(NamedTuple):
    """A room to be in."""

    adapter: Adapter
    within: Place | None
    """Where the server is that named it."""


class Following:
    """The room of one role, wherever that is now.  ``settle`` says what is to be joined and left."""

    __slots__ = ("_call_off", "_coming", "_current", "_lasting", "_leave", "_wanted")

    def __init__(
        self, leave: Callable[[RoomSession, float | None], None], call_off: Callable[[RoomSession], None]
    ) -> None:
        self._leave = leave
        """Called with a session, and for how long it may drain: None for the default."""
        self._call_off = call_off
        """Called with a session that is on its way."""
        self._wanted: Wish | None = None
        self._current: RoomSession | None = None
        self._coming: RoomSession | None = None
        self._lasting: list[RoomSession] = []
        """All of ours that are not closed."""

    @property
    def goal(self) -> Adapter | None:
        """Where all this leads: the room that is wanted, on its way, or open; None: nowhere, or it failed."""
        if self._wanted is not None:
            return self._wanted.adapter
        return next(iter(self.held), None)

    @property
    def pending(self) -> bool:
        """Whether the room that is wanted waits for its turn."""
        return self._wanted is not None

    @property
    def held(self) -> tuple[Adapter, ...]:
        """The rooms that are on their way or open, and not being left."""
        sessions = (self._coming, self._current)
        return tuple(session.adapter for session in sessions if session is not None and session.state is not _CLOSED)

    def want(self, wish: Wish) -> None:
        """Go there, unless we are there or on our way."""
        place = room_of(wish.adapter)
        coming, current = self._coming, self._current
        if coming is not None and room_of(coming.adapter) == place:
            self._wanted = None
            return
        if coming is not None:
            self._coming = None
            self._call_off(coming)
        here = current is not None and room_of(current.adapter) == place
        self._wanted = None if here else wish

    def forget(self) -> None:
        """Want nothing any more; all rooms are being left."""
        self._wanted = self._coming = self._current = None

    def withdraw(self, drain: float | None) -> None:
        """Leave, and want nothing any more."""
        self.forget()
        for session in tuple(self._lasting):
            self._leave(session, drain)

    def joined(self, session: RoomSession) -> None:
        """What ``settle`` asked for is on its way."""
        self._wanted = None
        self._coming = session
        self._lasting.append(session)

    def settle(self, taken: Collection[tuple[str, str]]) -> Wish | None:
        """See what became of the rooms; gives the one to join now.  ``taken``: the seats of all rooms that last."""
        self._lasting = [session for session in self._lasting if session.state is not _CLOSED]
        coming, current = self._coming, self._current
        if current is not None and current.state is _CLOSED:
            self._current = current = None
        if coming is not None and coming.state is _CLOSED:
            self._coming = None
        elif coming is not None and coming.sending:
            self._coming, self._current = None, coming
            if current is not None:
                self._leave(current, None)
            current = coming
        wanted = self._wanted
        if wanted is None or len(self._lasting) >= _AT_ONCE:
            return None
        if any(session.joining for session in self._lasting if session is not current):
            return None
        seat = seat_of(wanted.adapter)
        if current is not None and seat_of(current.adapter) == seat:
            self._current = None
            self._leave(current, None)
        return None if seat in taken else wanted


class Handover:
    """The rooms of all roles: whose turn it is to be joined.

    ``leave``, ``call_off``: as in :class:`Following`.  ``join``: joins a room of a role.
    """

    __slots__ = ("_call_off", "_children", "_following", "_join", "_leave", "_limits")

    def __init__(
        self,
        children: Children,
        limits: Limits,
        *,
        join: Callable[[Wish, RoomRole], RoomSession],
        leave: Callable[[RoomSession, float | None], None],
        call_off: Callable[[RoomSession], None],
    ) -> None:
        self._children = children
        self._limits = limits
        self._join = join
        self._leave = leave
        self._call_off = call_off
        # The island's stands first: of two rooms that wait for one place it gets it.
        self._following = {RoomRole.ISLAND: Following(leave, call_off)}

    def want(self, role: RoomRole, wish: Wish) -> None:
        """Be in this room instead of the last one of its role."""
        if role not in self._following:
            self._following[role] = Following(self._leave, self._call_off)
        self._following[role].want(wish)

    def withdraw(self, role: RoomRole, drain: float | None) -> None:
        """Be in no room of this role, nor on the way to one."""
        if role in self._following:
            self._following[role].withdraw(drain)

    def forget(self) -> None:
        """Want nothing any more; all rooms are being left."""
        for following in self._following.values():
            following.forget()

    def goal(self, role: RoomRole) -> Adapter | None:
        """Where the last wish of this role leads; None: nowhere, or it failed."""
        following = self._following.get(role)
        return None if following is None else following.goal

    def held_up(self, role: RoomRole, *, by: RoomRole) -> bool:
        """Whether the room of one role can't be had beside that of another one."""
        first, second = self._following.get(role), self._following.get(by)
        goal = None if first is None else first.goal
        if first is None or second is None or goal is None:
            return False
        wanted = () if second.goal is None else (second.goal,)
        if seat_of(goal) in {seat_of(adapter) for adapter in (*wanted, *second.held)}:
            return True
        leaving = sum(session.state is RoomState.CLOSING for session in self._children.rooms.values())
        return first.pending and bool(second.held) and len(self._children) - leaving >= self._limits.rooms

    def settle(self) -> None:
        """Join and leave what follows from what happened."""
        for role, following in self._following.items():
            wish = following.settle(self._taken() if following.pending else ())
            if wish is not None and len(self._children) < self._limits.rooms:
                following.joined(self._join(wish, role))

    def _taken(self) -> set[tuple[str, str]]:
        """The seats of all rooms that last."""
        return {seat_of(session.adapter) for session in self._children.rooms.values()}
