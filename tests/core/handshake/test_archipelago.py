"""ArchipelagoSession, by the rows of what a client of the island service owes."""

from __future__ import annotations

from itertools import pairwise
from math import inf, nan
from typing import Any

import pytest
from rigs.core.canary import assert_no_secret
from rigs.core.chains import NOW, ROOT, identity
from rigs.core.room import livekit
from rigs.core.sockets import CHALLENGE, ME, RealmRig

from dcl_comms_core import (
    ARCHIPELAGO_TRANSITIONS,
    CLOSED_AT,
    RETRY,
    STAGE_TRANSITIONS,
    ArchipelagoAdapter,
    ArchipelagoState,
    AuthChain,
    AuthLink,
    AuthLinkType,
    Backoff,
    ChallengeGuard,
    ClockSet,
    CloseReason,
    CloseSocket,
    DataReceived,
    InvalidAuthChain,
    IslandChanged,
    IslandChangedMessage,
    Kicked,
    KickedMessage,
    LeftIslandMessage,
    LimitReached,
    Limits,
    LinkRef,
    LocalProtocolError,
    OpenSocket,
    PacketsDropped,
    PacketTooLarge,
    PeerId,
    Place,
    RealmClosed,
    RealmOpened,
    Reconnected,
    Reconnecting,
    Retry,
    SendAcknowledged,
    SendsAcknowledged,
    SignatureNeeded,
    Stage,
    Timer,
    Vector3,
    WarningCode,
    WsRoomAdapter,
)
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.proto._gen.common import Position
from dcl_comms_core.states import ArchipelagoTrigger, StageTrigger

STEADY = Backoff(initial=1.0, factor=2.0, jitter=0.0, attempts=3)
S = ArchipelagoState


def island(rig: RealmRig, name: str = "I1", conn_str: str = "ws-room:h/rooms/I1", **fields: Any) -> None:
    rig.say(island_changed=IslandChangedMessage(island_id=name, conn_str=conn_str, **fields))


def opened(**options: Any) -> RealmRig:
    rig = RealmRig(**options)
    rig.enter()
    rig.take_events()
    rig.take_frames()
    return rig


def closed(rig: RealmRig) -> tuple[CloseReason, Retry]:
    """Why it is closed: the last event, which there is only one of."""
    events = rig.take_events()
    assert isinstance(events[-1], RealmClosed)
    assert sum(isinstance(event, RealmClosed) for event in events) == 1
    assert rig.session.state is S.CLOSED
    assert rig.session.deadline() is None
    assert events[-1].retry is RETRY[events[-1].reason]
    return events[-1].reason, events[-1].retry


# --- the handshake


def test_the_handshake() -> None:
    rig = RealmRig(within=Place.PUBLIC)
    rig.open()
    (command,) = rig.take_others()
    assert command == OpenSocket(
        link=LinkRef(1, 1), url="wss://realm.example/ws", subprotocol="archipelago", within=Place.PUBLIC
    )
    rig.connected()
    (hello,) = rig.take_frames()
    assert hello.challenge_request.address == ROOT.address
    assert rig.session.place is Place.PUBLIC
    rig.challenge()
    (needed,) = rig.take_events()
    assert (needed.payload, needed.request, needed.room) == (CHALLENGE, 1, "realm")
    chain = identity().sign(CHALLENGE)
    rig.session.provide_signature(1, chain, now=0.5)
    (proof,) = rig.take_frames()
    assert proof.signed_challenge.auth_chain_json == chain.to_json()
    rig.welcome()
    assert rig.take_events() == [RealmOpened(at=0.5, room="realm", identity=PeerId(ME))]
    assert (rig.session.state, rig.session.stage, rig.session.identity) == (S.OPEN, Stage.WELCOMED, PeerId(ME))
    assert rig.session.deadline() is None
    assert set(rig.tokens) == {0}


def test_what_it_is_made_of() -> None:
    rig = RealmRig(room="genesis", link=5)
    assert (rig.session.room, rig.session.adapter.url) == ("genesis", "wss://realm.example/ws")
    assert (rig.session.identity, rig.session.island, rig.session.place) == (None, None, None)
    rig.open()
    assert rig.link == LinkRef(5, 1)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"adapter": WsRoomAdapter("wss://h/rooms/a")}, "takes an ArchipelagoAdapter, not WsRoomAdapter"),
        ({"heartbeat": 0.0}, "heartbeat is"),
        ({"heartbeat": inf}, "heartbeat is"),
        ({"address": "me"}, "40 hex digits"),
    ],
)
def test_what_it_is_not_made_of(options: dict[str, Any], text: str) -> None:
    with pytest.raises(LocalProtocolError, match=text):
        RealmRig(**options)


