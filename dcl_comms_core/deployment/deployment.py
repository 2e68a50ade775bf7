"""Deployment: the servers, the machines and the network, on one clock that its owner moves.

Everything that is due at one time happens in one order: what arrives, the servers, then the machines in the order in
which they came.  The same seed and the same calls give the same, byte for byte, unless ``new_peer`` draws numbers.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from dcl_comms_core.deployment.doors import Hosts
from dcl_comms_core.deployment.keys import login_of, wallet_of
from dcl_comms_core.deployment.machine import Machine
from dcl_comms_core.deployment.network import Network
from dcl_comms_core.deployment.peer import PlainPeers
from dcl_comms_core.deployment.services import (
    PULSE_AT,
    REALM_HOST,
    ROOMS_HOST,
    PulseService,
    RealmService,
    RoomsService,
)
from dcl_comms_core.deployment.wires import Wires
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.servers.realm import RealmRules, RealmSettings
from dcl_comms_core.simulation.settings import Faults
from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.tools.timers import earlier

if TYPE_CHECKING:
    from dcl_comms_core.identity.login import AuthIdentity
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.webrtc import NewPeer
    from dcl_comms_core.tools.virtual_clock import VirtualClock

__all__ = ["SERVICES", "Deployment", "Service"]

Service: TypeAlias = Literal["realm", "pulse", "rooms"]
SERVICES: Final[tuple[Service, ...]] = get_args(Service)

_SERVERS: Final = "10.0.0.{}"
_MACHINES: Final = "10.1.{}.{}"
_BYTE: Final = 256


class Deployment:
    """``faults``: how the network behaves, see :class:`~dcl_comms_core.deployment.network.Network`.

    ``new_peer``: makes the WebRTC peers of both sides; None: a PlainPeer.  ``settings``: the realm's.
    """

    url: Final = f"https://{REALM_HOST}"
    """Of the realm: where a WorldSession goes."""
    scene_adapter_url: Final = f"https://{REALM_HOST}/get-scene-adapter"
    """What stands for the gatekeeper."""

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: Faults | None = None,
        new_peer: NewPeer | None = None,
        settings: RealmSettings | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        luck = Prng(seed)
        settings = RealmSettings(name="deployment") if settings is None else settings
        self.network = Network(seed=luck.bits(), faults=Faults() if faults is None else faults)
        self.rules = RealmRules()
        """Whom the realm lets in; it outlives all processes."""
        self.machines: dict[str, Machine] = {}
        """By whose they are."""
        self._numbers = count()
        self._new_peer = PlainPeers(luck.bits()).new if new_peer is None else new_peer
        self._limits = limits
        self.rooms = RoomsService(
            self.network, (_SERVERS.format(2), 7_882), self._new_peer, limits, luck.bits()
        )  # fmt: skip
        self.pulse = PulseService(
            self.network, (_SERVERS.format(3), PULSE_AT[1]), settings, self.rules.banned, limits, luck.bits()
        )
        self.realm = RealmService(
            self.network, self.pulse, mint=self.rooms.mint, settings=settings, rules=self.rules, limits=limits,
            seed=luck.bits(),
        )  # fmt: skip
        self._hosts = Hosts(
            {REALM_HOST: self.realm.door, ROOMS_HOST: self.rooms.door}, {PULSE_AT: self.pulse.address}
        )  # fmt: skip
        self._services = {one.name: one for one in (self.rooms, self.pulse, self.realm)}
        for service in SERVICES:
            self.revive(service)

    @property
    def clock(self) -> VirtualClock:
        """The time."""
        return self.network.clock

    def login(self, name: str) -> AuthIdentity:
        """Who somebody of this name is; see ``keys.py``."""
        return login_of(name)

    def machine(self, name: str) -> Machine:
        """A machine for somebody, with an address of its own; the one that it had before is let go of."""
        before = self.machines.pop(name, None)
        if before is not None:
            before.abandon(self.clock.now)
        number = next(self._numbers)
        host = _MACHINES.format(number // _BYTE, number % _BYTE)
        machine = self.machines[name] = Machine(name, host, self._new_wires, self._new_peer, self._limits)
        return machine

    def _new_wires(self, machine: Machine) -> Wires:
        return Wires(machine.name, self.network, self._hosts, machine.addresses)

    # --- what happens to it

    def _of(self, service: str) -> RealmService | PulseService | RoomsService:
        if service not in self._services:
            msg = f"a deployment has {', '.join(SERVICES)}, and no {service!r}"
            raise LocalProtocolError(msg)
        return self._services[service]

    def kill(self, service: Service) -> bool:
        """A server's process ends without a word.  False: it is down."""
        return self._down(service, tell=False)

    def stop(self, service: Service) -> bool:
        """The same, but whoever is there is told, where the real server does so."""
        return self._down(service, tell=True)

    def _down(self, service: Service, *, tell: bool) -> bool:
        found = self._of(service)
        was_up = found.server is not None
        found.down(tell=tell)
        return was_up

    def revive(self, service: Service) -> bool:
        """It begins again, with nobody there.  False: it is up."""
        found = self._of(service)
        if found.server is not None:
            return False
        found.up()
        self.realm.follow()
        return True

    def cut(self, name: str, service: Service | None = None) -> bool:
        """Somebody's machine reaches a server no more, or none.  False: it was so."""
        done = [self.network.cut(name, one) for one in self._named(service)]
        return any(done)

    def heal(self, name: str, service: Service | None = None) -> bool:
        """It does again.  False: it was so."""
        done = [self.network.heal(name, one) for one in self._named(service)]
        return any(done)

    def _named(self, service: Service | None) -> tuple[str, ...]:
        return SERVICES if service is None else (self._of(service).name,)

    def set_faults(self, faults: Faults) -> bool:
        """The network behaves otherwise from now on.  True."""
        self.network.faults = faults
        return True

    def ban(self, name: str) -> bool:
        """Throw somebody out of everything, and don't let it in again.  False: it was so."""
        wallet = wallet_of(name)
        if wallet in self.rules.banned:
            return False
        self.rules.banned.add(wallet)
        if self.realm.server is not None:
            self.realm.server.kick(wallet, now=self.clock.now)
        self.remove(wallet)
        return True

    def remove(self, name: str) -> bool:
        """A moderator puts somebody out of all rooms.  False: it is in none."""
        wallet = wallet_of(name)
        done = [self.rooms.ask("RemoveParticipant", room, identity=wallet) for room in self.rooms_of(name)]
        return any(done)

    def delete_rooms(self, name: str) -> bool:
        """A moderator deletes all rooms that somebody is in.  False: it is in none."""
        done = [self.rooms.ask("DeleteRoom", room) for room in self.rooms_of(name)]
        return any(done)

    def rooms_of(self, name: str) -> list[str]:
        """The rooms that somebody is in, as their server knows it."""
        wallet, server = wallet_of(name), self.rooms.server
        return [] if server is None else [room for room, members in server.rooms.items() if wallet in members]

    # --- time

    def deadline(self) -> float | None:
        """When ``run`` is needed; what machines wait for is theirs."""
        due = self.network.deadline()
        for service in self._services.values():
            due = earlier(due, service.deadline())
        return due

    def run(self) -> None:
        """Let everything happen that is due now, but what is the machines'."""
        now = self.clock.now
        self.network.run()
        for service in self._services.values():
            due = service.deadline()
            if due is not None and due <= now:
                service.handle_timeout(now)
        for service in self._services.values():
            service.turn()
