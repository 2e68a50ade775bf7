"""Walking as an application asks for it: the core's Walker beside a connection, and walks that can be awaited."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

from dcl_comms_core.errors import CommsError
from dcl_comms_core.proto import rfc4
from dcl_comms_core.walking.walk import WalkEnd

if TYPE_CHECKING:
    from collections.abc import Generator

    from dcl_comms_core.peers import Who
    from dcl_comms_core.walking.course import Destination, Point
    from dcl_comms_core.walking.pace import Pace
    from dcl_comms_core.walking.walk import Walk as CoreWalk
    from dcl_comms_core.walking.walker import Moving, Walker, WhereIs
    from dcl_comms_drivers.connection.driver import Driver
    from dcl_comms_drivers.loops.host import WaitingHost
    from dcl_comms_drivers.loops.signal import Signal

__all__ = ["AwaitableWalk", "Walk", "Walking"]


class Walking:
    """The walker of a connection, turned beside its session from the first walk on.  ``where``: finds peers."""

    def __init__(self, driver: Driver, where: WhereIs) -> None:
        self._driver = driver
        self._where = where
        self._made: Walker | None = None
        self._here: tuple[Point, Point, float | None] = driver.position, (0.0, 0.0, 0.0), None
        """Until there is a walker: where we are, our velocity and heading."""

    @property
    def _walker(self) -> Walker:
        if self._made is None:
            # The most of programs never walk.
            from dcl_comms_core.walking.walker import Walker  # noqa: PLC0415

            driver = self._driver
            self._made = Walker(cast("Moving", driver.session), self._where, limits=driver.limits)
            position, velocity, yaw = self._here
            self._made.moved(position, velocity=velocity, yaw=yaw)
            driver.chores.add(self._made)
        return self._made

    def moved(self, position: Point | rfc4.Movement, velocity: Point, yaw: float | None) -> None:
        """The application moved us by hand, or put us somewhere without a word to the rooms."""
        if isinstance(position, rfc4.Movement):
            velocity = position.velocity_x, position.velocity_y, position.velocity_z
            yaw = position.rotation_y
            position = position.position_x, position.position_y, position.position_z
        if self._made is None:
            self._here = position, velocity, yaw
        else:
            self._made.moved(position, velocity=velocity, yaw=yaw)

    def go(self, target: Destination, stop: float, pace: Pace | str | float) -> CoreWalk:
        """See ``Walker.go``."""
        _, now = self._driver.begin()
        walk = self._walker.go(target, stop=stop, pace=pace, now=now)
        self._driver.after()
        return walk

    def follow(self, who: Who, metres: float, pace: Pace | str | float) -> CoreWalk:
        """See ``Walker.follow``."""
        _, now = self._driver.begin()
        walk = self._walker.follow(who, metres=metres, pace=pace, now=now)
        self._driver.after()
        return walk

    def face(self, target: Who | Point | float) -> bool:
        """See ``Walker.face``."""
        _, now = self._driver.begin()
        known = self._walker.face(target, now=now)
        self._driver.after()
        return known

    def stand(self) -> None:
        """See ``Walker.stand``."""
        _, now = self._driver.begin()
        self._walker.stand(now=now)
        self._driver.after()

    def stop(self, walk: CoreWalk) -> None:
        """End a walk that goes on."""
        if walk.done or self._driver.ended:
            return
        _, now = self._driver.begin()
        self._walker.stop(walk, now=now)
        self._driver.after()

    @property
    def over(self) -> bool:
        """Whether the connection is."""
        return self._driver.ended

    def check(self, walk: CoreWalk) -> WalkEnd:
        """How a walk ended.  ConnectionLost, PermissionMissing: what ended it was no end of a walk."""
        if walk.end is None or walk.end is WalkEnd.LOST:
            self._driver.check()
        if walk.error is not None:
            raise walk.error
        return walk.end or WalkEnd.LOST


class Walk:
    """A walk that goes on by itself until it ends."""

    def __init__(self, walk: CoreWalk, walking: Walking) -> None:
        self._walk = walk
        self._walking = walking

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._walk.done

    @property
    def arrived(self) -> bool:
        """Whether it led to where it was to lead."""
        return self._walk.arrived

    @property
    def end(self) -> WalkEnd | None:
        """How it ended; None: it goes on."""
        return self._walk.end

    @property
    def error(self) -> CommsError | None:
        """Why we may not move, where that ended it."""
        return self._walk.error

    def stop(self) -> None:
        """End it, if it goes on, and stand still."""
        self._walking.stop(self._walk)

    def __repr__(self) -> str:
        return repr(self._walk)


class AwaitableWalk(Walk):
    """A walk that goes on by itself until it ends, awaited or not: ``await`` gives how it ended, a WalkEnd.

    Whoever is cancelled while awaiting it stops it, standing still.  ConnectionLost: the connection is over;
    PermissionMissing: we may not move any more.
    """

    def __init__(self, walk: CoreWalk, walking: Walking, loop: WaitingHost, progress: Signal) -> None:
        super().__init__(walk, walking)
        self._way = walk
        self._by = walking
        self._loop = loop
        self._progress = progress

    def __await__(self) -> Generator[object, None, WalkEnd]:
        return self._ended().__await__()

    async def _ended(self) -> WalkEnd:
        try:
            await self._loop.checkpoint()
            while not self._way.done and not self._by.over:
                await self._progress.wait()
        except BaseException:
            # Whoever is cancelled hears of that, and not of what else may be wrong by now.
            with suppress(CommsError):
                self.stop()
            raise
        return self._by.check(self._way)
