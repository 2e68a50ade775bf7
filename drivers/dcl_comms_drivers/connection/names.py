"""Who people are, as an application asks for it, and our own profile: machines of the core beside a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dcl_comms_core.states import RoomState
from dcl_comms_drivers.loops.tapping import show

if TYPE_CHECKING:
    from dcl_comms_core.avatars.own import Offers, OwnProfile
    from dcl_comms_core.avatars.people import Asking, AsksPeers, Lambdas, People
    from dcl_comms_core.avatars.person import Person
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Fetched, FetchFailed, Input
    from dcl_comms_core.peers import Who
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.tap import Tap
    from dcl_comms_core.world.session import WorldSession
    from dcl_comms_drivers.net.link import NetLink
    from dcl_comms_drivers.settings import Options

__all__ = ["Names"]


class Names:
    """Turns who-is-who beside a session, from the first question on, or from the beginning where ours is to be told.

    ``net``: where requests go and answers come from; None: there is no network but the room.
    """

    def __init__(
        self,
        session: RoomSession | WorldSession,
        realm: WorldSession | None,
        net: NetLink | None,
        options: Options,
        address: str | None,
    ) -> None:
        self._session = session
        self._realm = realm
        self._net = net
        self._limits = options.limits
        self._tap: Tap | None = options.tap
        self._made: People | None = None
        self._own: OwnProfile | None = None
        asks = realm is not None and options.looks_up and not options.is_guest
        if net is not None:
            net.aside = self
        if options.profile is not None or asks:
            from dcl_comms_core.avatars.own import OwnProfile  # noqa: PLC0415 - not for those who told a version

            self._own = OwnProfile(
                cast("Offers", session),
                self._people,
                avatar=options.profile,
                address=address if asks else None,
            )

    @property
    def _people(self) -> People:
        if self._made is None:
            # Many programs never ask.
            from dcl_comms_core.avatars.people import People  # noqa: PLC0415

            self._made = People(cast("AsksPeers", self._session), self._where, limits=self._limits)
        return self._made

    def _where(self) -> Lambdas | None:
        from dcl_comms_core.avatars.people import Lambdas  # noqa: PLC0415 - whoever asks this has it

        known = None if self._realm is None or self._net is None else self._realm.realm
        if known is None or known.lambdas_url is None or self._realm is None:
            return None
        return Lambdas(known.lambdas_url, self._realm.place)

    def ask(self, who: Who, now: float) -> Asking:
        """See ``People.ask``."""
        asking = self._people.ask(who, now=now)
        self._carry_out(now)
        return asking

    def answer(self, who: Who, now: float) -> Person | None:
        """Who that is, if that is known; else it is asked."""
        return self.ask(who, now).person

    # --- turns

    def take(self, events: list[Event], *, now: float) -> None:
        """Hear of what the session tells."""
        if self._made is not None:
            self._made.take(events, now=now)
            if self._own is not None:
                self._own.take(events, now=now)
            self._carry_out(now)

    def receive(self, inp: Input, *, now: float) -> None:
        """Take the answer to a request of ours."""
        if self._made is not None:
            if self._tap is not None:
                show(self._tap, (inp,), now)
            self._made.receive(cast("Fetched | FetchFailed", inp), now=now)
            self._carry_out(now)

    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due; None: never."""
        return None if self._made is None else self._made.deadline()

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        if self._made is not None:
            self._made.handle_timeout(now)
            self._carry_out(now)

    def _carry_out(self, now: float) -> None:
        commands = self._people.commands()
        if commands and self._net is not None:
            if self._tap is not None:
                show(self._tap, commands, now)
            for command in commands:
                self._net.execute(command, now=now)
        if self._own is not None and self._session.state is not RoomState.CLOSED:
            self._own.look(now)
