"""The three servers of a deployment: a realm, Pulse and LiveKit's rooms, each a process that can end and come back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from dcl_comms_core.commands import SendDatagrams
from dcl_comms_core.deployment.doors import Door
from dcl_comms_core.deployment.keys import PaperVerifier
from dcl_comms_core.inputs import ClockSet, DatagramsReceived
from dcl_comms_core.servers.livekit.server import PORT, RoomServer
from dcl_comms_core.servers.livekit.tokens import Grant, make_token
from dcl_comms_core.servers.pulse.server import PulseServer
from dcl_comms_core.servers.realm import RealmRules, RealmServer, RealmSettings
from dcl_comms_core.tools.virtual_clock import UNIX_START

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.deployment.network import Network
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.webrtc import Address, NewPeer

__all__ = ["PULSE_AT", "REALM_HOST", "ROOMS_HOST", "PulseService", "RealmService", "RoomsService"]

REALM_HOST: Final = "realm.test"
ROOMS_HOST: Final = "rooms.test"
PULSE_AT: Final = (REALM_HOST, 7_777)
_KEY, _SECRET = "key", "a secret of the deployment, which opens nothing elsewhere"
_TOKEN_SECONDS: Final = 300.0


class PulseService:
    """Pulse, at a port of UDP."""

    name = "pulse"

    def __init__(
        self, network: Network, address: Address, settings: RealmSettings, bans: set[str], limits: Limits, seed: int
    ) -> None:
        self.address = address
        self.server: PulseServer | None = None
        """None: it is down."""
        self._network = network
        self._settings = settings
        self._bans = bans
        self._limits = limits
        self._seed = seed
        self._stirred = False
        network.bind(address, self.name, self._arrived)

    def up(self) -> None:
        """Begin, with nobody there."""
        self._seed += 1
        self.server = PulseServer(
            verifier=PaperVerifier(), entropy=self._seed, bans=self._bans, settings=self._settings.pulse,
            limits=self._limits,
        )  # fmt: skip
        self.server.set_clock(UNIX_START)

    def down(self, *, tell: bool) -> None:
        """End; ``tell``: with a word to everybody."""
        if self.server is not None and tell:
            self.server.close(now=self._network.clock.now)
            self._stirred = True
            self.turn()
        self.server = None

    def _arrived(self, source: Address, datagram: bytes) -> None:
        if self.server is not None:
            self._stirred = True
            self.server.receive(datagram, source, now=self._network.clock.now)

    def deadline(self) -> float | None:
        """When ``handle_timeout`` is needed."""
        return None if self.server is None else self.server.deadline()

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        if self.server is not None:
            self._stirred = True
            self.server.handle_timeout(now)

    def turn(self) -> None:
        """Send what is to be sent."""
        if self.server is not None and self._stirred:
            self._stirred = False
            for to, datagram in self.server.datagrams(now=self._network.clock.now):
                self._network.send(self.name, self.address, to, datagram)  # type: ignore[arg-type]  # where it is from


class RealmService:
    """A realm: what it says of itself, the island service, profiles, scenes' rooms.  Pulse is another process."""

    name = "realm"

    def __init__(
        self, network: Network, pulse: PulseService, *, mint: Callable[[str, str], str], settings: RealmSettings,
        rules: RealmRules, limits: Limits, seed: int,
    ) -> None:  # fmt: skip
        self.rules = rules
        self.server: RealmServer | None = None
        """None: it is down."""
        self.door = Door(self.name, network, self.turn)
        self._network = network
        self._pulse = pulse
        self._mint = mint
        self._settings = settings
        self._limits = limits
        self._seed = seed

    def up(self) -> None:
        """Begin, with nobody there."""
        self._seed += 10
        server = RealmServer(
            f"https://{REALM_HOST}", verifier=PaperVerifier(), mint=self._mint, settings=self._settings,
            rules=self.rules, pulse_at=":".join(map(str, PULSE_AT)), limits=self._limits, entropy=self._seed,
        )  # fmt: skip
        server.receive(ClockSet(unix_offset=UNIX_START), now=self._network.clock.now)
        self.server = self.door.server = server
        self.follow()

    def follow(self) -> None:
        """Have islands come from the Pulse that there is now."""
        if self.server is not None and self._settings.islands == "pulse" and self._pulse.server is not None:
            self.server.pulse = self._pulse.server

    def down(self, *, tell: bool) -> None:
        """End; the real one tells nobody."""
        del tell
        self.server = self.door.server = None
        self.door.slam()

    def deadline(self) -> float | None:
        """When ``handle_timeout`` is needed."""
        return None if self.server is None else self.server.deadline()

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        if self.server is not None:
            self.server.handle_timeout(now)

    def turn(self) -> None:
        """Carry out what it decided."""
        if self.server is not None:
            for command in self.server.commands():
                self.door.execute(command)


