"""A Pulse server of ours and its clients, on a seeded network and a virtual clock; the messages are made by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rigs.core.chains import EXPIRES, NOW, VERIFIER, key
from rigs.core.enet import Network

from dcl_comms_core import AuthIdentity, ClockSet, decode_message, encode, login_payload
from dcl_comms_core.enet import FORK_FLAG, Delivery, EnetDisconnected, EnetMessage, EnetOptions
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.parcels import index_of
from dcl_comms_core.pulse.reasons import DisconnectReason
from dcl_comms_core.servers.pulse import ClusterChanged, PulseServer, PulseSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from rigs.core.enet import Party

    from dcl_comms_core import RealmServer

OPTIONS = EnetOptions(sent_time_flag=FORK_FLAG)


def login(number: int, *, phone: int = 0) -> AuthIdentity:
    """The wallet of this number; another ``phone`` is another session of it."""
    root, ephemeral = key(number + 1), key(1_000 + 100 * phone + number)
    text = login_payload(ephemeral.address, EXPIRES)
    return AuthIdentity.from_signature(root.address, root.sign(text), expires=EXPIRES, signer=ephemeral)


def proof(identity: AuthIdentity, *, millis: int = int(NOW * 1_000), metadata: str = "{}", **headers: Any) -> bytes:
    """The JSON text of a handshake."""
    chain = identity.sign(f"connect:/:{millis}:{metadata}")
    links = {f"x-identity-auth-chain-{index}": link.to_json() for index, link in enumerate(chain.links)}
    said = links | {"x-identity-timestamp": str(millis), "x-identity-metadata": metadata} | headers
    return json.dumps(said).encode()


def at(parcel: tuple[int, int] = (0, 0), **codes: Any) -> pulse.PlayerState:
    """A state on a parcel, by codes."""
    return pulse.PlayerState(parcel_index=index_of(*parcel), **codes)


class Walker:
    """A client: what it says, and what it was told."""

    def __init__(self, net: PulseNet, party: Party, identity: AuthIdentity) -> None:
        self.net = net
        self.party = party
        self.identity = identity

    @property
    def wallet(self) -> str:
        return self.identity.address.lower()

    @property
    def session(self) -> str:
        return self.identity.ephemeral_address.lower()

    def say(self, channel: int | None = None, **message: Any) -> None:
        """Say a ClientMessage."""
        lossy = "input" in message
        where = int(lossy) if channel is None else channel
        self.party.client.send(
            encode(pulse.ClientMessage(**message)),
            channel=where,
            delivery=Delivery.UNRELIABLE if lossy else Delivery.RELIABLE,
        )

    def shake(self, chain: bytes | None = None, **fields: Any) -> None:
        """Say the handshake of a player."""
        self.say(handshake=pulse.HandshakeRequest(auth_chain=self.proof() if chain is None else chain, **fields))

    def listen(self, *areas: tuple[str, tuple[int, int, int, int]], chain: bytes | None = None) -> None:
        """Say the handshake of a listener; an area is a realm and a rectangle of parcels."""
        request = pulse.SceneListenerHandshakeRequest(
            auth_chain=self.proof() if chain is None else chain, aoi=rectangles(*areas)
        )
        self.say(scene_listener_handshake=request)

    def proof(self) -> bytes:
        self.net.millis += 1
        return proof(self.identity, millis=self.net.millis)

    def teleport(self, parcel: tuple[int, int] = (0, 0), realm: str = "main", **codes: int) -> None:
        self.say(teleport=pulse.TeleportRequest(parcel_index=index_of(*parcel), realm=realm, **codes))

    def move(self, parcel: tuple[int, int] = (0, 0), **codes: Any) -> None:
        self.say(input=pulse.PlayerStateInput(state=at(parcel, **codes)))

    def heard(self) -> list[pulse.ServerMessage]:
        """Take what it was told since."""
        told = [event.data for event in self.party.events if isinstance(event, EnetMessage)]
        self.party.events = [event for event in self.party.events if not isinstance(event, EnetMessage)]
        return [decode_message(pulse.ServerMessage, data) for data in told]

    def heard_hex(self) -> list[tuple[int, str]]:
        """The same as bytes, with their channels."""
        told = [(event.channel, event.data.hex()) for event in self.party.events if isinstance(event, EnetMessage)]
        self.heard()
        return told

    def names(self) -> list[str]:
        """The same by kind."""
        return [kind(message) for message in self.heard()]

    @property
    def was_told(self) -> bool:
        """Whether there is anything to take."""
        return any(isinstance(event, EnetMessage) for event in self.party.events)

    @property
    def ended(self) -> DisconnectReason | None:
        """Why the server let it go."""
        ends = [event for event in self.party.events if isinstance(event, EnetDisconnected)]
        return DisconnectReason(ends[-1].data) if ends else None


def kind(message: pulse.ServerMessage) -> str:
    (name,) = (name for name in message.__dataclass_fields__ if getattr(message, name) is not None)
    return name


def rectangles(*areas: tuple[str, tuple[int, int, int, int]]) -> list[pulse.SceneListenerAoi]:
    by_realm: dict[str, list[pulse.ParcelRect]] = {}
    for realm, corners in areas:
        by_realm.setdefault(realm, []).append(pulse.ParcelRect(*corners))
    return [pulse.SceneListenerAoi(realm=realm, parcel_rects=rects) for realm, rects in by_realm.items()]


class InRealm:
    """The server of a realm, to which its events go."""

    def __init__(self, server: PulseServer) -> None:
        self.receive = server.receive
        self.datagrams = server.datagrams
        self.deadline = server.deadline
        self.handle_timeout = server.handle_timeout

    def events(self) -> list[Any]:
        return []


def set_clock(realm: RealmServer) -> Callable[[float], None]:
    return lambda offset: realm.receive(ClockSet(unix_offset=offset), now=NOW - offset)


class PulseNet(Network):
    """The server, which began just now, and its line."""

    def __init__(
        self,
        *,
        settings: PulseSettings | None = None,
        clock: bool = True,
        realm: RealmServer | None = None,
        **options: Any,
    ) -> None:
        line = {name: options.pop(name) for name in ("seed", "loss", "repeats", "delay") if name in options}
        if realm is None:
            server = PulseServer(verifier=VERIFIER, entropy=line.get("seed", 0), settings=settings, **options)
        else:
            assert realm.pulse is not None
            server = realm.pulse
        self.server = server
        super().__init__(host=server if realm is None else InRealm(server), options=OPTIONS, **line)
        self.millis = int(NOW * 1_000)
        if clock:
            (server.set_clock if realm is None else set_clock(realm))(NOW - self.now)
        server.handle_timeout(self.now)

    def walker(
        self, number: int = 0, *, machine: str = "a", phone: int = 0, identity: AuthIdentity | None = None
    ) -> Walker:
        """A client that is connected, and has said nothing."""
        party = self.client(machine=machine)
        party.client.connect(now=self.now)
        self.until(lambda: party.client.peer.open)
        return Walker(self, party, login(number, phone=phone) if identity is None else identity)

    def welcomed(self, number: int = 0, **options: Any) -> Walker:
        """One that has proved who it is."""
        walker = self.walker(number, **options)
        walker.shake()
        self.until(lambda: walker.was_told)
        assert walker.names() == ["handshake"]
        return walker

    def placed(self, number: int = 0, parcel: tuple[int, int] = (0, 0), realm: str = "main", **options: Any) -> Walker:
        """One that is in a realm."""
        walker = self.welcomed(number, **options)
        walker.teleport(parcel, realm)
        self.run(0.1)
        return walker

    def changes(self) -> list[ClusterChanged]:
        """Take what players were to be told of their clusters."""
        changes = [event for event in self.events if isinstance(event, ClusterChanged)]
        self.events.clear()
        return changes

    def quiet(self, *walkers: Walker) -> None:
        """Forget what they were told."""
        for walker in walkers:
            walker.heard()
