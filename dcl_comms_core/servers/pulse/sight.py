"""Whom an observer sees, and how it is told: once in each tick, for each observer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.servers.pulse.views import View, farewell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dcl_comms_core.servers.pulse.cells import Cells
    from dcl_comms_core.servers.pulse.connections import Connection
    from dcl_comms_core.servers.pulse.settings import PulseSettings
    from dcl_comms_core.servers.pulse.subjects import Subject

__all__ = ["Sight"]


class Sight:
    """Players see players of their realm as far as the radii reach, listeners whoever is in their area.

    Whoever is not in sight any more is told as left a while later, all at once: until then it may come back, and is
    told as if it had never been away.
    """

    def __init__(self, cells: Cells, settings: PulseSettings) -> None:
        self._cells = cells
        self._settings = settings
        near, far, self._reach = settings.radii
        self._near, self._far, self._farthest = near * near, far * far, self._reach * self._reach

    def show(self, observer: Connection, tick: int) -> None:
        """Tell an observer what it is to be told in this tick."""
        player = observer.subject
        if player is not None:
            if observer.moved_realm:
                observer.moved_realm = False
                self._part(observer, tuple(observer.views))
            self._tell(observer, self._around(player), tick, profiles=True)
        else:
            seen = ((subject, 0) for subject in observer.area.visible(self._cells))
            self._tell(observer, seen, tick, profiles=False)
        observer.asked.clear()
        if tick % self._settings.sweep_ticks == 0:
            oldest = tick - self._settings.stale_ticks
            self._part(observer, [number for number, view in observer.views.items() if view.seen < oldest])

    def _around(self, player: Subject) -> Iterator[tuple[Subject, int]]:
        """Everybody that a player sees, with the tier."""
        realm = player.realm
        if realm is None:
            return
        x, _, z = player.place
        reach, cells = self._reach, self._cells
        low, high = (cells.at(x - reach), cells.at(z - reach)), (cells.at(x + reach), cells.at(z + reach))
        for subject in cells.within(realm, low, high):
            other_x, _, other_z = subject.place
            distance = (other_x - x) ** 2 + (other_z - z) ** 2
            if distance <= self._farthest and subject is not player:
                yield subject, 0 if distance <= self._near else 1 if distance <= self._far else 2

    def _tell(self, observer: Connection, visible: Iterable[tuple[Subject, int]], tick: int, *, profiles: bool) -> None:
        views, asked, steps = observer.views, observer.asked, self._settings.steps
        for subject, tier in visible:
            number = subject.number
            view = views.get(number)
            if view is not None and (view.subject is not subject or view.sent.realm != subject.latest.realm):
                # Another one has its id, or it is the same in another realm: to the observer that is another one too.
                self._part(observer, (number,))
                view = None
            resync = view is not None and number in asked
            if tick % steps[tier] == 0 or resync:
                if view is None:
                    view = views[number] = View(subject, observer.send)
                    view.greet()
                else:
                    view.follow(tier, resync=resync, profiles=profiles)
            if view is not None:
                view.seen = tick

    def _part(self, observer: Connection, numbers: Iterable[int]) -> None:
        for number in numbers:
            del observer.views[number]
            observer.send(farewell(number))
