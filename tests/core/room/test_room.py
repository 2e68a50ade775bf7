"""RoomSession: opening, closing, timers, reconnecting."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.core.room import ME, STEADY, Rig, at, kinds, livekit, people, wire

from dcl_comms_core import (
    RETRY,
    Backoff,
    Chat,
    ChatReceived,
    ClockSet,
    CloseLink,
    CloseReason,
    CommandCompleted,
    CommandFailed,
    CredentialsNeeded,
    DataReceived,
    ForeignReceived,
    LimitReached,
    Limits,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LinkRef,
    LocalProtocolError,
    LookAtPosition,
    NotInARoom,
    OfflineAdapter,
    OpenLink,
    PacketsDropped,
    ParticipantJoined,
    ParticipantLeft,
    PeerId,
    PermissionMissing,
    PublishMicrophone,
    Reconnected,
    Reconnecting,
    Retry,
    RoomClosed,
    RoomOpened,
    RoomState,
    SendData,
    SetAttributes,
    SimulatorAdapter,
    Subscribe,
    Timer,
    TrackSource,
    WarningCode,
)
from dcl_comms_core.inputs import EngineChanged

# --- opening


def test_opening() -> None:
    adapter = livekit()
    rig = Rig(adapter, room="island", subscribe=Subscribe.NONE)
    assert (rig.session.state, rig.session.identity, rig.session.deadline()) == (RoomState.NEW, None, None)
    rig.open()
    (opening,) = rig.take_commands(OpenLink)
    assert (opening.link, opening.adapter, opening.auto_subscribe) == (LinkRef(1, 1), adapter, False)
    assert rig.take_events() == []
    rig.now = 2.0
    rig.join("alice", "bob", sid="RM_1")
    assert rig.session.state is RoomState.OPEN
    assert (rig.session.identity, rig.session.adapter, rig.session.room) == (PeerId(ME), adapter, "island")
    opened, *joined = rig.take_events()
    assert opened == RoomOpened(at=2.0, room="island", identity=PeerId(ME), name="I1", sid="RM_1")
    assert [(event.sender.text, event.at, event.room) for event in joined] == [
        ("alice", 2.0, "island"),
        ("bob", 2.0, "island"),
    ]
    assert rig.session.deadline() is None
    assert rig.session.deadline_reason is None


def test_a_link_number_of_our_choice() -> None:
    rig = Rig(link=7).open()
    assert rig.link == LinkRef(7, 1)


def test_only_rooms_can_be_joined() -> None:
    with pytest.raises(LocalProtocolError, match="not OfflineAdapter"):
        Rig(OfflineAdapter("offline"))


def test_what_is_no_input() -> None:
    with pytest.raises(LocalProtocolError, match="not str"):
        Rig().session.receive("LinkOpened", now=0.0)  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_times_that_are_not_finite_are_the_host_s_mistake(bad: float) -> None:
    rig = Rig().join()
    for call in (
        lambda: rig.session.handle_timeout(bad),
        lambda: rig.session.receive(ClockSet(unix_offset=0.0), now=bad),
        lambda: rig.session.receive(ClockSet(unix_offset=bad), now=0.0),
        lambda: rig.session.receive_data("alice", b"", now=bad),
        lambda: rig.session.chat("hello", now=bad),
    ):
        with pytest.raises(LocalProtocolError, match="finite"):
            call()
    assert rig.take_events(ChatReceived) == []
    with pytest.raises(LocalProtocolError, match="finite"):
        rig.session.close(drain=abs(bad))
    assert rig.session.state is RoomState.OPEN


def test_time_does_not_go_back() -> None:
    rig = Rig().join()
    rig.session.receive_data("alice", wire(chat=Chat(message="1")), now=5.0)
    rig.session.receive_data("alice", wire(chat=Chat(message="2")), now=3.0)
    assert [event.at for event in rig.take_events(ChatReceived)] == [5.0, 5.0]


# --- being announced at once


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        ({}, [SetAttributes(link=LinkRef(1, 1), attributes=(("client", "dcl-comms"),))]),
        ({"can_update_own_metadata": False}, [PublishMicrophone(link=LinkRef(1, 1))]),
        ({"can_update_own_metadata": False, "can_publish_sources": ["camera"]}, []),
        ({"can_update_own_metadata": False, "can_publish": False}, []),
    ],
)
def test_announcing_ourselves(grants: dict[str, Any], expected: list[object]) -> None:
    rig = Rig(livekit(**grants)).join()
    assert rig.take_commands(SetAttributes | PublishMicrophone) == expected  # type: ignore[arg-type]  # isinstance takes it
    warnings = [event.code for event in rig.take_events() if hasattr(event, "code")]
    assert warnings == ([] if expected else [WarningCode.ANNOUNCED_LATE])


def test_not_announcing_ourselves() -> None:
    rig = Rig(announce=False).join()
    assert kinds(rig.take_commands(object)) == ["OpenLink"]
    assert kinds(rig.take_events()) == ["RoomOpened"]


@pytest.mark.parametrize("answer", [CommandCompleted, CommandFailed, None])
def test_packets_wait_until_others_know_us(answer: Any) -> None:
    rig = Rig().join(known=False)
    rig.session.chat("first")
    rig.drain()
    assert rig.take_commands(SendData) == []
    assert not rig.session.has_credit()
    assert (rig.session.deadline(), rig.session.deadline_reason) == (1.0, Timer.ANNOUNCE)
    if answer is None:
        rig.timer()
    else:
        rig.tell(answer, what="SetAttributes")
    assert len(rig.take_commands(SendData)) == 1
    assert rig.session.deadline() is None
    # A second answer changes nothing.
    rig.tell(CommandCompleted, what="SetAttributes")
    assert rig.take_commands(SendData) == []


def test_closing_lets_packets_out_that_wait_until_others_know_us() -> None:
    rig = Rig().join(known=False)
    rig.session.chat("last words")
    rig.session.close(drain=3.0)
    rig.drain()
    assert rig.take_commands(SendData | CloseLink) == []  # type: ignore[arg-type]  # isinstance takes it
    rig.tell(CommandCompleted, what="SetAttributes")
    assert kinds(rig.take_commands(SendData | CloseLink)) == ["SendData", "CloseLink"]  # type: ignore[arg-type]


def test_a_link_that_repairs_itself_need_not_make_us_known_again() -> None:
    rig = Rig().join(known=False)
    rig.session.chat("first")
    rig.tell(LinkReconnecting)
    assert rig.session.timers == {Timer.REPAIR: 180.0, Timer.WAITING: 60.0}
    rig.tell(CommandCompleted, what="SetAttributes")
    assert rig.take_commands(SendData) == []
    rig.tell(LinkReconnected)
    assert len(rig.take_commands(SendData)) == 1


def test_a_command_that_failed_is_told() -> None:
    rig = Rig().join()
    rig.take_events()
    rig.tell(CommandFailed, what="SetAttributes", detail="not allowed")
    (warning,) = rig.take_events()
    assert (warning.code, warning.text) == (WarningCode.COMMAND_FAILED, "SetAttributes: not allowed")


def test_that_another_engine_joins_is_told_before_the_room_is_open() -> None:
    rig = Rig().open()
    rig.tell(EngineChanged, detail="no datagram passes")
    (warning,) = rig.take_events()
    assert (warning.code, warning.text) == (WarningCode.ENGINE_CHANGED, "no datagram passes")


def test_packets_that_a_link_had_no_room_for_are_told() -> None:
    rig = Rig(limits=Limits(inbox_bytes=7)).join()
    rig.take_events()
    rig.tell(PacketsDropped, count=3)
    (event,) = rig.take_events()
    assert (event.limit, event.value, rig.session.counters["dropped.inbox_bytes"]) == ("inbox_bytes", 7, 3)


def test_peers_that_come_and_go_all_the_time_are_told_at_a_rate() -> None:
    rig = Rig(limits=Limits(join_rate=5, burst_seconds=2.0)).join("there")

    def flap(count: int) -> list[str]:
        rig.take_events()
        for number in range(count):
            rig.tell(ParticipantJoined, participant=people(f"p{number}")[0])
            rig.tell(ParticipantLeft, identity=f"p{number}")
        return kinds(rig.take_events())

    # One beyond the burst, as with packets; who was there when we came does not count.
    assert flap(40) == ["PeerJoined", "PeerLeft"] * 11 + ["LimitReached"]
    assert flap(40) == []
    rig.now += 1.1
    assert flap(40) == ["PeerJoined", "PeerLeft"] * 5
    rig.now += 60.0
    rig.tell(ParticipantJoined, participant=people("late")[0])
    (told,) = rig.take_events()
    assert told.sender in rig.session.peers
    assert flap(40)[-1] == "LimitReached"


def foreign(rig: Rig, sender: str | None, count: int, size: int = 0, what: str = "stream") -> list[Any]:
    rig.tell(ForeignReceived, sender=sender, what=what, count=count, size=size)
    return rig.take_events()


def test_what_a_peer_sends_beside_packets_counts_against_its_allowance() -> None:
    rig = Rig(limits=Limits(other_rate=10, burst_seconds=2.0, bytes_rate=1_000)).join("a", "b")
    rig.take_events()
    (a, b), counters = rig.session.peers, rig.session.counters
    assert foreign(rig, "a", 15, 150) == []
    assert foreign(rig, "a", 15, 150, "chat") == [
        LimitReached(at=rig.now, room="main", limit="other_rate", value=10, sender=a)
    ]
    assert foreign(rig, "a", 5, 50) == []
    traffic = rig.session.traffic(a)
    assert (traffic.received, traffic.bytes, traffic.limited, traffic.abuse) == (35, 350, 14, 14.0)
    assert (counters["foreign.stream"], counters["foreign.chat"], counters["dropped.other_rate"]) == (15, 6, 14)
    # One beyond the burst, as with packets; what is used up is used up for packets too.
    rig.session.receive_data("a", wire(look_at_position=LookAtPosition()), now=rig.now)
    assert rig.session.traffic(a).limited == 15
    # By bytes, where they are many.
    assert foreign(rig, "b", 4, 4_000) == [
        LimitReached(at=rig.now, room="main", limit="other_rate", value=10, sender=b)
    ]
    assert rig.session.traffic(b).limited == 1
    # It recovers, and is told again.
    rig.now += 5.0
    assert foreign(rig, "a", 1) == []
    assert len(foreign(rig, "a", 30)) == 1


def test_what_nobody_in_particular_sends_beside_packets_is_the_strangers() -> None:
    rig = Rig(limits=Limits(other_rate=1, burst_seconds=1.0, stranger_share=2)).join("a")
    rig.take_events()
    assert foreign(rig, None, 2) == foreign(rig, "x", 1) == []
    (told,) = foreign(rig, "", 1)
    assert (told.limit, told.sender) == ("other_rate", None)
    assert rig.session.counters["foreign.stream"] == 3


def test_what_may_be_published() -> None:
    rig = Rig(livekit())
    with pytest.raises(NotInARoom, match="publish after RoomOpened"):
        rig.session.check_publish(TrackSource.MICROPHONE)
    rig.join()
    rig.session.check_publish(TrackSource.MICROPHONE)
    with pytest.raises(PermissionMissing, match="canPublishSources"):
        rig.session.check_publish(TrackSource.CAMERA)
    Rig().join().session.check_publish(TrackSource.CAMERA)


# --- timers


def test_no_answer_in_time() -> None:
    rig = Rig(limits=Limits(connect_seconds=3.0)).open()
    assert (rig.session.deadline(), rig.session.deadline_reason) == (3.0, Timer.CONNECT)
    link = rig.link
    rig.take_commands(object)
    rig.timer()
    assert rig.take_commands(object) == [CloseLink(link=link)]
    (closed,) = rig.take_events()
    assert (closed.reason, closed.retry, closed.detail) == (
        CloseReason.TIMEOUT,
        Retry.BACKOFF,
        "no answer within 3 s",
    )
    rig.tell(LinkOpened, identity=ME, room="I1")
    assert rig.session.state is RoomState.CLOSED
    assert rig.take_events() == []


def test_no_answer_while_rejoining_is_another_attempt() -> None:
    rig = at(RoomState.CONNECTING)
    assert rig.session.deadline_reason is Timer.CONNECT
    old = rig.link
    rig.timer()
    assert rig.take_commands(object) == [CloseLink(link=old)]
    (waiting,) = rig.take_events()
    assert (waiting.attempt, waiting.reason) == (2, CloseReason.TIMEOUT)
    rig.timer()
    assert rig.link == LinkRef(1, old.generation + 1)


@pytest.mark.parametrize("state", RoomState)
def test_spurious_timeouts_do_nothing(state: RoomState) -> None:
    rig = at(state)
    deadline = rig.session.deadline()
    for _ in range(3):
        rig.session.handle_timeout(rig.now)
        rig.session.handle_timeout(rig.now - 5.0)
    if deadline is not None:
        rig.session.handle_timeout(deadline - 0.001)
    assert (rig.session.state, rig.session.deadline()) == (state, deadline)
    assert (rig.take_commands(object), rig.take_events()) == ([], [])


@given(
    state=st.sampled_from(RoomState),
    steps=st.lists(st.floats(0.0, 30.0), max_size=8),
    jitter=st.floats(0.0, 1.0),
)
def test_a_deadline_that_was_handled_lies_ahead(state: RoomState, steps: list[float], jitter: float) -> None:
    rig = at(state, reconnect=Backoff(initial=0.5, jitter=jitter))
    for step in steps:
        rig.pass_time(step)
        deadline, reason = rig.session.deadline(), rig.session.deadline_reason
        assert (deadline is None) == (reason is None)
        assert deadline is None or deadline > rig.now


# --- closing


def test_closing_an_open_room() -> None:
    rig = Rig().join()
    rig.take_events()
    rig.now = 1.0
    rig.close(drain=2.0)
    assert rig.told_to_close() == [2.0]
    assert (rig.session.deadline(), rig.session.deadline_reason) == (1.0 + 2.0 + 5.0, Timer.CLOSE)
    assert rig.take_events() == []
    rig.tell(LinkClosed, reason=CloseReason.NETWORK, detail="whatever")
    assert rig.take_events() == [
        RoomClosed(at=1.0, room="main", reason=CloseReason.CLIENT, retry=Retry.NEVER, detail="")
    ]
    assert rig.session.deadline() is None


@pytest.mark.parametrize(("stranded", "counted"), [(0, {}), (2, {"stranded": 2}), (-1, {})])
def test_what_a_transport_keeps_of_a_room_that_ended_is_counted(stranded: int, counted: dict[str, int]) -> None:
    rig = Rig().join()
    rig.tell(LinkClosed, reason=CloseReason.REMOVED, stranded=stranded)
    assert {name: count for name, count in rig.session.counters.items() if name == "stranded"} == counted


def test_the_default_drain_is_the_limit_s() -> None:
    rig = Rig(limits=Limits(drain_seconds=1.5)).join().close()
    assert rig.told_to_close() == [1.5]
    rig = Rig().join().close(drain=-1.0)
    assert rig.told_to_close() == [0.0]


def test_a_link_that_does_not_confirm_its_end_is_given_up() -> None:
    rig = at(RoomState.CLOSING)
    assert rig.session.deadline_reason is Timer.CLOSE
    rig.timer()
    (closed,) = rig.take_events()
    assert (closed.reason, closed.detail) == (CloseReason.CLIENT, "the link did not confirm its end")


def test_closing_waits_for_the_queue() -> None:
    rig = Rig(limits=Limits(in_flight=2)).join()
    rig.send(5)
    tokens = [command.token for command in rig.sent()]
    rig.close(drain=3.0)
    assert rig.told_to_close() == []
    assert (rig.session.deadline(), rig.session.deadline_reason) == (3.0, Timer.CLOSE)
    rig.now = 1.0
    rig.acknowledge(*tokens)
    more = rig.sent()
    assert [command.data for command in more] == [b"\x02", b"\x03"]
    assert rig.told_to_close() == []
    rig.acknowledge(more[0].token)
    # The last packet went out; the link gets the rest of the time for what is in flight.
    assert [type(command) for command in rig.commands] == [SendData, CloseLink]
    assert rig.told_to_close() == [2.0]
    rig.acknowledge(more[1].token)
    assert rig.session.counters["sent"] == 4
    rig.tell(LinkClosed, reason=CloseReason.CLIENT)
    assert rig.session.counters["dropped"] == 0
    assert rig.session.counters["unconfirmed"] == 1


def test_the_queue_s_time_is_over() -> None:
    rig = Rig(limits=Limits(in_flight=1)).join()
    rig.send(4)
    rig.close(drain=2.0)
    rig.timer()
    assert rig.told_to_close() == [0.0]
    assert rig.session.counters["dropped"] == 3
    assert (rig.session.deadline(), rig.session.deadline_reason) == (7.0, Timer.CLOSE)


def test_closing_at_once_drops_the_queue() -> None:
    rig = Rig(limits=Limits(in_flight=1)).join()
    rig.send(4)
    rig.close(drain=0.0)
    assert rig.told_to_close() == [0.0]
    assert rig.session.unacknowledged == 1


def test_closing_again_may_only_shorten() -> None:
    rig = Rig(limits=Limits(in_flight=1)).join()
    rig.send(3)
    rig.close(drain=10.0)
    rig.close(drain=60.0)
    assert rig.session.deadline() == 10.0
    rig.close(drain=4.0)
    assert rig.session.deadline() == 4.0
    rig.close(drain=0.0)
    assert rig.told_to_close() == [0.0]


def test_closing_again_after_the_link_was_told() -> None:
    rig = Rig().join().close(drain=10.0)
    assert rig.told_to_close() == [10.0]
    rig.close(drain=60.0)
    assert rig.session.deadline() == 15.0
    rig.close(drain=0.0)
    assert rig.session.deadline() == 5.0
    assert rig.told_to_close() == []
    rig.timer()
    assert rig.session.state is RoomState.CLOSED


@pytest.mark.parametrize("state", [RoomState.NEW, RoomState.WAITING])
def test_closing_where_there_is_no_link(state: RoomState) -> None:
    rig = at(state).close()
    assert rig.take_commands(object) == []
    assert [event.reason for event in rig.take_events()] == [CloseReason.CLIENT]
    assert rig.session.deadline() is None


def test_closing_while_connecting_gives_the_link_up() -> None:
    rig = Rig().open().close(drain=10.0)
    assert rig.told_to_close() == [0.0]
    assert rig.session.deadline() == 5.0
    # It opened at the same moment: too late.
    rig.tell(LinkOpened, identity=ME, room="I1")
    assert rig.session.state is RoomState.CLOSING
    rig.tell(LinkFailed, reason=CloseReason.TLS, detail="never mind")
    assert [(event.reason, event.detail) for event in rig.take_events()] == [(CloseReason.CLIENT, "")]


def called_off(rig: Rig) -> Rig:
    """It was being joined, and another room is wanted."""
    rig.take_commands(object)
    rig.session.call_off(now=rig.now)
    rig.drain()
    return rig


@pytest.mark.parametrize("again", [False, True])
def test_a_room_that_is_called_off_is_left_once_its_link_is_in(again: bool) -> None:
    rig = called_off(at(RoomState.CONNECTING) if again else Rig().open())
    if again:
        rig.send(0)
    assert rig.session.joining
    assert (rig.session.state, rig.session.sending) == (RoomState.CLOSING, False)
    assert rig.told_to_close() == []
    rig.now += 3.0
    rig.tell(LinkOpened, identity=ME, room="I1", participants=people("bob"))
    assert not rig.session.joining
    assert rig.told_to_close() == [0.0]
    assert rig.take_events() == []
    rig.tell(LinkClosed, reason=CloseReason.CLIENT)
    assert [(type(event), event.reason) for event in rig.take_events()] == [(RoomClosed, CloseReason.CLIENT)]
    assert rig.session.deadline() is None


def test_a_room_that_is_called_off_and_does_not_let_us_in_is_over_as_if_we_had_left() -> None:
    rig = called_off(Rig().open())
    rig.tell(LinkFailed, reason=CloseReason.BANNED, detail="you")
    assert not rig.session.joining
    assert [(event.reason, event.detail) for event in rig.take_events()] == [(CloseReason.CLIENT, "")]


def test_a_link_that_does_not_answer_is_told_to_close_a_while_after_it_was_called_off() -> None:
    rig = called_off(Rig(limits=Limits(call_off_seconds=3.0)).open())
    assert rig.session.deadline() == 3.0
    rig.timer()
    assert not rig.session.joining
    assert rig.told_to_close() == [0.0]
    # Now it does, too late.
    rig.tell(LinkOpened, identity=ME, room="I1")
    assert rig.take_events() == []
    assert rig.session.deadline() == 8.0
    rig.timer()
    assert rig.session.state is RoomState.CLOSED


def test_a_room_that_was_called_off_is_closed_without_waiting_for_its_link() -> None:
    rig = called_off(Rig().open()).close(drain=10.0)
    assert not rig.session.joining
    assert rig.told_to_close() == [0.0]
    assert rig.session.deadline() == 5.0


def test_a_room_that_is_open_is_left_at_once_when_it_is_called_off() -> None:
    rig = called_off(Rig().join())
    assert rig.told_to_close() == [0.0]
    assert not rig.session.joining


def test_closing_while_the_transport_repairs_itself() -> None:
    rig = Rig().join().fall_silent()
    rig.send(3)
    rig.close(drain=4.0)
    # Nothing goes to a transport that can't take it, nor is what waits given up yet.
    assert (rig.sent(), rig.told_to_close()) == ([], [])
    assert rig.session.deadline() == 4.0
    rig.now = 1.0
    rig.tell(LinkReconnected)
    assert rig.session.state is RoomState.CLOSING
    assert kinds(rig.take_commands(object)) == ["SendData"] * 3 + ["CloseLink"]
    assert rig.take_events(Reconnected) == []


def test_the_transport_repairs_itself_while_closing() -> None:
    rig = Rig(limits=Limits(in_flight=1)).join()
    rig.send(2)
    (first,) = rig.sent()
    rig.close(drain=4.0)
    rig.fall_silent()
    assert rig.take_events(Reconnecting) == []
    rig.acknowledge(first.token)
    assert rig.sent() == []
    rig.tell(LinkReconnected)
    assert kinds(rig.take_commands(object)) == ["SendData", "CloseLink"]


@pytest.mark.parametrize("state", [RoomState.CLOSING, RoomState.CLOSED, RoomState.WAITING, RoomState.CONNECTING])
def test_news_of_the_room_outside_of_it_is_late(state: RoomState) -> None:
    rig = at(state)
    (somebody,) = people("late")
    rig.tell(ParticipantJoined, participant=somebody)
    rig.tell(CommandFailed, what="SetAttributes")
    rig.tell(DataReceived, sender="late", data=wire(chat=Chat(message="late")))
    assert rig.data(wire(chat=Chat(message="late"))) is None
    assert rig.take_events() == []
    assert rig.session.counters["late"] == 4
    assert len(rig.session.peers) == 0


# --- other links


def test_another_link_s_news_are_late() -> None:
    rig = Rig(reconnect=STEADY).join("alice")
    old = rig.link
    rig.lose()
    rig.timer()
    rig.join("alice")
    rig.take_events()
    for link in (old, LinkRef(2, rig.link.generation), LinkRef(1, rig.link.generation + 1)):
        for kind, fields in (
            (LinkClosed, {"reason": CloseReason.NETWORK}),
            (LinkReconnecting, {}),
            (DataReceived, {"sender": "alice", "data": wire(chat=Chat(message="old"))}),
            (ParticipantJoined, {"participant": people("mallory")[0]}),
        ):
            rig.session.receive(kind(link=link, **fields), now=rig.now)
    assert rig.take_events() == []
    assert rig.session.counters["late"] == 12
    assert rig.session.state is RoomState.OPEN


# --- reconnecting


def test_the_transport_repairs_itself() -> None:
    rig = Rig().join("alice")
    rig.take_events()
    rig.fall_silent()
    assert rig.take_events() == [
        Reconnecting(at=0.0, room="main", attempt=0, reason=CloseReason.NETWORK),
    ]
    rig.send(2)
    assert rig.sent() == []
    assert not rig.session.has_credit()
    assert rig.data(wire(chat=Chat(message="still"))).text == "still"
    rig.now = 3.0
    rig.tell(LinkReconnected)
    assert rig.take_events(Reconnected) == [Reconnected(at=3.0, room="main", attempt=0)]
    assert [command.data for command in rig.sent()] == [b"\x00", b"\x01"]


def test_joining_anew() -> None:
    rig = Rig(reconnect=STEADY).join("alice", "bob")
    rig.take_events()
    rig.send(2)
    rig.lose(detail="broken pipe")
    warning, reconnecting = rig.take_events()
    assert (warning.code, warning.text) == (WarningCode.SENDS_UNCONFIRMED, "2 packets were not acknowledged")
    assert reconnecting == Reconnecting(at=0.0, room="main", attempt=1, reason=CloseReason.NETWORK)
    assert (rig.session.deadline(), rig.session.deadline_reason) == (1.0, Timer.RETRY)
    rig.send(1, reliable=False)
    assert rig.session.waiting == 1
    rig.take_commands(object)
    rig.timer()
    (again,) = rig.take_commands(object)
    assert again == OpenLink(link=LinkRef(1, 2), adapter=rig.session.adapter)
    rig.now = 1.5
    rig.join("bob", "carol")
    assert kinds(rig.events) == ["Reconnected", "PeerLeft", "PeerJoined"]
    reconnected, left, joined = rig.take_events()
    assert (reconnected.attempt, left.sender, joined.sender) == (1, PeerId("alice"), PeerId("carol"))
    assert kinds(rig.commands) == ["SetAttributes", "SendData"]
    assert rig.sent()[0].link == LinkRef(1, 2)
    assert rig.session.counters["unconfirmed"] == 2


def test_packets_are_taken_from_the_first_opening_to_the_end_also_while_it_is_joined_anew() -> None:
    rig = Rig(reconnect=STEADY).open()
    assert not rig.session.sending
    rig.join()
    rig.lose()
    rig.timer()
    assert rig.session.state is RoomState.CONNECTING
    assert rig.session.sending
    rig.take_commands(object)
    rig.session.chat("what is said meanwhile waits")
    assert (rig.session.waiting, rig.take_commands(object)) == (1, [])
    rig.join()
    assert len(rig.sent()) == 1


def test_pauses_grow_and_attempts_end() -> None:
    rig = at(RoomState.WAITING)
    started = []
    for _ in range(3):
        rig.timer()
        started.append(rig.now)
        rig.tell(LinkFailed, reason=CloseReason.UNREACHABLE, detail="refused")
    assert started == [1.0, 1.0 + 2.0, 1.0 + 2.0 + 4.0]
    assert [event.attempt for event in rig.take_events(Reconnecting)] == [2, 3]
    rig = at(RoomState.WAITING)
    for _ in range(3):
        rig.timer()
        rig.tell(LinkFailed, reason=CloseReason.UNREACHABLE, detail="refused")
    (closed,) = rig.take_events(RoomClosed)
    assert (closed.reason, closed.retry, closed.detail) == (CloseReason.UNREACHABLE, Retry.BACKOFF, "refused")


def test_a_server_that_lets_us_in_and_loses_us_again_is_given_up() -> None:
    rig = at(RoomState.WAITING)
    pauses = [rig.session.deadline()]
    for _ in range(STEADY.attempts):
        rig.timer()
        rig.join()
        rig.pass_time(29.9)
        rig.lose()
        pauses.append(None if rig.session.deadline() is None else rig.session.deadline() - rig.now)
    assert pauses == [1.0, 2.0, 4.0, None]
    assert [event.attempt for event in rig.take_events(Reconnecting, RoomClosed)[:-1]] == [2, 3]
    assert rig.session.state is RoomState.CLOSED


def test_a_room_that_stayed_open_for_a_while_may_be_tried_as_often_again() -> None:
    rig = at(RoomState.WAITING)
    for _ in range(2 * STEADY.attempts):
        rig.timer()
        rig.join()
        rig.pass_time(30.0)
        rig.lose()
        assert rig.session.state is RoomState.WAITING
        (*_, last) = rig.take_events(Reconnecting)
        assert last.attempt == 1


def test_jitter_comes_from_the_entropy_given() -> None:
    def first_pause(entropy: int) -> float | None:
        return at(RoomState.WAITING, reconnect=Backoff(jitter=0.5), entropy=entropy).session.deadline()

    pauses = [first_pause(entropy) for entropy in range(20)]
    assert pauses == [first_pause(entropy) for entropy in range(20)]
    assert len(set(pauses)) == 20
    assert all(pause is not None and 0.5 < pause <= 1.0 for pause in pauses)


def test_what_would_be_harmful_is_not_tried_again() -> None:
    for reason in (CloseReason.DUPLICATE_IDENTITY, CloseReason.REMOVED):
        rig = at(RoomState.OPEN).lose(reason)
        assert [(event.reason, event.retry) for event in rig.take_events()] == [(reason, Retry.NEVER)]


@pytest.mark.parametrize("reason", list(CloseReason))
def test_fresh_credentials_are_asked_for_once_a_token_that_let_us_in_is_spent(reason: CloseReason) -> None:
    spent = RETRY[reason] is Retry.FRESH_CREDENTIALS
    rig = Rig(livekit()).join()
    rig.take_events()
    rig.lose(reason)
    assert [type(event) for event in rig.take_events()] == [CredentialsNeeded] * spent + [RoomClosed]
    # Whoever was never let in has the answer to open(), and where there is no token there are no fresh ones.
    rig = Rig(livekit()).open()
    rig.tell(LinkFailed, reason=reason)
    assert [type(event) for event in rig.take_events()] == [RoomClosed]
    rig = Rig(SimulatorAdapter("x")).join()
    rig.take_events()
    rig.lose(reason)
    assert [type(event) for event in rig.take_events()] == [RoomClosed]


def test_the_token_expires_while_waiting() -> None:
    rig = Rig(livekit(ttl=3.0), reconnect=STEADY).join()
    rig.pass_time(2.5)
    rig.lose()
    rig.send(2)
    rig.take_events()
    rig.take_commands(object)
    rig.timer()
    dropped, needed, closed = rig.take_events()
    assert (dropped.code, dropped.text) == (WarningCode.SENDS_DROPPED, "2 packets were accepted, and never sent")
    assert (type(needed), needed.room, needed.at) == (CredentialsNeeded, "main", closed.at)
    assert (closed.reason, closed.retry) == (CloseReason.TOKEN_EXPIRED, Retry.FRESH_CREDENTIALS)
    assert rig.take_commands(object) == []
    assert rig.session.counters["dropped"] == 2


def test_without_a_policy_the_room_ends() -> None:
    rig = Rig().join().lose()
    (closed,) = rig.take_events(RoomClosed)
    assert (closed.reason, closed.retry) == (CloseReason.NETWORK, Retry.BACKOFF)


def test_nothing_follows_the_end() -> None:
    rig = Rig().join().lose()
    rig.take_events()
    rig.join("alice")
    rig.lose()
    rig.close()
    rig.pass_time(100.0)
    assert rig.take_events() == []
    with pytest.raises(LocalProtocolError, match="the room is closed: send between"):
        rig.session.chat("hello")
