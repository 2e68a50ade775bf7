"""Events as plain values, and back."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from math import inf, isnan, nan
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.any_events import ANY_EVENT, events_of
from rigs.core.room import Rig
from rigs.core.tokens import make_token

import dcl_comms_core
from dcl_comms_core import (
    Chat,
    ChatReceived,
    GlideState,
    InvalidRecord,
    IslandChanged,
    LocalProtocolError,
    Movement,
    MovementKind,
    PeerId,
    PeerIdentified,
    PeerMoved,
    PermissionsChanged,
    SignatureNeeded,
    SpeakersChanged,
    Vector3,
    as_dict,
    event_schema,
    from_dict,
)
from dcl_comms_core.readers.kinds import EVERY_KIND
from dcl_comms_core.records.forms import event_name
from dcl_comms_core.tools.labels import Label

SCHEMA = Path(dcl_comms_core.__file__).parent / "records" / "events.schema.json"
WHEN = datetime(2026, 11, 30, 12, 0, 0, 250_000, tzinfo=timezone.utc)  # noqa: UP017 - as the core has it


def chat(**changes):
    values = {
        "at": 5.25, "room": "main", "sender": PeerId("0xAB"), "private": True, "text": "hi", "sent_at": None,
        "timestamp": 2.0, "forwarded_from": None,
    }  # fmt: skip
    return ChatReceived(**values | changes)


def fits(schema, value, root):  # noqa: PLR0911 - one short case for each word
    """Whether a value is what the schema says; of JSON Schema what ours uses."""
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].strip("#").strip("/").split("/"):
            target = target[part] if part else target
        return fits(target, value, root)
    if "oneOf" in schema:
        return sum(fits(one, value, root) for one in schema["oneOf"]) == 1
    if "anyOf" in schema:
        return any(fits(one, value, root) for one in schema["anyOf"])
    if "const" in schema:
        return value == schema["const"]
    if "enum" in schema:
        return value in schema["enum"]
    kinds = {
        "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int,
        "number": (int, float),
    }  # fmt: skip
    if not isinstance(value, kinds[schema["type"]]) or (
        schema["type"] in {"integer", "number"} and value in (True, False) and isinstance(value, bool)
    ):
        return False
    if isinstance(value, dict):
        rest = schema.get("additionalProperties")
        named = schema.get("properties", {})
        return set(schema.get("required", [])) <= value.keys() and all(
            fits(named[name], item, root) if name in named else rest is None or fits(rest, item, root)
            for name, item in value.items()
        )
    if isinstance(value, list):
        firsts = schema.get("prefixItems", [])
        return schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**6) and all(
            fits(firsts[place] if place < len(firsts) else schema["items"], item, root)
            for place, item in enumerate(value)
        )
    return True


@given(ANY_EVENT)
@settings(max_examples=600)
def test_every_event_comes_back_from_json_and_fits_the_schema(event):
    shown = json.loads(json.dumps(as_dict(event), allow_nan=False))
    expected = event
    if isinstance(event, SignatureNeeded):
        expected = SignatureNeeded(
            at=event.at, room=event.room, payload="x" * len(event.payload), request=event.request
        )
    back = from_dict(shown)
    assert back == expected
    assert as_dict(back) == as_dict(event)
    assert fits(event_schema(), shown, event_schema())


@pytest.mark.parametrize("kind", sorted(EVERY_KIND, key=lambda kind: kind.__name__), ids=event_name)
def test_the_schema_tells_each_kind_from_all_others(kind):
    schema = event_schema()

    @given(events_of(kind))
    @settings(max_examples=3)
    def check(event):
        shown = as_dict(event)
        assert fits(schema, shown, schema)
        assert not fits(schema, shown | {"event": "nothing"}, schema)
        assert not fits(schema, {name: value for name, value in shown.items() if name != "at"}, schema)
        assert not fits(schema, shown | {"room": 3}, schema)

    check()


def test_the_file_is_what_the_events_are():
    text = json.dumps(event_schema(), indent=1) + "\n"
    assert SCHEMA.read_text(encoding="ascii") == text, "python .ci/tools/event_schema.py"


def test_a_chat():
    assert as_dict(chat()) == {
        "event": "chat_received", "at": 5.25, "room": "main", "sender": "0xAB", "private": True, "size": 0,
        "text": "hi", "sent_at": None, "timestamp": 2.0, "forwarded_from": None, "topic": "",
    }  # fmt: skip


def test_the_time_goes_with_it():
    event = chat(room=Label.of("main", WHEN.timestamp() - 5.25))
    assert event.time == WHEN
    shown = as_dict(event)
    assert shown["time"] == WHEN.timestamp()
    back = from_dict(json.loads(json.dumps(shown)))
    assert back.time == WHEN
    assert back == event
    assert chat().time is None
    assert from_dict(as_dict(chat())).time is None
    assert from_dict(as_dict(chat()) | {"time": "noon"}).time is None
    assert from_dict(as_dict(chat()) | {"time": inf}).time is None
    assert from_dict(as_dict(chat()) | {"time": 1e300}).time is None


def test_secrets_stay_here():
    adapter = dcl_comms_core.LiveKitAdapter(
        "wss://example.com", dcl_comms_core.AccessToken(make_token()), (("password", "hunter2hunter2"),)
    )
    island = IslandChanged(at=1.0, room="realm", island="I1", previous=None, adapter=adapter)
    text = json.dumps(as_dict(island))
    assert not any(part in text for part in adapter.token.reveal().split("."))
    assert "hunter2" not in text
    back = from_dict(as_dict(island))
    assert as_dict(back) == as_dict(island)
    assert isinstance(back, IslandChanged)
    assert isinstance(back.adapter, dcl_comms_core.LiveKitAdapter)
    assert (back.island, back.adapter.url) == ("I1", adapter.url)
    needed = SignatureNeeded(at=1.0, room="realm", payload="a secret", request=3)
    assert as_dict(needed)["payload"] == "xxxxxxxx"


def test_numbers_that_json_has_not():
    moved = PeerMoved(
        at=1.0, room="main", sender=None, private=False, position=Vector3(inf, -inf, 2**53 + 2.0),
        velocity=Vector3(0.0, 0.0, 0.0), yaw=nan, kind=MovementKind.MOVEMENT,
        message=Movement(glide_state=GlideState.GLIDING, jump_count=-3),
    )  # fmt: skip
    shown = as_dict(moved)
    assert shown["position"] == ["Infinity", "-Infinity", 2**53 + 2.0]
    assert (shown["yaw"], shown["message"]["glide_state"], shown["message"]["jump_count"]) == ("NaN", "gliding", -3)
    back = from_dict(shown)
    assert isinstance(back, PeerMoved)
    assert isnan(back.yaw)
    assert back.message == moved.message


def test_what_is_no_event_is_refused():
    with pytest.raises(LocalProtocolError, match="not Chat"):
        as_dict(Chat())


GOOD = as_dict(chat())
MOVED = {
    "event": "peer_moved", "at": 1.0, "room": "main", "sender": None, "private": False, "position": [0, 0, 0],
    "velocity": [0, 0, 0], "yaw": 0, "kind": "movement", "message": {},
}  # fmt: skip
NESTED = {"event": "peer_identified", "at": 1.0, "room": "main", "sender": "a", "early": []}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "event"),
        ({}, "event's name"),
        ({"event": "nothing"}, "event's name"),
        ({"event": []}, "event's name"),
        ({"event": "chat_received"}, "at is missing"),
        (GOOD | {"at": "soon"}, "at: 'soon' is no number"),
        (GOOD | {"at": True}, "number"),
        (GOOD | {"at": 10**400}, "number"),
        (GOOD | {"private": 1}, "private: 1 is no true or false"),
        (GOOD | {"size": 1.5}, "whole number"),
        (GOOD | {"size": True}, "whole number"),
        (GOOD | {"size": "9" * 50}, "whole number"),
        (GOOD | {"sender": 3}, "identity"),
        (GOOD | {"text": None}, "text"),
        (MOVED | {"position": [0, 0]}, "vector"),
        (MOVED | {"position": "000"}, "list"),
        (MOVED | {"kind": "flying"}, "MovementKind"),
        (MOVED | {"kind": 3}, "MovementKind"),
        (MOVED | {"message": []}, "object"),
        (MOVED | {"message": {"timestamp": "x"}}, "message: timestamp"),
        (MOVED | {"message": {"glide_state": "swimming"}}, "GlideState"),
        (MOVED | {"message": {"glide_state": 3}}, "GlideState"),
        (MOVED | {"message": {"_unknown": "?"}}, "base64"),
        (MOVED | {"message": {"_unknown": 3}}, "base64"),
        (NESTED | {"early": [NESTED]}, "packet's event"),
        (NESTED | {"early": [3]}, "packet's event"),
        (NESTED | {"early": "ab"}, "list"),
        ({"event": "island_changed", "at": 1, "room": "", "island": "a", "previous": None, "adapter": "?"}, "adapter"),
        ({"event": "island_changed", "at": 1, "room": "", "island": "a", "previous": None, "adapter": 3}, "adapter"),
        (
            {
                "event": "island_changed", "at": 1, "room": "", "island": "a", "previous": None,
                "adapter": "offline:offline", "peers": [["a"]],
            },
            "pair",
        ),
        ({"event": "peer_updated", "at": 1, "room": "", "sender": "a", "name": "", "metadata": "", "attributes": {"a": 1}}, "attributes"),
    ],
)  # fmt: skip
def test_what_is_none_says_where(document, told):
    with pytest.raises(InvalidRecord, match=told.replace("(", ".")):
        from_dict(document)


def test_what_is_more_is_passed_over_and_what_has_a_default_may_be_absent():
    shown = {name: value for name, value in GOOD.items() if name not in {"topic", "size"}}
    assert from_dict(shown | {"more": object()}) == chat()
    unknown = GlideState(7)
    moved = from_dict(MOVED | {"message": {"glide_state": "7", "jump_count": "2"}})
    assert isinstance(moved, PeerMoved)
    assert moved.message == Movement(glide_state=unknown, jump_count=2)
    assert as_dict(moved)["message"]["glide_state"] == "7"
    assert from_dict(NESTED | {"early": [GOOD]}) == PeerIdentified(
        at=1.0, room="main", sender=PeerId("a"), early=(chat(),)
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.data(), ANY_EVENT)
@settings(max_examples=300)
def test_anything_else_is_an_error_of_its_own(data, event):
    shown = as_dict(event)
    name = data.draw(st.sampled_from(sorted(shown)))
    try:
        from_dict(shown | {name: data.draw(JSON)})
    except InvalidRecord as error:
        assert len(str(error)) < 1_000


def test_an_event_of_a_session_knows_its_time():
    rig = Rig()
    rig.session.receive(dcl_comms_core.ClockSet(unix_offset=WHEN.timestamp()), now=0.0)
    rig.join("alice")
    events = rig.take_events()
    assert len(events) > 1
    for event in events:
        assert event.time == WHEN + timedelta(seconds=event.at)


def test_others():
    speakers = SpeakersChanged(at=1.0, room="main", speakers=(PeerId("a"), PeerId("b")))
    assert as_dict(speakers)["speakers"] == ["a", "b"]
    permissions = PermissionsChanged(at=1.0, room="main", grants=dcl_comms_core.Grants())
    assert "raw" not in as_dict(permissions)["grants"]
