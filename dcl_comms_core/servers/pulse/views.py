"""What one observer was told of one subject, and what it is told next.

In one tick a subject gives at most a profile version, a teleport, the start or the end of an emote, in this order, and
then a full state that was asked for, or a delta, unless a teleport or a start has said it all already.  What is told of
the past has the state of then: an emote that began before a teleport is told after it, with the older number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.codec import encode
from dcl_comms_core.proto import pulse
from dcl_comms_core.servers.pulse.deltas import delta

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.servers.pulse.subjects import Emote, Snapshot, Subject

    Send = Callable[[bytes, bool], None]

__all__ = ["View", "farewell"]


class View:
    """One subject as one observer knows it.  ``send`` takes bytes, and whether they have to arrive."""

    __slots__ = ("_emote", "_profile", "_send", "seen", "sent", "subject")

    def __init__(self, subject: Subject, send: Send) -> None:
        self.subject = subject
        self.sent = subject.latest
        """The state that the next delta begins with."""
        self.seen = 0
        """The last tick in which the subject was in sight."""
        self._send = send
        self._profile = subject.profile
        self._emote: Emote | None = None

    def greet(self) -> None:
        """Tell that the subject is there, and what it does."""
        subject, latest = self.subject, self.sent
        state = pulse.PlayerStateFull(
            subject_id=subject.number, sequence=latest.seq, server_tick=latest.tick, state=latest.state
        )
        joined = pulse.PlayerJoined(
            user_id=subject.wallet, profile_version=subject.profile, state=state, realm=latest.realm or ""
        )
        self._send(encode(pulse.ServerMessage(player_joined=joined)), True)
        if subject.emote is not None:
            self._start(subject.emote, latest)

    def follow(self, tier: int, *, resync: bool, profiles: bool) -> None:
        """Tell what happened since.  ``resync``: a full state was asked for; ``profiles``: versions are told."""
        subject, before = self.subject, self.sent
        latest = subject.latest
        if profiles and subject.profile != self._profile:
            self._announce()
        if latest is before and not resync:
            return
        told = self._tell_jump(before, latest)
        if subject.emote is not None:
            if subject.emote is not self._emote:
                self._start(subject.emote, self._posed(subject.emote.snapshot, latest))
                told = True
        elif self._emote is not None and subject.stop is not None:
            self._stop(latest, *subject.stop)
        if told:
            return
        if resync:
            full = pulse.PlayerStateFull(
                subject_id=subject.number, sequence=latest.seq, server_tick=latest.tick, state=latest.state
            )
            self._send(encode(pulse.ServerMessage(player_state_full=full)), True)
        elif latest.seq != self.sent.seq:
            self._send(delta(subject, self.sent, latest, tier), False)
        self.sent = latest

    def _announce(self) -> None:
        subject = self.subject
        self._profile = subject.profile
        announced = pulse.PlayerProfileVersionsAnnounced(subject_id=subject.number, version=subject.profile)
        self._send(encode(pulse.ServerMessage(player_profile_version_announced=announced)), True)

    def _tell_jump(self, before: Snapshot, latest: Snapshot) -> bool:
        jump = self.subject.teleport
        if jump is None or jump.seq <= before.seq:
            return False
        pose = self._posed(jump, latest)
        performed = pulse.TeleportPerformed(
            subject_id=self.subject.number,
            sequence=pose.seq,
            server_tick=pose.tick,
            state=pose.state,
            realm=pose.realm or "",
        )
        self._send(encode(pulse.ServerMessage(teleported=performed)), True)
        self.sent = pose
        return True

    def _start(self, emote: Emote, pose: Snapshot) -> None:
        started = pulse.EmoteStarted(
            subject_id=self.subject.number,
            sequence=pose.seq,
            server_tick=emote.began & 0xFFFF_FFFF,
            emote_id=emote.name,
            player_state=pose.state,
            mask=emote.mask,
        )
        self._send(encode(pulse.ServerMessage(emote_started=started)), True)
        self._emote = emote
        self._advance(pose)

    def _stop(self, latest: Snapshot, stopped: Snapshot, reason: pulse.EmoteStopReason) -> None:
        pose = self._posed(stopped, latest)
        message = pulse.EmoteStopped(
            subject_id=self.subject.number,
            server_tick=pose.tick,
            reason=reason,
            sequence=pose.seq,
            player_state=pose.state,
        )
        self._send(encode(pulse.ServerMessage(emote_stopped=message)), True)
        self._emote = None
        self._advance(pose)

    def _advance(self, pose: Snapshot) -> None:
        """The higher of two states is the one to go on from."""
        if pose.seq > self.sent.seq:
            self.sent = pose

    def _posed(self, then: Snapshot, latest: Snapshot) -> Snapshot:
        """The state with which something is told: never one of another realm, where the subject was for a moment."""
        return then if then.realm == latest.realm else latest


def farewell(number: int) -> bytes:
    """The message that a subject has left."""
    return encode(pulse.ServerMessage(player_left=pulse.PlayerLeft(subject_id=number)))
