"""Walker: to a place, to a peer, after somebody; and it stands still at the end.

::

    walker = Walker(session, session.peers.get)
    walk = walker.go(who, stop=2.0, now=now)
    ...                      # take(events), deadline(), handle_timeout(now), as of any machine
    walk.end                 # WalkEnd.ARRIVED

What it wants it says by ``session.move``: where we are, velocity and heading, ten times a second, which is explorers'
own cadence.  Let it have its time before the session, which else repeats the last movement.  It goes straight, up and
down too: nothing here knows of walls.

=====================================  ===============================================================================
what                                   then
=====================================  ===============================================================================
a walk begins                          told at once, from where we are; whatever went before is replaced
a point of a path                      told exactly; points nearer to each other than a step (0.8 m at a jog) take a
                                       step each
the end, ``stop``, ``stand``           one movement without velocity; at the target exactly, or ``stop`` metres before
a turn that comes late                 a step of a quarter of a second at most: late, and never faster than the pace
the room is away                       the walk goes on, and is told when there is a room: where we are is our own word
the peer leaves                        the walk ends, GONE; not while the room is away, nor Limits.walk_patience_seconds
                                       after that: meanwhile we go to where it was last
the peer never said where it is        the walk ends, UNSEEN; who follows waits
we may not move any more               the walk ends, REFUSED
=====================================  ===============================================================================
"""

from __future__ import annotations

from math import dist
from typing import TYPE_CHECKING, Final, Protocol

from dcl_comms_core.errors import CommsError
from dcl_comms_core.events import PeerJoined, PeerLeft, PeerMoved, Reconnected, Reconnecting, RoomClosed, RoomOpened
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.packets.motion import heading
from dcl_comms_core.peers import Peer, PeerId, peer_id
from dcl_comms_core.states import RoomState
from dcl_comms_core.tools.arguments import require_number
from dcl_comms_core.tools.vectors import Vector3
from dcl_comms_core.walking.course import Course, bearing, metres, point
from dcl_comms_core.walking.pace import Pace, metres_a_second
from dcl_comms_core.walking.walk import Walk, WalkEnd

if TYPE_CHECKING:
    from dcl_comms_core.events import Event
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import Who
    from dcl_comms_core.walking.course import Destination, Point

__all__ = ["Moving", "Placed", "Walker", "WhereIs"]

_STEP: Final = 0.1
"""Seconds between two movements."""
_LATE: Final = 0.25
"""The longest step, in seconds: who was held up for longer did not walk meanwhile."""
_NEAR: Final = 1e-6
"""Metres that are none."""
_SLACK: Final = 0.5
"""Metres that somebody may go away from a follower before it goes after them: else it would stop and start for ever."""
_LOOK: Final = 1.0
"""Seconds between two looks whether a peer is back."""
_STILL: Final = Vector3(0.0, 0.0, 0.0)
_OVER: Final = frozenset({RoomState.CLOSING, RoomState.CLOSED})
_TURNING: Final = (Reconnecting, Reconnected, RoomOpened, RoomClosed)
_OF_PEERS: Final = (PeerMoved, PeerJoined, PeerLeft)


class Moving(Protocol):
    """What is moved: a session."""

    @property
    def state(self) -> RoomState:
        """Where it stands."""
        ...

    def move(self, position: Point, *, velocity: Point, yaw: float, now: float) -> None:
        """Be somewhere."""
        ...


class Placed(Protocol):
    """Whoever is somewhere: a Peer."""

    @property
    def position(self) -> Vector3 | None:
        """Metres; None: not known."""
        ...


class WhereIs(Protocol):
    """Finds peers: ``room.peers.get``."""

    def __call__(self, who: PeerId, /) -> Placed | None:
        """The peer; None: it is not there."""
        ...


