"""Every public verb of a connection, found by looking at its class, with arguments that it takes.

A new verb is in none of the tables, and the tests that stand on them say so.
"""

from __future__ import annotations

import inspect

from dcl_comms_drivers.connection.waiting import WaitingConnection
from dcl_comms_drivers.polled import PolledConnection

from dcl_comms_core import Chat, Packet, PeerId

WHO = PeerId("0x" + "aa" * 20)
SCENE = "bafkreia"
PACKET = Packet(chat=Chat(message="x", timestamp=1.0))

IN_A_ROOM = {
    "chat": ("hello",),
    "move": ((1.0, 0.0, 1.0),),
    "emote": ("wave",),
    "walk_to": ((1.0, 0.0, 2.0),),
    "follow": (WHO,),
    "face": (90.0,),
    "stand": (),
    "ignore": (WHO,),
    "unignore": (WHO,),
    "announce_profile": (1,),
    "offer_profile": (1, "{}"),
    "request_profile": (WHO,),
    "react": (1,),
    "react_to": ("0xabc:46000.5", 1),
    "scene_message": (SCENE, b"\x02x"),
    "send_nowait": (PACKET,),
    "send_bytes": (b"x",),
    "subscribe": ("TR_1",),
    "unsubscribe": ("TR_1",),
    "publish_audio": (),
    "publish_video": (),
    "audio": ("TR_1",),
    "video": ("TR_1",),
}
IN_A_REALM = {
    "enter_scene": (SCENE, (0, 0)),
    "leave_scene": (),
    "set_position": ((1.0, 0.0, 1.0),),
    "set_desired_room": ("I1",),
}
WAITING = {"send": (PACKET,), "whois": (WHO,)}
"""Verbs that wait; beside ``flush``, which has nothing to wait for once all is over."""
VERBS = {**IN_A_ROOM, **IN_A_REALM}
NAMED = {"publish_video": {"width": 64, "height": 64}}
"""Arguments by name."""

ENDS = {"aclose", "let_go", "leave", "close", "begin_close", "flush", "opened"}
"""How a connection is ended, or waited for."""
READS = {
    "identity", "peers", "realm", "island", "rooms_of", "traffic", "state", "stats", "request_stats", "refresh_stats",
    "can", "crash", "profile", "grants", "room_metadata", "batches", "poll", "deadline", "fileno", "closed", "wait",
    "me", "ignored", "near", "nearest", "wait_for", "listen", "utterances",
}  # fmt: skip
"""What looks, and changes nothing; some of it is of one class alone."""


def public(kind):
    return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}


def unknown():
    """Public names that no table has."""
    return (public(WaitingConnection) | public(PolledConnection)) - VERBS.keys() - WAITING.keys() - ENDS - READS


def call(connection, verb):
    """Use a verb as it is meant."""
    return getattr(connection, verb)(*{**VERBS, **WAITING}[verb], **NAMED.get(verb, {}))
