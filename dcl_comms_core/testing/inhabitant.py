"""Somebody in a deployment: a WorldSession, its machine, its login, and what it was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.events import SignatureNeeded
from dcl_comms_core.inputs import ClockSet
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.pulse.choice import AUTO
from dcl_comms_core.states import RoomState
from dcl_comms_core.tools.backoff import Backoff
from dcl_comms_core.tools.timers import earlier
from dcl_comms_core.tools.virtual_clock import UNIX_START
from dcl_comms_core.world.session import WorldSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.deployment.deployment import Deployment
    from dcl_comms_core.events import Event
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.pulse.choice import PulseSetting

__all__ = ["Inhabitant"]

_MOST_TURNS: Final = 1_000
"""Without a pause."""


class Inhabitant:
    """It comes with its first turn.

    ``target``: where, None: the realm; ``pulse`` and what is behind it as a WorldSession takes them.
    """

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        target: str | None = None,
        entropy: int = 0,
        pulse: PulseSetting = AUTO,
        reconnect: Backoff | None = Backoff(),  # noqa: B008 - it does not change
        limits: Limits = DEFAULT_LIMITS,
        position: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> None:
        now = deployment.clock.now
        self.name = name
        self.login = deployment.login(name)
        self.machine = deployment.machine(name)
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] | None = None
        """Called for each event; it may use the session's intents."""
        self.session = WorldSession(
            deployment.url if target is None else target,
            address=self.login.address,
            gatekeeper=deployment.scene_adapter_url,
            entropy=entropy,
            pulse=pulse,
            reconnect=reconnect,
            position=position,
            limits=limits,
        )
        self._due: float | None = now
        """When the session wants a turn, as of the last one."""
        self.session.receive(ClockSet(unix_offset=UNIX_START), now=now)
        self.session.open(now=now)

    @property
    def over(self) -> bool:
        """Whether its session has ended."""
        return self.session.state is RoomState.CLOSED

    def turn(self, now: float) -> None:
        """Feed what is due, let time pass, carry out what follows."""
        session, machine = self.session, self.machine
        for _ in range(_MOST_TURNS):
            for inp in machine.inputs(now):
                session.receive(inp, now=now)
            due = session.deadline()
            if due is not None and due <= now:
                session.handle_timeout(now)
            commands, events = session.commands(), session.events()
            for command in commands:
                machine.execute(command, now=now)
            for event in events:
                self._hear(event, now)
            self._due = session.deadline()
            if not commands and not events and (machine.deadline() or now + 1.0) > now:
                return
        msg = f"{_MOST_TURNS} turns at one time: look for a loop that never ends"
        raise LocalProtocolError(msg)

    def _hear(self, event: Event, now: float) -> None:
        if isinstance(event, SignatureNeeded):
            self.session.provide_signature(event.request, self.login.sign(event.payload), now=now)
            return
        self.events.append(event)
        if self.on_event is not None:
            self.on_event(event)

    def deadline(self) -> float | None:
        """When it needs its next turn; after a verb of its session it needs one at once."""
        return earlier(self._due, self.machine.deadline())

    def take_events(self) -> list[Event]:
        """The events since the last call."""
        events, self.events = self.events, []
        return events

    def vanish(self, now: float) -> None:
        """Its program ends, with the last word of each open socket and no other."""
        self.machine.abandon(now)
