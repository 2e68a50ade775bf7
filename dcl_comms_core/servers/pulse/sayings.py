"""What those who are in may say: each message is counted, checked, and becomes a state, or the reason to let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.realms import realm_name
from dcl_comms_core.pulse.reasons import DisconnectReason
from dcl_comms_core.servers.pulse.areas import read_area
from dcl_comms_core.servers.pulse.fields import codes_of, landed
from dcl_comms_core.servers.pulse.subjects import Emote

if TYPE_CHECKING:
    from dcl_comms_core.servers.pulse.cells import Cells
    from dcl_comms_core.servers.pulse.connections import Connection
    from dcl_comms_core.servers.pulse.handshakes import Start
    from dcl_comms_core.servers.pulse.settings import PulseSettings
    from dcl_comms_core.servers.pulse.sight import Sight
    from dcl_comms_core.servers.pulse.subjects import Subject

__all__ = ["Sayings"]


class Sayings:
    """What players and listeners say.  Times are ms since the server began.

    What one of the other kind may say only is not heard, and costs nothing.
    """

    def __init__(self, cells: Cells, sight: Sight, settings: PulseSettings) -> None:
        self._cells = cells
        self._sight = sight
        self._settings = settings
        self._timed: dict[Subject, None] = {}
        """Those whose emote ends by itself."""

    def hear(self, connection: Connection, message: pulse.ClientMessage, now: int) -> DisconnectReason | None:
        """Take a message; return why its sender is to be let go, if it is."""
        subject = connection.subject
        if message.resync is not None:
            self._sight.ask(connection, message.resync.subject_id)
        elif subject is not None:
            return self._hear_player(connection, subject, message, now)
        elif message.scene_listener_update is not None:
            return self._on_area(connection, message.scene_listener_update, now)
        return None

    def _hear_player(
        self, connection: Connection, subject: Subject, message: pulse.ClientMessage, now: int
    ) -> DisconnectReason | None:
        if message.input is not None:
            return self._on_input(connection, subject, message.input, now)
        if message.profile_announcement is not None:
            subject.profile = message.profile_announcement.version
            self._sight.changed(subject)
        elif any(one is not None for one in (message.emote_start, message.emote_stop, message.teleport)):
            return self._on_event(connection, subject, message, now)
        return None

    def _on_event(
        self, connection: Connection, subject: Subject, message: pulse.ClientMessage, now: int
    ) -> DisconnectReason | None:
        if not connection.events.take(now):
            return DisconnectReason.DISCRETE_EVENT_RATE_EXCEEDED
        if message.emote_start is not None:
            return self._on_emote(subject, message.emote_start, now)
        if message.teleport is not None:
            return self._on_teleport(connection, subject, message.teleport, now)
        self._end(subject, pulse.EmoteStopReason.CANCELLED, now)
        return None

    def begin(self, subject: Subject, start: Start, now: int) -> None:
        """A player comes in with a state."""
        snapshot = subject.move(start.codes, now, start.realm)
        self._put(subject)
        if start.emote:
            began = max(now - start.offset, 0)
            self._emote(subject, Emote(start.emote, snapshot, began, start.duration, start.mask))

    def forget(self, subject: Subject) -> None:
        """A player is not seen any more."""
        self._cells.remove(subject)
        self._timed.pop(subject, None)

    def finish(self, now: int) -> None:
        """End the emotes that are over."""
        for subject in tuple(self._timed):
            emote = subject.emote
            if emote is None or emote.duration is None:
                del self._timed[subject]
            elif now - emote.began >= emote.duration:
                del self._timed[subject]
                self._end(subject, pulse.EmoteStopReason.COMPLETED, now)

    def _end(self, subject: Subject, reason: pulse.EmoteStopReason, now: int) -> None:
        if subject.end(reason, now):
            self._sight.changed(subject)

    def _put(self, subject: Subject) -> None:
        """It has another state."""
        self._cells.put(subject)
        self._sight.changed(subject)

    def _on_input(
        self, connection: Connection, subject: Subject, said: pulse.PlayerStateInput, now: int
    ) -> DisconnectReason | None:
        if not connection.inputs.take(now):
            return DisconnectReason.INPUT_RATE_EXCEEDED
        codes = codes_of(said.state)
        if codes is None:
            return DisconnectReason.INVALID_INPUT_FIELD
        if subject.is_news(codes):
            subject.move(codes, now)
            self._put(subject)
        return None

    def _on_emote(self, subject: Subject, said: pulse.EmoteStart, now: int) -> DisconnectReason | None:
        codes = codes_of(said.player_state)
        if codes is None or (said.duration_ms or 0) > self._settings.emote_ms:
            return DisconnectReason.INVALID_EMOTE_FIELD
        snapshot = subject.move(codes, now)
        self._put(subject)
        self._emote(subject, Emote(said.emote_id, snapshot, now, said.duration_ms, said.mask))
        return None

    def _emote(self, subject: Subject, emote: Emote) -> None:
        subject.emote = emote
        if emote.duration is not None:
            self._timed[subject] = None

    def _on_teleport(
        self, connection: Connection, subject: Subject, said: pulse.TeleportRequest, now: int
    ) -> DisconnectReason | None:
        realm, codes = realm_name(said.realm, self._settings.realm_chars), landed(said, subject.latest.codes)
        if not realm or codes is None:
            return DisconnectReason.INVALID_TELEPORT_FIELD
        connection.moved_realm = connection.moved_realm or realm != subject.realm
        subject.jump(codes, now, realm)
        self._put(subject)
        return None

    def _on_area(self, connection: Connection, said: pulse.SceneListenerUpdate, now: int) -> DisconnectReason | None:
        if not connection.events.take(now):
            return DisconnectReason.DISCRETE_EVENT_RATE_EXCEEDED
        area = read_area(said.aoi, self._cells, self._settings)
        if area is None:
            return DisconnectReason.INVALID_SCENE_LISTENER_FIELD
        connection.area = area
        self._sight.listens(connection)
        return None
