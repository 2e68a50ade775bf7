"""What a seed chooses from: tokens, limits, networks, hostile bytes, and news of links."""

from __future__ import annotations

import base64
import json
from random import Random
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core import inputs as inp
from dcl_comms_core.adapters.token import AccessToken
from dcl_comms_core.limits import Limits
from dcl_comms_core.proto import rfc4
from dcl_comms_core.simulation.settings import Faults
from dcl_comms_core.states import CloseReason
from dcl_comms_core.testing.pair import UNIX_START
from dcl_comms_core.tools.backoff import Backoff
from fuzz.generate import CLASSES, make

if TYPE_CHECKING:
    from dcl_comms_core.inputs import LinkRef

__all__ = [
    "GARBAGE", "HOSTILE", "NAMES", "NEWS", "PAUSES", "SIGNATURE", "faults", "news", "small_limits", "token",
]  # fmt: skip

NAMES: Final = ("alice", "Bob", "0x" + "ab" * 20)
SIGNATURE: Final = "this-signature-is-a-password-0123456789abcde"
_QUICK: Final = Backoff(initial=0.0, jitter=0.5, attempts=3)
_SLOW: Final = Backoff(initial=0.5, jitter=0.5)
PAUSES: Final = (None, _QUICK, _QUICK, _SLOW, _SLOW)
"""Whether and how to come back."""
HOSTILE: Final = ("", "ALICE", "bob", "x" * 300, "\ud800", "a b", "0X" + "AB" * 20)
"""Identities that nobody should have."""


def _garbage() -> tuple[bytes, ...]:
    """The same for all seeds: making it takes longer than all the rest."""
    rng = Random(0)
    return tuple(make(rng, rng.choice(CLASSES), rfc4.Packet)[:2_000] for _ in range(4_000))


GARBAGE: Final = _garbage()


