"""What commands mean to somebody who learns."""

from __future__ import annotations

from typing import Final

from dcl_comms_core import commands as cm
from dcl_comms_station.board.learning.text import Text

__all__ = ["COMMANDS"]

_SESSION: Final = "dcl_comms_core/world/session.py"
_ROOM: Final = "dcl_comms_core/room/session.py"
_HANDSHAKE: Final = "dcl_comms_core/handshake/"

COMMANDS: Final[dict[type, Text]] = {
    cm.OpenLink: Text(
        "room",
        "Join the room",
        "The connection string names the server and holds a token, which is a password for minutes.",
        "you",
        "room",
        _ROOM,
        "A token of five minutes that is used after six.",
        'connect("livekit:wss://…?access_token=…")',
    ),
    cm.CloseLink: Text(
        "change",
        "Leave the room",
        "What was accepted is sent first, for a while.",
        "you",
        "room",
        _ROOM,
        "",
        "await room.close()",
    ),
    cm.SendData: Text(
        "talking",
        "Send a packet",
        "Reliable ones are repeated until they arrive, lossy ones are not.",
        "you",
        "peer",
        "dcl_comms_core/room/outgoing/",
        "",
        'room.chat("hi")',
    ),
    cm.SetAttributes: Text(
        "room",
        "Announce ourselves",
        "A participant that changes something is told of at once, and not seconds later.",
        "you",
        "room",
        "dcl_comms_core/room/announcing.py",
    ),
    cm.PublishMicrophone: Text(
        "room",
        "Announce ourselves by a silent microphone",
        "Where the token allows no attributes, a track does the same.",
        "you",
        "room",
        "dcl_comms_core/room/announcing.py",
    ),
    cm.SubscribeTrack: Text(
        "media",
        "Receive a track, or stop",
        "Nothing is received unasked where we say so.",
        "you",
        "room",
        "dcl_comms_core/room/tracks.py",
        "",
        "room.subscribe(track)",
    ),
    cm.OpenSocket: Text(
        "island",
        "Open a WebSocket",
        "The island service, or a ws-room, speaks over one; nothing is proven yet.",
        "you",
        "island",
        _HANDSHAKE,
        "A proxy on the way that lets no WebSocket through.",
    ),
    cm.SendFrame: Text(
        "island",
        "Send a frame",
        "Who we are, a signature, where we are: the handshake's parts.",
        "you",
        "island",
        _HANDSHAKE,
        "A ws-room waits one second for the signature, the island service longer.",
    ),
    cm.CloseSocket: Text("change", "Close the WebSocket", "What waits is sent first.", "you", "island", _HANDSHAKE),
    cm.OpenDatagrams: Text(
        "pulse",
        "Open a way for datagrams",
        "Pulse speaks UDP, in the clear.",
        "you",
        "pulse",
        "dcl_comms_core/pulse/",
        "A firewall that lets no UDP out: rooms go on without Pulse.",
    ),
    cm.SendDatagram: Text(
        "pulse",
        "Send a datagram",
        "It arrives or is lost; ENet repeats what has to arrive.",
        "you",
        "pulse",
        "dcl_comms_core/enet/",
    ),
    cm.CloseDatagrams: Text(
        "pulse", "No more datagrams", "Pulse was told goodbye.", "you", "pulse", "dcl_comms_core/pulse/"
    ),
    cm.Fetch: Text(
        "realm",
        "Ask the realm",
        "GET /about says where comms are, who the realm is, and whether it is well.",
        "you",
        "realm",
        _SESSION,
        "A URL that is a web site's and not a realm's.",
        'connect("https://realm.example")',
    ),
    cm.CancelFetch: Text("realm", "Ask no more", "The answer does not matter any longer.", "you", "realm", _SESSION),
}
"""By the class."""
