"""WsRoomSession: the handshake, the aliases, and that a RoomSession behind it is told what LiveKit tells it."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.canary import assert_no_secret
from rigs.core.chains import NOW, ROOT, identity
from rigs.core.sockets import CHALLENGE, ME, RoomRig

from dcl_comms_core import (
    CLOSED_AT,
    RETRY,
    Backoff,
    ChallengeGuard,
    Chat,
    ChatReceived,
    CloseReason,
    CloseSocket,
    FrameReceived,
    InvalidAuthChain,
    Kicked,
    LimitReached,
    Limits,
    LinkRef,
    LiveKitAdapter,
    LocalProtocolError,
    NoWhispers,
    OpenSocket,
    Packet,
    PacketReceived,
    PacketTooLarge,
    PeerId,
    PeerIdentified,
    PeerJoined,
    PeerLeft,
    Place,
    Reconnected,
    Reconnecting,
    Retry,
    RoomClosed,
    RoomOpened,
    RoomState,
    SendAcknowledged,
    SendFrame,
    SendQueueFull,
    SendsAcknowledged,
    SignatureNeeded,
    SimulatorAdapter,
    SocketOpened,
    Stage,
    Timer,
    Track,
    TrackAppeared,
    TrackKind,
    TrackSource,
    WarningCode,
    WsKicked,
    WsPacket,
    WsPeerJoin,
    WsPeerLeave,
    WsPeerUpdate,
    WsRoomAdapter,
    WsSignedChallenge,
    decode,
    encode,
)

STEADY = Backoff(initial=1.0, factor=2.0, jitter=0.0, attempts=3)
ALICE, BOB = "0xA11CE", "0xB0B"
HELLO = encode(Packet(chat=Chat(message="hello", timestamp=1.0)))


def asked(frames: list[Any]) -> list[Any]:
    packets = [decode(frame.peer_update_message.body) for frame in frames if frame.peer_update_message is not None]
    return [packet.profile_request for packet in packets if packet.profile_request is not None]


def test_a_profile_is_asked_for_in_a_packet_that_all_get_and_that_names_the_peer() -> None:
    rig = opened()
    rig.take_frames()
    assert rig.session.request_profile(PeerId(ALICE), 3)
    (request,) = asked(rig.take_frames())
    assert (request.address, request.profile_version) == (ALICE, 3)
    assert not rig.session.request_profile(PeerId(ALICE), 3, now=rig.now + 9.0)
    assert rig.session.request_profile(PeerId(ALICE), 3, now=rig.now + 10.0)


def test_a_request_that_was_not_sent_is_not_remembered() -> None:
    rig = opened(limits=Limits(in_flight=1, send_queue=0))
    rig.session.send_bytes(b"fills the queue")
    with pytest.raises(SendQueueFull):
        rig.session.request_profile(PeerId(ALICE))
    rig.drain()
    rig.tell(SendAcknowledged(link=rig.link, token=rig.tokens[-1]))
    assert rig.session.request_profile(PeerId(ALICE))


def test_a_whisper_is_refused_or_said_to_everybody_if_asked_so() -> None:
    rig = opened()
    rig.take_frames()
    with pytest.raises(NoWhispers, match="else_everybody=True"):
        rig.session.chat("psst", to=PeerId(ALICE))
    rig.session.chat("to all then", to=PeerId(ALICE), else_everybody=True)
    (update,) = (frame.peer_update_message for frame in rig.take_frames())
    packet = decode(update.body)
    assert packet.chat is not None
    assert packet.chat.message == "to all then"


def opened(others: dict[int, str] | None = None, **options: Any) -> RoomRig:
    rig = RoomRig(**options)
    rig.open()
    rig.connected()
    rig.challenge()
    rig.sign()
    rig.welcome({1: ALICE} if others is None else others)
    return rig


def quiet(*args: Any, **options: Any) -> RoomRig:
    rig = opened(*args, **options)
    rig.take_events()
    rig.take_frames()
    return rig


def at_stage(stage: Stage, **options: Any) -> RoomRig:
    rig = RoomRig(**options)
    for step in (rig.open, rig.connected, rig.challenge, rig.sign, rig.welcome):
        if rig.session.stage is stage:
            break
        step()
    assert rig.session.stage is stage
    return rig


def closed(rig: RoomRig) -> CloseReason:
    end = rig.take_events()[-1]
    assert isinstance(end, RoomClosed)
    assert (rig.session.state, rig.session.deadline()) == (RoomState.CLOSED, None)
    assert end.retry is RETRY[end.reason]
    return end.reason


def update(rig: RoomRig, alias: int, body: bytes = HELLO, **fields: Any) -> None:
    rig.say(peer_update_message=WsPeerUpdate(from_alias=alias, body=body, **fields))


def joins(rig: RoomRig, alias: int, address: str) -> None:
    rig.say(peer_join_message=WsPeerJoin(alias=alias, address=address))


def leaves(rig: RoomRig, alias: int) -> None:
    rig.say(peer_leave_message=WsPeerLeave(alias=alias))


def people(rig: RoomRig) -> list[str]:
    return [who.text for who in rig.session.peers]


# --- the handshake


def test_the_handshake() -> None:
    rig = RoomRig(within=Place.LOOPBACK)
    rig.open()
    assert rig.take_others() == [
        OpenSocket(link=LinkRef(1, 1), url="wss://realm.example/rooms/plaza", subprotocol="rfc5", within=Place.LOOPBACK)
    ]
    rig.connected()
    (hello,) = rig.take_frames()
    assert hello.peer_identification.address == ROOT.address
    rig.challenge(already=True)
    warning, needed = rig.take_events()
    assert warning.code is WarningCode.ALREADY_CONNECTED
    assert (needed.payload, needed.request, needed.room) == (CHALLENGE, 1, "main")
    chain = identity().sign(CHALLENGE)
    rig.session.provide_signature(1, chain)
    (proof,) = rig.take_frames()
    assert proof.signed_challenge_for_server.auth_chain_json == chain.to_json()
    rig.welcome({2: BOB, 1: ALICE})
    room, first, second = rig.take_events()
    assert room == RoomOpened(at=0.0, room="main", identity=PeerId(ME), name="plaza", sid="")
    assert (first.sender.text, second.sender.text) == (ALICE, BOB)
    assert [(peer.id.text, peer.sid) for peer in rig.session.peers.values()] == [(ALICE, "1"), (BOB, "2")]
    assert rig.take_others() == []
    assert rig.session.deadline() is None


@pytest.mark.parametrize("adapter", [SimulatorAdapter("x"), "ws-room:h"])
def test_what_it_is_not_made_of(adapter: Any) -> None:
    with pytest.raises(LocalProtocolError, match="a WsRoomSession takes a WsRoomAdapter, not"):
        RoomRig(adapter=adapter)
    with pytest.raises(LocalProtocolError, match="40 hex digits"):
        RoomRig(address="me")
    assert not issubclass(LiveKitAdapter, WsRoomAdapter)


def test_nothing_is_signed_for_a_host_that_is_not_allowed() -> None:
    rig = RoomRig(guard=ChallengeGuard())
    rig.open()
    assert rig.take_others() == []
    assert closed(rig) is CloseReason.SIGNING_REFUSED


def test_nothing_but_a_challenge_is_signed() -> None:
    rig = at_stage(Stage.IDENTIFYING)
    rig.challenge("get:/private:1:{}")
    assert rig.hung_up
    assert closed(rig) is CloseReason.SIGNING_REFUSED


def test_nobody_signs() -> None:
    rig = at_stage(Stage.SIGNING)
    rig.session.refuse_signature(5)
    assert rig.session.counters["late"] == 1
    rig.session.refuse_signature(1, "no")
    assert rig.hung_up
    assert closed(rig) is CloseReason.NOT_SIGNED


def test_late_and_foreign_signatures() -> None:
    rig = at_stage(Stage.SIGNING)
    rig.session.provide_signature(2, identity().sign(CHALLENGE))
    assert rig.session.counters["late"] == 1
    with pytest.raises(LocalProtocolError, match="signs something else"):
        rig.session.provide_signature(1, identity().sign("dcl-else"))
    with pytest.raises(InvalidAuthChain, match="expired"):
        rig.session.provide_signature(1, identity(expires=NOW).sign(CHALLENGE))
    assert len(rig.take_frames()) == 1
    rig = at_stage(Stage.SIGNING, clock=False)
    rig.session.provide_signature(1, identity(expires=NOW).sign(CHALLENGE))
    assert rig.session.stage is Stage.PROVING


@pytest.mark.parametrize(
    ("stage", "seconds", "reason"),
    [
        (Stage.CONNECTING, 20.0, CloseReason.TIMEOUT),
        (Stage.IDENTIFYING, 5.0, CloseReason.TIMEOUT),
        (Stage.SIGNING, 1.0, CloseReason.NOT_SIGNED),
        (Stage.PROVING, 5.0, CloseReason.TIMEOUT),
    ],
)
def test_each_stage_has_its_time(stage: Stage, seconds: float, reason: CloseReason) -> None:
    rig = at_stage(stage)
    assert rig.session.deadline() == seconds
    assert rig.session.deadline_reason is (Timer.CONNECT if stage is Stage.CONNECTING else Timer.STAGE)
    rig.wait(seconds - 0.01)
    assert rig.session.stage is stage
    rig.wait(0.01)
    assert closed(rig) is reason
    assert rig.hung_up


def test_the_whole_handshake_has_its_time_too() -> None:
    rig = RoomRig(limits=Limits(connect_seconds=3.0))
    rig.open()
    rig.wait(2.0)
    rig.connected()
    assert rig.session.deadline_reason is Timer.CONNECT
    rig.wait(1.0)
    assert rig.hung_up
    assert closed(rig) is CloseReason.TIMEOUT


# --- ends


@pytest.mark.parametrize("stage", CLOSED_AT)
def test_why_the_server_hung_up_is_judged_by_the_stage(stage: Stage) -> None:
    rig = at_stage(stage)
    rig.gone(1005)
    assert closed(rig) is CLOSED_AT[stage]
    rig = at_stage(stage)
    rig.gone(1006)
    assert closed(rig) is CloseReason.NETWORK


@pytest.mark.parametrize("words", ["This world is full. Try again later.", "Already connected"])
@pytest.mark.parametrize(
    ("stage", "cause"),
    [
        (Stage.IDENTIFYING, CloseReason.ROOM_FULL),
        (Stage.SIGNING, CloseReason.DUPLICATE_IDENTITY),
        (Stage.PROVING, CloseReason.DUPLICATE_IDENTITY),
        (Stage.WELCOMED, CloseReason.DUPLICATE_IDENTITY),
    ],
)
def test_a_kick_is_judged_by_the_stage_and_not_by_its_words(stage: Stage, cause: CloseReason, words: str) -> None:
    rig = at_stage(stage, reconnect=STEADY)
    rig.say(peer_kicked=WsKicked(words))
    (kicked,) = [event for event in rig.session.events() if isinstance(event, Kicked | RoomClosed)][:1]
    assert (type(kicked), kicked.cause) == (Kicked, cause)
    assert rig.session.state is RoomState.CLOSED
    assert rig.hung_up


def test_a_room_that_is_full_when_we_come_back_is_not_tried_again() -> None:
    rig = quiet(reconnect=STEADY)
    rig.gone(1006)
    rig.wait(1.0)
    rig.connected()
    rig.say(peer_kicked=WsKicked("full"))
    assert closed(rig) is CloseReason.ROOM_FULL
    assert RETRY[CloseReason.ROOM_FULL] is not Retry.BACKOFF


def test_a_lost_room_is_joined_anew_with_a_fresh_handshake() -> None:
    rig = quiet({1: ALICE, 2: BOB}, reconnect=STEADY)
    rig.session.chat("unconfirmed")
    rig.drain()
    rig.gone(1006)
    assert [type(event) for event in rig.take_events()][-1] is Reconnecting
    rig.session.chat("while away")
    rig.wait(1.0)
    assert (rig.link, rig.session.stage) == (LinkRef(1, 2), Stage.CONNECTING)
    rig.connected()
    rig.challenge("dcl-0.second")
    (needed,) = rig.take_events(SignatureNeeded)
    assert needed.request == 2
    rig.session.provide_signature(2, identity().sign("dcl-0.second"))
    rig.take_frames()
    rig.welcome({9: BOB})
    back, *news = rig.take_events()
    assert isinstance(back, Reconnected)
    # Bob has another alias: his session is another one.
    assert [(type(event), event.sender.text) for event in news] == [
        (PeerLeft, ALICE),
        (PeerLeft, BOB),
        (PeerJoined, BOB),
    ]
    (frame,) = rig.take_frames()
    assert b"while away" in frame.peer_update_message.body
    update(rig, 9)
    assert rig.take_events()[0].sender == PeerId(BOB)


def test_leaving() -> None:
    rig = quiet()
    rig.session.chat("last words")
    rig.session.close(drain=3.0, now=1.0)
    assert rig.take_others()[-1] == CloseSocket(link=rig.link, drain=3.0)
    assert len(rig.take_frames()) == 1
    rig.tell(SendAcknowledged(link=rig.link, token=rig.tokens[-1]))
    assert rig.session.unacknowledged == 0
    rig.gone(1000, CloseReason.CLIENT)
    assert closed(rig) is CloseReason.CLIENT


def test_giving_up_while_it_opens() -> None:
    rig = at_stage(Stage.CONNECTING)
    rig.session.close()
    assert rig.hung_up
    rig.gone(1006, CloseReason.CLIENT)
    assert closed(rig) is CloseReason.CLIENT


# --- sending


@pytest.mark.parametrize("reliable", [True, False])
def test_a_frame_is_what_the_codec_makes_of_it(reliable: bool) -> None:
    rig = quiet()
    # Where a length takes a further byte: the packet's, or that of what is around it.
    for size in (0, 1, 122, 123, 124, 125, 126, 127, 128, 129, 16_250, 16_255, 16_256, 16_372):
        body = bytes(size)
        rig.session.send_bytes(body, reliable=reliable)
        (command,) = rig.session.commands()
        assert isinstance(command, SendFrame)
        update = WsPeerUpdate(body=body, unreliable=not reliable)
        assert command.data == encode(WsPacket(peer_update_message=update))
        rig.tell(SendAcknowledged(link=rig.link, token=command.token))


def test_a_packet_is_framed_and_acknowledged() -> None:
    rig = quiet(limits=Limits(in_flight=2))
    for text in "abc":
        rig.session.chat(text)
    rig.session.move((1.0, 2.0, 3.0))
    first, second = rig.take_frames()
    assert [update.peer_update_message.from_alias for update in (first, second)] == [0, 0]
    assert not first.peer_update_message.unreliable
    tokens = rig.tokens[-2:]
    # Those of the handshake mean nothing.
    rig.tell(SendAcknowledged(link=rig.link, token=0))
    rig.session.receive_acknowledged([0], now=0.0)
    rig.tell(SendsAcknowledged(link=rig.link, tokens=(0,)))
    assert rig.take_frames() == []
    rig.tell(SendAcknowledged(link=rig.link, token=tokens[0]))
    rig.session.receive_acknowledged([tokens[1]], now=0.0)
    third, fourth = rig.take_frames()
    assert (third.peer_update_message.unreliable, fourth.peer_update_message.unreliable) in {
        (False, True),
        (True, False),
    }
    assert rig.session.counters["sent"] == 2
    assert rig.session.counters["late"] == 0


def test_a_frame_that_the_socket_did_not_take_is_told_of() -> None:
    rig = quiet()
    rig.session.chat("x")
    rig.drain()
    rig.tell(SendAcknowledged(link=rig.link, token=rig.tokens[-1], error="full"))
    (warning,) = rig.take_events()
    assert warning.code is WarningCode.SEND_FAILED


@pytest.mark.parametrize("how", [{"to": PeerId(ALICE)}, {"to": [PeerId(ALICE)]}, {"topic": "community"}])
def test_what_is_for_some_is_never_sent_to_everybody(how: dict[str, Any]) -> None:
    rig = quiet()
    with pytest.raises(LocalProtocolError, match="sends everything to everybody"):
        rig.session.send_bytes(b"private", **how)
    with pytest.raises(LocalProtocolError, match="sends everything to everybody"):
        rig.session.send(Packet(chat=Chat("private", 1.0)), **how)
    with pytest.raises(LocalProtocolError, match="sends everything to everybody"):
        rig.session.chat("private", to=PeerId(ALICE))
    rig.session.chat("nobody", to=[])
    assert (rig.take_frames(), rig.session.waiting) == ([], 0)


@pytest.mark.parametrize("reliable", [False, True])
def test_a_frame_is_16_kib_at_most(reliable: bool) -> None:
    rig = quiet()
    size = 16_384
    while size:
        try:
            rig.session.send_bytes(bytes(size), reliable=reliable)
        except PacketTooLarge as error:
            assert error.limit == 16_384
            size -= 1
        else:
            break
    (frame,) = rig.take_frames()
    assert len(encode(frame)) == 16_384
    rig.session.send_bytes(b"")
    assert rig.take_frames()[0].peer_update_message.body == b""


def test_what_is_said_before_the_room_is_open_waits_for_it() -> None:
    rig = at_stage(Stage.PROVING)
    rig.take_frames()
    rig.session.chat("x")
    assert (rig.session.waiting, rig.take_frames()) == (1, [])


def test_there_are_no_tracks() -> None:
    rig = quiet()
    with pytest.raises(LocalProtocolError, match="a ws-room has no tracks"):
        rig.session.check_publish(TrackSource.MICROPHONE)
    assert not rig.session.subscribe("TR_1")
    # And if a link told of one, there would be nobody to ask for it.
    rig.tell(TrackAppeared(link=rig.link, identity=ALICE, track=Track(sid="TR_1", kind=TrackKind.AUDIO)))
    assert rig.session.subscribe("TR_1")
    assert [type(command) for command in rig.take_others()] == [OpenSocket]


# --- receiving


def test_packets_come_with_their_senders() -> None:
    rig = quiet({1: ALICE, 2: BOB})
    update(rig, 2)
    update(rig, 1, b"not rfc4 \xff", unreliable=True)
    chat, rejected = rig.take_events()
    assert (type(chat), chat.sender, chat.text, chat.private) == (ChatReceived, PeerId(BOB), "hello", False)
    assert rejected.sender == PeerId(ALICE)
    assert rig.session.counters["received"] == 2


def test_whether_a_packet_came_reliably_is_told() -> None:
    rig = quiet()
    update(rig, 1, b"", unreliable=True)
    update(rig, 1, b"")
    assert [(type(event), event.reliable) for event in rig.take_events()] == [
        (PacketReceived, False),
        (PacketReceived, True),
    ]


def test_an_unknown_alias_is_an_unknown_sender_until_it_is_named() -> None:
    rig = quiet()
    update(rig, 5)
    (early,) = rig.take_events()
    assert early.sender is None
    joins(rig, 5, BOB)
    joined, identified = rig.take_events()
    assert (type(joined), type(identified)) == (PeerJoined, PeerIdentified)
    assert (identified.sender, identified.early[0].text) == (PeerId(BOB), "hello")


def test_joining_and_leaving() -> None:
    rig = quiet()
    joins(rig, 2, BOB)
    joins(rig, 2, BOB)
    assert [type(event) for event in rig.take_events()] == [PeerJoined]
    assert people(rig) == [ALICE, BOB]
    leaves(rig, 2)
    leaves(rig, 2)
    leaves(rig, 77)
    assert [type(event) for event in rig.take_events()] == [PeerLeft]
    assert rig.session.counters["ignored"] == 3
    update(rig, 2)
    assert rig.take_events()[0].sender is None


def test_an_alias_that_is_somebody_else_now() -> None:
    rig = quiet()
    joins(rig, 1, BOB)
    assert [(type(event), event.sender.text) for event in rig.take_events()] == [(PeerLeft, ALICE), (PeerJoined, BOB)]


def test_one_wallet_with_two_aliases() -> None:
    rig = quiet()
    joins(rig, 8, ALICE.lower())
    assert [type(event) for event in rig.take_events()] == [PeerLeft, PeerJoined]
    update(rig, 1)
    assert rig.take_events()[0].sender == PeerId(ALICE)
    # The older session's end, late or never, is not the newer one's.
    leaves(rig, 1)
    assert (rig.take_events(), len(people(rig))) == ([], 1)
    leaves(rig, 8)
    assert ([type(event) for event in rig.take_events()], people(rig)) == ([PeerLeft], [])


def test_we_are_not_a_peer_of_ours() -> None:
    rig = opened({3: ROOT.address, 4: BOB})
    joins(rig, 9, ROOT.address)
    assert [event.sender.text for event in rig.take_events(PeerJoined)] == [BOB]


def test_the_newer_of_two_aliases_leaves_first() -> None:
    """Found by the model: the older one's leave raised KeyError."""
    rig = opened({1: ALICE})
    joins(rig, 9, ALICE.upper())
    rig.take_events()
    leaves(rig, 9)
    assert [(type(event), event.sender) for event in rig.take_events()] == [(PeerLeft, PeerId(ALICE))]
    leaves(rig, 1)
    assert rig.take_events() == []
    joins(rig, 1, ALICE)
    assert [event.sender for event in rig.take_events()] == [PeerId(ALICE)]