def token(rng: Random, room: str, identity: str, now: float) -> AccessToken:
    """What a realm gives: mostly good for a while."""
    video: dict[str, object] = {
        "roomJoin": rng.random() > 0.03,
        "room": room,
        "canPublish": rng.random() > 0.1,
        "canPublishData": rng.random() > 0.05,
        "canSubscribe": True,
        "canUpdateOwnMetadata": rng.random() > 0.3,
        "canPublishSources": rng.choice((["microphone"], [])),
    }
    unix = UNIX_START + now
    claims = {
        "sub": identity,
        "iss": "fuzz",
        "nbf": int(unix + (60 if rng.random() < 0.03 else -60)),
        "exp": int(unix + rng.choice((-10, 20, 60, 300, 3000, 3000, 3000))),
        "video": video,
    }
    head, body = (_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return AccessToken.parse(f"{head}.{body}.{SIGNATURE}")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def small_limits(rng: Random) -> Limits:
    """Bounds that are reached."""
    pick = rng.choice
    return Limits(
        in_flight=pick((1, 2, 8, 64)),
        in_flight_bytes=pick((1, 300, 65_536)),
        send_queue=pick((0, 2, 6, 1_024)),
        send_queue_bytes=pick((500, 4_194_304)),
        peers=pick((1, 2, 1_024)),
        tracks=pick((1, 1_024)),
        departed_peers=pick((0, 1, 1_024)),
        early_packets=pick((0, 1, 256)),
        seen_messages=pick((64, 4_096)),
        movement_rate=pick((1, 3, 60)),
        rejected_rate=pick((1, 10)),
        burst_seconds=pick((1.0, 10.0)),
        rooms=pick((2, 3, 8)),
        profiles=pick((1, 256)),
        connect_seconds=pick((0.5, 20.0)),
        stable_seconds=pick((0.0, 1.0, 30.0)),
        close_seconds=pick((0.0, 5.0)),
        announce_seconds=pick((0.0, 1.0)),
        drain_seconds=pick((0.0, 5.0)),
        event_queue=pick((4, 32)),
        event_queue_bytes=pick((400, 65_536)),
    )


def faults(rng: Random) -> Faults:
    """How a network behaves."""
    pick = rng.choice
    return Faults(
        latency=pick((0.001, 0.02, 0.02, 0.3)),
        jitter=pick((0.0, 0.0, 0.2)),
        loss=pick((0.0, 0.3, 1.0)),
        duplicate=pick((0.0, 0.3, 1.0)),
        reorder=pick((0.0, 0.3, 1.0)),
        announce_every=pick((0.0, 1.0, 3.0)),
        notice=pick((0.0, 0.1, 2.0)),
        give_up=pick((0.0, 1.0, 15.0)),
    )


def news(rng: Random, ref: LinkRef, ours: str) -> Any:
    """Anything that a transport may say of a link."""
    who = rng.choice((*NAMES, *HOSTILE))
    other = inp.Participant(identity=who, sid=rng.choice(("", "PA_1", "PA_9")), name="n", metadata="m")
    sid = rng.choice(("TR_1", "TR_2", "TR_PA_1"))
    track = inp.Track(sid=sid, kind=rng.choice(tuple(inp.TrackKind)), source=rng.choice(tuple(inp.TrackSource)))
    kind = rng.choice(NEWS)
    fields: dict[str, Any] = {
        inp.LinkOpened: {"identity": rng.choice((ours, who)), "room": "r", "participants": (other,)},
        inp.LinkFailed: {"reason": rng.choice(tuple(CloseReason))},
        inp.LinkClosed: {
            "reason": rng.choice(tuple(CloseReason)),
            "silent": rng.choice((None, None, 0.0, 3.0, -1.0)),
            "stranded": rng.choice((0, 0, 1, -1)),
        },
        inp.ParticipantJoined: {"participant": other, "source": rng.choice((None, 7))},
        inp.ParticipantUpdated: {"participant": other},
        inp.ParticipantLeft: {"identity": who},
        inp.DataReceived: {
            "sender": rng.choice((None, who)),
            "data": rng.choice(GARBAGE),
            "source": rng.choice((None, 7)),
        },
        inp.SendAcknowledged: {"token": rng.randrange(-1, 40), "error": rng.choice(("", "broken"))},
        inp.CommandCompleted: {"what": "SetAttributes"},
        inp.CommandFailed: {"what": "PublishMicrophone", "detail": "no"},
        inp.TrackAppeared: {"identity": who, "track": track},
        inp.TrackVanished: {"identity": who, "sid": sid},
        inp.TrackAttached: {"identity": who, "sid": sid},
        inp.TrackDetached: {"identity": who, "sid": sid},
        inp.TrackMuteChanged: {"identity": who, "sid": sid, "muted": rng.random() < 0.5},
        inp.SpeakersHeard: {"identities": (who, ours)},
        inp.QualityGiven: {"quality": rng.choice(tuple(inp.ConnectionQuality))},
        inp.PacketsDropped: {"count": 3},
        inp.ForeignReceived: {
            "sender": rng.choice((None, who)),
            "what": "stream",
            "count": rng.choice((1, 100_000)),
            "size": rng.choice((0, 1_000_000)),
        },
        inp.LinkSilent: {"seconds": rng.choice((0.0, 3.0, -1.0))},
        inp.LinkMoved: {"room": "elsewhere", "metadata": rng.choice(("", "m"))},
        inp.PermissionsGiven: {"permissions": rng.choice(PERMISSIONS)},
        inp.RoomMetadataGiven: {"metadata": rng.choice(("", "m"))},
        inp.TrackFailed: {"identity": who, "sid": sid},
        inp.OwnTrackVanished: {"sid": sid},
    }.get(kind, {})
    return kind(link=ref, **fields)


PERMISSIONS: Final = tuple(
    inp.Permissions(can_publish=may, can_publish_data=may, can_subscribe=True) for may in (True, True, False)
)
NEWS: Final[tuple[type[Any], ...]] = (
    inp.LinkOpened, inp.LinkFailed, inp.LinkClosed, inp.LinkReconnecting, inp.LinkReconnected, inp.LinkReconnecting,
    inp.LinkReconnected, inp.ParticipantJoined, inp.ParticipantUpdated, inp.ParticipantLeft, inp.DataReceived,
    inp.SendAcknowledged, inp.CommandCompleted, inp.CommandFailed, inp.TrackAppeared, inp.TrackVanished,
    inp.TrackAttached, inp.TrackDetached, inp.TrackMuteChanged, inp.SpeakersHeard, inp.PacketsDropped,
    inp.QualityGiven,
    inp.ForeignReceived, inp.LinkSilent, inp.LinkMoved, inp.PermissionsGiven, inp.RoomMetadataGiven, inp.TrackFailed,
    inp.OwnTrackVanished,
)  # fmt: skip
