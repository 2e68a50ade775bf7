"""What packets mean to somebody who learns."""

from __future__ import annotations

from typing import Final

from dcl_comms_station.board.learning.text import Text

__all__ = ["PACKETS"]

_READERS: Final = "dcl_comms_core/packets/readers.py"
PACKETS: Final[dict[str | None, Text]] = {
    "chat": Text(
        "talking",
        "A chat packet, byte by byte",
        "A text and a stamp; a whisper is the same, for one alone and under a topic.",
        "peer",
        "you",
        "dcl_comms_core/packets/chat.py",
        "Godot clients cut at 200 bytes.",
        'room.chat("hi")',
    ),
    "movement": Text(
        "moving",
        "A movement",
        "Where, how fast, which way, and what the body does; ten in a second, fewer when far or at rest.",
        "peer",
        "you",
        "dcl_comms_core/packets/motion.py",
        "Late or repeated ones are let go.",
        "room.move((8, 0, 8))",
    ),
    "movement_compressed": Text(
        "moving",
        "A compressed movement",
        "The same in a few bytes; it is read with the parcel that it is relative to.",
        "peer",
        "you",
        "dcl_comms_core/packets/movement.py",
    ),
    "position": Text(
        "moving", "A position", "What older clients tell; no speed.", "peer", "you", "dcl_comms_core/packets/motion.py"
    ),
    "profile_version": Text(
        "who",
        "Announcing a profile",
        "Unity clients talk to those only who announced one.",
        "peer",
        "you",
        _READERS,
        "",
        "room.announce_profile(1)",
    ),
    "profile_request": Text(
        "who",
        "Asking for a profile",
        "Sent to everybody, or to one.",
        "peer",
        "you",
        _READERS,
        "",
        "room.request_profile(who)",
    ),
    "profile_response": Text("who", "A profile", "JSON, as its sender tells it.", "peer", "you", _READERS),
    "player_emote": Text(
        "talking", "An emote", "A URN, and a count of the sender's.", "peer", "you", _READERS, "", 'room.emote("wave")'
    ),
    "scene_emote": Text("talking", "A scene's emote", "An emote that a scene brings along.", "peer", "you", _READERS),
    "scene": Text(
        "talking",
        "A scene's message",
        "Bytes between copies of one scene.",
        "peer",
        "you",
        "dcl_comms_core/packets/scene.py",
        "Unity clients drop those beyond 13 KB.",
        'room.scene_message("scene", b"…")',
    ),
    "voice": Text("media", "Voice in a packet", "Older clients.", "peer", "you", _READERS),
    "look_at_position": Text(
        "moving",
        "Where somebody looks",
        "Or, of other clients, an animation of a scene: both have number 13.",
        "peer",
        "you",
        "dcl_comms_core/codec/tag13.py",
    ),
    "reaction": Text(
        "talking", "A reaction in the world", "An emoji, so many times.", "peer", "you", _READERS, "", "room.react(3)"
    ),
    "chat_reaction": Text(
        "talking",
        "A reaction to a message",
        "By the message's id.",
        "peer",
        "you",
        _READERS,
        "",
        "room.react_to(id, 3)",
    ),
    None: Text(
        "talking",
        "A packet of no kind that we know",
        "Empty, newer than this library, or no packet.",
        "peer",
        "you",
        "dcl_comms_core/packets/meaning.py",
    ),
}
"""By the kind of a packet; from a peer to us: ours go the other way."""
