"""Every bound of the Station in one table.

=====================  ============================================================================================
bound                  what happens at it
=====================  ============================================================================================
``pages``              a further page is closed with 4409
``page_bytes``         a longer message closes the page with 4400
``page_messages``      a second, twice as many at once: what is beyond is answered with ``too_fast`` and not done
``unacknowledged``     frames: no further one is sent before one of them is drawn
``window_bytes``       the same, in bytes
``ack_seconds``        a page that acknowledges nothing for so long is closed with 4408
``queue``              events that wait for one page: beyond it they go, a ``gap`` counts them, a snapshot follows
``packets``            kept: the oldest go
``packets_bytes``      the same, in bytes of packets
``chat``               kept: the oldest go
``events``             kept: the oldest go
``steps``              of Learn, kept: the oldest go
``marks``              kept: a further one is refused
``peers``              shown: further ones are counted
``mailbox_bytes``      from the connection's loop: packets beyond are counted and not kept, all else at twice as much
``history``            observations that may be looked back at: the oldest go
``survey``             messages of a recording whose time line is told at once: a longer one's fills as it plays
``rows``               of a list that one page looks at
``snapshot``           chat messages, and events, in a snapshot: the newest
``verbs``              of one page, not yet answered: further ones are refused
``scan``               packets that a new filter looks at in one turn: the rest in the next ones
``tree``               parts of a packet that are shown
``shown_bytes``        of a packet in hex
``text``               characters of what a stranger wrote; the rest is told as a number
``uploads``            kept at once: a further one is refused
``upload_bytes``       of one recording that is uploaded
``exports``            of recordings, as files that nobody took yet: the oldest go
``export_bytes``       of one of them: a longer one is refused
``sound_ms``           of a track's sound that wait for one page: the oldest goes, and is counted
``media_bytes``        of sound and pictures, from the connection's loop: beyond it the oldest go
``pictures``           of one track, in a second: those between are left out
``picture_pixels``     wide, and 9/16 as many high: larger pictures are made smaller
``wav_bytes``          of a WAV that a page sends to be played: a longer one is refused
``speak_seconds``      of a tone or a WAV: a longer one is refused
``links``              for downloads that nobody took yet: the oldest go
``handshakes``         of sockets, a second: further ones get 429
``token_seconds``      that a wrong token waits for its answer
=====================  ============================================================================================
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

__all__ = ["SOUND_RATE", "STATION_LIMITS", "StationLimits"]

SOUND_RATE: Final = 48_000
"""Samples a second, of sound to and from pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationLimits:
    """The bounds; see the table at the head of this module."""

    pages: int = 8
    page_bytes: int = 65_536
    page_messages: int = 100
    unacknowledged: int = 3
    window_bytes: int = 262_144
    ack_seconds: float = 30.0
    queue: int = 2_000
    packets: int = 50_000
    packets_bytes: int = 33_554_432
    chat: int = 5_000
    events: int = 10_000
    steps: int = 2_000
    marks: int = 1_000
    peers: int = 1_024
    mailbox_bytes: int = 8_388_608
    history: int = 20_000
    survey: int = 100_000
    rows: int = 200
    snapshot: int = 200
    verbs: int = 64
    scan: int = 2_000
    tree: int = 300
    shown_bytes: int = 16_384
    text: int = 4_000
    uploads: int = 4
    upload_bytes: int = 1_073_741_824
    exports: int = 4
    export_bytes: int = 1_073_741_824
    sound_ms: int = 500
    media_bytes: int = 2_097_152
    pictures: int = 10
    picture_pixels: int = 320
    wav_bytes: int = 16_777_216
    speak_seconds: int = 300
    links: int = 32
    handshakes: int = 16
    token_seconds: float = 0.5

    def told(self) -> dict[str, int | float]:
        """As a page is told of them."""
        return asdict(self)


STATION_LIMITS: Final = StationLimits()
"""The defaults."""
