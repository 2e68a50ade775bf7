"""What inputs mean to somebody who learns."""

from __future__ import annotations

from typing import Final

from dcl_comms_core import inputs as inp
from dcl_comms_station.board.learning.text import Text

__all__ = ["INPUTS"]

_ROOM: Final = "dcl_comms_core/room/session.py"
_HANDSHAKE: Final = "dcl_comms_core/handshake/"
_LOST: Final = "A network that goes away: the session joins anew, as its backoff says."

INPUTS: Final[dict[type, Text]] = {
    inp.ClockSet: Text(
        "who",
        "The clock is told",
        "Machines without a clock of their own are told the time.",
        "you",
        "core",
        "dcl_comms_core/tools/clock.py",
        "A clock that is wrong by minutes: servers refuse what we sign.",
    ),
    inp.LinkOpened: Text(
        "room",
        "The link is in the room",
        "The transport says who we are there, and who was there already.",
        "room",
        "you",
        _ROOM,
        "A token that is spent: the room refuses it.",
    ),
    inp.LinkFailed: Text(
        "room",
        "The room could not be joined",
        "The transport says why; the reason decides whether trying again may help.",
        "room",
        "you",
        "dcl_comms_core/states/reasons.py",
        "A token of yesterday, a server that is gone, a ban.",
    ),
    inp.LinkReconnecting: Text(
        "change",
        "The connection was lost",
        "The transport repairs it by itself; what we say waits meanwhile.",
        "room",
        "you",
        "dcl_comms_core/room/lifecycle.py",
        _LOST,
    ),
    inp.LinkSilent: Text(
        "change",
        "How long it had been silent",
        "Reliable packets of that time may not have arrived.",
        "room",
        "you",
        "dcl_comms_core/room/lifecycle.py",
    ),
    inp.LinkReconnected: Text(
        "change",
        "The connection is back",
        "The same session goes on.",
        "room",
        "you",
        "dcl_comms_core/room/lifecycle.py",
    ),
    inp.EngineChanged: Text(
        "room", "Another engine joins", "Ours could not reach the server by datagrams.", "room", "you", _ROOM
    ),
    inp.LinkMoved: Text(
        "change", "The server moved us", "We are in another room over the same link.", "room", "you", _ROOM
    ),
    inp.PermissionsGiven: Text(
        "room",
        "The server says what we may do",
        "It can change what the token said.",
        "room",
        "you",
        "dcl_comms_core/room/permit.py",
    ),
    inp.QualityGiven: Text(
        "room",
        "The server says how good our way is",
        "It does every five seconds: excellent, good, poor or lost.",
        "room",
        "you",
        "dcl_comms_core/room/facts.py",
    ),
    inp.TokenRefreshed: Text(
        "room",
        "A newer token",
        "With it we join anew, should the connection be lost.",
        "room",
        "you",
        "dcl_comms_core/adapters/token.py",
    ),
    inp.RoomMetadataGiven: Text(
        "room", "What is said of the room", "Free text; the gatekeeper keeps there who is banned.", "room", "you", _ROOM
    ),
    inp.LinkClosed: Text(
        "change",
        "The link is over",
        "Nothing more comes from it.",
        "room",
        "you",
        "dcl_comms_core/states/reasons.py",
        _LOST,
    ),
    inp.ParticipantJoined: Text(
        "room",
        "Somebody joined",
        "The transport names a participant; packets of theirs follow.",
        "room",
        "you",
        "dcl_comms_core/room/incoming/",
    ),
    inp.ParticipantUpdated: Text(
        "room",
        "Somebody changed",
        "A name, metadata or attributes: free text, not to be trusted.",
        "room",
        "you",
        "dcl_comms_core/room/incoming/",
    ),
    inp.ParticipantLeft: Text(
        "room",
        "Somebody left",
        "Late packets of theirs may still come, without a sender.",
        "room",
        "you",
        "dcl_comms_core/room/incoming/",
    ),
    inp.DataReceived: Text(
        "talking", "Bytes came", "One packet, as the transport had it.", "peer", "you", "dcl_comms_core/room/incoming/"
    ),
    inp.SendAcknowledged: Text(
        "talking",
        "The transport took a packet",
        "That it arrived is another matter.",
        "room",
        "you",
        "dcl_comms_core/room/outgoing/",
    ),
    inp.SendsAcknowledged: Text(
        "talking",
        "The transport took packets",
        "Several at once, none of which failed.",
        "room",
        "you",
        "dcl_comms_core/room/outgoing/",
    ),
    inp.CommandCompleted: Text(
        "room",
        "We are announced",
        "Now others know us, at once instead of seconds later.",
        "room",
        "you",
        "dcl_comms_core/room/announcing.py",
    ),
    inp.CommandFailed: Text(
        "room",
        "The transport refused a command",
        "It goes on without it.",
        "room",
        "you",
        "dcl_comms_core/room/announcing.py",
        "A token that does not allow attributes.",
    ),
    inp.TrackAppeared: Text(
        "media",
        "Somebody offers a track",
        "Sound or pictures: nothing is received before it is subscribed.",
        "room",
        "you",
        "dcl_comms_core/room/tracks.py",
    ),
    inp.TrackVanished: Text(
        "media", "A track is gone", "Its sender took it back.", "room", "you", "dcl_comms_core/room/tracks.py"
    ),
    inp.TrackAttached: Text(
        "media", "A track is received", "Frames come from now on.", "room", "you", "dcl_comms_core/room/tracks.py"
    ),
    inp.TrackDetached: Text(
        "media",
        "A track is received no longer",
        "No frames come any more.",
        "room",
        "you",
        "dcl_comms_core/room/tracks.py",
    ),
    inp.TrackFailed: Text(
        "media", "A track can't be received", "The transport says why.", "room", "you", "dcl_comms_core/room/tracks.py"
    ),
    inp.OwnTrackVanished: Text(
        "media", "A track of ours was taken back", "The server did it.", "room", "you", "dcl_comms_core/room/tracks.py"
    ),
    inp.TrackMuteChanged: Text(
        "media",
        "Muted, or not any more",
        "A muted track stays, and carries silence.",
        "room",
        "you",
        "dcl_comms_core/room/tracks.py",
    ),
    inp.SpeakersHeard: Text(
        "media", "Who speaks", "The server names the loudest first.", "room", "you", "dcl_comms_core/room/tracks.py"
    ),
    inp.PacketsDropped: Text(
        "change",
        "Packets had no room",
        "Our loop did not turn for long; what came meanwhile was let go.",
        "room",
        "you",
        "dcl_comms_core/limits.py",
        "A program that computes for seconds within its loop.",
    ),
    inp.ForeignReceived: Text(
        "talking",
        "Something that is no packet",
        "LiveKit carries other things too; they are counted.",
        "peer",
        "you",
        "dcl_comms_core/room/incoming/",
    ),
    inp.SocketOpened: Text(
        "island",
        "The WebSocket is open",
        "The server chose one of the protocols that we offered.",
        "island",
        "you",
        _HANDSHAKE,
    ),
    inp.FrameReceived: Text(
        "island", "A frame came", "A message of the handshake, or of a ws-room later on.", "island", "you", _HANDSHAKE
    ),
    inp.SocketClosed: Text(
        "change",
        "The WebSocket is closed",
        "Its code says who did it.",
        "island",
        "you",
        "dcl_comms_core/states/handshake.py",
        _LOST,
    ),
    inp.DatagramsOpened: Text(
        "pulse",
        "Datagrams may go out",
        "Whether anybody listens there is not known yet.",
        "you",
        "core",
        "dcl_comms_core/pulse/",
    ),
    inp.DatagramReceived: Text(
        "pulse",
        "A datagram came",
        "ENet within UDP: Pulse tells where everybody is.",
        "pulse",
        "you",
        "dcl_comms_core/enet/",
    ),
    inp.DatagramRefused: Text(
        "pulse",
        "Nobody listens there",
        "The network said so, which anybody on the way may say.",
        "pulse",
        "you",
        "dcl_comms_core/pulse/",
    ),
    inp.DatagramsClosed: Text(
        "pulse", "Datagrams are over", "Nothing more comes.", "pulse", "you", "dcl_comms_core/pulse/"
    ),
    inp.Fetched: Text(
        "realm",
        "An answer came",
        "What a realm's document says decides where we go next.",
        "realm",
        "you",
        "dcl_comms_core/adapters/about.py",
        "A realm that is down answers 503, a wrong path 404.",
    ),
    inp.FetchFailed: Text(
        "realm",
        "No answer",
        "Without the realm's document there is no way in.",
        "realm",
        "you",
        "dcl_comms_core/world/",
        "A name that leads nowhere, a certificate that nobody signed, a network without a way out.",
    ),
}
"""By the class."""
