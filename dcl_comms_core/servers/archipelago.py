"""ArchipelagoServer: the island service from its other end, for an embedded realm and for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.proto import common, v3
from dcl_comms_core.servers.islands import Islands
from dcl_comms_core.servers.sockets import SocketServer
from dcl_comms_core.states import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.identity.auth_chain import Verifier
    from dcl_comms_core.inputs import LinkRef
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.servers.islands import Change
    from dcl_comms_core.servers.sockets import Client

__all__ = ["ArchipelagoServer"]


class ArchipelagoServer(SocketServer):
    """Islands for whoever proves who they are.

    ``mint(island, address)`` gives the connection string that lets an address into an island's room; None: it is not
    to get one, and is told nothing.  ``banned(address)`` says who is kicked instead of welcomed, ``denied(address)``
    who is hung up on.  ``islands``: the rules of distance, size and names; ``flush_seconds``: how often they are
    applied.
    """

    def __init__(
        self,
        *,
        verifier: Verifier,
        mint: Callable[[str, str], str | None],
        banned: Callable[[str], bool] = lambda _address: False,
        denied: Callable[[str], bool] = lambda _address: False,
        islands: Islands | None = None,
        flush_seconds: float = 2.0,
        stage_seconds: float = 60.0,
        limits: Limits = DEFAULT_LIMITS,
        entropy: int = 0,
    ) -> None:
        super().__init__(verifier=verifier, denied=denied, stage_seconds=stage_seconds, limits=limits, entropy=entropy)
        self._mint = mint
        self._banned = banned
        self._flush_seconds = flush_seconds
        self._flush_due: float | None = None
        self._peers: dict[str, Client] = {}
        self.islands = Islands() if islands is None else islands
        """Who is where; for reading."""

    @property
    def peers(self) -> tuple[str, ...]:
        """The addresses that are connected, in lower case."""
        return tuple(self._peers)

    def accept(self, link: LinkRef, *, now: float) -> None:
        """A client opened a WebSocket.  LocalProtocolError: the link is another client's."""
        self._accept(link, "", now)

    def kick(self, address: str, *, now: float) -> bool:
        """Throw somebody out, as the ban sweep does; False: it is not connected."""
        self._pass_time(now)
        client = self._peers.get(address.lower())
        if client is not None:
            self._kick(client, _KICKED)
        return client is not None

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed."""
        stage, flush = super().deadline(), self._flush_due
        return flush if stage is None or (flush is not None and flush <= stage) else stage

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        super().handle_timeout(now)
        if self._flush_due is not None and self._flush_due <= self._now:
            for change in self.islands.settle(self._now):
                self._tell(change)
            self._flush_due = self._now + self._flush_seconds if len(self.islands) else None

    def _tell(self, change: Change) -> None:
        client = self._peers.get(change.peer)
        connection = None if client is None else self._mint(change.island, change.peer)
        if client is None or connection is None:
            return
        members = self.islands.members(change.island)
        message = v3.IslandChangedMessage(
            island_id=change.island,
            conn_str=connection,
            from_island_id=change.previous,
            peers={peer: common.Position(x=x, y=y, z=z) for peer, (x, y, z) in members.items()},
        )
        self._send(client, encode(v3.ServerPacket(island_changed=message)))

    def _on_frame(self, client: Client, data: bytes) -> None:
        try:
            packet = decode_message(v3.ClientPacket, data, limits=self._limits)
        except DecodeError:
            self._refuse(client, "frame")
            return
        if packet.challenge_request is not None:
            self._identified(client, packet.challenge_request.address)
        elif packet.signed_challenge is not None:
            self._proved(client, packet.signed_challenge.auth_chain_json)
        elif client.stage is not Stage.WELCOMED:
            self._refuse(client, "stage")
        elif packet.heartbeat is not None and packet.heartbeat.position is not None:
            self._on_heartbeat(client, packet.heartbeat.position, packet.heartbeat.desired_room)

    def _on_heartbeat(self, client: Client, at: common.Position, desired: str | None) -> None:
        self.islands.heartbeat(client.address, (at.x, at.y, at.z), now=self._now, desired=desired)
        if self._flush_due is None:
            self._flush_due = self._now + self._flush_seconds

    def _challenge_frame(self, challenge: str, *, already: bool) -> bytes:
        message = v3.ChallengeResponseMessage(challenge_to_sign=challenge, already_connected=already)
        return encode(v3.ServerPacket(challenge_response=message))

    def _known(self, client: Client, address: str) -> Client | None:
        del client
        return self._peers.get(address)

    def _welcome(self, client: Client) -> None:
        if self._banned(client.address):
            self._kick(client, _KICKED)
            return
        older = self._peers.get(client.address)
        if older is not None:
            self._kick(older, _KICKED)
        self._let_in(client)
        self._peers[client.address] = client
        self._send(client, encode(v3.ServerPacket(welcome=v3.WelcomeMessage(peer_id=client.address))))

    def _left(self, client: Client) -> None:
        del self._peers[client.address]
        self.islands.leave(client.address)


_KICKED = encode(v3.ServerPacket(kicked=v3.KickedMessage()))
"""It has one reason only, which stands for a ban too."""