def test_a_wallet_that_is_connected_already_is_told_of() -> None:
    rig = RealmRig()
    rig.open()
    rig.connected()
    rig.challenge(already=True)
    warning, needed = rig.take_events()
    assert (warning.code, type(needed)) == (WarningCode.ALREADY_CONNECTED, SignatureNeeded)


@pytest.mark.parametrize("text", ["", "0.123", "post:/x:1:{}", "dcl-" + "x" * 200, "dcl-1\nDecentraland Login"])
def test_nothing_but_a_challenge_is_signed(text: str) -> None:
    rig = RealmRig(reconnect=STEADY)
    rig.open()
    rig.connected()
    rig.challenge(text)
    assert closed(rig) == (CloseReason.SIGNING_REFUSED, Retry.NEVER)
    assert rig.hung_up


def test_nothing_is_signed_for_a_host_that_is_not_allowed() -> None:
    rig = RealmRig(guard=ChallengeGuard())
    rig.open()
    assert closed(rig) == (CloseReason.SIGNING_REFUSED, Retry.NEVER)
    assert rig.take_others() == []


def test_an_answer_that_nobody_waits_for_is_ignored() -> None:
    rig = RealmRig()
    chain = identity().sign(CHALLENGE)
    rig.session.provide_signature(0, chain)
    rig.open()
    rig.connected()
    rig.session.provide_signature(1, chain)
    rig.challenge()
    rig.session.provide_signature(2, chain)
    rig.session.refuse_signature(2)
    rig.take_frames()
    assert rig.session.stage is Stage.SIGNING
    rig.sign()
    rig.session.provide_signature(1, chain)
    rig.session.refuse_signature(1)
    assert len(rig.take_frames()) == 1
    assert rig.session.counters["late"] == 6
    rig.welcome()
    assert rig.session.state is S.OPEN


@pytest.mark.parametrize(
    ("chain", "error", "text"),
    [
        (None, LocalProtocolError, "takes an AuthChain, not NoneType"),
        (identity().sign("dcl-other"), LocalProtocolError, "signs something else"),
        (identity(expires=NOW - 1.0).sign(CHALLENGE), InvalidAuthChain, "expired"),
    ],
)
def test_a_chain_that_no_server_would_take_is_not_sent(chain: Any, error: type[Exception], text: str) -> None:
    rig = RealmRig()
    rig.open()
    rig.connected()
    rig.challenge()
    rig.take_frames()
    with pytest.raises(error, match=text):
        rig.session.provide_signature(1, chain)
    assert rig.take_frames() == []
    # And another may be given.
    rig.sign()
    rig.welcome()
    assert rig.session.state is S.OPEN


def test_a_chain_that_is_too_long_is_not_sent() -> None:
    rig = RealmRig()
    rig.open()
    rig.connected()
    rig.challenge()
    links = identity().sign(CHALLENGE).links
    # A contract's signature may have any length.
    long = AuthLink(AuthLinkType.CONTRACT_SIGNED_ENTITY, CHALLENGE, "0x" + "ab" * 9000)
    with pytest.raises(PacketTooLarge):
        rig.session.provide_signature(1, AuthChain((*links[:2], long)))
    rig.sign()


def test_without_a_wall_clock_the_server_judges_the_dates() -> None:
    rig = RealmRig(clock=False)
    rig.open()
    rig.connected()
    rig.challenge()
    rig.session.provide_signature(1, identity(expires=NOW - 1.0).sign(CHALLENGE))
    assert rig.session.stage is Stage.PROVING


def test_nobody_signs() -> None:
    rig = RealmRig()
    rig.open()
    rig.connected()
    rig.challenge()
    rig.session.refuse_signature(1, "the owner said no")
    assert closed(rig) == (CloseReason.NOT_SIGNED, Retry.FRESH_CREDENTIALS)
    assert rig.hung_up


# --- row 1: whatever comes in


