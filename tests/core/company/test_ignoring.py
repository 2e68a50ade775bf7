"""Whom we ignore: nothing of what they send is told or looked at, in one room and in several; and those who abuse it."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from rigs.core.merged import Town
from rigs.core.room import STEADY, Rig, people, wire
from rigs.core.world import Universe, settled

from dcl_comms_core import (
    AnnounceProfileVersion,
    Chat,
    ChatReceived,
    CloseReason,
    Delivery,
    ForeignReceived,
    Ignore,
    Ignored,
    Journal,
    LimitReached,
    LinkClosed,
    LinkOpened,
    LinkRef,
    LocalProtocolError,
    MergedRooms,
    Movement,
    OpenLink,
    PacketReceived,
    ParticipantJoined,
    ParticipantLeft,
    PeerId,
    PeerIdentified,
    PeerIgnored,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    ProfileRequest,
    RoomRole,
    RoomSession,
    SimulatorAdapter,
    Subscribe,
    SubscribeTrack,
    Timer,
    Track,
    TrackAppeared,
    TrackKind,
    TrackPublished,
)
from dcl_comms_core.limits import Limits
from dcl_comms_core.testing import MemorySource

HELLO = wire(chat=Chat(message="hello"))
STEP = wire(movement=Movement(position_x=1.0))
VOICE, FACE = Track(sid="TR_1", kind=TrackKind.AUDIO), Track(sid="TR_2", kind=TrackKind.VIDEO)


def asked(rig: Rig) -> list[tuple[str, str, bool]]:
    return [(one.identity, one.sid, one.wanted) for one in rig.take_commands(SubscribeTrack)]


# --- packets


@pytest.mark.parametrize("delivery", list(Delivery))
def test_what_an_ignored_peer_sends_is_not_told(delivery: Delivery) -> None:
    rig = Rig(delivery=delivery).join("alice", "bob")
    rig.session.ignore("ALICE")
    assert rig.data(HELLO) is None
    assert rig.data(STEP) is None
    assert rig.data(b"\xff") is None
    assert rig.data(bytes(200_000)) is None
    assert rig.data(HELLO, sender="bob") is not None
    assert rig.session.counters["dropped.ignored"] == 4
    assert rig.session.counters["received"] == 5
    traffic = rig.session.traffic("alice")
    assert traffic is not None
    assert (traffic.received, traffic.ignored, traffic.rejected, traffic.abuse) == (4, 4, 0, 0.0)
    assert traffic.bytes == len(HELLO) + len(STEP) + 1 + 200_000
    assert "alice" in rig.session.peers
    assert rig.session.unignore("alice")
    assert rig.data(HELLO) is not None
    assert not rig.session.unignore("alice")


def test_who_asks_for_our_profile_gets_no_answer() -> None:
    rig = Rig().join("alice")
    rig.session.offer_profile(1, "{}")
    rig.sent()
    rig.session.ignore("alice")
    rig.data(wire(profile_request=ProfileRequest(address=rig.session.me.id.text, profile_version=1)))  # type: ignore[union-attr]
    assert rig.sent() == []


def test_ignoring_has_an_end() -> None:
    rig = Rig().join("alice", "bob")
    rig.session.ignore("alice", seconds=10.0)
    rig.session.ignore("bob", seconds=5.0)
    assert (rig.session.deadline(), rig.session.deadline_reason) == (5.0, Timer.IGNORE)
    assert (rig.session.ignored["alice"], rig.session.ignored["bob"]) == (10.0, 5.0)
    rig.timer()
    assert list(rig.session.ignored) == [PeerId("alice")]
    assert rig.data(HELLO, sender="bob") is not None
    # Once more is until another time.
    rig.session.ignore("alice", seconds=1.0, now=rig.now)
    assert rig.session.deadline() == 6.0
    rig.session.ignore("alice", now=rig.now)
    assert rig.session.deadline() is None
    assert rig.session.ignored["alice"] is None
    assert rig.session.unignore("alice")
    assert len(rig.session.ignored) == 0


def test_who_is_not_here_may_be_ignored_and_comes_and_goes_untold_of_nothing_else() -> None:
    rig = Rig().join()
    rig.session.ignore(PeerId("alice"))
    rig.tell(ParticipantJoined, participant=people("alice")[0])
    assert [type(event) for event in rig.take_events()[-1:]] == [PeerJoined]
    assert rig.data(HELLO) is None
    rig.tell(ParticipantLeft, identity="alice")
    assert isinstance(rig.take_events()[-1], PeerLeft)
    # Its last packets come after it, and have a sender's text all the same.
    assert rig.data(HELLO) is None
    assert rig.data(HELLO, sender="bob") is not None
    rig.tell(ParticipantJoined, participant=people("alice")[0])
    assert rig.data(HELLO) is None
    assert rig.session.unignore("ALICE")
    assert rig.data(HELLO) is not None


def test_what_came_before_an_ignored_sender_was_named_is_not_told_again() -> None:
    rig = Rig().join()
    rig.session.ignore("alice")
    rig.data(STEP, sender=None, source=7)
    rig.tell(ParticipantJoined, participant=people("alice")[0], source=7)
    assert not [event for event in rig.take_events() if isinstance(event, PeerIdentified)]
    assert rig.session.peers["alice"].position is None


def test_a_movement_that_waits_is_let_go() -> None:
    rig = Rig(limits=Limits(movement_rate=1, burst_seconds=0.0)).join("alice")
    rig.data(STEP)
    rig.data(STEP)
    rig.take_events()
    rig.data(STEP)
    assert rig.session.timers[Timer.MOVEMENT]
    rig.session.ignore("alice")
    assert rig.session.counters["dropped.ignored"] == 1
    rig.session.unignore("alice")
    rig.session.ignore("alice")
    rig.pass_time(5.0)
    assert rig.take_events() == []
    # One that begins to wait later, of somebody who is not ignored, is told.
    rig.session.unignore("alice")
    rig.data(STEP)
    rig.data(STEP)
    rig.take_events()
    rig.pass_time(5.0)
    assert [type(event) for event in rig.take_events()] == [PeerMoved]


def test_what_is_no_packet_is_let_go_likewise() -> None:
    rig = Rig().join("alice")
    rig.session.ignore("alice")
    rig.tell(ForeignReceived, sender="alice", what="stream", count=3, size=30)
    assert rig.session.counters["dropped.ignored"] == 3
    assert rig.session.counters["foreign.stream"] == 0


def test_it_outlives_the_link() -> None:
    rig = Rig(reconnect=STEADY).join("alice", "bob")
    rig.session.ignore("alice")
    rig.session.ignore("bob", seconds=100.0)
    rig.data(STEP)
    rig.lose()
    assert rig.session.timers.keys() == {Timer.RETRY}
    rig.timer()
    rig.tell(LinkOpened, identity="me", room="I1", participants=people("alice", "bob", sid="PB_"))
    assert rig.session.timers[Timer.IGNORE] == 100.0
    assert rig.data(HELLO) is None
    assert rig.data(HELLO, sender="bob") is None
    rig.now = 99.0
    rig.lose()
    rig.timer()
    rig.now = 150.0
    rig.tell(LinkOpened, identity="me", room="I1", participants=people("alice", "bob", sid="PC_"))
    # What ended while we were away has ended.
    assert rig.data(HELLO, sender="bob") is not None
    assert rig.data(HELLO) is None
    # When a link is lost, what waits of others is forgotten, and who is ignored is not.
    assert list(rig.session.ignored) == [PeerId("alice")]


def test_before_and_after_the_room() -> None:
    rig = Rig()
    rig.session.ignore("alice", seconds=5.0)
    assert rig.session.deadline() is None
    rig.join("alice")
    assert rig.session.timers[Timer.IGNORE] == 5.0
    assert rig.data(HELLO) is None
    rig.lose(CloseReason.BANNED)
    assert rig.session.deadline() is None
    rig.session.ignore("bob", seconds=5.0)
    assert rig.session.deadline() is None
    assert rig.session.unignore("bob")


def test_who_is_ignored_stays_so_when_what_waits_is_forgotten() -> None:
    rig = Rig(reconnect=STEADY, limits=Limits(movement_rate=1, burst_seconds=0.0)).join("alice")
    for _ in range(3):
        rig.session.receive_data("alice", STEP, now=0.0)
    rig.session.ignore("alice")
    rig.lose()
    rig.timer()
    rig.take_events()
    rig.join("alice")
    assert rig.data(HELLO) is None


@pytest.mark.parametrize("seconds", [0, -1.0, nan, inf, "5", True])
def test_for_how_long_is_a_number_of_seconds(seconds: Any) -> None:
    rig = Rig().join("alice")
    with pytest.raises(LocalProtocolError, match="seconds above 0"):
        rig.session.ignore("alice", seconds=seconds)
    assert len(rig.session.ignored) == 0


@pytest.mark.parametrize("who", ["", None, 5, b"alice"])
def test_who_is_somebody(who: Any) -> None:
    session = Rig().join("alice").session
    for look in (
        session.ignore,
        session.unignore,
        session.ignored.get,
        session.ignored.__getitem__,
        session.ignored.__contains__,
    ):
        with pytest.raises(LocalProtocolError, match=r"a peer is named by|nobody is named"):
            look(who)


def test_as_many_are_ignored_as_the_limit_says() -> None:
    rig = Rig(limits=Limits(ignored=2)).join("alice")
    rig.session.ignore("alice", seconds=5.0)
    rig.session.ignore("bob")
    with pytest.raises(LocalProtocolError, match=r"2 peers are ignored already \(Limits.ignored\)"):
        rig.session.ignore("carol")
    rig.session.ignore("Bob", seconds=50.0)
    # Who is not ignored any more leaves a place, be the timer late or not.
    rig.session.ignore("carol", now=5.0)
    assert {who.text for who in rig.session.ignored} == {"bob", "carol"}
    table = rig.session.ignored
    assert (len(table), "BOB" in table, "alice" in table) == (2, True, False)
    assert (table.get("bob"), table.get("carol"), table.get("alice")) == (50.0, None, None)
    with pytest.raises(KeyError):
        table["alice"]


# --- tracks


def test_tracks_of_an_ignored_peer_are_not_received() -> None:
    rig = Rig().join("alice", "bob")
    for who, track in (("alice", VOICE), ("bob", FACE)):
        rig.tell(TrackAppeared, identity=who, track=track)
    assert asked(rig) == []
    rig.session.ignore("alice")
    assert asked(rig) == [("alice", "TR_1", False)]
    # The transport would receive a new one by itself.
    rig.tell(TrackAppeared, identity="alice", track=Track(sid="TR_3", kind=TrackKind.AUDIO))
    assert asked(rig) == [("alice", "TR_3", False)]
    assert [type(event) for event in rig.take_events()[-1:]] == [TrackPublished]
    assert rig.session.unignore("alice")
    assert asked(rig) == [("alice", "TR_1", True), ("alice", "TR_3", True)]


def test_afterwards_the_policy_says_what_is_received() -> None:
    for policy, wanted in (
        (Subscribe.AUDIO, ["TR_1"]),
        (Subscribe.NONE, []),
        (lambda _who, track: track is FACE, ["TR_2"]),
    ):
        rig = Rig(subscribe=policy).join("alice")
        rig.session.ignore("alice", seconds=5.0)
        for track in (VOICE, FACE):
            rig.tell(TrackAppeared, identity="alice", track=track)
        assert asked(rig) == []
        rig.timer()
        assert asked(rig) == [("alice", sid, True) for sid in wanted]


# --- who abuses it


def test_a_flood_is_ignored_if_that_is_wanted() -> None:
    rig = Rig(ignore=Ignore(abuse_over=20.0, seconds=60.0), limits=Limits(chat_rate=1, burst_seconds=1.0)).join("alice")
    for _ in range(100):
        rig.session.receive_data("alice", HELLO, now=0.0)
    events = rig.session.events()
    assert [type(event) for event in events if not isinstance(event, PeerJoined)][-2:] == [LimitReached, PeerIgnored]
    ignored = events[-1]
    assert (ignored.sender.text, ignored.until) == ("alice", 60.0)
    assert 20.0 < ignored.abuse < 22.0
    traffic = rig.session.traffic("alice")
    assert traffic is not None
    assert (traffic.limited, traffic.ignored) == (21, 77)
    rig.now = 0.0
    rig.pass_time(60.0)
    assert rig.data(HELLO) is not None


def test_so_is_who_sends_what_is_no_packet() -> None:
    rig = Rig(ignore=Ignore(abuse_over=12.0, seconds=None)).join("alice")
    told = [rig.data(b"\xff") for _ in range(5)]
    assert [type(event).__name__ for event in told] == ["PacketRejected"] * 2 + ["PeerIgnored"] + ["NoneType"] * 2
    assert told[2].until is None
    assert rig.session.counters["rejected.malformed"] == 3
    # A stranger's score is everybody's, and nobody is ignored for it.
    for _ in range(50):
        rig.session.receive_data("nobody", b"\xff", now=0.0)
    assert list(rig.session.ignored) == [PeerId("alice")]


def test_so_is_who_sends_too_much_of_something_else() -> None:
    rig = Rig(ignore=Ignore(abuse_over=5.0), limits=Limits(other_rate=1, burst_seconds=0.0)).join("alice")
    rig.tell(ForeignReceived, sender="alice", what="stream", count=50, size=50)
    assert isinstance(rig.take_events()[-1], PeerIgnored)


def test_a_movement_that_is_let_go_at_last_may_be_too_much() -> None:
    rig = Rig(ignore=Ignore(abuse_over=2.5), limits=Limits(movement_rate=1, burst_seconds=0.0)).join("alice")
    for _ in range(6):
        rig.session.receive_data("alice", STEP, now=0.0)
    *_, last = rig.session.events()
    assert isinstance(last, PeerIgnored)
    rig.pass_time(10.0)
    assert not [event for event in rig.take_events() if isinstance(event, PeerMoved) and event.at > 0.0]


def test_one_that_waited_and_is_no_packet_may_be_the_last() -> None:
    rig = Rig(ignore=Ignore(abuse_over=5.5), limits=Limits(movement_rate=1, burst_seconds=0.0)).join("alice")
    nowhere = wire(movement=Movement(position_x=1.0, position_y=2.0))
    bad = nowhere.replace(b"\x00\x00\x80\x3f", b"\x00\x00\x80\x7f")
    assert bad != nowhere
    rig.data(STEP)
    rig.session.receive_data("alice", STEP, now=0.0)
    rig.session.receive_data("alice", bad, now=0.0)
    rig.session.events()
    # It is its turn, and it is nothing; then the one that has come is not looked at.
    rig.session.receive_data("alice", HELLO, now=10.0)
    assert [type(event) for event in rig.session.events()] == [PeerIgnored]
    traffic = rig.session.traffic("alice")
    assert traffic is not None
    assert traffic.ignored == 1


def test_where_the_table_is_full_nobody_more_is_ignored() -> None:
    rig = Rig(ignore=Ignore(abuse_over=4.0), limits=Limits(ignored=1)).join("alice", "bob")
    rig.session.ignore("carol")
    for who in ("alice", "bob", "alice"):
        rig.session.receive_data(who, b"\xff", now=0.0)
    limits = [event for event in rig.session.events() if isinstance(event, LimitReached)]
    assert [(event.limit, event.value, event.sender) for event in limits] == [("ignored", 1, PeerId("alice"))]
    assert list(rig.session.ignored) == [PeerId("carol")]
    rig.session.unignore("carol")
    rig.session.receive_data("bob", b"\xff", now=0.0)
    assert list(rig.session.ignored) == [PeerId("bob")]


@pytest.mark.parametrize(
    "named",
    [
        {"abuse_over": 0},
        {"abuse_over": nan},
        {"abuse_over": "5"},
        {"abuse_over": 5, "seconds": 0},
        {"abuse_over": 5, "seconds": inf},
    ],
)
def test_what_is_no_rule(named: Any) -> None:
    with pytest.raises(LocalProtocolError, match="above 0"):
        Ignore(**named)


def test_a_journal_of_it_is_run_again() -> None:
    journal = Journal()
    session: RoomSession = journal.record(
        RoomSession, SimulatorAdapter("room"), announce=False, ignore=Ignore(abuse_over=5)
    )
    session.open(now=0.0)
    (command,) = session.commands()
    session.receive(LinkOpened(link=command.link, identity="me", room="x", participants=people("alice")), now=0.0)
    session.ignore("alice", seconds=5.0, now=1.0)
    session.receive_data("alice", HELLO, now=2.0)
    session.unignore("alice", now=2.0)
    session.receive_data("alice", STEP, now=2.0)
    session.chat("a peer with all that is known of it", to=session.peers["alice"], now=2.0)
    session.ignore("alice", seconds=4.0, now=2.0)
    session.handle_timeout(6.0)
    session.receive_data("alice", HELLO, now=7.0)
    assert session.unignore(PeerId("alice"), now=8.0) is False
    assert isinstance(session.events()[-1], ChatReceived)
    replay = journal.replay()
    assert (str(replay), replay.skipped) == (f"identical: {replay.steps} steps", 0)


# --- several rooms


class Bench:
    """A merged view whose transports are played by the test."""

    def __init__(self, **options: Any) -> None:
        self.merged = MergedRooms(**options)
        self.now = 0.0
        self.links: dict[str, LinkRef] = {}

    def join(self, role: RoomRole, *present: str) -> None:
        self.merged.join(SimulatorAdapter(role.value), role, now=self.now)
        (command,) = (command for command in self.merged.commands() if isinstance(command, OpenLink))
        self.links[role.value] = command.link
        self.tell(role.value, LinkOpened, identity="me", room="x", participants=people(*present))

    def tell(self, label: str, kind: Any, **fields: Any) -> list[Any]:
        self.merged.receive(kind(link=self.links[label], **fields), now=self.now)
        return self.merged.events()

    def data(self, label: str, data: bytes, sender: str = "alice") -> list[Any]:
        self.merged.receive_data(sender, data, link=self.links[label].link, now=self.now)
        return self.merged.events()


def test_in_several_rooms_and_in_those_to_come() -> None:
    bench = Bench()
    bench.join(RoomRole.ISLAND, "alice", "bob")
    bench.merged.ignore("alice", seconds=100.0, now=0.0)
    bench.merged.ignore("bob", now=0.0)
    bench.now = 40.0
    bench.join(RoomRole.SCENE, "alice")
    assert bench.data("island", HELLO) == bench.data("scene", HELLO) == []
    assert bench.merged.ignored["alice"] == 100.0
    assert bench.merged.ignored["bob"] is None
    bench.tell("island", LinkClosed, reason=CloseReason.NETWORK)
    bench.now = 60.0
    bench.join(RoomRole.ISLAND, "alice", "bob")
    assert bench.data("island", HELLO) == []
    bench.now = 101.0
    bench.merged.handle_timeout(bench.now)
    assert len(bench.data("island", wire(chat=Chat(message="again", timestamp=1.0)))) == 1
    assert list(bench.merged.ignored) == [PeerId("bob")]
    assert bench.merged.unignore("bob", now=bench.now)
    assert not bench.merged.unignore("bob", now=bench.now)
    assert len(bench.data("island", HELLO, "bob")) == 1


def test_tracks_in_several_rooms() -> None:
    bench = Bench()
    for role in (RoomRole.ISLAND, RoomRole.SCENE):
        bench.join(role, "alice")
        bench.tell(
            role.value, TrackAppeared, identity="alice", track=Track(sid="TR_" + role.value, kind=TrackKind.AUDIO)
        )
    bench.merged.commands()
    bench.merged.ignore("alice", now=1.0)
    bench.merged.unignore("alice", now=2.0)
    asked = [(one.sid, one.wanted) for one in bench.merged.commands() if isinstance(one, SubscribeTrack)]
    assert asked == [("TR_island", False), ("TR_scene", False), ("TR_island", True), ("TR_scene", True)]


def test_the_limit_of_several_rooms() -> None:
    bench = Bench(limits=Limits(ignored=1))
    bench.join(RoomRole.ISLAND)
    bench.merged.ignore("alice", seconds=1.0, now=0.0)
    with pytest.raises(LocalProtocolError, match=r"Limits\.ignored"):
        bench.merged.ignore("bob", now=0.5)
    bench.merged.ignore("bob", now=1.0)
    assert list(bench.merged.ignored) == [PeerId("bob")]


def test_who_abuses_one_room_is_ignored_in_all_and_told_of_once() -> None:
    bench = Bench(ignore=Ignore(abuse_over=4.0, seconds=50.0), limits=Limits(ignored=2))
    for role in (RoomRole.ISLAND, RoomRole.SCENE):
        bench.join(role, "alice", "bob", "carol")
    (told,) = bench.data("island", b"\xff")
    assert isinstance(told, PeerIgnored)
    assert bench.data("scene", HELLO) == []
    assert bench.merged.ignored["alice"] == 50.0
    # Both rooms may have had enough before the other one is told.
    both = [session.receive_data("bob", b"\xff", now=1.0) for session in bench.merged.rooms.values()]
    assert len([event for event in bench.merged.events() if isinstance(event, PeerIgnored)]) == 1
    assert len(both) == len(bench.merged.ignored) == 2
    # There is no place for a third, in the rooms neither.
    assert not [event for event in bench.data("scene", b"\xff", "carol") if isinstance(event, PeerIgnored)]


def test_a_room_that_has_a_place_more_ignores_by_itself() -> None:
    bench = Bench(ignore=Ignore(abuse_over=4.0), limits=Limits(ignored=1))
    for role in (RoomRole.ISLAND, RoomRole.SCENE):
        bench.join(role, "alice", "bob")
    bench.merged.ignore("alice", now=0.0)
    bench.merged.rooms[bench.links["scene"].link].unignore("alice")
    (told,) = bench.data("scene", b"\xff", "bob")
    assert isinstance(told, PeerIgnored)
    assert list(bench.merged.ignored) == [PeerId("alice")]
    assert bench.data("scene", HELLO, "bob") == []
    assert len(bench.data("island", HELLO, "bob")) == 1


def test_what_a_source_tells_of_an_ignored_peer_is_let_go() -> None:
    here = Town()
    one, two, three = (here.client(name) for name in ("one", "two", "three"))
    for client in (one, two, three):
        client.merged.attach(MemorySource(client.merged.new_link()), now=here.clock.now)
    here.run()
    one.take()
    one.merged.ignore("two", now=here.clock.now)
    for client in (two, three):
        client.merged.move((1.0, 2.0, 3.0), now=here.clock.now)
        client.merged.announce_profile(1, now=here.clock.now)
        client.merged.emote("wave", now=here.clock.now)
    here.run()
    heard = [event for event in one.take() if not isinstance(event, PeerJoined | PeerLeft)]
    assert {event.sender.text for event in heard} == {"three"}
    assert one.merged.counters["dropped.ignored"] > 2
    assert one.merged.peers.get("two").position is None  # type: ignore[union-attr]
    one.merged.unignore("two", now=here.clock.now)
    two.merged.move((4.0, 2.0, 3.0), now=here.clock.now)
    here.run()
    assert {event.sender.text for event in one.take(PeerMoved)} >= {"two"}


def test_in_a_realm_it_outlives_rooms() -> None:
    here = Universe()
    first, second = settled(here), settled(here, number=2)
    who = second.session.identity
    assert who is not None
    first.session.ignore(who.text, seconds=300.0, now=here.clock.now)
    first.take()
    second.session.chat("hello", now=here.clock.now)
    here.run(2.0)
    assert first.take(ChatReceived) == []
    assert list(first.session.ignored) == [who]
    assert first.session.counters["dropped.ignored"] == 1
    assert first.session.unignore(who, now=here.clock.now)
    assert not first.session.unignore(who, now=here.clock.now)
    second.session.chat("hello again", now=here.clock.now)
    here.run(2.0)
    assert [event.text for event in first.take(ChatReceived)] == ["hello again"]


def test_the_table_alone() -> None:
    table = Ignored(2)
    assert table.due is None
    assert table.put(PeerId("a"), 5.0)
    assert table.put(PeerId("b"), inf)
    assert not table.put(PeerId("c"), 1.0)
    assert table.due == 5.0
    assert table.over(4.0) == []
    assert table.over(5.0) == [PeerId("a")]
    assert not table.pop(PeerId("a"))


def test_versions_of_an_ignored_peer_are_not_known() -> None:
    rig = Rig().join("alice")
    rig.session.ignore("alice")
    rig.data(wire(profile_version=AnnounceProfileVersion(profile_version=3)))
    assert rig.session.peers["alice"].profile_version is None
    assert isinstance(rig.session.peers["alice"].id, PeerId)
    assert not [event for event in rig.take_events() if isinstance(event, PacketReceived)]
