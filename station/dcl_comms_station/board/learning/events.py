"""What events mean to somebody who learns."""

from __future__ import annotations

from typing import Final

from dcl_comms_core import events as ev
from dcl_comms_station.board.learning.text import Text

__all__ = ["EVENTS"]

_SESSION: Final = "dcl_comms_core/world/session.py"
_ROOM: Final = "dcl_comms_core/room/session.py"
_HANDSHAKE: Final = "dcl_comms_core/handshake/"
_LOST: Final = "A network that goes away: the session joins anew, as its backoff says."

EVENTS: Final[dict[type, Text]] = {
    ev.RoomOpened: Text(
        "room",
        "The room is open",
        "Now what we say is heard; everybody who is there is told of next.",
        "core",
        "you",
        _ROOM,
        "",
        "async with connect(…) as room:",
    ),
    ev.RoomClosed: Text(
        "change",
        "A room is over",
        "Its reason says what may help.",
        "core",
        "you",
        "dcl_comms_core/states/reasons.py",
        "Removed, replaced by the same wallet elsewhere, a server that ended.",
    ),
    ev.Reconnecting: Text(
        "change", "Reconnecting", "Sends wait; peers are kept.", "core", "you", "dcl_comms_core/weather/", _LOST
    ),
    ev.Reconnected: Text(
        "change", "Connected again", "Who came or went meanwhile is told.", "core", "you", "dcl_comms_core/weather/"
    ),
    ev.PermissionsChanged: Text(
        "change",
        "What we may do has changed",
        "Verbs go by it from now on.",
        "core",
        "you",
        "dcl_comms_core/room/permit.py",
        "",
        "room.grants()",
    ),
    ev.RoomMetadataChanged: Text(
        "change", "The room's metadata changed", "Free text of the server.", "core", "you", _ROOM
    ),
    ev.RoomMoved: Text("change", "We are in another room", "Its peers are told as this one's.", "core", "you", _ROOM),
    ev.CredentialsNeeded: Text(
        "change",
        "A new connection string is needed",
        "The token is spent; whoever gave it has to give another.",
        "core",
        "you",
        "dcl_comms_core/world/",
    ),
    ev.SignatureNeeded: Text(
        "who",
        "Somebody has to sign",
        "The wallet signs once a day for a key of its own, which signs the rest.",
        "core",
        "you",
        "dcl_comms_core/identity/",
        "A wallet that asks its owner, who is slower than the server waits.",
        "connect(…, wallet=DisposableWallet())",
    ),
    ev.IslandChanged: Text(
        "island",
        "An island",
        "Peers who are near each other share one; its connection string leads into its room.",
        "core",
        "you",
        "dcl_comms_core/merged/",
        "Nobody is near: an island of one's own.",
    ),
    ev.Kicked: Text(
        "change",
        "Thrown out",
        "The server ended our session.",
        "core",
        "you",
        "dcl_comms_core/states/handshake.py",
        "The same wallet somewhere else, a ban, a full room.",
    ),
    ev.RealmOpened: Text(
        "island", "The island service knows us", "It waits for our position now.", "core", "you", _HANDSHAKE
    ),
    ev.RealmClosed: Text(
        "change", "The island service is gone", "A room that it led to goes on.", "core", "you", _HANDSHAKE, _LOST
    ),
    ev.WorldClosed: Text("change", "All of it is over", "Nothing follows.", "core", "you", _SESSION),
    ev.PeerIgnored: Text(
        "talking",
        "Somebody is ignored",
        "It sent too much that was of no use.",
        "core",
        "you",
        "dcl_comms_core/company/ignoring.py",
        "",
        "room.unignore(who)",
    ),
    ev.PeerJoined: Text(
        "room",
        "A peer is there",
        "New, there before us, or only back: greet the new ones.",
        "core",
        "you",
        "dcl_comms_core/company/",
        "",
        "room.peers",
    ),
    ev.PeerLeft: Text("room", "A peer left", "It is in this room no more.", "core", "you", "dcl_comms_core/company/"),
    ev.PeerUpdated: Text(
        "room", "A peer changed", "Name, metadata, attributes.", "core", "you", "dcl_comms_core/company/"
    ),
    ev.PeerIdentified: Text(
        "room",
        "Who had sent it",
        "Packets came before their sender was known; here they are again.",
        "core",
        "you",
        "dcl_comms_core/room/incoming/",
    ),
    ev.ChatReceived: Text(
        "talking",
        "A chat message",
        "Its stamp, with its sender, is its name.",
        "core",
        "you",
        "dcl_comms_core/packets/chat.py",
        "",
        "async for event in room: …",
    ),
    ev.PeerMoved: Text(
        "moving",
        "A peer moved",
        "Position, speed and heading, whichever message told it.",
        "core",
        "you",
        "dcl_comms_core/packets/motion.py",
        "Older than what came before: let go as late.",
        "room.near(20)",
    ),
    ev.PeerEmoted: Text(
        "talking",
        "A peer plays an emote",
        "A URN says which.",
        "core",
        "you",
        "dcl_comms_core/packets/readers.py",
        "",
        'room.emote("wave")',
    ),
    ev.SceneMessageReceived: Text(
        "talking",
        "A scene's message",
        "Bytes between copies of one scene.",
        "core",
        "you",
        "dcl_comms_core/packets/scene.py",
    ),
    ev.ProfileAnnounced: Text(
        "who",
        "A profile has this version",
        "Who knows an older one may ask.",
        "core",
        "you",
        "dcl_comms_core/packets/readers.py",
        "",
        "room.announce_profile(1)",
    ),
    ev.ProfileRequested: Text(
        "who",
        "Somebody asks for a profile",
        "Whoever has it may answer.",
        "core",
        "you",
        "dcl_comms_core/room/introduction.py",
    ),
    ev.ProfileReceived: Text(
        "who",
        "A profile came",
        "The address inside is a claim; the sender is not.",
        "core",
        "you",
        "dcl_comms_core/room/incoming/profiles.py",
        "",
        "room.request_profile(who)",
    ),
    ev.ReactionReceived: Text(
        "talking",
        "A reaction",
        "An emoji by its number.",
        "core",
        "you",
        "dcl_comms_core/packets/readers.py",
        "",
        "room.react(3)",
    ),
    ev.VoiceReceived: Text(
        "media",
        "Voice in a packet",
        "Older clients; today's voice is a track.",
        "core",
        "you",
        "dcl_comms_core/packets/readers.py",
    ),
    ev.PacketReceived: Text(
        "talking",
        "A packet as it came",
        "A kind without an event of its own, or raw delivery.",
        "core",
        "you",
        "dcl_comms_core/packets/meaning.py",
    ),
    ev.PacketRejected: Text(
        "talking",
        "No acceptable packet",
        "It says why, and at which byte.",
        "core",
        "you",
        "dcl_comms_core/codec/",
        "Another client's mistake, or somebody who tries.",
    ),
    ev.TrackPublished: Text(
        "media",
        "A track is offered",
        "A microphone, a camera, a screen.",
        "core",
        "you",
        "dcl_comms_core/room/tracks.py",
    ),
    ev.TrackUnpublished: Text(
        "media", "A track is gone", "It was taken back.", "core", "you", "dcl_comms_core/room/tracks.py"
    ),
    ev.TrackSubscribed: Text(
        "media",
        "A track is received",
        "Its frames may be read.",
        "core",
        "you",
        "dcl_comms_core/room/tracks.py",
        "",
        "async for frame in room.audio(track): …",
    ),
    ev.TrackUnsubscribed: Text(
        "media",
        "A track is received no longer",
        "No frames come any more.",
        "core",
        "you",
        "dcl_comms_core/room/tracks.py",
    ),
    ev.TrackMuted: Text(
        "media", "Muted, or not any more", "The track stays.", "core", "you", "dcl_comms_core/room/tracks.py"
    ),
    ev.TrackSubscriptionFailed: Text(
        "media", "A track can't be received", "The transport says why.", "core", "you", "dcl_comms_core/room/tracks.py"
    ),
    ev.OwnTrackEnded: Text(
        "media", "A track of ours has ended", "The server took it back.", "core", "you", "dcl_comms_core/room/tracks.py"
    ),
    ev.SpeakersChanged: Text(
        "media", "Others speak than before", "The loudest first.", "core", "you", "dcl_comms_core/room/tracks.py"
    ),
    ev.LimitReached: Text(
        "change",
        "A limit was reached",
        "Every queue and table of ours has one, with a name.",
        "core",
        "you",
        "dcl_comms_core/limits.py",
    ),
    ev.Warning: Text(
        "change",
        "A warning",
        "Something works less well than it could; its code says what.",
        "core",
        "you",
        "dcl_comms_core/events.py",
    ),
}
"""By the class."""
