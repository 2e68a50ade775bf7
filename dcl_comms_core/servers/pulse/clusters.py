"""Who is to share an island: players in cells that touch, within one realm.

Occupied cells that touch, by a side or a corner, are one cluster, however many are in it.  A cluster has the name of
the one of the pass before with which it shares the most members, of equals the older one's; of two that want the same
name the one gets it that shares more, and of equals the one that was found first.

A player is told of another cluster once it was found in so many passes in a row, but at once of its first, after a
teleport, in another realm, and when the one that it was told of is no more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from dcl_comms_core.limits import Limits
    from dcl_comms_core.servers.pulse.settings import PulseSettings

__all__ = ["Assignment", "ClusterChanged", "Clusters", "Placed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterChanged:
    """A player is to be in another cluster than it was told last."""

    wallet: str
    session: str
    """The address of the key that signed the handshake, in lower case."""
    cluster: str
    realm: str
    displaced_session: str | None = None
    """The wallet's session before, of which it is the first time that another one takes its place."""
    displaced_cluster: str | None = None


class Assignment(NamedTuple):
    """What a player was told."""

    cluster: str
    realm: str
    session: str


class Placed(NamedTuple):
    """A player, as a pass finds it.  ``who``: itself, whatever wallet and session it has."""

    who: Hashable
    wallet: str
    session: str
    realm: str
    x: int
    z: int
    teleported: bool
    """Since the pass before."""


class _Standing:
    """What was found of one player, and what it was told."""

    __slots__ = ("candidate", "found", "streak", "told")

    def __init__(self) -> None:
        self.found: str | None = None
        """In the last pass, told or not."""
        self.told: tuple[str, str] = ("", "")
        """Cluster and realm; no cluster: nothing yet."""
        self.candidate = ""
        self.streak = 0


class Clusters:
    """The clusters as of the last pass.  Times are seconds of the caller's clock."""

    def __init__(self, settings: PulseSettings, limits: Limits) -> None:
        self._settings = settings
        self._most_retained = limits.pulse_departed
        self._standings: dict[Hashable, _Standing] = {}
        self._count = 0
        self._ages: dict[str, int] = {}
        """The clusters that there are, and as the how manieth each was named."""
        self._retained: dict[str, tuple[Assignment, float]] = {}
        """By wallet what was told last, and when it was last seen; those that left longest ago come first."""
        self._present: dict[str, Assignment] = {}

    @property
    def assignments(self) -> dict[str, Assignment]:
        """What everybody who is there was told, by wallet."""
        return dict(self._present)

    def settle(self, players: Iterable[Placed], now: float) -> list[ClusterChanged]:
        """Make a pass; return what players are to be told."""
        groups = list(_components(players))
        standings = {one.who: self._standings.get(one.who) or _Standing() for group in groups for one in group}
        self._standings = standings
        names = self._names(groups)
        self._ages = {name: self._ages[name] for name in names}
        changes: list[ClusterChanged] = []
        present: dict[str, Assignment] = {}
        for name, group in zip(names, groups, strict=True):
            for one in group:
                standing = standings[one.who]
                standing.found = name
                if self._decide(standing, one, name):
                    changes.append(self._change(one, name))
                present[one.wallet] = Assignment(*standing.told, one.session)
        self._remember(present, now)
        return changes

    def _names(self, groups: list[list[Placed]]) -> list[str]:
        claims: dict[str, tuple[int, int]] = {}
        """By name how much the group that is to have it shares, and which that is."""
        for index, group in enumerate(groups):
            found = (self._standings[one.who].found for one in group)
            shared = Counter(name for name in found if name is not None)
            if not shared:
                continue
            best = min(shared, key=lambda name: (-shared[name], self._ages[name]))
            if best not in claims or shared[best] > claims[best][0]:
                claims[best] = shared[best], index
        inherited = {index: name for name, (_, index) in claims.items()}
        return [inherited.get(index) or self._new() for index in range(len(groups))]

    def _new(self) -> str:
        self._count += 1
        name = f"{self._settings.prefix}{self._count}"
        self._ages[name] = self._count
        return name

    def _decide(self, standing: _Standing, one: Placed, name: str) -> bool:
        """Whether a player is told now."""
        told = standing.told
        if told == (name, one.realm):
            standing.streak = 0
            return False
        # Before the first time no cluster of that name is.
        at_once = one.teleported or told[1] != one.realm or told[0] not in self._ages
        standing.streak = standing.streak + 1 if standing.streak and standing.candidate == name else 1
        standing.candidate = name
        if not at_once and standing.streak < self._settings.dwell_passes:
            return False
        standing.told = name, one.realm
        standing.streak = 0
        return True

    def _change(self, one: Placed, name: str) -> ClusterChanged:
        kept = self._retained.get(one.wallet)
        displaced = None if kept is None or kept[0].session == one.session else kept[0]
        return ClusterChanged(
            wallet=one.wallet,
            session=one.session,
            cluster=name,
            realm=one.realm,
            displaced_session=None if displaced is None else displaced.session,
            displaced_cluster=None if displaced is None else displaced.cluster,
        )

    def _remember(self, present: dict[str, Assignment], now: float) -> None:
        self._present = present
        for wallet, assignment in present.items():
            self._retained.pop(wallet, None)
            self._retained[wallet] = assignment, now
        oldest = now - self._settings.retention_seconds
        while self._retained:
            wallet, (_, seen) = next(iter(self._retained.items()))
            if seen >= oldest and len(self._retained) - len(present) <= self._most_retained:
                break
            del self._retained[wallet]


def _components(players: Iterable[Placed]) -> Iterator[list[Placed]]:
    """Players by groups of cells that touch."""
    cells: dict[tuple[str, int, int], list[Placed]] = {}
    for one in players:
        cells.setdefault((one.realm, one.x, one.z), []).append(one)
    while cells:
        first, members = next(iter(cells.items()))
        del cells[first]
        waiting = [first]
        while waiting:
            realm, x, z = waiting.pop()
            for near_x in range(x - 1, x + 2):
                for near_z in range(z - 1, z + 2):
                    near = cells.pop((realm, near_x, near_z), None)
                    if near is not None:
                        members += near
                        waiting.append((realm, near_x, near_z))
        yield members