def test_frames_that_can_not_be_used_are_counted_and_never_end_it() -> None:
    rig = opened()
    rig.say(raw=b"\xff")
    rig.say(raw=b"")
    rig.say(raw=b"\x7a\x02ab")
    rig.say(left_island=LeftIslandMessage("I1", "0xab"))
    rig.challenge()
    rig.welcome("somebody else")
    assert rig.session.counters == {"undecodable": 1, "ignored": 5}
    assert (rig.take_events(), rig.take_frames(), rig.session.identity) == ([], [], PeerId(ME))
    rig = RealmRig()
    rig.open()
    rig.connected()
    rig.welcome()
    island(rig)
    assert rig.session.counters == {"ignored": 2}
    assert rig.session.stage is Stage.IDENTIFYING


def test_news_before_it_began_is_ignored() -> None:
    rig = RealmRig()
    rig.gone()
    rig.say(kicked=KickedMessage())
    assert (rig.session.state, rig.session.counters["late"], rig.take_events()) == (S.NEW, 2, [])


def test_frames_that_the_driver_had_no_room_for_are_counted_and_told() -> None:
    rig = opened()
    rig.tell(PacketsDropped(link=rig.link, count=3))
    (told,) = rig.take_events()
    assert isinstance(told, LimitReached)
    assert (told.room, told.limit, told.value) == ("realm", "inbox_bytes", Limits().inbox_bytes)
    assert rig.session.counters["dropped.inbox_bytes"] == 3
    assert rig.session.state is S.OPEN


def test_late_news_is_ignored() -> None:
    rig = opened()
    rig.say(late=1, kicked=KickedMessage())
    rig.connected()
    rig.tell(SendAcknowledged(link=rig.link, token=0, error="full"))
    rig.tell(SendsAcknowledged(link=rig.link, tokens=(0, 0)))
    assert rig.session.state is S.OPEN
    assert rig.session.counters["late"] == 2
    rig.session.close()
    rig.say(kicked=KickedMessage())
    rig.gone()
    rig.gone()
    rig.say(kicked=KickedMessage())
    assert rig.session.counters["late"] == 5


def test_misuse_is_told() -> None:
    rig = RealmRig()
    with pytest.raises(LocalProtocolError, match="takes a WebSocket's input"):
        rig.tell(DataReceived(link=rig.link, sender=None, data=b""))
    with pytest.raises(LocalProtocolError, match="ClockSet takes"):
        rig.tell(ClockSet(unix_offset=nan))
    with pytest.raises(LocalProtocolError, match="now is a finite"):
        rig.session.handle_timeout(nan)
    with pytest.raises(LocalProtocolError, match="the session is new: renew between"):
        rig.session.renew()
    rig.open()
    with pytest.raises(LocalProtocolError, match="the session is handshake: make a new"):
        rig.session.open()


# --- row 2: stages and their timers


def at_stage(stage: Stage, **options: Any) -> RealmRig:
    rig = RealmRig(**options)
    steps = [rig.open, rig.connected, rig.challenge, rig.sign, rig.welcome]
    for step in steps:
        if rig.session.stage is stage:
            break
        step()
    assert rig.session.stage is stage
    return rig


@pytest.mark.parametrize(
    ("stage", "seconds", "reason"),
    [
        (Stage.CONNECTING, 20.0, CloseReason.TIMEOUT),
        (Stage.IDENTIFYING, 60.0, CloseReason.TIMEOUT),
        (Stage.SIGNING, 60.0, CloseReason.NOT_SIGNED),
        (Stage.PROVING, 60.0, CloseReason.TIMEOUT),
    ],
)
def test_each_stage_has_its_time(stage: Stage, seconds: float, reason: CloseReason) -> None:
    rig = at_stage(stage)
    assert (rig.session.deadline(), rig.session.deadline_reason) == (seconds, Timer.STAGE)
    rig.wait(seconds - 0.01)
    assert rig.session.stage is stage
    rig.wait(0.01)
    assert closed(rig) == (reason, RETRY[reason])
    assert rig.hung_up


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        (Stage.IDENTIFYING, CloseReason.REJECTED),
        (Stage.SIGNING, CloseReason.NOT_SIGNED),
        (Stage.PROVING, CloseReason.AUTHENTICATION),
        (Stage.WELCOMED, CloseReason.NETWORK),
    ],
)
@pytest.mark.parametrize("code", [1000, 1005, 1007, 1008, 1011])
def test_why_the_server_hung_up_is_judged_by_the_stage(stage: Stage, reason: CloseReason, code: int) -> None:
    assert CLOSED_AT[stage] is reason
    rig = at_stage(stage)
    rig.gone(code, detail="go away")
    (event,) = rig.take_events(RealmClosed)
    assert (event.reason, event.retry) == (reason, RETRY[reason])
    assert event.detail == f"hung up while {stage.value} (code {code}): go away"
    assert not rig.hung_up


