"""The numbers of a room server; the defaults are the official server's."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RoomSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSettings:
    """Seconds, whole ones where clients are told of them, and sizes in bytes."""

    version: str = "1.13.5"
    """What clients are told that the server is: browsers join none that says nothing, and use more of newer ones."""
    ping_interval: int = 5
    """How often clients are to ask for a sign of life."""
    ping_timeout: int = 15
    """After how much silence they are to take the server for dead."""
    join_seconds: float = 60.0
    """How long somebody may take until channels are open."""
    silent_seconds: float = 15.0
    """After so long without a datagram somebody is told to resume."""
    grace_seconds: float = 5.0
    """How long he may take for that."""
    empty_timeout: int = 300
    """How long a room stays that nobody joined."""
    departure_timeout: int = 20
    """How long a room stays that everybody left."""
    max_participants: int = 0
    """Of a room that says nothing else; 0: any number."""
    leeway_seconds: float = 60.0
    """How wrong the clock may be by which a token is judged."""
    token_seconds: float = 600.0
    """How long a token is valid that the server gives to who is in."""
    refresh_seconds: float = 300.0
    """How often it does."""
    identity_bytes: int = 256
    """Of an identity, and of a room's name."""
    name_bytes: int = 256
    metadata_bytes: int = 524_288
    attributes_bytes: int = 65_536
    """Of all keys and values together."""
