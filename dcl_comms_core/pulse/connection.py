"""Datagrams between here and the service, and ENet over them: one attempt after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.commands import CloseDatagrams, OpenDatagrams, SendDatagram
from dcl_comms_core.enet.client import EnetClient
from dcl_comms_core.enet.delivery import Delivery
from dcl_comms_core.enet.options import FORK_FLAG, EnetOptions
from dcl_comms_core.inputs import LinkRef

if TYPE_CHECKING:
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.enet.peer import EnetEvent
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.states import Timer
    from dcl_comms_core.tools.prng import Prng

__all__ = ["PULSE_ENET", "Connection"]

PULSE_ENET: Final = EnetOptions(sent_time_flag=FORK_FLAG, channels=3)
"""ENet as the service speaks it."""
_RELIABLE, _LOSSY = 0, 1
_GRACEFUL: Final = 1
"""With which number we leave."""


class Connection:
    """``host`` and ``port``: of the service.  ``prng``: for connect ids.  For the rest see PulseSession."""

    __slots__ = ("_commands", "_enet", "_host", "_limits", "_options", "_port", "_prng", "_within", "link")

    def __init__(
        self, host: str, port: int, *, link: int, within: Place | None, options: EnetOptions, limits: Limits, prng: Prng
    ) -> None:
        self._host = host
        self._port = port
        self._within = within
        self._options = options
        self._limits = limits
        self._prng = prng
        self._enet: EnetClient | None = None
        self._commands: list[Command] = []
        self.link = LinkRef(link, 0)
        """As its commands name it now."""

    @property
    def where(self) -> str:
        """The service's host and port, for people."""
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    @property
    def there(self) -> bool:
        """Whether there is one of ENet's, be it on its way."""
        return self._enet is not None

    # --- beginning and end

    def begin(self) -> None:
        """Ask the network for another attempt."""
        self.link = LinkRef(self.link.link, self.link.generation + 1)
        self._commands.append(OpenDatagrams(link=self.link, host=self._host, port=self._port, within=self._within))

    def opened(self, now: float) -> None:
        """The network carries datagrams: connect."""
        self._enet = EnetClient(entropy=self._prng.bits(), options=self._options, limits=self._limits)
        self._enet.connect(now=now)

    def leave(self) -> bool:
        """Leave once what was said has arrived: ENet says when.  False: there is nobody to leave."""
        if self._enet is None or not self._enet.peer.open:
            return False
        self._enet.peer.disconnect_later(_GRACEFUL)
        return True

    def shut(self, now: float) -> None:
        """No more datagrams; that we leave goes out before, if we do."""
        if self._enet is not None:
            self._enet.peer.disconnect_now(_GRACEFUL)  # nothing, if it is over
        self._flush(now)
        self._enet = None
        self._commands.append(CloseDatagrams(link=self.link))

    def gone(self) -> None:
        """The network carries none any more."""
        self._enet = None

    # --- what comes and goes

    def receive(self, datagram: bytes, now: float) -> None:
        """A datagram came."""
        if self._enet is not None:
            self._enet.receive(datagram, now=now)

    def events(self) -> list[EnetEvent]:
        """What ENet has to say."""
        return [] if self._enet is None else self._enet.events()

    def send(self, data: bytes, *, reliable: bool) -> None:
        """Say something.  SendQueueFull: nothing that was said arrives."""
        assert self._enet is not None  # noqa: S101 - whoever is connected says something
        if reliable:
            self._enet.send(data, channel=_RELIABLE, delivery=Delivery.RELIABLE)
        else:
            self._enet.send(data, channel=_LOSSY, delivery=Delivery.UNRELIABLE)

    def commands(self, now: float) -> list[Command]:
        """Take what the network is to do, in order."""
        self._flush(now)
        commands, self._commands = self._commands, []
        return commands

    def _flush(self, now: float) -> None:
        if self._enet is not None:
            link = self.link
            self._commands += [SendDatagram(link=link, data=datagram) for datagram in self._enet.datagrams(now=now)]

    # --- time

    def deadline(self) -> float | None:
        """When ENet wants to be woken."""
        return None if self._enet is None else self._enet.deadline()

    @property
    def timer(self) -> Timer | None:
        """The timer behind that."""
        return None if self._enet is None else self._enet.deadline_reason

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        if self._enet is not None:
            self._enet.handle_timeout(now)
