"""What other programs see in the file: mcap's own reader, Google's protobuf, Foxglove's messages."""

from __future__ import annotations

import json

import pytest
from dcl_comms_station.recording.viewers import sound
from google.protobuf.json_format import MessageToDict
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory
from rigs.station.files import ADA, BOB, HOW, UNIX, came, chat, left, moved, opened, written

from dcl_comms_core import CloseReason, Reconnecting, SendData
from dcl_comms_core.inputs import LinkRef
from dcl_comms_core.tools.labels import Label

ROOM = Label.of("island", UNIX)
CALLS = [
    *opened(0.0),
    *came(0.1),
    *moved(0.5, 10.0, 20.0, yaw=90.0),
    *moved(0.55, 11.0, 21.0, yaw=0.0),
    *chat(1.0, "hello", sent_at=UNIX - 2.0),
    (1.5, ("sent", (ROOM, SendData(link=LinkRef(1, 1), token=3, data=b"\x0a\x00", to=(ADA.text,), reliable=True)), {})),
    (2.0, ("received", (ROOM, None, b"\xff"), HOW)),
    (2.5, ("step", (Reconnecting(at=2.5, room=ROOM, attempt=0, reason=CloseReason.NETWORK),), {})),
    *left(3.0),
    *chat(4.0, "bye", BOB),
]


@pytest.fixture
def seen(tmp_path):
    path = tmp_path / "x.mcap"
    path.write_bytes(written(CALLS))
    with path.open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()], validate_crcs=True)
        assert reader.get_header().profile == "dcl-comms"
        assert [one.name for one in reader.iter_attachments()] == ["README.txt"]
        found = {}
        for schema, channel, message in reader.iter_messages(log_time_order=False):
            if channel.message_encoding == "protobuf":
                decoded = DecoderFactory().decoder_for("protobuf", schema)(message.data)
            else:
                assert json.loads(schema.data)["type"] == "object"
                decoded = json.loads(message.data)
            found.setdefault(channel.topic, []).append((message, decoded))
        assert reader.get_summary().statistics.message_count == sum(map(len, found.values()))
        return found


def test_packets_have_their_fields_and_their_own_bytes(seen):
    packets = [decoded for _, decoded in seen["/island/packets"]]
    assert [one.WhichOneof("content") for one in packets] == ["packet"] * 4 + ["undecodable", "packet"]
    assert packets[0].packet.movement.position_x == 10.0
    assert packets[0].sender == ADA.text
    assert packets[2].packet.chat.message == "hello"
    assert packets[2].packet.SerializeToString() == CALLS[6][1][1][2]
    assert (packets[3].outgoing, packets[3].private, list(packets[3].to), packets[3].token) == (
        True,
        True,
        [ADA.text],
        3,
    )
    assert packets[4].undecodable == b"\xff"
    told = [decoded for _, decoded in seen["/island/told"]]
    assert (told[0].event, told[0].position.x, told[0].position.z, told[0].yaw) == ("peer_moved", 10.0, 20.0, 90.0)
    assert json.loads(told[2].json)["text"] == "hello"


def test_chat_and_log_are_lines(seen):
    lines = [(decoded.name, decoded.message, decoded.level) for _, decoded in seen["/chat"]]
    assert lines == [(ADA.short, "hello", 2), (BOB.short, "bye", 2)]
    message, decoded = seen["/chat"][0]
    assert decoded.timestamp.seconds == UNIX + 1
    assert message.log_time == int((UNIX + 1) * 1e9)
    assert message.publish_time == int((UNIX - 2) * 1e9)
    assert [decoded.level for _, decoded in seen["/log"]] == [2, 3]


def test_the_scene_has_who_moved_as_a_viewer_has_its_axes(seen):
    updates = [MessageToDict(decoded) for _, decoded in seen["/scene"]]
    (entity,) = updates[0]["entities"]
    assert (entity["frameId"], entity["id"], entity["lifetime"]) == ("world", ADA.text, "5s")
    arrow = entity["arrows"][0]["pose"]
    # x east, y north, z up; to the north is a quarter of a turn from x.
    assert (arrow["position"]["x"], arrow["position"]["y"]) == (11.0, 21.0)
    assert arrow["position"]["z"] == 1.0 + 1.75 / 2
    assert arrow["orientation"]["z"] == pytest.approx(0.5**0.5)
    assert arrow["orientation"]["w"] == pytest.approx(0.5**0.5)
    assert entity["texts"][0]["text"] == ADA.short
    assert updates[-1]["deletions"][0]["id"] == ADA.text
    assert "entities" not in updates[-1]


def test_sound_is_what_foxglove_plays(tmp_path):
    from dcl_comms_station.recording.container import Container

    path = tmp_path / "x.mcap"
    with path.open("wb") as stream:
        file = Container(stream)
        file.add(file.channel("/audio/x", "foxglove.RawAudio"), 5, sound(1_500_000_000, b"\1\0\2\0", 48_000, 2))
        file.finish()
    with path.open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        (one,) = [decoded for _, _, _, decoded in reader.iter_decoded_messages()]
    assert (one.format, one.sample_rate, one.number_of_channels, one.data) == ("pcm-s16", 48_000, 2, b"\1\0\2\0")
    assert (one.timestamp.seconds, one.timestamp.nanos) == (1, 500_000_000)
