"""What becomes of a room's news of each kind, before Python looks at it: for both callbacks.

What a peer sends through LiveKit's own interfaces (byte and text streams, transcriptions, chat, DTMF) nobody here
reads.  It is let go in the callback, where it costs no memory and no time of the loop, and tallied by its sender.
What only says again what other news say is let go without a word.  News whose loss leaves nothing inconsistent
(somebody's name, who speaks) waits while there is room for it.  All else waits: it is about who and what is there,
and is small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import Descriptor

    from dcl_comms_drivers.livekit._native._events import Reading

__all__ = ["DTMF", "FOREIGN", "LOSABLE", "REPEATED", "WHATS", "readings"]

DTMF: Final = "dtmf"
FOREIGN: Final[Mapping[str, str]] = {
    "stream_header_received": "stream",
    "stream_chunk_received": "stream",
    "stream_trailer_received": "stream",
    "transcription_received": "transcription",
    "chat_message": "chat",
}
"""News of what a peer sent and nobody reads, and what it is counted as."""
REPEATED: Final = frozenset(
    {
        "byte_stream_opened",
        "text_stream_opened",
        "connection_quality_changed",
        "data_channel_low_threshold_changed",
        "participant_active",
        "participants_updated",
    }
)
"""News that says nothing which we are not told otherwise."""
LOSABLE: Final = frozenset(
    {
        "participant_metadata_changed",
        "participant_name_changed",
        "participant_attributes_changed",
        "active_speakers_changed",
    }
)
WHATS: Final = ("", *dict.fromkeys(FOREIGN.values()), DTMF)
"""What things are counted as, by the native callback's number for it."""
_DATA: Final = "data_packet_received"
_SENDER: Final = "participant_identity"
_OWNED: Final = "reader"


def readings(room_event: Descriptor) -> tuple[Reading, ...]:
    """The native callback's table, with the numbers of the installed wheel; kinds that it does not have are absent."""
    whats = {**FOREIGN, **dict.fromkeys(REPEATED, ""), **dict.fromkeys(LOSABLE, ""), _DATA: DTMF}
    found = room_event.fields_by_name
    return tuple(
        (
            found[name].number,
            name in LOSABLE,
            WHATS.index(what),
            _number(found[name].message_type, _SENDER),
            _number(found[name].message_type, _OWNED),
        )
        for name, what in whats.items()
        if name in found
    )


def _number(message: Descriptor | None, name: str) -> int:
    """The number of a message's field; 0: it has none of this name."""
    field = None if message is None else message.fields_by_name.get(name)
    return 0 if field is None else field.number
