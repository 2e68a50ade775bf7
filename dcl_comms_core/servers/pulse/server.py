"""PulseServer: Pulse from its other end, for an embedded realm and for tests.

It decides as the newest sources of the real one do; where a choice was left, it is the one that was seen.  One packet
of ENet is one message; the number of an ENet DISCONNECT is a DisconnectReason, and what waits to be sent when a
connection is ended is thrown away, the answer to a handshake too.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.enet import FORK_FLAG, EnetConnected, EnetHost, EnetMessage, EnetOptions
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.reasons import DisconnectReason
from dcl_comms_core.servers.pulse.cells import Cells
from dcl_comms_core.servers.pulse.clusters import Clusters, Placed
from dcl_comms_core.servers.pulse.connections import Connection
from dcl_comms_core.servers.pulse.door import Door
from dcl_comms_core.servers.pulse.handshakes import Handshakes
from dcl_comms_core.servers.pulse.sayings import Sayings
from dcl_comms_core.servers.pulse.settings import PulseSettings
from dcl_comms_core.servers.pulse.sight import Sight
from dcl_comms_core.servers.pulse.subjects import Subject
from dcl_comms_core.states import Stage
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.timers import earlier

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dcl_comms_core.enet import EnetEvent
    from dcl_comms_core.identity.auth_chain import Verifier
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.servers.pulse.clusters import Assignment, ClusterChanged
    from dcl_comms_core.servers.pulse.handshakes import Welcome

__all__ = ["PulsePlayer", "PulseServer"]

_LOST_SECONDS: Final = 5.0
_SUCCESS: Final = encode(pulse.ServerMessage(handshake=pulse.HandshakeResponse(success=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PulsePlayer:
    """Somebody who is on a server."""

    wallet: str
    session: str
    """The address of the key that signed the handshake; both are in lower case."""
    subject: int
    """Its id among subjects."""
    listens: bool
    """A listener of scenes, whom nobody sees: it has no realm, position or cluster."""
    realm: str | None
    """None before the first teleport."""
    position: tuple[float, float, float]
    """Metres, of the world; 0, 0, 0 before the first state."""
    profile: int
    emote: str | None
    """The one that is on."""
    cluster: str | None
    """The one that it was told of."""


class PulseServer:
    """Players and listeners of scenes, over ENet as the explorers speak it.  Without IO, as EnetHost.

    Addresses are as EnetHost takes them: of a tuple the first part counts as the machine's.  ``bans``: wallets in lower
    case that are turned away, which may be shared with others; it is looked at in each handshake.  Give it the wall
    clock first: :meth:`set_clock`.
    """

    def __init__(
        self,
        *,
        verifier: Verifier,
        entropy: int,
        bans: set[str] | None = None,
        settings: PulseSettings | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.settings = PulseSettings() if settings is None else settings
        self.bans: set[str] = set() if bans is None else bans
        self._limits = limits
        options = EnetOptions(sent_time_flag=FORK_FLAG, timeout_least=_LOST_SECONDS, timeout_most=_LOST_SECONDS)
        # How many there may be of an address is said at the door, with a reason.
        self._host = EnetHost(
            entropy=entropy, options=options, limits=replace(limits, enet_address_peers=limits.enet_peers)
        )
        self._clock = Clock()
        self._origin: float | None = None
        self._door = Door(self.settings, limits.pulse_places)
        self._cells = Cells(self.settings.cell)
        self.counters: Counter[str] = Counter()
        """How often: connected, welcomed, unread (packets that can't be read), failed (handshakes);
        refused.REASON at the door and ended.REASON later, in lower case; and the work of its ticks: compared (pairs of
        players, where they are), looked (at what one was told of another)."""
        self._sight = Sight(self._cells, self.settings, self.counters)
        self._sayings = Sayings(self._cells, self._sight, self.settings)
        self._handshakes = Handshakes(
            verifier=verifier,
            bans=self.bans,
            door=self._door,
            cells=self._cells,
            clock=self._clock,
            settings=self.settings,
            limits=limits,
        )
        self._clusters = Clusters(self.settings, limits)
        self._connections: dict[object, Connection] = {}
        """By ENet's peer."""
        self._proving: dict[Connection, float] = {}
        """Until when each has to have proved who it is, the first first."""
        self._wallets: dict[str, Connection] = {}
        self._changes: dict[str, ClusterChanged] = {}
        """By wallet: of one that is not taken in time the next one takes the place."""
        self._tick = 0
        self._tick_due: float | None = None
        self._pass_due: float | None = None
        self._closed = False

    # --- what it is asked

    def players(self) -> tuple[PulsePlayer, ...]:
        """Whoever has proved who it is, listeners too, in the order in which they came."""
        here = self._here()
        return tuple(self._described(one, here.get((one.wallet, one.session))) for one in self._wallets.values())

    def _described(self, connection: Connection, assignment: Assignment | None) -> PulsePlayer:
        subject = connection.subject or Subject(
            connection.entry.number, connection.wallet, connection.session, connection
        )
        return PulsePlayer(
            wallet=subject.wallet,
            session=subject.session,
            subject=subject.number,
            listens=connection.subject is None,
            realm=subject.realm,
            position=subject.place,
            profile=subject.profile,
            emote=None if subject.emote is None else subject.emote.name,
            cluster=None if assignment is None else assignment.cluster,
        )

    def assignment(self, wallet: str, session: str) -> Assignment | None:
        """What a wallet was told, if it is here with this session; both in any case."""
        return self._here().get((wallet.lower(), session.lower()))

    def _here(self) -> dict[tuple[str, str], Assignment]:
        """What was told by wallet and session, but not of those that left since."""
        return {
            (wallet, assignment.session): assignment
            for wallet, assignment in self._clusters.assignments.items()
            if wallet in self._wallets and self._wallets[wallet].session == assignment.session
        }

    def clusters(self) -> dict[str, frozenset[str]]:
        """Who was told of which cluster: wallets by name."""
        members: dict[str, set[str]] = {}
        for (wallet, _), assignment in self._here().items():
            members.setdefault(assignment.cluster, set()).add(wallet)
        return {name: frozenset(wallets) for name, wallets in members.items()}

    # --- intents

    def set_clock(self, unix_offset: float) -> None:
        """Set the wall clock, by which logins are judged: what makes unix seconds of ``now``."""
        self._clock.set_unix(unix_offset)

    def ban(self, wallet: str, *, now: float) -> None:
        """Turn a wallet away, now and later."""
        self.bans.add(wallet.lower())
        self.kick(wallet, DisconnectReason.BANNED, now=now)

    def unban(self, wallet: str) -> None:
        """Let a wallet in again."""
        self.bans.discard(wallet.lower())

    def kick(self, wallet: str, reason: DisconnectReason = DisconnectReason.GRACEFUL, *, now: float) -> bool:
        """Let a wallet go, for any reason.  False: it is not here."""
        self._pass_time(now)
        connection = self._wallets.get(wallet.lower())
        if connection is not None:
            self._end(connection, reason)
        return connection is not None

    def close(self, *, now: float) -> None:
        """Tell everybody that the server ends; take what is to be sent, and nothing comes after that."""
        self._pass_time(now)
        self._closed = True
        self._tick_due = self._pass_due = None
        for connection in tuple(self._connections.values()):
            self._end_now(connection, DisconnectReason.GRACEFUL)

    # --- what comes, and time

    def receive(self, datagram: bytes, address: Hashable, *, now: float) -> None:
        """Take a datagram.  It never raises for what is in it.

        LocalProtocolError: it holds a handshake, and there is no wall clock to judge it by.
        """
        self._pass_time(now)
        if not self._closed:
            self._host.receive(datagram, address, now=now)
            self._hear()

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed."""
        if self._closed:
            return None
        proving = next(iter(self._proving.values()), None)
        return earlier(earlier(self._host.deadline(), proving), earlier(self._tick_due, self._pass_due))

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        self._pass_time(now)
        self._host.handle_timeout(now)
        self._hear()
        while self._proving:
            connection, until = next(iter(self._proving.items()))
            if until > now:
                break
            self._end(connection, DisconnectReason.AUTH_TIMEOUT)
        # What was missed is not made up for.
        if self._tick_due is not None and self._tick_due <= now:
            self._tick_due = max(self._tick_due + self.settings.tick_seconds, now)
            self._run_tick()
        if self._pass_due is not None and self._pass_due <= now:
            self._run_pass(now)

    def datagrams(self, *, now: float) -> list[tuple[Hashable, bytes]]:
        """Take what is to be sent, with the addresses."""
        return self._host.datagrams(now=now)

    def events(self) -> list[ClusterChanged]:
        """Take what players are to be told of their clusters; of one player the newest only."""
        changes, self._changes = list(self._changes.values()), {}
        return changes

    def _pass_time(self, now: float) -> None:
        self._clock.pass_time(now)
        if self._origin is None:
            self._origin = now

    def _ms(self) -> int:
        """Milliseconds since the server began."""
        return round((self._clock.now - (self._origin or 0.0)) * 1_000.0)

    def _run_tick(self) -> None:
        self._sayings.finish(self._ms())
        if self._sight.show(self._tick):
            for connection in tuple(self._wallets.values()):
                connection.pass_on()
                if connection.stage is Stage.IDLE:
                    # It takes less than there is to see.
                    self._forget(connection)
        self._tick += 1
        if not self._wallets:
            self._tick_due = None

    def _run_pass(self, now: float) -> None:
        players = tuple(self._cells.all())
        placed = [Placed(one, one.wallet, one.session, *(one.cell or ("", 0, 0)), one.teleported) for one in players]
        for change in self._clusters.settle(placed, now):
            self._changes.pop(change.wallet, None)
            self._changes[change.wallet] = change
        for one in players:
            one.teleported = False
        self._pass_due = now + self.settings.pass_seconds if self._wallets else None

    # --- connections

    def _hear(self) -> None:
        for event in self._host.events():
            self._on_event(event)

    def _on_event(self, event: EnetEvent) -> None:
        connection = self._connections.get(event.peer)
        if isinstance(event, EnetConnected):
            self._on_connected(event)
        elif connection is None:
            pass  # it was let go at once, and what it had said before was not
        elif not isinstance(event, EnetMessage):
            self._leave(connection)
        elif connection.stage is not Stage.IDLE:
            self._on_packet(connection, event.data)

    def _on_connected(self, event: EnetConnected) -> None:
        peer, now = event.peer, self._clock.now
        entry = self._door.enter(_machine(peer.address), now)
        if isinstance(entry, DisconnectReason):
            self.counters[f"refused.{entry.name.lower()}"] += 1
            peer.disconnect_now(entry)
            return
        self.counters["connected"] += 1
        connection = Connection(peer, entry, self.settings, self.counters)
        self._connections[peer] = connection
        self._proving[connection] = now + self.settings.auth_seconds

    def _end(self, connection: Connection, reason: DisconnectReason) -> None:
        """Let somebody go; it is out of everybody's sight at once, and out of the counts once it has heard that."""
        connection.end(reason)
        self._forget(connection)

    def _end_now(self, connection: Connection, reason: DisconnectReason) -> None:
        """The same without waiting for it to hear that."""
        self.counters[f"ended.{reason.name.lower()}"] += 1
        connection.peer.disconnect_now(reason)
        self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        self._forget(connection)
        self._door.leave(connection.entry, self._clock.now)
        del self._connections[connection.peer]

    def _forget(self, connection: Connection) -> None:
        connection.stage = Stage.IDLE
        self._proving.pop(connection, None)
        self._sight.forget(connection)
        if connection.subject is not None:
            self._sayings.forget(connection.subject)
        if self._wallets.get(connection.wallet) is connection:
            del self._wallets[connection.wallet]
            self._changes.pop(connection.wallet, None)

    # --- what they say

    def _on_packet(self, connection: Connection, data: bytes) -> None:
        size, most = len(data), self.settings.packet_bytes
        if size > 2 * most:
            self._end_now(connection, DisconnectReason.PACKET_CORRUPTED)
            return
        try:
            message = decode_message(pulse.ClientMessage, data, limits=self._limits) if size <= most else None
        except DecodeError:
            message = None
        if message is None:
            self.counters["unread"] += 1
            if not connection.corrupt.take(self._ms()):
                self._end(connection, DisconnectReason.PACKET_CORRUPTED)
            return
        outcome: Welcome | DisconnectReason | None = None
        if message.handshake is not None or message.scene_listener_handshake is not None:
            if connection.stage is Stage.PROVING:
                outcome = self._handshakes.judge(connection, message)
                self.counters["failed"] += outcome is None
        elif connection.stage is Stage.WELCOMED:
            outcome = self._sayings.hear(connection, message, self._ms())
        if isinstance(outcome, DisconnectReason):
            self._end(connection, outcome)
        elif outcome is not None:
            self._welcome(connection, outcome)

    def _welcome(self, connection: Connection, welcome: Welcome) -> None:
        proof, older = welcome.proof, self._wallets.get(welcome.proof.wallet)
        if older is not None:
            self._end(older, DisconnectReason.DUPLICATE_SESSION)
        self.counters["welcomed"] += 1
        connection.stage = Stage.WELCOMED
        connection.wallet, connection.session = proof.wallet, proof.session
        now = self._clock.now
        if self._tick_due is None:
            self._tick_due = now + self.settings.tick_seconds
        if self._pass_due is None:
            self._pass_due = now + self.settings.pass_seconds
        self._proving.pop(connection)
        self._door.prove(connection.entry)
        self._wallets[proof.wallet] = connection
        if welcome.area is not None:
            connection.area = welcome.area
            self._sight.listens(connection)
        else:
            subject = Subject(connection.entry.number, proof.wallet, proof.session, connection)
            connection.subject = subject
            if welcome.start is not None:
                self._sayings.begin(subject, welcome.start, self._ms())
        connection.send(_SUCCESS)


def _machine(address: Hashable) -> Hashable:
    if not isinstance(address, tuple):
        return address
    parts = cast("tuple[Hashable, ...]", address)
    return parts[0] if parts else parts
