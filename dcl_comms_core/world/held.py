"""What is said while a world is in no room for it: what waits, for how long, and what is told of what does not.

One rule for all of the time without a room, whichever machine ends it: a RoomSession keeps what is said while it
repairs or joins anew, and a world what is said before its first room, between two, and what a room that ended had not
sent yet.  See ``dcl_comms_core.weather.away``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.adapters.connection_string import OfflineAdapter
from dcl_comms_core.errors import CommsError, NotInARoom, SendQueueFull
from dcl_comms_core.events import WarningCode
from dcl_comms_core.merged.roles import RoomRole, roles_of
from dcl_comms_core.peers import EVERYONE, PeerId
from dcl_comms_core.room.outgoing.outbox import check_queue
from dcl_comms_core.states import RoomState, StayState
from dcl_comms_core.tools.timers import earlier
from dcl_comms_core.weather.away import Away, Outage

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.merged.fan_out import Played
    from dcl_comms_core.merged.session import MergedRooms
    from dcl_comms_core.room.outgoing.outbox import Messages, Outgoing
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.tools.clock import Clock
    from dcl_comms_core.world.islands import IslandService
    from dcl_comms_core.world.lifecycle import Lifecycle
    from dcl_comms_core.world.membership import Stay
    from dcl_comms_core.world.scenes import Scenes, Wish

__all__ = ["Held"]

_SCENE: Final = frozenset({RoomRole.SCENE})
_LET_GO: Final = frozenset({WarningCode.SENDS_DROPPED, WarningCode.SENDS_EXPIRED})


class _Said(NamedTuple):
    """Packets of one content."""

    messages: Messages
    reliable: bool
    roles: frozenset[RoomRole]
    at: float
    played: Played | None = None
    else_everybody: bool = False
    role: RoomRole | None = None
    """The room that had it; None: as the table says."""
    wish: Wish | None = None
    """The scene that it is for; None: it is for an island too, or for any."""


class Held:
    """As much as one room would hold: Limits.waiting_verbs and Limits.waiting_bytes.

    ``stays``: the island's and the scene's.
    """

    __slots__ = (
        "_away", "_clock", "_island", "_islands", "_lifecycle", "_limits", "_merged", "_outage", "_output", "_said",
        "_scene", "_scenes", "waiting", "waiting_bytes",
    )  # fmt: skip

    def __init__(
        self,
        merged: MergedRooms,
        stays: tuple[Stay, Stay],
        *,
        scenes: Scenes,
        islands: IslandService,
        lifecycle: Lifecycle,
        output: Output,
        clock: Clock,
        limits: Limits,
        away: Away,
    ) -> None:
        self._merged = merged
        self._island, self._scene = stays
        self._scenes = scenes
        self._islands = islands
        self._lifecycle = lifecycle
        self._output = output
        self._clock = clock
        self._limits = limits
        self._away = away
        self._outage = Outage(limits.waiting_seconds)
        self._said: deque[_Said] = deque()
        self.waiting = 0
        """How many packets there are."""
        self.waiting_bytes = 0
        """What they hold."""
        merged.heir = self._inherit

    @property
    def due(self) -> float | None:
        """When the oldest has waited long enough; None: nothing waits."""
        return self._outage.due(self._said[0].at) if self._said else None

    # --- what comes

    def take(
        self, messages: Messages, *, reliable: bool, played: Played | None = None, else_everybody: bool = False
    ) -> bool:
        """Keep packets for later.  False: there is no need to.

        ``played``: the emote that they are.  SendQueueFull: they are more than the limits, and nothing was kept;
        NotInARoom: no room for them is there, and none comes, or we don't wait.
        """
        if self._settled:
            return False
        roles = roles_of(messages)
        if self._lifecycle.over or self._merged.reaches(roles):
            return False
        wish = self._scenes.wanted if roles == _SCENE else None
        comes = self._comes(roles, wish)
        if roles == _SCENE and not comes:
            # Nobody entered a scene.
            return False
        if self._away is Away.RAISE or not comes:
            raise self.not_in_a_room()
        size = sum(len(data) for data, _, _ in messages)
        check_queue(self, len(messages), size, self._limits, away=True)
        self._keep(_Said(messages, reliable, roles, self._clock.now, played, else_everybody, None, wish))
        return True

    def not_in_a_room(self) -> NotInARoom:
        """Why nothing can be done that does not wait."""
        until = earlier(self._island.deadline, self._scene.deadline)
        if isinstance(self._island.adapter, OfflineAdapter):
            return NotInARoom("no island's room is open, and none is known to come", until=until)
        lost_by = self._island.lost_by
        reason = None if lost_by is None else lost_by.reason
        return NotInARoom(f"the world is {self._lifecycle.state.value}", reason=reason, until=until)

    def _keep(self, said: _Said) -> None:
        self._said.append(said)
        self.waiting += len(said.messages)
        self.waiting_bytes += sum(len(data) for data, _, _ in said.messages)

    def _inherit(self, role: RoomRole, left: list[Outgoing]) -> None:
        """A room ended, and had this to send yet."""
        said = [
            _Said([(one.data, one.to, one.topic)], one.reliable, frozenset({role}), one.at, role=role) for one in left
        ]
        # What was said before what waits already goes first, and is let go first.
        before, self._said = [*said, *self._said], deque()
        self.waiting = self.waiting_bytes = 0
        self._outage.begin(self._clock.now)
        for one in before:
            try:
                check_queue(
                    self, len(one.messages), sum(len(data) for data, _, _ in one.messages), self._limits, away=True
                )
            except SendQueueFull:
                self._drop([one])
            else:
                self._keep(one)

    # --- what goes

    def settle(self) -> bool:
        """Send what has a room now, and drop what none will come for.  True: something was sent."""
        if not self._said:
            return False
        said, self._said = self._said, deque()
        self.waiting = self.waiting_bytes = 0
        sent = False
        dropped: list[_Said] = []
        for one in said:
            if self._merged.reaches(one.roles):
                sent = True
                self._send(one)
            elif self._comes(one.roles, one.wish):
                self._keep(one)
            else:
                dropped.append(one)
        self._drop(dropped)
        return sent

    def expire(self) -> None:
        """Let go of what waited for too long, count it, and say so once in an outage."""
        outage, now, count = self._outage, self._clock.now, 0
        while self._said and outage.due(self._said[0].at) <= now:
            one = self._said.popleft()
            count += len(one.messages)
            self.waiting -= len(one.messages)
            self.waiting_bytes -= sum(len(data) for data, _, _ in one.messages)
        self._output.counters["expired"] += count
        if count and outage.is_news():
            self._output.warn(WarningCode.SENDS_EXPIRED, outage.told(count), count)

    def is_news(self, code: WarningCode) -> bool:
        """Whether a room's own word of what was let go is the first in this outage; other Warnings always are."""
        return code not in _LET_GO or self._outage.is_news()

    def back(self) -> None:
        """A room is open again."""
        self._outage.over()

    def _drop(self, dropped: list[_Said]) -> None:
        self._output.counters["dropped"] += sum(len(one.messages) for one in dropped)
        reliable = sum(len(one.messages) for one in dropped if one.reliable)
        if reliable and self._outage.is_news():
            self._output.warn(WarningCode.SENDS_DROPPED, f"{reliable} packets were accepted, and never sent", reliable)

    def _send(self, one: _Said) -> None:
        now = self._clock.now
        try:
            if one.played is not None:
                for _, named, _ in one.messages:
                    to = EVERYONE if named is None else [PeerId(text) for text in named]
                    self._merged.play(*one.played, to=to, else_everybody=one.else_everybody, now=now)
                return
            self._merged.put(
                one.messages, reliable=one.reliable, role=one.role, else_everybody=one.else_everybody, now=now
            )
        except CommsError as error:
            self._output.warn(WarningCode.SEND_FAILED, str(error))

    # --- where we stand

    @property
    def _settled(self) -> bool:
        """Whether each room that we may be in is open, as far as can be told at once."""
        return (
            self._lifecycle.state is RoomState.OPEN
            and (self._scene.state is StayState.IN or self._scenes.wanted is None)
            and not isinstance(self._island.adapter, OfflineAdapter)
        )

    def _comes(self, roles: frozenset[RoomRole], wish: Wish | None) -> bool:
        """Whether a room for them is looked for."""
        wanted = self._scenes.wanted
        if self._lifecycle.over:
            return False
        if RoomRole.SCENE in roles and wanted is not None and (wish is None or wish is wanted):
            return True
        # Without an island one may come yet; a realm that is offline has none.
        gone = isinstance(self._island.adapter, OfflineAdapter) and self._islands.source is None
        return RoomRole.ISLAND in roles and not gone
