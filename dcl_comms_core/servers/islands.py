"""Who shares an island: the rules of the real service, as a table of peers that is settled now and then.

Who is within ``join`` metres of somebody on an island gets onto it, who is farther than ``leave`` from all on it gets
off; heights don't count.  Everybody begins on an island alone, and the changes of one round overwrite each other, so
the first island that a peer is told of may be one that it did not begin on.  When islands merge, the largest keeps its
name, or the older of two as large; when one falls apart, its largest piece does.

Who is near is looked for in cells (``dcl_comms_core.servers.nearness``), so that a round takes about twice as long for
twice as many peers, be they alone, in a row or in crowds.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from dcl_comms_core.servers.nearness import Ground, Point, pieces

__all__ = ["Change", "Islands", "Point"]

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class Change(NamedTuple):
    """A peer is on another island than before."""

    peer: str
    island: str
    previous: str | None
    """None: the peer was on none."""


class _Member:
    __slots__ = ("desired", "heard_at", "island", "peer", "position")

    def __init__(self, peer: str, position: Point, now: float) -> None:
        self.peer = peer
        self.position = position
        self.desired: str | None = None
        self.heard_at = now
        self.island: _Island | None = None


class _Island:
    __slots__ = ("centre", "dirty", "members", "name", "number", "radius")

    def __init__(self, name: str, number: int, members: list[_Member]) -> None:
        self.name = name
        self.number = number
        self.members = members
        self.dirty = True
        self.centre = (0.0, 0.0)
        self.radius = 0.0

    def measure(self) -> None:
        """A bounding circle: a cheap test before the exact one."""
        members = self.members
        x = sum(member.position[0] for member in members) / len(members)
        z = sum(member.position[2] for member in members) / len(members)
        self.centre = x, z
        self.radius = max((m.position[0] - x) ** 2 + (m.position[2] - z) ** 2 for m in members) ** 0.5
        self.dirty = False

    def touches(self, other: _Island, distance: float) -> bool:
        """Whether the circles are as near as that."""
        x, z = self.centre[0] - other.centre[0], self.centre[1] - other.centre[1]
        reach = self.radius + other.radius + distance
        return x * x + z * z <= reach * reach

    def desired(self) -> str | None:
        """The island that most of its members prefer; of equals the one that was ahead first."""
        votes: dict[str, int] = {}
        most: str | None = None
        for member in self.members:
            if member.desired:
                votes[member.desired] = votes.get(member.desired, 0) + 1
                if most is None or votes[member.desired] > votes[most]:
                    most = member.desired
        return most


class Islands:
    """The islands and their peers.  Distances in metres; times in seconds of the caller's clock."""

    def __init__(
        self,
        *,
        join: float = 64.0,
        leave: float = 80.0,
        max_peers: int = 100,
        prefix: str = "I",
        heartbeat_timeout: float = 60.0,
    ) -> None:
        self._join = join
        self._leave = leave
        self._max_peers = max_peers
        self._prefix = prefix
        self._timeout = heartbeat_timeout
        self._members: dict[str, _Member] = {}
        self._islands: dict[str, _Island] = {}
        self._moves: dict[str, Change] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._members)

    def names(self) -> tuple[str, ...]:
        """The islands, the oldest first."""
        return tuple(self._islands)

    def members(self, island: str) -> dict[str, Point]:
        """The peers on an island and their positions; empty for an unknown island."""
        found = self._islands.get(island)
        return {} if found is None else {member.peer: member.position for member in found.members}

    def heartbeat(self, peer: str, position: Point, *, now: float, desired: str | None = None) -> None:
        """Take a peer's position.  ``desired`` None: as before."""
        member = self._members.get(peer)
        if member is None:
            member = self._members[peer] = _Member(peer, position, now)
        member.position = position
        member.heard_at = now
        if desired is not None:
            member.desired = desired
        if member.island is not None:
            member.island.dirty = True

    def leave(self, peer: str) -> None:
        """Remove a peer, if it is there."""
        member = self._members.pop(peer, None)
        island = None if member is None else member.island
        self._moves.pop(peer, None)
        if member is None or island is None:
            return
        island.members.remove(member)
        island.dirty = True
        if not island.members:
            del self._islands[island.name]

    def settle(self, now: float) -> list[Change]:
        """Forget silent peers, assign all others to islands, and return the changes."""
        silent = [member.peer for member in self._members.values() if now - member.heard_at >= self._timeout]
        for peer in silent:
            self.leave(peer)
        for member in self._members.values():
            if member.island is None:
                self._found([member])
        changed = [island for island in self._islands.values() if island.dirty]
        for island in tuple(changed):
            changed += self._split(island)
        for island in self._islands.values():
            if island.dirty:
                island.measure()
        if changed:
            self._merge_near(changed)
        moves, self._moves = list(self._moves.values()), {}
        return moves

    def _found(self, members: list[_Member]) -> _Island:
        self._count += 1
        island = _Island(self._prefix + _base36(self._count), self._count, members)
        self._islands[island.name] = island
        self._put(island, members)
        return island

    def _put(self, island: _Island, members: list[_Member]) -> None:
        for member in members:
            previous = None if member.island is None else member.island.name
            member.island = island
            self._moves[member.peer] = Change(member.peer, island.name, previous)

    def _split(self, island: _Island) -> list[_Island]:
        groups = pieces(island.members, self._leave)
        if len(groups) == 1:
            return []
        largest = max(groups, key=len)
        island.members = largest
        return [self._found(group) for group in groups if group is not largest]

    def _merge_near(self, changed: list[_Island]) -> None:
        """Merge each of these with those that it is near to."""
        ground = Ground[_Member, _Island](self._join)
        for island in self._islands.values():
            ground.put(island, island.members)
        for island in changed:
            if island.name in self._islands:
                found = ground.near(island, island.members)
                near = [other for other in found if island.touches(other, self._join)]
                if near:
                    self._merge([island, *near], ground)

    def _merge(self, islands: list[_Island], ground: Ground[_Member, _Island]) -> None:
        smallest, second, *_ = sorted(len(island.members) for island in islands)
        if smallest + second > self._max_peers:
            return
        first, *rest = sorted(islands, key=lambda island: (-len(island.members), island.number))
        kept, grown = {first.name: first}, set[_Island]()
        for island in rest:
            desired = kept.get(island.desired() or "")
            # The desired one first, then the others in order.
            targets = (*([] if desired is None else [desired]), *kept.values())
            fitting = (t for t in targets if len(t.members) + len(island.members) <= self._max_peers)
            target = next(fitting, None)
            if target is None:
                kept[island.name] = island
                continue
            ground.move(island, target, island.members)
            target.members += island.members
            self._put(target, island.members)
            del self._islands[island.name]
            grown.add(target)
        for target in grown:
            target.measure()
            # To be looked at again: some may be farther off than they seemed, where others had no place.
            target.dirty = True


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
