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
    from dcl_comms_core.servers.pulse.subjects import Emote, Snapshot, View

__all__ = ["farewell", "follow", "greet"]


def greet(view: View) -> None:
    """Tell that the subject is there, and what it does."""
    subject = view.subject
    latest = view.sent = subject.latest
    view.profile, view.greeted = subject.profile, True
    state = pulse.PlayerStateFull(
        subject_id=subject.number, sequence=latest.seq, server_tick=latest.tick, state=latest.state
    )
    joined = pulse.PlayerJoined(
        user_id=subject.wallet, profile_version=subject.profile, state=state, realm=latest.realm or ""
    )
    _send(view, pulse.ServerMessage(player_joined=joined))
    if subject.emote is not None:
        _start(view, subject.emote, latest)


def follow(view: View, tier: int, *, resync: bool) -> None:
    """Tell what happened since.  ``resync``: a full state was asked for."""
    subject, before = view.subject, view.sent
    latest = subject.latest
    if subject.profile != view.profile:
        _announce(view)
    if latest is before and not resync:
        return
    told = _tell_jump(view, before, latest)
    if subject.emote is not None:
        if subject.emote is not view.emote:
            _start(view, subject.emote, _posed(subject.emote.snapshot, latest))
            told = True
    elif view.emote is not None and subject.stop is not None:
        _stop(view, latest, *subject.stop)
    if told:
        return
    if resync:
        full = pulse.PlayerStateFull(
            subject_id=subject.number, sequence=latest.seq, server_tick=latest.tick, state=latest.state
        )
        _send(view, pulse.ServerMessage(player_state_full=full))
    elif latest.seq != view.sent.seq:
        view.observer.passing.append(delta(subject, view.sent, latest, tier))
    view.sent = latest


def _send(view: View, message: pulse.ServerMessage) -> None:
    view.observer.send(encode(message))


def _announce(view: View) -> None:
    subject = view.subject
    view.profile = subject.profile
    if view.observer.subject is None:
        # Listeners are told of none.
        return
    announced = pulse.PlayerProfileVersionsAnnounced(subject_id=subject.number, version=subject.profile)
    _send(view, pulse.ServerMessage(player_profile_version_announced=announced))


def _tell_jump(view: View, before: Snapshot, latest: Snapshot) -> bool:
    jump = view.subject.teleport
    if jump is None or jump.seq <= before.seq:
        return False
    pose = _posed(jump, latest)
    performed = pulse.TeleportPerformed(
        subject_id=view.subject.number,
        sequence=pose.seq,
        server_tick=pose.tick,
        state=pose.state,
        realm=pose.realm or "",
    )
    _send(view, pulse.ServerMessage(teleported=performed))
    view.sent = pose
    return True


def _start(view: View, emote: Emote, pose: Snapshot) -> None:
    started = pulse.EmoteStarted(
        subject_id=view.subject.number,
        sequence=pose.seq,
        server_tick=emote.began & 0xFFFF_FFFF,
        emote_id=emote.name,
        player_state=pose.state,
        mask=emote.mask,
    )
    _send(view, pulse.ServerMessage(emote_started=started))
    view.emote = emote
    _advance(view, pose)


def _stop(view: View, latest: Snapshot, stopped: Snapshot, reason: pulse.EmoteStopReason) -> None:
    pose = _posed(stopped, latest)
    message = pulse.EmoteStopped(
        subject_id=view.subject.number,
        server_tick=pose.tick,
        reason=reason,
        sequence=pose.seq,
        player_state=pose.state,
    )
    _send(view, pulse.ServerMessage(emote_stopped=message))
    view.emote = None
    _advance(view, pose)


def _advance(view: View, pose: Snapshot) -> None:
    """The higher of two states is the one to go on from."""
    if pose.seq > view.sent.seq:
        view.sent = pose


def _posed(then: Snapshot, latest: Snapshot) -> Snapshot:
    """The state with which something is told: never one of another realm, where the subject was for a moment."""
    return then if then.realm == latest.realm else latest


def farewell(number: int) -> bytes:
    """The message that a subject has left."""
    return encode(pulse.ServerMessage(player_left=pulse.PlayerLeft(subject_id=number)))
