"""Events and packets as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from base64 import b64encode
from typing import get_args

import pytest
from dcl_comms_station.decoding import decode_hex, decode_lines
from dcl_comms_station.exits import CLOSE_EXITS, Exit, Failed
from dcl_comms_station.forms import dump, plain, plain_event, plain_packet
from dcl_comms_station.lines import describe, line
from hypothesis import given
from hypothesis import strategies as st

from dcl_comms_core import (
    Arrival,
    Chat,
    ChatReceived,
    CloseReason,
    DecodeError,
    Grants,
    LookAtPosition,
    Movement,
    MovementCompressed,
    Packet,
    PacketReceived,
    PeerId,
    PeerIdentified,
    PlayerEmote,
    Reaction,
    Retry,
    RoomClosed,
    Scene,
    encode,
    parse_connection_string,
)
from dcl_comms_core import events as ev
from dcl_comms_core.records.forms import event_name
from dcl_comms_core.states import RETRY

CHAT = encode(Packet(chat=Chat(message="hi \u202e there", timestamp=46349.5), protocol_version=100))


def sample(annotation):
    """A value for a field of an event."""
    texts = {"float": 1.5, "int": 3, "str": "text", "bytes": b"\x01\x02", "bool": True}
    return texts.get(annotation.partition(" |")[0])


def every_event():
    """One of each kind of event."""
    special = {
        "sender": PeerId("Alice"), "identity": PeerId("me"), "reason": CloseReason.NETWORK, "retry": Retry.BACKOFF,
        "position": ev.Vector3(1.0, 2.0, 3.0), "velocity": ev.Vector3(0.0, 3.0, 4.0), "kind": "chat",
        "message": Movement(position_x=1.5), "data": CHAT, "early": (), "code": ev.WarningCode.SEND_FAILED,
        "track": ev.__dict__.get("Track"), "cause": CloseReason.BANNED, "peers": ((PeerId("Bob"), ev.Vector3(1.0, 2.0, 3.0)),),
        "adapter": parse_connection_string("ws-room:wss://rooms.example.com/I1"),
    }  # fmt: skip
    from dcl_comms_core.inputs import Track, TrackKind

    special |= {"grants": Grants(), "attributes": {"a": "b"}, "speakers": (PeerId("Bob"),), "arrival": Arrival.BACK}
    special["track"] = Track(sid="TR_1", kind=TrackKind.AUDIO, name="mic", muted=True)
    for kind in get_args(ev.Event):
        values = {
            field.name: special.get(field.name, sample(field.type))
            for field in dataclasses.fields(kind)
            if not field.name.startswith("_")
        }
        if kind is ev.PeerMoved:
            values["kind"] = ev.MovementKind.MOVEMENT
            values["message"] = Movement(position_x=1.5)
        if kind is ev.PeerEmoted:
            values["message"] = PlayerEmote(urn="wave")
        if kind is ev.PacketRejected:
            values["reason"] = ev.RejectReason.MALFORMED
        yield kind(**values)


@pytest.mark.parametrize("event", list(every_event()), ids=event_name)
def test_every_event_has_a_line_and_json(event):
    assert describe(event)
    assert "\n" not in line(event, "12:00:00")
    shown = json.loads(dump(plain_event(event)))
    assert shown["event"] == event_name(event)
    assert shown["at"] == 1.5
    names = {field.name for field in dataclasses.fields(event) if not field.name.startswith("_")}
    assert names <= shown.keys()


def test_a_chat():
    event = ChatReceived(
        at=1.0, room="main", sender=PeerId("0xAB"), private=True, text="a\x1bb", sent_at=5.0, timestamp=2.0,
        forwarded_from=None,
    )  # fmt: skip
    assert plain_event(event) == {
        "event": "chat_received", "at": 1.0, "room": "main", "sender": "0xAB", "private": True, "text": "a\x1bb",
        "sent_at": 5.0, "timestamp": 2.0, "forwarded_from": None, "topic": "", "size": 0,
    }  # fmt: skip
    assert "\x1b" not in dump(plain_event(event))
    assert json.loads(dump(plain_event(event)))["text"] == "a\x1bb"


def test_the_end_of_a_room_names_its_reason_for_programs():
    event = RoomClosed(at=1.0, room="main", reason=CloseReason.DUPLICATE_IDENTITY, retry=Retry.NEVER)
    assert plain_event(event)["reason"] == "duplicate_identity"
    assert plain_event(event)["retry"] == "never"


def test_events_inside_of_an_event_keep_their_names():
    chat = ChatReceived(
        at=1.0,
        room="main",
        sender=PeerId("a"),
        private=False,
        text="x",
        sent_at=None,
        timestamp=2.0,
        forwarded_from=None,
    )
    shown = plain_event(PeerIdentified(at=2.0, room="main", sender=PeerId("a"), early=(chat,)))
    assert shown["early"][0]["event"] == "chat_received"
    assert "says: x" in describe(PeerIdentified(at=2.0, room="main", sender=PeerId("a"), early=(chat,)))


def test_a_raw_packet_is_decoded_beside_its_bytes():
    event = PacketReceived(
        at=1.0,
        room="main",
        sender=None,
        private=False,
        data=CHAT,
        kind="chat",
        protocol_version=100,
        reliable=True,
        topic="",
    )
    assert plain_event(event)["packet"] == plain_packet(CHAT)
    assert plain_event(event)["data"] == b64encode(CHAT).decode()
    assert "chat packet" in line(event, "t")
    assert "\u202e" not in line(event, "t")


def test_a_raw_packet_that_is_none_says_where():
    event = PacketReceived(
        at=1.0, room="main", sender=None, private=False, data=b"\x2a\x05ab", kind=None, protocol_version=0, reliable=False,
        topic="t",
    )  # fmt: skip
    assert plain_event(event)["error"] == {"reason": plain_event(event)["error"]["reason"], "offset": 1}
    assert "malformed" in line(event, "t")


def test_packets():
    shown = plain_packet(CHAT)
    assert shown["kind"] == "chat"
    assert shown["protocol_version"] == 100
    assert shown["size"] == len(CHAT)
    assert shown["fields"] == {"message": "hi \u202e there", "timestamp": 46349.5}
    assert plain_packet(b"") == {"kind": None, "protocol_version": 0, "size": 0, "fields": {}}
    scene = plain_packet(encode(Packet(scene=Scene(scene_id="s", data=b"\x01\xff"))))
    assert scene["fields"] == {"scene_id": "s", "data": "01ff"}


def test_numbers_that_json_lacks_are_strings():
    movement = Movement(position_x=math.nan, position_y=math.inf, position_z=-math.inf)
    fields = plain_packet(encode(Packet(movement=movement)))["fields"]
    assert [fields["position_x"], fields["position_y"], fields["position_z"]] == ["NaN", "Infinity", "-Infinity"]
    large = plain_packet(encode(Packet(movement_compressed=MovementCompressed(movement_data=2**60))))["fields"]
    assert large["movement_data"] == str(2**60)
    assert plain(2**53) == 2**53


def test_field_13_of_another_client_is_told_apart():
    ours = plain_packet(encode(Packet(look_at_position=LookAtPosition(timestamp=1.0))))
    assert "looks_like" not in ours
    theirs = plain_packet(bytes([13 << 3 | 2, 3, 1 << 3 | 2, 1, 65]))
    assert theirs["looks_like"] == "SceneDrivenAnimation"


def test_unknown_enum_numbers_have_their_number():
    data = encode(Packet(movement=Movement(glide_state=77)))
    assert plain_packet(data)["fields"]["glide_state"] == "77"


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_a_decode_error(data):
    try:
        shown = dump(plain_packet(data))
    except DecodeError as error:
        assert 0 <= error.offset <= len(data)
    else:
        assert json.loads(shown)["size"] == len(data)
        assert shown.isascii()


def test_hex_may_be_grouped():
    spaced = " ".join(CHAT.hex()[at : at + 4] for at in range(0, len(CHAT.hex()), 4))
    assert decode_hex(spaced) == decode_hex("0x" + CHAT.hex().upper()) == dump(plain_packet(CHAT))


@pytest.mark.parametrize("text", ["5", "zz", "0x5", "é1"])
def test_not_hex(text):
    with pytest.raises(Failed) as caught:
        decode_hex(text)
    assert caught.value.exit_code == Exit.USAGE


def test_lines_of_hex():
    written, complaints = [], []
    lines = [CHAT.hex() + "\n", "\n", "zz\n", "58\n", encode(Packet(reaction=Reaction(count=2))).hex()]
    assert decode_lines(lines, written.append, complaints.append) == Exit.PROTOCOL
    assert [json.loads(text)["kind"] for text in written] == ["chat", "reaction"]
    assert [text.partition(":")[0] for text in complaints] == ["line 3", "line 4"]
    assert "at byte 1" in complaints[1]
    assert decode_lines(["zz"], written.append, complaints.append) == Exit.USAGE
    assert decode_lines([CHAT.hex()], written.append, complaints.append) == Exit.OK


def test_every_reason_has_an_exit_code():
    assert CLOSE_EXITS.keys() == set(CloseReason) == RETRY.keys()
    assert [reason for reason, code in CLOSE_EXITS.items() if code is Exit.OK] == [CloseReason.CLIENT]
