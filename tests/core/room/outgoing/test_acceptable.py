"""Whatever a verb accepts, our own receive accepts; and what is no argument is refused with what to do instead."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.room import Rig

from dcl_comms_core import (
    AUTHORITATIVE_SERVER,
    COMMUNITY_ROUTER,
    AnnounceProfileVersion,
    ChallengeGuard,
    Chat,
    ChatReaction,
    ChatReceived,
    CommsError,
    Limits,
    LocalProtocolError,
    Movement,
    Packet,
    PacketRejected,
    PacketTooLarge,
    PeerId,
    PlayerEmote,
    Position,
    ProfileRequest,
    ProfileResponse,
    Reaction,
    Scene,
    Voice,
    WarningCode,
)
from dcl_comms_core.events import Warning as WarningEvent

TEXT = st.one_of(
    st.text(max_size=12), st.text(alphabet=" \n\u2410\u2028ab", max_size=6), st.just(9_000).map("x".__mul__)
)
NUMBER = st.one_of(st.floats(), st.floats(width=32), st.sampled_from([0.0, -1.0, 1e39, math.nan, math.inf]))
WHOLE = st.one_of(st.integers(-5, 5), st.integers(), st.sampled_from([4095, 4096, 2**31, 100, 101]))
THREE = st.tuples(NUMBER, NUMBER, NUMBER)

VERBS = {
    "chat": st.tuples(TEXT),
    "emote": st.tuples(TEXT),
    "announce_profile": st.tuples(WHOLE),
    "offer_profile": st.tuples(WHOLE, st.one_of(TEXT, st.just("{}"), st.just("[]"))),
    "react": st.tuples(WHOLE),
    "react_to": st.tuples(st.one_of(TEXT, st.just("0xabc:1.5"), st.just("a" * 200 + ":1")), WHOLE),
    "scene_message": st.tuples(TEXT, st.one_of(st.binary(max_size=4), st.just(bytes(30_001)))),
    "move": st.tuples(
        st.one_of(
            THREE,
            st.builds(
                Movement, timestamp=NUMBER, position_x=NUMBER, velocity_y=NUMBER, rotation_y=NUMBER, head_yaw=NUMBER
            ),
        )
    ),
    "send": st.tuples(
        st.one_of(
            st.builds(Packet, chat=st.builds(Chat, message=TEXT, timestamp=NUMBER)),
            st.builds(Packet, player_emote=st.builds(PlayerEmote, urn=TEXT, timestamp=NUMBER)),
            st.builds(Packet, reaction=st.builds(Reaction, emoji_index=WHOLE, timestamp=NUMBER, count=WHOLE)),
            st.builds(Packet, chat_reaction=st.builds(ChatReaction, emoji_index=WHOLE, message_id=TEXT)),
            st.builds(Packet, position=st.builds(Position, position_x=NUMBER, rotation_w=NUMBER)),
            st.builds(Packet, movement=st.builds(Movement, position_z=NUMBER, slide_blend_value=NUMBER)),
            st.builds(Packet, profile_version=st.builds(AnnounceProfileVersion, profile_version=WHOLE)),
            st.builds(Packet, profile_request=st.builds(ProfileRequest, address=TEXT)),
            st.builds(Packet, profile_response=st.builds(ProfileResponse, serialized_profile=TEXT)),
            st.builds(Packet, scene=st.builds(Scene, scene_id=TEXT, data=st.binary(max_size=4))),
            st.builds(Packet, voice=st.builds(Voice, encoded_samples=st.binary(max_size=4), index=WHOLE)),
        )
    ),
    "send_bytes": st.tuples(st.just(b"")),
}


@pytest.mark.parametrize("verb", VERBS)
@settings(max_examples=60)
@given(data=st.data())
def test_what_a_verb_takes_others_take(verb: str, data: st.DataObject) -> None:
    args = data.draw(VERBS[verb])
    rig, other = Rig().join(), Rig().join("0xme")
    try:
        getattr(rig.session, verb)(*args)
    except CommsError:
        assert rig.sent() == []
        return
    for command in rig.sent():
        other.session.receive_data("0xme", command.data, topic=command.topic, now=0.0)
    assert [event for event in other.session.events() if isinstance(event, PacketRejected)] == []


def test_a_chat_message_that_others_would_refuse() -> None:
    rig = Rig().join()
    with pytest.raises(PacketTooLarge, match=r"8193 characters: .* beyond 8192 \(Limits.chat_chars\)") as caught:
        rig.session.chat("x" * 8_193)
    assert (caught.value.size, caught.value.limit) == (8_193, 8_192)
    assert rig.sent() == []
    rig.session.chat("x" * 8_192)
    (command,) = rig.sent()
    assert isinstance(Rig().join("alice").data(command.data), ChatReceived)


@pytest.mark.parametrize(
    "packet",
    [
        Packet(reaction=Reaction(emoji_index=4_096, count=1)),
        Packet(chat_reaction=ChatReaction(emoji_index=-4_097, message_id="0xabc:1.5")),
    ],
)
def test_an_emoji_that_others_would_refuse(packet: Packet) -> None:
    rig = Rig().join()
    with pytest.raises(LocalProtocolError):
        rig.session.send(packet)
    assert rig.sent() == []


def test_a_packet_or_a_topic_that_others_would_refuse() -> None:
    rig = Rig(limits=Limits(packet_bytes=10, topic_chars=3)).join()
    rig.session.send_bytes(bytes(10), topic="abc")
    with pytest.raises(PacketTooLarge):
        rig.session.send_bytes(bytes(11))
    with pytest.raises(PacketTooLarge, match="topic"):
        rig.session.send_bytes(b"", topic="abcd")


def warnings(rig: Rig, code: WarningCode) -> list[str]:
    return [event.text for event in rig.take_events() if isinstance(event, WarningEvent) and event.code is code]


def test_what_godot_cuts_is_said_once() -> None:
    rig = Rig().join()
    rig.session.chat("é" * 100)
    assert warnings(rig, WarningCode.CHAT_LARGE) == []
    rig.session.chat("é" * 101)
    rig.session.chat("é" * 102)
    assert warnings(rig, WarningCode.CHAT_LARGE) == ["a chat message of 202 bytes: Godot clients cut it at 200"]


def test_an_addressee_that_nobody_knows_is_told_of() -> None:
    rig = Rig().join("Alice")
    rig.session.chat("1", to=PeerId("alice"))
    (command,) = rig.sent()
    assert (command.to, command.topic) == (("Alice",), "Alice")  # as it is written here
    assert warnings(rig, WarningCode.ADDRESSEE_UNKNOWN) == []
    for _ in range(2):
        rig.session.chat("2", to=[PeerId("alice"), PeerId("nobody")])
    assert warnings(rig, WarningCode.ADDRESSEE_UNKNOWN) == ["nobody here is 'nobody': it may reach nobody"]
    rig.session.chat("3", to=PeerId("Alice"))
    rig.session.chat("4", to=PeerId("nobody"))
    assert len(warnings(rig, WarningCode.ADDRESSEE_UNKNOWN)) == 1
    # They are sent all the same: a peer may be there before we hear of it.
    assert [command.to for command in rig.sent()][-1] == ("nobody",)


def test_services_that_nobody_sees_are_no_strangers() -> None:
    rig = Rig().join()
    rig.session.chat("x", to=COMMUNITY_ROUTER, channel="community:1")
    rig.session.scene_message("bafy", b"x", to=AUTHORITATIVE_SERVER)
    assert warnings(rig, WarningCode.ADDRESSEE_UNKNOWN) == []
    assert [command.topic for command in rig.sent()] == ["community:1", ""]


def test_where_nobody_can_know_who_is_there_nothing_is_said() -> None:
    rig = Rig(limits=Limits(peers=1)).join("alice", "bob")
    rig.session.chat("x", to=PeerId("bob"))
    assert warnings(rig, WarningCode.ADDRESSEE_UNKNOWN) == []


def test_packets_for_all_and_for_some_in_one_call() -> None:
    rig = Rig().join("Alice")
    rig.session.put([(b"", None, ""), (b"", ("alice",), "t")], reliable=True, now=None)
    assert [(command.to, command.topic) for command in rig.sent()] == [(None, ""), (("Alice",), "t")]


@pytest.mark.parametrize("hosts", ["example.com", b"example.com", 5, [5], None])
def test_what_are_no_hosts(hosts: Any) -> None:
    with pytest.raises(LocalProtocolError, match="several hosts"):
        ChallengeGuard(hosts)


def test_a_guard_of_no_host_signs_nowhere() -> None:
    assert ChallengeGuard([]).hosts == ()


WRONG: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *(("chat", (text,), {}) for text in (5, None, b"x", "", ["a"])),
    ("chat", ("x",), {"channel": 5}),
    ("chat", ("x",), {"channel": "c" * 1_025, "to": PeerId("alice")}),
    *(("chat", ("x",), {"stamp": stamp}) for stamp in ("now", math.nan, math.inf, 0.0)),
    *(("emote", (urn,), {}) for urn in ("", 5, None, b"wave", "two words", "a\nb", "x" * 257)),
    *(("announce_profile", (version,), {}) for version in ("1", None, 1.5, True, -1, 2**32)),
    *(("offer_profile", (1, text), {}) for text in ("no json", "[]", "", b"{}", None, {"a": 1})),
    ("offer_profile", ("1", "{}"), {}),
    ("offer_profile", (1, "{}"), {"base_url": 5}),
    *(("request_profile", (who,), {}) for who in ("", None, 5, b"0x", ["alice"])),
    ("request_profile", (PeerId("alice"), "1"), {}),
    *(("react", (index,), {}) for index in (-1, 4096, "1", None, 1.0, True)),
    *(("react", (1,), {"count": count}) for count in (0, -1, 101, "2", None)),
    *(("react_to", (about, 1), {}) for about in ("x", "", ":1", "a:", "a:b", "a:nan", 5, None, "a" * 96 + ":1")),
    ("react_to", ("0xabc:1.5", 4096), {}),
    ("scene_message", (5, b"x"), {}),
    *(("scene_message", ("bafy", data), {}) for data in ("text", 5, None)),
    *(("move", (where,), {}) for where in ((1, 2), (1, 2, 3, 4), 5, None, "123", (1, "2", 3), {1, 2, 3}, (1, 2, math.nan))),
    ("move", ((1, 2, 3),), {"velocity": (1, 2)}),
    ("move", ((1, 2, 3),), {"yaw": "north"}),
    ("move", (Movement(position_x=math.nan),), {}),
    ("move", ((10**400, 0, 0),), {}),
    *(("send", (packet,), {}) for packet in (None, b"x", Chat(message="x"))),
    ("send", (Packet(),), {"topic": 5}),
    ("send_bytes", (b"",), {"topic": None}),
    *((verb, args, {"to": to}) for verb, args in (("chat", ("x",)), ("send_bytes", (b"",))) for to in (None, "", b"0x", 5, [""], [b"0x"])),
    *(("traffic", (who,), {}) for who in ("", None, 5)),
    *(("profile", (who,), {}) for who in ("", None, 5)),
    *(("close", (), {"drain": drain}) for drain in ("5", math.inf, math.nan, True)),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "args", "named"), WRONG, ids=lambda value: repr(value)[:40])
def test_what_is_no_argument_is_refused_before_anything_is_done(verb: str, args: Any, named: Any) -> None:
    rig = Rig().join("alice")
    rig.session.chat("before")
    before = rig.sent()
    assert len(before) == 1
    with pytest.raises(CommsError) as caught:
        getattr(rig.session, verb)(*args, **named)
    assert len(str(caught.value)) > 10
    assert rig.sent() == []
    assert rig.session.state.value == "open"
    assert not hasattr(caught.value, "__cause__") or caught.value.__cause__ is None


@pytest.mark.parametrize("who", ["", None, 5, b"alice"])
def test_what_names_nobody_says_so_in_the_table_of_peers(who: Any) -> None:
    peers = Rig().join("alice").session.peers
    for look in (lambda: who in peers, lambda: peers[who], lambda: peers.get(who)):
        with pytest.raises(LocalProtocolError, match="a peer is named by"):
            look()
    assert peers[PeerId("alice")] in peers


def test_a_text_is_as_good_as_an_id() -> None:
    rig = Rig().join("alice", "bob")
    peers = rig.session.peers
    assert "ALICE" in peers
    assert "carol" not in peers
    assert peers["ALICE"] == peers[PeerId("alice")] == peers.get("alice")
    assert peers.get("carol") is None
    with pytest.raises(KeyError):
        peers["carol"]
    assert rig.session.traffic("Alice") == rig.session.traffic(PeerId("alice"))
    assert rig.session.profile("alice") is None
    assert rig.session.request_profile("Alice")
    rig.session.chat("psst", to="ALICE")
    rig.session.chat("psst", to=["alice", PeerId("Bob"), "BOB"])
    asked, one, first, second = rig.sent()
    assert (asked.to, one.to, first.to, second.to) == (("alice",), ("alice",), ("alice",), ("bob",))
    assert (one.topic, first.topic, second.topic) == ("alice", "alice", "bob")