@pytest.mark.parametrize("stage", [Stage.CONNECTING, *CLOSED_AT])
@pytest.mark.parametrize("reason", [CloseReason.UNREACHABLE, CloseReason.TLS, CloseReason.NETWORK])
def test_what_the_network_did_is_told_as_it_is(stage: Stage, reason: CloseReason) -> None:
    rig = at_stage(stage)
    rig.gone(1006, reason)
    assert closed(rig) == (reason, Retry.BACKOFF)


def test_a_server_that_closes_before_it_opened() -> None:
    rig = at_stage(Stage.CONNECTING)
    rig.gone(1005)
    assert closed(rig) == (CloseReason.NETWORK, Retry.BACKOFF)


# --- row 3: kicks, and coming back


def test_a_second_login_or_a_ban_ends_it_for_good() -> None:
    rig = opened(reconnect=STEADY)
    rig.say(kicked=KickedMessage())
    kicked, end = rig.take_events()
    assert (type(kicked), kicked.cause) == (Kicked, CloseReason.DUPLICATE_IDENTITY)
    assert (end.reason, end.retry) == (CloseReason.DUPLICATE_IDENTITY, Retry.NEVER)
    assert rig.hung_up
    assert rig.session.deadline() is None


@pytest.mark.parametrize("stage", [Stage.IDENTIFYING, Stage.SIGNING, Stage.PROVING])
def test_kicked_instead_of_welcomed_is_a_ban(stage: Stage) -> None:
    rig = at_stage(stage, reconnect=STEADY)
    rig.say(kicked=KickedMessage())
    (kicked,) = rig.take_events(Kicked)
    assert kicked.cause is CloseReason.BANNED
    assert rig.session.state is S.CLOSED


def test_a_lost_socket_is_opened_again_with_a_fresh_handshake() -> None:
    rig = opened(reconnect=STEADY)
    rig.gone()
    assert rig.take_events() == [Reconnecting(at=0.0, room="realm", attempt=1, reason=CloseReason.NETWORK)]
    assert (rig.session.state, rig.session.deadline_reason) == (S.WAITING, Timer.RETRY)
    rig.say(kicked=KickedMessage())
    assert rig.session.counters["late"] == 1
    rig.wait(1.0)
    assert rig.link == LinkRef(1, 2)
    rig.connected()
    rig.challenge("dcl-0.second")
    (needed,) = rig.take_events()
    assert (needed.payload, needed.request) == ("dcl-0.second", 2)
    rig.session.provide_signature(2, identity().sign("dcl-0.second"))
    rig.welcome()
    assert rig.take_events() == [Reconnected(at=1.0, room="realm", attempt=1)]
    assert rig.session.counters["reconnected"] == 1


def test_the_first_attempt_is_never_repeated() -> None:
    rig = RealmRig(reconnect=STEADY)
    rig.open()
    rig.gone(1006, CloseReason.UNREACHABLE)
    assert closed(rig) == (CloseReason.UNREACHABLE, Retry.BACKOFF)


def test_pauses_grow_and_end_and_begin_anew_after_a_stable_time() -> None:
    rig = opened(reconnect=STEADY)
    rig.wait(29.9)
    pauses: list[float] = []
    for _ in range(3):
        rig.gone(1006)
        deadline = rig.session.deadline()
        assert deadline is not None
        pauses.append(deadline - rig.now)
        rig.wait(pauses[-1])
        rig.shake_hands()
    assert pauses == [1.0, 2.0, 4.0]
    rig.wait(30.0)
    rig.gone(1006)
    assert rig.session.deadline() == rig.now + 1.0
    for pause in (1.0, 2.0, 4.0):
        rig.wait(pause)
        rig.gone(1006, CloseReason.UNREACHABLE)
    assert closed(rig) == (CloseReason.UNREACHABLE, Retry.BACKOFF)


def test_pauses_are_shortened_by_the_entropy() -> None:
    def pause(entropy: int) -> float | None:
        rig = opened(reconnect=Backoff(), entropy=entropy)
        rig.gone(1006)
        return rig.session.deadline()

    assert pause(1) == pause(1) != pause(2)


def test_what_may_help_decides_between_trying_again_and_the_end() -> None:
    for reason in CloseReason:
        rig = opened(reconnect=STEADY)
        rig.gone(1006, reason)
        assert (rig.session.state is S.WAITING) == (RETRY[reason] is Retry.BACKOFF)


