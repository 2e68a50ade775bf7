"""What others send that is no packet, such as LiveKit's streams: nobody reads it, and it counts as its sender's."""

from __future__ import annotations

import pytest
from rigs.signals.session import LINK, SignalRig, packet

from dcl_comms_core.codec import encode
from dcl_comms_core.inputs import ForeignReceived, LinkClosed, LinkOpened
from dcl_comms_core.livekit.arrivals import Arrived
from dcl_comms_core.proto import livekit


def foreign(sender: str = "a", **kinds: bytes) -> bytes:
    return encode(livekit.DataPacket(participant_identity=sender)) + encode(livekit.ForeignPacket(**kinds))


@pytest.mark.parametrize(
    ("field", "what"),
    [
        ("stream_header", "stream"),
        ("stream_chunk", "stream"),
        ("stream_trailer", "stream"),
        ("transcription", "transcription"),
        ("chat_message", "chat"),
        ("sip_dtmf", "dtmf"),
        ("rpc_request", "rpc"),
        ("rpc_ack", "rpc"),
        ("rpc_response", "rpc"),
        ("encrypted_packet", "encrypted"),
    ],
)
def test_each_kind_is_counted_as_its_senders(field: str, what: str) -> None:
    rig = SignalRig().opened()
    message = foreign(**{field: b"xy"})
    rig.message(message)
    assert rig.told(ForeignReceived) == [ForeignReceived(link=LINK, sender="a", what=what, count=1, size=len(message))]
    assert rig.told(Arrived) == []


def test_what_has_another_form_or_nothing_in_it_counts_too() -> None:
    rig = SignalRig().opened()
    rig.message(foreign(sender="")).message(b"\x68\x01")
    assert [(one.what, one.sender, one.size) for one in rig.told(ForeignReceived)] == [
        ("other", None, 0),
        ("other", None, 2),
    ]


def test_what_is_long_without_a_packet_in_it_counts_too() -> None:
    """More than the fields of one packet that we don't know may be."""
    message = encode(livekit.DataPacket(participant_identity="a", destination_identities=["x" * 40_000, "y" * 40_000]))
    (told,) = SignalRig().opened().message(message).told(ForeignReceived)
    assert (told.sender, told.what, told.size) == ("a", "other", len(message))


def test_it_is_told_before_the_end() -> None:
    rig = SignalRig().opened()
    rig.peer.tell(("data", 0, foreign(stream_chunk=b"x")), ("closed", None, None))
    rig.happen().hang_up()
    assert [type(one) for one in rig.news[-2:]] == [ForeignReceived, LinkClosed]


def test_garbage_is_nobodys() -> None:
    assert SignalRig().opened().message(b"\xff").told(ForeignReceived) == []


def test_what_comes_together_is_summed_up_and_of_very_many_senders_by_kind() -> None:
    rig = SignalRig().opened()
    messages = [foreign(f"s{number % 300}", stream_chunk=bytes(10)) for number in range(600)]
    rig.happen(*(("data", 0, message) for message in messages))
    told = rig.told(ForeignReceived)
    assert len(told) == 257
    assert {one.count for one in told if one.sender is not None} == {2}
    (rest,) = [one for one in told if one.sender is None]
    assert rest.count == 2 * (300 - 256)
    assert sum(one.size for one in told) == sum(map(len, messages))


def test_what_came_before_the_room_is_open_is_told_after_that() -> None:
    rig = SignalRig().joined().answer().ports().happen(("ice-completed",), ("open", 0, "_reliable"))
    rig.message(foreign(stream_chunk=b"x")).message(packet(b"in", sequence=1))
    assert rig.news == []
    rig.happen(rig.UP[-1])
    assert isinstance(rig.news[0], LinkOpened)
    assert [one.what for one in rig.told(ForeignReceived)] == ["stream"]
    assert len(rig.told(Arrived)) == 1