class Walker:
    """Walks for one session: one walk at a time.  ``position``: where we are, until that is said otherwise.

    LocalProtocolError: of all verbs, where what is asked for is nothing that one can walk to, or follow, or face.
    """

    __slots__ = (
        "_course", "_due", "_here", "_limits", "_patient", "_running", "_session", "_stepped", "_walk", "_where",
        "_yaw",
    )  # fmt: skip

    def __init__(
        self,
        session: Moving,
        where: WhereIs,
        *,
        position: Point = (0.0, 0.0, 0.0),
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._session = session
        self._where = where
        self._limits = limits
        self._here = point(position)
        self._yaw = 0.0
        self._running = False
        """Whether the last movement had a velocity."""
        self._walk: Walk | None = None
        self._course: Course | None = None
        self._stepped = 0.0
        """When we were where we are."""
        self._due: float | None = None
        self._patient = 0.0
        """Until when a peer that is not there may be only away."""

    @property
    def position(self) -> Vector3:
        """Where we are, as it was told last: metres."""
        return self._here

    @property
    def yaw(self) -> float:
        """Where we look: degrees clockwise from north."""
        return self._yaw

    @property
    def walk(self) -> Walk | None:
        """The walk that goes on; None: none does."""
        return self._walk

    # --- what an application asks for

    def go(self, target: Destination, *, stop: float = 0.0, pace: Pace | str | float = Pace.JOG, now: float) -> Walk:
        """Go to a peer, a point, or along a line of points; ``stop`` metres before the end stand still.

        What ``session.move`` raises comes out, and then no walk began.
        """
        return self._begin(
            Course.to(
                target,
                stop=metres(stop, "how far before the end to stop"),
                speed=metres_a_second(pace),
                most=self._limits.walk_points,
            ),
            now,
        )

    def follow(self, who: Who, *, metres: float = 3.0, pace: Pace | str | float = Pace.RUN, now: float) -> Walk:
        """Stay within so many metres of a peer, until told otherwise or it leaves."""
        return self._begin(
            Course(peer_id(who), (), stop=_metres_behind(metres), speed=metres_a_second(pace), lasting=True), now
        )

    def face(self, target: Who | Point | float, *, now: float) -> bool:
        """Look at a peer, at a point, or so many degrees clockwise from north, and stand.

        False: it is not known where the peer is, and nothing was done.
        """
        if isinstance(target, float | int):
            require_number(target, "a heading is degrees clockwise from north")
            there, yaw = None, heading(target)
        elif isinstance(target, PeerId | Peer | str):
            known = self._where(peer_id(target))
            if known is None or known.position is None:
                return False
            there, yaw = known.position, self._yaw
        else:
            there, yaw = point(target), self._yaw
        self._catch_up(now)
        self._end(WalkEnd.REPLACED)
        looks = None if there is None else bearing(self._here, there)
        self._tell(_STILL, yaw if looks is None else looks, now)
        return True

    def stand(self, *, now: float) -> None:
        """Stop here, and stand still."""
        self._catch_up(now)
        self._end(WalkEnd.STOPPED)
        self._tell(_STILL, self._yaw, now)

    def stop(self, walk: Walk, *, now: float) -> None:
        """End this walk, if it goes on, and stand still."""
        if walk is self._walk:
            self._catch_up(now)
            self._finish(WalkEnd.STOPPED, now)

    def moved(self, position: Point, *, velocity: Point = (0.0, 0.0, 0.0), yaw: float | None = None) -> None:
        """We were moved by hand, which ends a walk."""
        self._here = point(position)
        self._yaw = self._yaw if yaw is None else heading(yaw)
        self._running = any(velocity)
        self._end(WalkEnd.REPLACED)

    # --- turns

    def take(self, events: list[Event], *, now: float) -> None:
        """Hear of what the session tells."""
        course = self._course
        if course is None:
            return
        if self._session.state in _OVER:
            self._end(WalkEnd.LOST)
            return
        for event in events:
            if isinstance(event, _TURNING):
                self._patient = now + self._limits.walk_patience_seconds
            elif isinstance(event, _OF_PEERS) and event.sender == course.who and not self._running:
                self._due = now

    def deadline(self) -> float | None:
        """When to call ``handle_timeout``; None: not needed."""
        return self._due

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        course, walk = self._course, self._walk
        if self._due is None or now < self._due or course is None or walk is None:
            return
        if self._session.state in _OVER:
            self._end(WalkEnd.LOST)
            return
        try:
            self._catch_up(now)
            self._go_on(course, now, begins=not self._running)
        except CommsError as error:
            self._end(WalkEnd.REFUSED)
            walk.end, walk.error = WalkEnd.REFUSED, error

    # --- the way

    def _begin(self, course: Course, now: float) -> Walk:
        self._catch_up(now)
        before = self._course, self._walk, self._due
        walk = Walk()
        self._course, self._walk, self._stepped = course, walk, now
        try:
            self._go_on(course, now, begins=True)
        except CommsError:
            self._course, self._walk, self._due = before
            raise
        if before[1] is not None:
            before[1].end = WalkEnd.REPLACED
        return walk

    def _catch_up(self, now: float) -> None:
        """Be where we have come to since the last step."""
        course = self._course
        if self._running and course is not None:
            goal, stop = self._goal(course, now)
            if goal is not None:
                self._here = self._reached(goal, stop, course.speed * min(max(now - self._stepped, 0.0), _LATE))
        self._stepped = now

    def _reached(self, goal: Vector3, stop: float, length: float) -> Vector3:
        here = self._here
        way = dist(here, goal)
        if way - stop <= length + _NEAR:
            if stop == 0.0:
                return goal
            length = max(way - stop, 0.0)
        part = length / way if way else 0.0
        return Vector3(*(one + (other - one) * part for one, other in zip(here, goal, strict=True)))

    def _go_on(self, course: Course, now: float, *, begins: bool) -> None:
        """Tell that we go on from here, or that we stand."""
        here = self._here
        goal, stop = self._goal(course, now)
        while goal is not None and len(course.ahead) > 1 and dist(here, goal) <= _NEAR:
            course.ahead.popleft()
            goal, stop = self._goal(course, now)
        absent = course.who is not None and self._where(course.who) is None
        if goal is None:
            if absent and self._gone(now):
                self._finish(WalkEnd.GONE, now)
            elif course.lasting:
                self._rest(now, self._yaw, looks=absent)
            else:
                self._finish(WalkEnd.UNSEEN, now)
            return
        way = dist(here, goal)
        looks = bearing(here, goal)
        yaw = self._yaw if looks is None else looks
        if way - stop <= _NEAR + (_SLACK if course.lasting and begins else 0.0):
            if course.lasting or absent:
                self._rest(now, yaw, looks=absent)
            else:
                self._end(WalkEnd.ARRIVED)
                self._tell(_STILL, yaw, now)
            return
        pace = course.speed / way
        self._tell(Vector3(*((other - one) * pace for one, other in zip(here, goal, strict=True))), yaw, now)
        self._due = now + _STEP

    def _goal(self, course: Course, now: float) -> tuple[Vector3 | None, float]:
        """The next place to be, and how far before it to stop; None: there is none, or none that we know."""
        if course.who is None:
            return course.ahead[0], 0.0 if len(course.ahead) > 1 else course.stop
        there = self._where(course.who)
        if there is not None:
            course.seen = there.position or course.seen
        elif self._gone(now):
            return None, course.stop
        return course.seen, course.stop

    def _gone(self, now: float) -> bool:
        """Whether a peer that is not there left: not, where that may be only because the room is away."""
        if self._session.state is not RoomState.OPEN:
            self._patient = now + self._limits.walk_patience_seconds
        return now >= self._patient

    def _rest(self, now: float, yaw: float, *, looks: bool) -> None:
        """Stand, until who is followed goes on.  ``looks``: whether it is back has to be looked at."""
        if self._running or yaw != self._yaw:
            self._tell(_STILL, yaw, now)
        self._due = now + _LOOK if looks else None

    def _tell(self, velocity: Vector3, yaw: float, now: float) -> None:
        self._session.move(self._here, velocity=velocity, yaw=yaw, now=now)
        self._yaw, self._running = yaw, velocity != _STILL

    def _finish(self, end: WalkEnd, now: float) -> None:
        """The walk is over, and we stand."""
        self._end(end)
        if self._running:
            self._tell(_STILL, self._yaw, now)

    def _end(self, end: WalkEnd) -> None:
        walk, self._walk, self._course, self._due = self._walk, None, None, None
        if walk is not None:
            walk.end = end


def _metres_behind(value: float) -> float:
    return metres(value, "how far behind to stay")
