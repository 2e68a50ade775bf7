"""The numbers of a Pulse server; the defaults are the real one's."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PulseSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseSettings:
    """Metres and seconds; rates are for one connection, and "at once" is how much of one may be saved up."""

    tick_seconds: float = 0.05
    radii: tuple[float, float, float] = (30.0, 60.0, 200.0)
    """How far the three tiers reach; beyond the last nobody is seen."""
    steps: tuple[int, int, int] = (1, 2, 4)
    """Each tier is looked at every so many ticks."""
    cell: float = 100.0
    """The side of the square cells in which players are kept and clustered."""
    sweep_ticks: int = 20
    """How often those are told as left who are out of sight."""
    stale_ticks: int = 60
    """For how many ticks they have to be."""
    cooling_seconds: float = 5.0
    """How long after somebody left its id is not given to another one."""

    auth_seconds: float = 30.0
    """How long somebody may take to prove who it is."""
    attempts: int = 2
    """Handshakes that one connection may send; a further one ends it."""
    replay_seconds: float = 30.0
    """For how long a handshake that was accepted is not accepted again."""
    proving: int = 512
    """Connections that have not proved yet who they are."""
    address_proving: int = 32
    """The same of one address."""
    address_players: int = 10
    """Connections of one address, listeners not counted."""
    address_listeners: int = 2
    allowed: frozenset[str] = frozenset()
    """Addresses to which these last two do not apply."""

    input_rate: int = 20
    input_burst: int = 16
    """Inputs a second, and at once."""
    event_rate: int = 20
    event_burst: int = 16
    """The same for emotes, teleports and a listener's new areas together."""
    corrupt_minute: int = 5
    corrupt_burst: int = 5
    """Packets a minute that can't be read, and at once."""
    packet_bytes: int = 4_096
    """A longer packet counts as one that can't be read; one of twice as many ends the connection."""
    realm_chars: int = 255
    """Of a realm's name, in UTF-16 units."""
    emote_ms: int = 60_000
    """The longest an emote may be said to last."""
    listener_cost: int = 4_096
    """The cost of a listener's area: its parcels, and 4 for each realm."""

    pass_seconds: float = 1.0
    """How often players are clustered."""
    dwell_passes: int = 3
    """In so many passes a new cluster has to be found before it is told."""
    prefix: str = "C"
    """What names of clusters begin with."""
    retention_seconds: float = 300.0
    """How long after a wallet left its next session is told which one it displaces."""