class RoomsService:
    """LiveKit's rooms, at a port of HTTP and one of UDP."""

    name = "rooms"

    def __init__(self, network: Network, address: Address, new_peer: NewPeer, limits: Limits, seed: int) -> None:
        self.address = address
        self.server: RoomServer | None = None
        """None: it is down."""
        self.door = Door(self.name, network, self.turn)
        self._network = network
        self._new_peer = new_peer
        self._limits = limits
        self._seed = seed
        network.bind(address, self.name, self._arrived)

    def up(self) -> None:
        """Begin, without any room."""
        self._seed += 1
        server = RoomServer(
            keys={_KEY: _SECRET}, new_peer=self._new_peer, address=self.address, entropy=self._seed,
            limits=self._limits,
        )  # fmt: skip
        server.receive(ClockSet(unix_offset=UNIX_START), now=self._network.clock.now)
        self.server = self.door.server = server

    def down(self, *, tell: bool) -> None:
        """End; ``tell``: with a word to everybody."""
        if self.server is not None and tell:
            self.server.close(now=self._network.clock.now)
            self.turn()
        self.server = self.door.server = None
        self.door.slam()

    def _arrived(self, source: Address, datagram: bytes) -> None:
        if self.server is not None:
            came = DatagramsReceived(link=PORT, remote=source, datagrams=[datagram])
            self.server.receive(came, now=self._network.clock.now)
            self.turn()

    def deadline(self) -> float | None:
        """When ``handle_timeout`` is needed."""
        return None if self.server is None else self.server.deadline()

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        if self.server is not None:
            self.server.handle_timeout(now)

    def turn(self) -> None:
        """Carry out what it decided."""
        if self.server is not None:
            for command in self.server.commands():
                if isinstance(command, SendDatagrams):
                    for datagram in command.datagrams:
                        self._network.send(self.name, self.address, command.to, datagram)
                else:
                    self.door.execute(command)

    # --- who is let in

    def mint(self, room: str, identity: str) -> str:
        """The connection string that lets somebody into a room."""
        grant = Grant(key=_KEY, identity=identity, room=room, can_update_metadata=True)
        return f"livekit:wss://{ROOMS_HOST}?access_token={self._token(grant)}"

    def _token(self, grant: Grant) -> str:
        now = UNIX_START + self._network.clock.now
        return make_token(_SECRET, grant, begins=now - 10.0, expires=now + _TOKEN_SECONDS)

    def ask(self, method: str, room: str, **fields: object) -> bool:
        """Ask its own API, as a moderator of this room.  False: it is down, or would not."""
        if self.server is None:
            return False
        token = self._token(Grant(key=_KEY, room=room, administers=True, creates=True, lists=True))
        body = json.dumps({"room": room, **fields}).encode()
        target, headers = f"/twirp/livekit.RoomService/{method}", {"authorization": f"Bearer {token}"}
        page = self.server.request("POST", target, headers, body, now=self._network.clock.now)
        self.turn()
        return page.status == _OK


_OK: Final = 200
