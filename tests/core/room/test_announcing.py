"""Announcing a profile, offering it, asking for those of others; and what of that goes out by itself."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import ME, STEADY, Rig, livekit, people, wire

from dcl_comms_core import (
    Limits,
    LocalProtocolError,
    PacketTooLarge,
    ParticipantJoined,
    PeerId,
    ProfileReceived,
    ProfileRequest,
    ProfileResponse,
    Timer,
    WarningCode,
    decode,
    events,
    trusted_url,
)

ALICE, BOB = PeerId("alice"), PeerId("bob")


def announced(rig: Rig) -> list[int]:
    """The versions that went out since the last look."""
    sent = rig.sent()
    rig.acknowledge(*(command.token for command in sent))
    packets = [decode(command.data) for command in sent]
    return [packet.profile_version.profile_version for packet in packets if packet.profile_version is not None]


def newcomer(rig: Rig, name: str) -> None:
    rig.tell(ParticipantJoined, participant=people(name)[0])


def test_a_version_is_announced_on_joining_and_every_ten_seconds() -> None:
    rig = Rig(profile_version=7).join()
    assert announced(rig) == [7]
    assert (rig.session.deadline(), rig.session.deadline_reason) == (10.0, Timer.PRESENCE)
    for _ in range(3):
        rig.timer()
        assert announced(rig) == [7]
    assert rig.now == 30.0


def test_newcomers_are_told_two_seconds_apart() -> None:
    rig = Rig(profile_version=7).join()
    announced(rig)
    rig.now = 1.0
    newcomer(rig, "alice")
    newcomer(rig, "bob")
    assert announced(rig) == []
    rig.timer()
    assert (rig.now, announced(rig)) == (2.0, [7])
    rig.pass_time(5.0)
    newcomer(rig, "carol")
    assert announced(rig) == [7]
    assert rig.session.deadline() == 17.0


def test_without_a_version_there_is_nothing_to_announce() -> None:
    rig = Rig().join()
    newcomer(rig, "alice")
    assert rig.sent() == []
    assert rig.session.deadline() is None
    assert rig.take_events(events.Warning) == []


def test_a_version_that_is_announced_goes_on_being_announced() -> None:
    rig = Rig().join()
    rig.session.announce_profile(8, now=1.0)
    rig.session.announce_profile(9, to=ALICE)
    assert announced(rig) == [8, 9]
    rig.timer()
    assert (rig.now, announced(rig)) == (11.0, [8])


def test_silence_is_warned_of_and_kept() -> None:
    rig = Rig(profile_version=7, silent=True).join()
    (warning,) = rig.take_events(events.Warning)
    assert warning.code is WarningCode.SILENT
    newcomer(rig, "alice")
    assert announced(rig) == []
    rig.session.announce_profile(8)
    assert announced(rig) == [8]
    assert rig.session.deadline() is None


def test_after_joining_anew_it_is_announced_anew() -> None:
    rig = Rig(profile_version=7, reconnect=STEADY).join()
    announced(rig)
    rig.lose()
    rig.timer()
    rig.join()
    assert announced(rig) == [7]


def test_while_the_link_is_repaired_nothing_piles_up() -> None:
    rig = Rig(profile_version=7).join()
    announced(rig)
    rig.fall_silent()
    rig.pass_time(35.0)
    assert rig.session.waiting == 0
    assert rig.session.deadline_reason is Timer.PRESENCE


def test_a_token_that_forbids_data_forbids_this_too() -> None:
    rig = Rig(livekit(can_publish_data=False), profile_version=7).join()
    newcomer(rig, "alice")
    assert rig.sent() == []


def test_who_leaves_is_present_no_more() -> None:
    rig = Rig(profile_version=7).join()
    rig.session.chat("last words")
    rig.close(drain=20.0)
    rig.sent()
    rig.pass_time(12.0)
    assert rig.sent() == []


@pytest.mark.parametrize("version", [-1, 1 << 32])
def test_no_such_version(version: int) -> None:
    with pytest.raises(LocalProtocolError):
        Rig(profile_version=version)
    with pytest.raises(LocalProtocolError):
        Rig().join().session.announce_profile(version)


# --- offering ours


def ask(rig: Rig, address: str, sender: str = "alice") -> list[Any]:
    """Somebody asks; gives the answers."""
    rig.session.receive_data(sender, wire(profile_request=ProfileRequest(address=address)), now=rig.now)
    return [decode(command.data).profile_response for command in rig.sent()]


def test_who_asks_for_our_profile_gets_it_and_so_does_everybody_once_in_ten_seconds() -> None:
    rig = Rig().join("alice", "bob")
    assert ask(rig, ME) == []
    rig.session.offer_profile(4, '{"version":4}', base_url="https://peer.example")
    assert announced(rig) == [4]
    assert ask(rig, "0x" + "cc" * 20) == []
    answer = ProfileResponse(serialized_profile='{"version":4}', base_url="https://peer.example")
    assert ask(rig, ME.upper().replace("X", "x")) == [answer]
    rig.now = 9.9
    assert ask(rig, ME, "bob") == []
    rig.now = 10.0
    assert ask(rig, ME, "bob") == [answer]
    assert len([event for event in rig.take_events() if type(event).__name__ == "ProfileRequested"]) == 5


def test_a_profile_that_fits_no_packet() -> None:
    rig = Rig().join()
    with pytest.raises(PacketTooLarge):
        rig.session.offer_profile(4, "x" * 60_001)
    assert rig.sent() == []


def test_how_large_a_profile_may_be_is_a_limit() -> None:
    rig = Rig(limits=Limits(offered_profile_bytes=10)).join()
    rig.session.offer_profile(4, "{}")
    with pytest.raises(PacketTooLarge, match="10"):
        rig.session.offer_profile(4, '{"version": 4}')


# --- those of others


def tell(rig: Rig, text: str, sender: str | None = "alice", base_url: str = "") -> ProfileReceived:
    response = ProfileResponse(serialized_profile=text, base_url=base_url)
    event = rig.data(wire(profile_response=response), sender)
    assert isinstance(event, ProfileReceived)
    return event


def test_a_request_goes_to_the_peer_alone_and_its_answer_is_known_as_one() -> None:
    rig = Rig().join("alice", "bob")
    assert tell(rig, '{"version":1}', "bob").requested is False
    assert rig.session.request_profile(ALICE, 3)
    (command,) = rig.sent()
    assert (command.to, command.reliable) == (("alice",), False)
    assert decode(command.data).profile_request == ProfileRequest(address="alice", profile_version=3)
    assert tell(rig, '{"version":3}', "bob").requested is False
    assert tell(rig, '{"version":3}').requested is True
    assert tell(rig, '{"version":3}').requested is False
    known = rig.session.profile(ALICE)
    assert known is not None
    assert (known.version, known.serialized, known.at) == (3, '{"version":3}', 0.0)


def test_nobody_is_asked_often_or_for_what_is_known() -> None:
    rig = Rig().join("alice", "bob")
    session = rig.session
    assert session.request_profile(ALICE, now=0.0)
    assert not session.request_profile(ALICE, now=9.9)
    assert session.request_profile(BOB, now=9.9)
    assert session.request_profile(ALICE, now=10.0)
    tell(rig, '{"version":3}')
    assert not session.request_profile(ALICE, 3, now=30.0)
    assert session.request_profile(ALICE, 4, now=30.0)
    gone = Rig()
    gone.session.close()
    with pytest.raises(LocalProtocolError):
        gone.session.request_profile(ALICE)


def ask_all(rig: Rig, *names: str, version: int = 0) -> None:
    for name in names:
        assert rig.session.request_profile(PeerId(name), version)


def test_a_profile_that_nobody_asked_for_is_told_and_not_kept() -> None:
    rig = Rig(limits=Limits(profiles=1)).join("alice", "bob")
    ask_all(rig, "alice")
    for name in ("alice", "bob"):
        assert tell(rig, '{"version":1}', name).requested is (name == "alice")
    assert rig.session.profile(BOB) is None
    # What follows from one that we asked takes the place of what it said before.
    assert tell(rig, '{"version":2}').requested is False
    known = rig.session.profile(ALICE)
    assert known is not None
    assert known.version == 2


def test_a_profile_is_its_sender_s_whatever_it_says_and_never_older_than_before() -> None:
    rig = Rig().join("alice", "bob")
    ask_all(rig, "alice", "bob")
    tell(rig, '{"version":5,"ethAddress":"bob"}')
    assert rig.session.profile(BOB) is None
    for text in ('{"version":4}', "[]", "{", '"x"', "{}"):
        tell(rig, text)
    known = rig.session.profile(ALICE)
    assert known is not None
    assert known.version == 5
    tell(rig, '{"version":true}', "bob")
    assert rig.session.profile(BOB).version == 0  # type: ignore[union-attr]  # there is one
    tell(rig, '{"version":9}', None)


def kept(rig: Rig, names: str = "abc") -> str:
    return "".join(name for name in names if rig.session.profile(PeerId(name)) is not None)


def test_profiles_are_bounded_by_number_and_by_size() -> None:
    rig = Rig(limits=Limits(profiles=2, profiles_bytes=40)).join("a", "b", "c")
    text = '{"version":1}'
    for name in "abc":
        ask_all(rig, name)
        tell(rig, text, name)
    assert kept(rig) == "bc"
    tell(rig, text, "c", "https://x.example")
    assert kept(rig) == "c"
    ask_all(rig, "b", version=2)
    tell(rig, text + " " * 40, "b")
    assert kept(rig) == "c"
    ask_all(rig, "a", "b", "c", version=2)
    ask_all(rig, "a", version=2)  # forgotten by now


def test_a_profile_s_size_is_what_its_text_takes_in_memory() -> None:
    rig = Rig(limits=Limits(profiles_bytes=120)).join("a", "b", "c")
    ask_all(rig, "a", "b", "c")
    tell(rig, '{"name":"eve"}' + " " * 16, "a")
    tell(rig, '{"name":"zoe"}' + " " * 16, "b", "é")
    assert kept(rig) == "ab"
    tell(rig, '{"name":"z\U0001f600e"}', "c")  # 14 characters, 56 bytes
    assert kept(rig) == "abc"
    tell(rig, '{"name":"z\U0001f600e"}' + " " * 2, "c")
    assert kept(rig) == "bc"
    tell(rig, '{"name":"z\U0001f600e"}' + " " * 17, "c")
    assert kept(rig) == "bc"


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://peer.example/content", True),
        ("https://peer.example/content///", True),
        ("https://peer.example", False),
        ("https://peer.example/content/..", False),
        ("http://peer.example/content", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("https://[", False),
        ("https://peer.example/con tent", False),
        ("", False),
    ],
)
def test_what_may_be_fetched_is_what_is_allowed(url: str, trusted: bool) -> None:
    allowed = ["https://peer.example/content/", "file:///etc/passwd", "https://peer.example/con tent", "https://"]
    assert trusted_url(url, allowed) == ("https://peer.example/content" if trusted else None)