def test_the_table_of_aliases_has_its_end() -> None:
    rig = opened({1: ALICE, 2: BOB, 3: "c"}, limits=Limits(aliases=2))
    joins(rig, 4, "d")
    (limit,) = rig.take_events(LimitReached)
    assert (limit.limit, limit.value) == ("aliases", 2)
    assert rig.session.counters["dropped.aliases"] == 2
    update(rig, 4)
    assert rig.take_events()[0].sender is None
    leaves(rig, 1)
    joins(rig, 6, "d")
    joins(rig, 5, "e")
    assert [type(event) for event in rig.take_events()] == [PeerLeft, PeerJoined, LimitReached]


def test_frames_that_can_not_be_used_are_counted_and_never_end_it() -> None:
    rig = quiet()
    rig.say(raw=b"\xff")
    rig.say(raw=b"")
    rig.say(raw=b"\x7a\x02ab")
    rig.challenge()
    rig.welcome({9: "x"})
    rig.say(signed_challenge_for_server=WsSignedChallenge("[]"))
    assert rig.session.counters == {"undecodable": 1, "ignored": 5, "received": 0, "received_bytes": 0}
    assert (rig.take_events(), people(rig)) == ([], [ALICE])
    rig = at_stage(Stage.IDENTIFYING)
    rig.welcome({9: "x"})
    update(rig, 9)
    joins(rig, 9, "x")
    rig.say(raw=b"")
    assert rig.session.counters["ignored"] == 4
    rig.challenge()
    rig.challenge("dcl-again")
    assert len(rig.take_events(SignatureNeeded)) == 1


def test_late_news_is_ignored() -> None:
    rig = quiet()
    rig.say(late=1, peer_kicked=WsKicked("x"))
    rig.connected()
    assert rig.session.counters["late"] == 2
    rig.session.close()
    rig.drain()
    update(rig, 1)
    assert rig.session.counters["late"] == 3
    rig.gone(1000, CloseReason.CLIENT)
    rig.tell(FrameReceived(link=rig.link, data=b""))
    rig.tell(SocketOpened(link=rig.link, place=Place.PUBLIC))
    assert rig.session.counters["late"] == 5


def test_no_secret_is_shown() -> None:
    rig = at_stage(Stage.SIGNING)
    chain = identity().sign(CHALLENGE)
    rig.session.provide_signature(1, chain)
    shown = [repr(command) for command in rig.session.commands()]
    for link in chain.links[1:]:
        assert_no_secret(link.signature, *shown, repr(rig.session))
