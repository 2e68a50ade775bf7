"""The framing of a scene's messages."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rigs.core.room import Rig, wire

from dcl_comms_core import (
    LocalProtocolError,
    Scene,
    SceneContent,
    SceneFraming,
    frame_binary,
    frame_comms_data,
    frame_string,
    read_scene_data,
)

F = SceneFraming
CASES = [
    (b"", F.EMPTY, b"", "", ""),
    (b'\x01{"message":"m"}', F.STRING, b'{"message":"m"}', '{"message":"m"}', ""),
    (b"\x01", F.STRING, b"", "", ""),
    (b"\x01\xff", F.MALFORMED, b"\x01\xff", "", ""),
    (b"\x02\x01\x00\xff", F.BINARY, b"\x01\x00\xff", "", ""),
    (b"\x03\x02\x00\xc3\xa4hi", F.COMMS_DATA, b"hi", "hi", "ä"),
    (b"\x03\x00\x00", F.COMMS_DATA, b"", "", ""),
    (b"\x03\x00\x02" + b"t" * 512, F.COMMS_DATA, b"", "", "t" * 512),
    (b"\x03\x01\x02" + b"t" * 513, F.MALFORMED, b"\x03\x01\x02" + b"t" * 513, "", ""),
    (b"\x03\x05\x00hi", F.MALFORMED, b"\x03\x05\x00hi", "", ""),
    (b"\x03", F.MALFORMED, b"\x03", "", ""),
    (b"\x03\x00", F.MALFORMED, b"\x03\x00", "", ""),
    (b"\x03\x01\x00\xff", F.MALFORMED, b"\x03\x01\x00\xff", "", ""),
    (b"hello\xff", F.UNFRAMED, b"hello\xff", "hello\ufffd", ""),
]


@pytest.mark.parametrize(("data", "framing", "payload", "text", "topic"), CASES)
def test_framings(data: bytes, framing: SceneFraming, payload: bytes, text: str, topic: str) -> None:
    event = Rig().join("alice").data(wire(scene=Scene(scene_id="bafy", data=data)))
    assert (event.scene_id, event.data) == ("bafy", data)
    assert event.content == SceneContent(framing=framing, payload=payload, text=text, topic=topic)


utf8 = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(utf8, utf8, st.binary(max_size=20))
def test_there_and_back(topic: str, text: str, payload: bytes) -> None:
    assert read_scene_data(frame_string(text)).text == text
    assert read_scene_data(frame_binary(payload)).payload == payload
    content = read_scene_data(frame_comms_data(topic, text))
    assert (content.framing, content.topic, content.text) == (F.COMMS_DATA, topic, text)


@given(st.binary(max_size=30))
@example(b"\x03\xff\xff")
def test_any_bytes_have_a_framing(data: bytes) -> None:
    content = read_scene_data(data)
    assert data.endswith(content.payload)


def test_what_no_client_could_read_is_not_framed() -> None:
    with pytest.raises(LocalProtocolError, match="513 bytes"):
        frame_comms_data("t" * 513, "")
    for half in (frame_string, lambda text: frame_comms_data(text, ""), lambda text: frame_comms_data("", text)):
        with pytest.raises(LocalProtocolError, match="surrogate"):
            half("\ud800")
