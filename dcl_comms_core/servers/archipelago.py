"""ArchipelagoServer: the island service from its other end, for an embedded realm and for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.proto import common, v3
from dcl_comms_core.servers.challenges import Challenges
from dcl_comms_core.servers.islands import Islands
from dcl_comms_core.servers.sockets import Sockets
from dcl_comms_core.states import Stage
from dcl_comms_core.tools.timers import earlier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.auth_chain import Verifier
    from dcl_comms_core.inputs import Input, LinkRef
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.servers.nearness import Point
    from dcl_comms_core.servers.sockets import Client

__all__ = ["ArchipelagoServer"]


class ArchipelagoServer:
    """Islands for whoever proves who they are.

    ``mint(island, address)`` gives the connection string that lets an address into an island's room; None: it is not
    to get one, and is told nothing.  ``banned(address)`` says who is kicked instead of welcomed, ``denied(address)``
    who is hung up on.  ``islands``: the rules of distance, size and names; ``flush_seconds``: how often they are
    applied.

    ``assigned``: who is on which island is said by another service.  Then heartbeats count for nothing,
    ``assigned(address, session)`` is asked who comes in, None: it is on none yet, and :meth:`assign` tells of changes.
    A session is the address of the key that signed.
    """

    def __init__(
        self,
        *,
        verifier: Verifier,
        mint: Callable[[str, str], str | None],
        banned: Callable[[str], bool] = lambda _address: False,
        denied: Callable[[str], bool] = lambda _address: False,
        islands: Islands | None = None,
        assigned: Callable[[str, str], str | None] | None = None,
        flush_seconds: float = 2.0,
        stage_seconds: float = 60.0,
        limits: Limits = DEFAULT_LIMITS,
        entropy: int = 0,
    ) -> None:
        sockets = Sockets(on_frame=self._on_frame, left=self._left, stage_seconds=stage_seconds, limits=limits)
        self._sockets = sockets
        self._challenges = Challenges(
            sockets,
            frame=_challenge_frame,
            known=lambda _client, address: address in self._peers,
            welcome=self._welcome,
            denied=denied,
            verifier=verifier,
            limits=limits,
            entropy=entropy,
        )
        self._limits = limits
        self._mint = mint
        self._banned = banned
        self._assigned = assigned
        self._flush_seconds = flush_seconds
        self._flush_due: float | None = None
        self._peers: dict[str, Client] = {}
        self._told: dict[str, str] = {}
        """By address the island that another service said."""
        self.islands = Islands() if islands is None else islands
        """Who is where; for reading."""
        self.counters = sockets.counters
        """How often: accepted, welcomed; refused.full, .stage, .frame, .address, .chain, .denied, .time; kicked."""

    @property
    def peers(self) -> tuple[str, ...]:
        """The addresses that are connected, in lower case."""
        return tuple(self._peers)

    def accept(self, link: LinkRef, *, now: float) -> None:
        """A client opened a WebSocket.  LocalProtocolError: the link is another client's."""
        self._sockets.accept(link, "", now)

    def kick(self, address: str, *, now: float) -> bool:
        """Kick a wallet, as the ban sweep does.  False: it is not connected."""
        self._sockets.clock.pass_time(now)
        client = self._peers.get(address.lower())
        if client is not None:
            self._sockets.kick(client, _KICKED)
        return client is not None

    def assign(self, address: str, session: str, island: str) -> bool:
        """Tell a wallet of its island, as another service says.  False: it is not connected with this session."""
        client = self._peers.get(address.lower())
        if client is None or client.session != session.lower():
            return False
        self._tell(client, island, self._told.get(client.address), {})
        self._told[client.address] = island
        return True

    def receive(self, inp: Input, *, now: float) -> None:
        """Take what a client sent, its end, or the wall clock.  LocalProtocolError: it is something else."""
        self._sockets.receive(inp, now=now)

    def commands(self) -> list[Command]:
        """Take everything that the sockets are to do, in order."""
        return self._sockets.take_commands()

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed."""
        return earlier(self._flush_due, self._sockets.deadline())

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        self._sockets.handle_timeout(now)
        now = self._sockets.clock.now
        if self._flush_due is not None and self._flush_due <= now:
            for change in self.islands.settle(now):
                members = self.islands.members(change.island)
                self._tell(self._peers.get(change.peer), change.island, change.previous, members)
            self._flush_due = now + self._flush_seconds if len(self.islands) else None

    def _tell(self, client: Client | None, island: str, previous: str | None, members: Mapping[str, Point]) -> None:
        connection = None if client is None else self._mint(island, client.address)
        if client is None or connection is None:
            return
        message = v3.IslandChangedMessage(
            island_id=island,
            conn_str=connection,
            from_island_id=previous,
            peers={peer: common.Position(x=x, y=y, z=z) for peer, (x, y, z) in members.items()},
        )
        self._sockets.send(client, encode(v3.ServerPacket(island_changed=message)))

    def _on_frame(self, client: Client, data: bytes) -> None:
        try:
            packet = decode_message(v3.ClientPacket, data, limits=self._limits)
        except DecodeError:
            self._sockets.refuse(client, "frame")
            return
        if packet.challenge_request is not None:
            self._challenges.identified(client, packet.challenge_request.address)
        elif packet.signed_challenge is not None:
            self._challenges.proved(client, packet.signed_challenge.auth_chain_json)
        elif client.stage is not Stage.WELCOMED:
            self._sockets.refuse(client, "stage")
        elif packet.heartbeat is not None and packet.heartbeat.position is not None:
            self._on_heartbeat(client, packet.heartbeat.position, packet.heartbeat.desired_room)

    def _on_heartbeat(self, client: Client, at: common.Position, desired: str | None) -> None:
        if self._assigned is not None:
            return
        now = self._sockets.clock.now
        self.islands.heartbeat(client.address, (at.x, at.y, at.z), now=now, desired=desired)
        if self._flush_due is None:
            self._flush_due = now + self._flush_seconds

    def _welcome(self, client: Client) -> None:
        if self._banned(client.address):
            self._sockets.kick(client, _KICKED)
            return
        older = self._peers.get(client.address)
        if older is not None:
            self._sockets.kick(older, _KICKED)
        self._sockets.let_in(client)
        self._peers[client.address] = client
        self._sockets.send(client, encode(v3.ServerPacket(welcome=v3.WelcomeMessage(peer_id=client.address))))
        island = None if self._assigned is None else self._assigned(client.address, client.session)
        if island is not None:
            self.assign(client.address, client.session, island)

    def _left(self, client: Client) -> None:
        del self._peers[client.address]
        self._told.pop(client.address, None)
        self.islands.leave(client.address)


def _challenge_frame(challenge: str, already: bool) -> bytes:  # noqa: FBT001 - a callback's
    message = v3.ChallengeResponseMessage(challenge_to_sign=challenge, already_connected=already)
    return encode(v3.ServerPacket(challenge_response=message))


_KICKED = encode(v3.ServerPacket(kicked=v3.KickedMessage()))
"""Its only reason stands for a second login and for a ban."""