# --- renew


def test_renewing_makes_a_fresh_handshake_at_once() -> None:
    rig = opened()
    rig.session.set_position((1.0, 2.0, 3.0))
    rig.session.renew(now=5.0)
    rig.now = 5.0
    assert rig.hung_up
    assert rig.take_events() == [Reconnecting(at=5.0, room="realm", attempt=1, reason=CloseReason.CLIENT)]
    assert rig.session.deadline() == 5.0
    rig.session.renew()
    rig.wait(0.0)
    rig.session.renew()
    assert rig.link == LinkRef(1, 2)
    rig.take_frames()
    rig.shake_hands()
    assert rig.take_frames()[-1].heartbeat is not None
    assert rig.session.state is S.OPEN


def test_renewing_again_and_again_takes_pauses() -> None:
    rig = opened(reconnect=STEADY)
    times: list[float] = []
    for _ in range(6):
        rig.session.renew()
        deadline = rig.session.deadline()
        assert deadline is not None
        times.append(deadline)
        rig.wait(deadline - rig.now)
        rig.shake_hands()
    assert [b - a for a, b in pairwise(times)] == [1.0, 2.0, 4.0, 8.0, 16.0]
    rig.wait(30.0)
    rig.session.renew()
    assert rig.session.deadline() == rig.now


def test_a_renewal_that_fails_ends_it_where_nothing_is_tried_again() -> None:
    rig = opened()
    rig.session.renew()
    rig.wait(0.0)
    rig.gone(1006, CloseReason.UNREACHABLE)
    assert closed(rig) == (CloseReason.UNREACHABLE, Retry.BACKOFF)
    with pytest.raises(LocalProtocolError, match="the session is closed: renew between"):
        rig.session.renew()


# --- row 4: checks before sending


@pytest.mark.parametrize("bad", [nan, inf, -inf, 1e39])
@pytest.mark.parametrize("axis", range(3))
def test_positions_are_finite(bad: float, axis: int) -> None:
    rig = opened()
    position = [1.0, 2.0, 3.0]
    position[axis] = bad
    with pytest.raises(LocalProtocolError, match="three finite numbers"):
        rig.session.set_position((position[0], position[1], position[2]))
    assert (rig.take_frames(), rig.session.deadline()) == ([], None)


def test_a_desired_room_fits_into_a_frame() -> None:
    rig = opened()
    with pytest.raises(PacketTooLarge):
        rig.session.set_desired_room("I" * 16_384)
    rig.session.set_position((1.0, 2.0, 3.0))
    (frame,) = rig.take_frames()
    assert frame.heartbeat.desired_room is None


# --- heartbeats; rows 7 and 9


def test_heartbeats_begin_with_the_first_position_and_tell_the_newest() -> None:
    rig = opened(heartbeat=2.0)
    rig.wait(10.0)
    assert rig.take_frames() == []
    rig.session.set_position((1.0, 2.0, 3.0))
    (beat,) = rig.take_frames()
    at = beat.heartbeat.position
    assert ((at.x, at.y, at.z), beat.heartbeat.desired_room) == ((1.0, 2.0, 3.0), None)
    rig.session.set_position((4.0, 5.0, 6.0))
    rig.session.set_desired_room("I7")
    assert rig.take_frames() == []
    assert rig.session.deadline_reason is Timer.HEARTBEAT
    rig.wait(2.0)
    (beat,) = rig.take_frames()
    assert (beat.heartbeat.position.x, beat.heartbeat.desired_room) == (4.0, "I7")
    # A loop that slept makes up for nothing.
    rig.now += 20.0
    rig.wait(0.0)
    assert len(rig.take_frames()) == 1
    assert rig.session.counters["heartbeats"] == 3


def test_a_position_given_early_is_told_with_the_welcome() -> None:
    rig = RealmRig()
    rig.session.set_position((1.0, 2.0, 3.0))
    rig.enter()
    assert [frame.heartbeat is not None for frame in rig.take_frames()] == [False, False, True]


def test_no_island_is_told_once_and_heartbeats_go_on() -> None:
    rig = opened()
    rig.session.set_position((1.0, 2.0, 3.0))
    rig.wait(9.9)
    assert rig.take_events() == []
    rig.wait(100.0)
    (warning,) = rig.take_events()
    assert (type(warning), warning.code, warning.at) == (WarningEvent, WarningCode.NO_ISLAND, 10.0)
    assert len(rig.take_frames()) == 110
    island(rig)
    assert len(rig.take_events(IslandChanged)) == 1


