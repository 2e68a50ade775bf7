"""What becomes of a handshake: somebody is welcomed, is told why not, or is let go."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dcl_comms_core.codec import encode
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.realms import realm_name
from dcl_comms_core.pulse.reasons import DisconnectReason
from dcl_comms_core.servers.pulse.areas import read_area
from dcl_comms_core.servers.pulse.fields import codes_of
from dcl_comms_core.servers.pulse.proof import Repeats, read_proof

if TYPE_CHECKING:
    from dcl_comms_core.identity.auth_chain import Verifier
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.servers.pulse.areas import Area
    from dcl_comms_core.servers.pulse.cells import Cells
    from dcl_comms_core.servers.pulse.connections import Connection
    from dcl_comms_core.servers.pulse.door import Door
    from dcl_comms_core.servers.pulse.fields import Codes
    from dcl_comms_core.servers.pulse.proof import Proof
    from dcl_comms_core.servers.pulse.settings import PulseSettings
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Handshakes", "Start", "Welcome"]


class Start(NamedTuple):
    """The state with which a player comes in, of before it lost its connection."""

    codes: Codes
    realm: str
    emote: str
    """The one that is on; "" for none."""
    offset: int
    """For how many ms it is on."""
    duration: int | None
    mask: int


class Welcome(NamedTuple):
    """Somebody is let in."""

    proof: Proof
    area: Area | None
    """A listener's; None: it is a player."""
    start: Start | None


class Handshakes:
    """Judges them, in the order of the real server: tries, proof, bans, repeats, fields, how many listen."""

    def __init__(
        self,
        *,
        verifier: Verifier,
        bans: set[str],
        door: Door,
        cells: Cells,
        clock: Clock,
        settings: PulseSettings,
        limits: Limits,
    ) -> None:
        self._verifier = verifier
        self._bans = bans
        self._door = door
        self._cells = cells
        self._clock = clock
        self._settings = settings
        self._limits = limits
        self._repeats = Repeats(settings.replay_seconds, limits)

    def judge(self, connection: Connection, message: pulse.ClientMessage) -> Welcome | DisconnectReason | None:
        """Who is to be let in, or why the connection is to end; None: it was told why not, and may try again.

        LocalProtocolError: there is no wall clock to judge by.
        """
        if connection.attempts >= self._settings.attempts:
            return DisconnectReason.AUTH_FAILED
        connection.attempts += 1
        player, listener = message.handshake, message.scene_listener_handshake
        request = player or listener
        proof = self._prove(b"" if request is None else request.auth_chain)
        if isinstance(proof, str):
            answer = pulse.HandshakeResponse(success=False, error=proof)
            connection.send(encode(pulse.ServerMessage(handshake=answer)))
            return None
        if proof.wallet in self._bans:
            # The answer "banned", which the real server sends before, is thrown away with what waits.
            return DisconnectReason.BANNED
        if not self._repeats.is_first(proof, self._clock.now):
            return DisconnectReason.HANDSHAKE_REPLAY_REJECTED
        initial = None if player is None else player.initial_state
        if listener is not None:
            return self._listener(connection, proof, listener)
        return Welcome(proof, None, None) if initial is None else self._player(proof, initial)

    def _prove(self, chain: bytes) -> Proof | str:
        unix_now = self._clock.unix_now()
        if unix_now is None:
            msg = "a server needs the wall clock: set_clock(unix_offset) first"
            raise LocalProtocolError(msg)
        return read_proof(chain, unix_now=unix_now, verifier=self._verifier, limits=self._limits)

    def _listener(
        self, connection: Connection, proof: Proof, request: pulse.SceneListenerHandshakeRequest
    ) -> Welcome | DisconnectReason:
        area = read_area(request.aoi, self._cells, self._settings)
        if area is None:
            return DisconnectReason.INVALID_HANDSHAKE_FIELD
        if not self._door.listen(connection.entry):
            return DisconnectReason.SCENE_LISTENER_IP_LIMIT_EXCEEDED
        return Welcome(proof, area, None)

    def _player(self, proof: Proof, initial: pulse.PlayerInitialState) -> Welcome | DisconnectReason:
        codes, realm = codes_of(initial.state), realm_name(initial.realm, self._settings.realm_chars)
        if codes is None or not realm or (initial.emote_duration_ms or 0) > self._settings.emote_ms:
            return DisconnectReason.INVALID_HANDSHAKE_FIELD
        start = Start(
            codes=codes,
            realm=realm,
            emote=initial.emote_id or "",
            offset=initial.emote_start_offset_ms or 0,
            duration=initial.emote_duration_ms,
            mask=initial.emote_mask or 0,
        )
        return Welcome(proof, None, start)
