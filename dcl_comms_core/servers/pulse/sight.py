"""Whom an observer sees, and what it is told of: once in each tick, of those of whom there is something new.

Where nothing is new nothing is looked at.  Whoever moved is compared with those on the edge of its reach; what is new
of it goes to those who see it, at once or in the tick that their tier is looked at.

Whoever is not in sight any more is told as left a while later, all at once: until then it may come back, and is told as
if it had never been away.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from dcl_comms_core.servers.pulse.deltas import delta
from dcl_comms_core.servers.pulse.nearness import Nearness
from dcl_comms_core.servers.pulse.subjects import Observer, Subject, View
from dcl_comms_core.servers.pulse.views import farewell, follow, greet

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from dcl_comms_core.servers.pulse.cells import Cells
    from dcl_comms_core.servers.pulse.connections import Connection
    from dcl_comms_core.servers.pulse.settings import PulseSettings

__all__ = ["Sight"]


class Sight:
    """Players see players of their realm as far as the radii reach, listeners whoever is in their area.

    ``counters``: its work is counted there: compared (pairs of players, where they are) and looked (at what one was
    told of another).
    """

    def __init__(self, cells: Cells, settings: PulseSettings, counters: Counter[str]) -> None:
        self._cells = cells
        self._settings = settings
        self._counters = counters
        near, far, reach = settings.radii
        self._near, self._far = near * near, far * far
        self._nearness = Nearness(cells, reach)
        self._news: dict[Subject, None] = {}
        """Those who moved, or did something else, since the last tick."""
        self._asking: dict[Observer, None] = {}
        self._listeners: dict[Connection, None] = {}
        self._fresh: dict[Connection, None] = {}
        """Listeners who have another area since the last tick."""
        self._later: dict[View, None] = {}
        """Where something is to be told, and was not yet."""
        self._lost: dict[View, None] = {}
        """Of whom is out of sight, those first for whom that is longest."""
        self._tick = 0
        """The one that runs, or comes next."""

    # --- what is new

    def changed(self, subject: Subject) -> None:
        """A player moved, or did something else."""
        self._news[subject] = None

    def listens(self, listener: Connection) -> None:
        """It has an area, or another one."""
        self._listeners[listener] = self._fresh[listener] = None

    def ask(self, observer: Observer, number: int) -> None:
        """It asks for a full state.  Nobody is told of whom it does not see."""
        view = observer.views.get(number)
        if view is not None and view.greeted:
            observer.asked.add(number)
            self._asking[observer] = None

    def forget(self, gone: Connection) -> None:
        """It is not there any more, to see or to be seen."""
        for view in gone.views.values():
            view.subject.watchers.pop(gone, None)
            self._lost.pop(view, None)
        gone.views.clear()
        for table in (self._asking, self._listeners, self._fresh):
            table.pop(gone, None)
        subject = gone.subject
        if subject is not None:
            self._nearness.remove(subject)
            self._news.pop(subject, None)
            for view in tuple(subject.watchers.values()):
                self._lose(view)

    # --- a tick

    def show(self, tick: int) -> bool:
        """Tell everybody what it is to be told in this tick.  False: nothing."""
        self._tick = tick
        sweeps = bool(self._lost) and tick % self._settings.sweep_ticks == 0
        tells = bool(self._news or self._asking or self._fresh or self._later or sweeps)
        if tells:
            self._run(sweeps=sweeps)
        self._tick += 1
        return tells

    def _run(self, *, sweeps: bool) -> None:
        news, self._news = self._news, {}
        for subject in news:
            self._place(subject)
        for listener in self._fresh:
            self._look_over(listener)
        self._fresh.clear()
        # Nobody is told twice in a tick of somebody: whom something is left to tell of is among the later ones by then.
        due, self._later = self._later, {}
        self._answer()
        for view in due:
            if view.subject.watchers.get(view.observer) is view and view not in self._later:
                self._tell(view)
        for subject in news:
            self._tell_of(subject)
        if sweeps:
            oldest = self._tick - self._settings.stale_ticks
            for view in tuple(takewhile(lambda view: view.seen < oldest, self._lost)):
                self._part(view.observer, (view,))
        self._counters["compared"] = self._nearness.compared

    def _place(self, subject: Subject) -> None:
        """See who sees a player, and whom it sees, where it is now."""
        observer = subject.observer
        if observer.moved_realm:
            observer.moved_realm = False
            self._part(observer, tuple(observer.views.values()))
            subject.anchor = None
        near = self._nearness.anew(subject)
        if near is not None:
            self._compare(subject, near)
        else:
            for other, visible in self._nearness.edges(subject):
                self._see(observer, other, visible=visible)
                self._see(other.observer, subject, visible=visible)
        for listener in self._listeners:
            self._see(listener, subject, visible=listener.area.has(subject))

    def _compare(self, subject: Subject, near: Mapping[Subject, None]) -> None:
        """These players and no others are within reach of one."""
        observer = subject.observer
        for view in tuple(subject.watchers.values()):
            player = view.observer.subject
            if player is not None and player not in near:
                self._see(view.observer, subject, visible=False)
        for view in tuple(observer.views.values()):
            if view.subject not in near:
                self._see(observer, view.subject, visible=False)
        for other in near:
            self._see(observer, other, visible=True)
            self._see(other.observer, subject, visible=True)

    def _look_over(self, listener: Connection) -> None:
        """See whom a listener sees, in all of its area."""
        visible = dict.fromkeys(listener.area.visible(self._cells))
        for view in tuple(listener.views.values()):
            if view.subject not in visible:
                self._see(listener, view.subject, visible=False)
        for subject in visible:
            self._see(listener, subject, visible=True)

    def _see(self, observer: Observer, subject: Subject, *, visible: bool) -> None:
        """Have an observer see a subject, or not."""
        view = subject.watchers.get(observer)
        if not visible:
            if view is not None:
                self._lose(view)
            return
        if view is not None and not view.is_elsewhere:
            return
        known = observer.views.get(subject.number)
        if known is not None and (known.subject is not subject or known.is_elsewhere):
            # Another one has its id, or it is the same in another realm: to the observer that is another one too.
            self._part(observer, (known,))
            known = None
        if known is None:
            known = observer.views[subject.number] = View(subject, observer)
        self._lost.pop(known, None)
        subject.watchers[observer] = known
        self._later[known] = None

    def _lose(self, view: View) -> None:
        """A subject is out of an observer's sight."""
        observer, subject = view.observer, view.subject
        del subject.watchers[observer]
        if view.greeted:
            view.seen = self._tick - 1
            self._lost[view] = None
        else:
            del observer.views[subject.number]

    def _part(self, observer: Observer, views: tuple[View, ...]) -> None:
        """Tell an observer that subjects have left."""
        for view in views:
            view.subject.watchers.pop(observer, None)
            self._lost.pop(view, None)
            del observer.views[view.subject.number]
            if view.greeted:
                observer.send(farewell(view.subject.number))

    # --- what is told

    def _answer(self) -> None:
        for observer in self._asking:
            for number in sorted(observer.asked):
                view = observer.views.get(number)
                if view is not None and view.greeted and observer in view.subject.watchers:
                    self._counters["looked"] += 1
                    self._follow(view, self._tier(view), resync=True)
            observer.asked.clear()
        self._asking.clear()

    def _tell(self, view: View) -> None:
        """Tell what is to be told, if the tier is looked at in this tick; else later."""
        self._counters["looked"] += 1
        tier = self._tier(view)
        if self._tick % self._settings.steps[tier]:
            self._later[view] = None
        elif view.greeted:
            self._follow(view, tier)
        else:
            greet(view)

    def _follow(self, view: View, tier: int, *, resync: bool = False) -> None:
        follow(view, tier, resync=resync)
        if view.sent is not view.subject.latest:
            # A jump, or the start of an emote, was told, and what came after it was not.
            self._later[view] = None

    def _tell_of(self, subject: Subject) -> None:
        """Tell those who see a player what is new of it.  Nearly always it moved, and nothing else."""
        latest, emote, profile, jump = subject.latest, subject.emote, subject.profile, subject.teleport
        last_jump = -1 if jump is None else jump.seq
        looks = [self._tick % step == 0 for step in self._settings.steps]
        near, far, (x, _, z) = self._near, self._far, subject.place
        later, before, known, data = self._later, None, -1, b""
        for view in subject.watchers.values():
            sent = view.sent
            if (sent is latest and view.profile == profile) or (later and view in later):
                continue
            player = view.observer.subject
            if player is None:
                tier = 0
            else:
                other_x, _, other_z = player.place
                apart = (other_x - x) ** 2 + (other_z - z) ** 2
                tier = 0 if apart <= near else 1 if apart <= far else 2
            if not (looks[tier] and view.greeted):
                later[view] = None
            elif view.emote is emote and view.profile == profile and sent.seq >= last_jump:
                if sent is not before or tier != known:
                    before, known, data = sent, tier, delta(subject, sent, latest, tier)
                view.sent = latest
                view.observer.passing.append(data)
            else:
                self._follow(view, tier)
        self._counters["looked"] += len(subject.watchers)

    def _tier(self, view: View) -> int:
        player = view.observer.subject
        if player is None:
            return 0
        (x, _, z), (other_x, _, other_z) = view.subject.place, player.place
        apart = (other_x - x) ** 2 + (other_z - z) ** 2
        return 0 if apart <= self._near else 1 if apart <= self._far else 2