def test_an_island_in_time_is_no_reason_to_warn() -> None:
    rig = opened()
    rig.session.set_position((1.0, 2.0, 3.0))
    rig.wait(2.0)
    island(rig)
    island(rig, "I2")
    rig.wait(100.0)
    assert [type(event) for event in rig.take_events()] == [IslandChanged, IslandChanged]


# --- rows 5 and 8: islands


def test_an_island_is_told_with_all_that_is_needed_to_go_there() -> None:
    rig = opened(limits=Limits(peers=2))
    adapter = livekit(room="I1")
    text = adapter.to_connection_string()
    peers = {ME: Position(1.0, 2.0, 3.0), "0xNan": Position(nan, 0.0, 0.0), "b": Position(), "c": Position()}
    island(rig, conn_str=text, from_island_id="I9", peers=peers)
    (event,) = rig.take_events()
    assert (event.island, event.previous, event.adapter) == ("I1", None, adapter)
    # Whoever is nowhere is left out, and the table has its bound.
    assert event.peers == ((PeerId(ME), Vector3(1.0, 2.0, 3.0)), (PeerId("b"), Vector3(0.0, 0.0, 0.0)))
    assert rig.session.island == event
    assert_no_secret(adapter.token.reveal(), repr(event), repr(rig.session.island))
    island(rig, "I2", from_island_id="never announced")
    (event,) = rig.take_events()
    assert (event.island, event.previous) == ("I2", "I1")
    assert rig.session.counters["islands"] == 2


def test_an_island_whose_string_can_not_be_read() -> None:
    rig = opened()
    rig.session.set_position((1.0, 2.0, 3.0))
    island(rig, conn_str="livekit:wss://h?access_token=secret")
    (warning,) = rig.take_events()
    assert warning.code is WarningCode.ISLAND_UNREADABLE
    assert "secret" not in warning.text
    assert rig.session.island is None
    rig.wait(30.0)
    assert rig.take_events() == []


# --- leaving


def test_leaving() -> None:
    rig = opened()
    rig.session.close(now=3.0)
    assert rig.take_others()[-1] == CloseSocket(link=rig.link)
    assert (rig.session.state, rig.session.deadline(), rig.session.deadline_reason) == (S.CLOSING, 8.0, Timer.CLOSE)
    rig.session.close()
    assert rig.take_others() == []
    rig.gone(1000, CloseReason.CLIENT)
    assert closed(rig) == (CloseReason.CLIENT, Retry.NEVER)
    rig.session.close()
    assert rig.take_events() == []


def test_a_socket_that_does_not_end() -> None:
    rig = opened()
    rig.session.close()
    rig.wait(5.0)
    assert closed(rig) == (CloseReason.CLIENT, Retry.NEVER)


@pytest.mark.parametrize("waiting", [False, True])
def test_leaving_with_no_socket(waiting: bool) -> None:
    rig = opened(reconnect=STEADY) if waiting else RealmRig()
    if waiting:
        rig.gone()
        rig.take_others()
    rig.session.close()
    assert closed(rig) == (CloseReason.CLIENT, Retry.NEVER)
    assert rig.take_others() == []


# --- the tables


def test_the_tables_are_whole() -> None:
    assert {state for state, _ in ARCHIPELAGO_TRANSITIONS} == set(S)
    assert {*ARCHIPELAGO_TRANSITIONS.values(), S.NEW} == set(S)
    assert {trigger for _, trigger in ARCHIPELAGO_TRANSITIONS} == set(ArchipelagoTrigger)
    assert {stage for stage, _ in STAGE_TRANSITIONS} == set(Stage) == {*STAGE_TRANSITIONS.values()}
    assert {trigger for _, trigger in STAGE_TRANSITIONS} == set(StageTrigger)


def test_no_secret_is_shown() -> None:
    rig = RealmRig(adapter=ArchipelagoAdapter("wss://realm.example/ws?key-that-is-hidden-here"))
    rig.open()
    rig.connected()
    rig.challenge()
    shown = [repr(command) for command in rig.others]
    chain = identity().sign(CHALLENGE)
    rig.session.provide_signature(1, chain)
    shown += [repr(command) for command in rig.session.commands()]
    shown.append(repr(rig.session))
    assert_no_secret("key-that-is-hidden-here", *shown)
    for link in chain.links[1:]:
        assert_no_secret(link.signature, *shown)
