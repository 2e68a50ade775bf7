"""What a transport can carry: the last packet that fits, and the first that does not."""

from __future__ import annotations

import pytest

from dcl_comms_core import LinkRef, LocalProtocolError, PacketTooLarge, SendData, SendFrame, WsPacket, decode_message
from dcl_comms_core.packets.envelope import (
    LIVEKIT_MAX_PACKET,
    WEBSOCKET_MAX_FRAME,
    livekit_packet_size,
    ws_room_frame_size,
)
from dcl_comms_core.room.outgoing.carriers import LiveKitCarrier, WsRoomCarrier
from dcl_comms_core.room.outgoing.outbox import Outgoing

LINK = LinkRef(1, 2)


def livekit_fit(*, reliable: bool, sequence: int) -> int:
    """The largest packet for everybody from "me" that LiveKit takes."""
    sizes = range(LIVEKIT_MAX_PACKET - 100, LIVEKIT_MAX_PACKET)
    taken = (
        size
        for size in sizes
        if livekit_packet_size(size, identity="me", to=None, reliable=reliable, sequence=sequence) <= LIVEKIT_MAX_PACKET
    )
    return max(taken)


@pytest.mark.parametrize(("reliable", "sequence"), [(True, 1), (True, 128), (False, 1)])
def test_livekit_takes_what_fits_into_its_envelope_and_no_byte_more(reliable: bool, sequence: int) -> None:
    fits = livekit_fit(reliable=reliable, sequence=sequence)
    carrier = LiveKitCarrier()
    carrier.check([(bytes(fits), None, "")], identity="me", reliable=reliable, sequence=sequence)
    with pytest.raises(PacketTooLarge) as caught:
        carrier.check([(bytes(fits + 1), None, "")], identity="me", reliable=reliable, sequence=sequence)
    assert (caught.value.size, caught.value.limit) == (LIVEKIT_MAX_PACKET + 1, LIVEKIT_MAX_PACKET)


def test_livekit_counts_the_packets_of_one_call() -> None:
    """The 128th number takes a byte more than the 127th."""
    data = bytes(livekit_fit(reliable=True, sequence=127))
    carrier = LiveKitCarrier()
    carrier.check([(data, None, "")] * 2, identity="me", reliable=True, sequence=126)
    with pytest.raises(PacketTooLarge):
        carrier.check([(data, None, "")] * 2, identity="me", reliable=True, sequence=127)


@pytest.mark.parametrize("message", [(b"x", ("\ud800",), ""), (b"x", None, "\udfff")])
def test_livekit_carries_no_half_of_a_surrogate_pair(message: tuple[bytes, tuple[str, ...] | None, str]) -> None:
    with pytest.raises(LocalProtocolError, match="half a surrogate pair"):
        LiveKitCarrier().check([message], identity="me", reliable=True, sequence=1)


def test_livekit_is_given_all_that_a_packet_has() -> None:
    message = Outgoing(7, b"abc", ("alice",), "a topic", reliable=False)
    assert LiveKitCarrier().command(LINK, message) == SendData(
        link=LINK, token=7, data=b"abc", to=("alice",), reliable=False, topic="a topic"
    )


@pytest.mark.parametrize("reliable", [True, False])
def test_a_ws_room_takes_what_fits_into_a_frame_and_no_byte_more(reliable: bool) -> None:
    sizes = range(WEBSOCKET_MAX_FRAME - 32, WEBSOCKET_MAX_FRAME)
    fits = max(size for size in sizes if ws_room_frame_size(size, reliable=reliable) <= WEBSOCKET_MAX_FRAME)
    carrier = WsRoomCarrier()
    carrier.check([(bytes(fits), None, "")], identity="me", reliable=reliable, sequence=1)
    with pytest.raises(PacketTooLarge) as caught:
        carrier.check([(bytes(fits + 1), None, "")], identity="me", reliable=reliable, sequence=1)
    assert caught.value.limit == WEBSOCKET_MAX_FRAME < caught.value.size


@pytest.mark.parametrize("message", [(b"x", ("alice",), ""), (b"x", (), ""), (b"x", None, "a topic")])
def test_a_ws_room_addresses_nobody_in_particular(message: tuple[bytes, tuple[str, ...] | None, str]) -> None:
    with pytest.raises(LocalProtocolError, match="sends everything to everybody"):
        WsRoomCarrier().check([message], identity="me", reliable=True, sequence=1)


@pytest.mark.parametrize("reliable", [True, False])
def test_a_ws_room_is_given_a_frame(reliable: bool) -> None:
    command = WsRoomCarrier().command(LINK, Outgoing(7, b"abc", None, "", reliable=reliable))
    assert isinstance(command, SendFrame)
    assert (command.link, command.token) == (LINK, 7)
    update = decode_message(WsPacket, command.data).peer_update_message
    assert update is not None
    assert (update.body, update.unreliable) == (b"abc", not reliable)
