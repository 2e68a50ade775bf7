"""What ends a connection to Pulse, each with its reason; what waits to be sent is thrown away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rigs.core.pulse_server import PulseNet, Walker, at, rectangles

from dcl_comms_core import Limits
from dcl_comms_core.enet import wire
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.reasons import DisconnectReason
from dcl_comms_core.servers.pulse import PulseSettings
from dcl_comms_core.servers.pulse.buckets import Bucket

R = DisconnectReason


def ends(walker: Walker, reason: DisconnectReason | None) -> None:
    """It is let go for this reason (None: it isn't), and is told nothing more."""
    walker.net.run(0.3)
    assert walker.ended is reason
    if reason is not None:
        assert walker.net.server.counters[f"ended.{reason.name.lower()}"] == 1
        assert walker.wallet not in {player.wallet for player in walker.net.server.players()}


# --- how much may be said


def test_a_bucket_is_full_at_first_and_fills_by_whole_intervals() -> None:
    bucket = Bucket(2, 50)
    assert [bucket.take(at) for at in (1_000, 1_000, 1_000, 1_049, 1_050, 1_051)] == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]
    # What is left of an interval is not lost.
    assert [bucket.take(at) for at in (1_099, 1_100, 1_149, 1_150)] == [False, True, False, True]
    assert [bucket.take(9_000) for _ in range(3)] == [True, True, False]


def test_sixteen_inputs_at_once_are_taken_and_the_next_one_ends_it() -> None:
    net = PulseNet(delay=(0.0, 0.0))
    walker = net.placed(0)
    for step in range(16):
        walker.move(position_x=step)
    ends(walker, None)
    net.run(5.0)
    for step in range(17):
        walker.move(position_x=step)
    ends(walker, R.INPUT_RATE_EXCEEDED)


def test_twenty_inputs_a_second_are_taken_for_ever() -> None:
    net = PulseNet(delay=(0.0, 0.0))
    walker = net.placed(0)
    for step in range(600):
        walker.move(position_x=step % 200)
        net.run(0.05)
    assert walker.ended is None


def test_more_than_twenty_inputs_a_second_are_not() -> None:
    net = PulseNet(delay=(0.0, 0.0))
    walker = net.placed(0)
    for step in range(100):
        if walker.ended is None:
            walker.move(position_x=step % 200)
            net.run(0.04)
    ends(walker, R.INPUT_RATE_EXCEEDED)


@pytest.mark.parametrize("mixed", [False, True])
def test_sixteen_emotes_and_teleports_together_are_taken_and_the_next_one_ends_it(mixed: bool) -> None:
    net = PulseNet(delay=(0.0, 0.0))
    walker = net.welcomed(0)
    for step in range(17):
        if mixed and step % 3 == 0:
            walker.say(emote_start=pulse.EmoteStart(emote_id="wave", player_state=at()))
        elif mixed and step % 3 == 1:
            # None is on every other time: it costs all the same.
            walker.say(emote_stop=pulse.EmoteStop())
        else:
            walker.teleport()
        if step == 15:
            ends(walker, None)
            net.now -= 0.3  # as if no time had passed
    ends(walker, None)
    for _ in range(17):
        walker.teleport()
    ends(walker, R.DISCRETE_EVENT_RATE_EXCEEDED)


def test_profiles_and_resyncs_cost_nothing() -> None:
    net = PulseNet()
    walker = net.placed(0)
    for version in range(200):
        walker.say(profile_announcement=pulse.ProfileVersionAnnouncement(version=version))
        walker.say(resync=pulse.ResyncRequest(subject_id=version))
    ends(walker, None)


def test_what_is_of_listeners_is_not_heard_from_players_and_costs_nothing() -> None:
    net = PulseNet()
    walker = net.placed(0)
    for _ in range(50):
        walker.say(scene_listener_update=pulse.SceneListenerUpdate())
    ends(walker, None)


# --- what can't be read


@pytest.mark.parametrize("packet", [b"\xff", b"\x0a\xff", b"x" * 4_097, b"x" * 8_192])
@pytest.mark.parametrize("proved", [False, True])
def test_five_packets_that_can_not_be_read_are_taken_and_the_next_one_ends_it(packet: bytes, proved: bool) -> None:
    net = PulseNet()
    walker = net.placed(0) if proved else net.walker(0)
    for _ in range(5):
        walker.party.client.send(packet)
    ends(walker, None)
    assert net.server.counters["unread"] == 5
    walker.party.client.send(packet)
    ends(walker, R.PACKET_CORRUPTED)


def test_five_a_minute_may_go_on_for_ever() -> None:
    net = PulseNet()
    walker = net.placed(0)
    for _ in range(30):
        walker.party.client.send(b"\xff")
        net.run(12.5)
    assert walker.ended is None


def test_a_packet_over_twice_the_length_ends_it_at_once() -> None:
    net = PulseNet()
    walker = net.placed(0)
    walker.party.client.send(b"x" * 8_193)
    # What came with it is not looked at.
    walker.move(position_x=256)
    walker.say(channel=0, input=pulse.PlayerStateInput(state=at(position_x=256)))
    ends(walker, R.PACKET_CORRUPTED)
    assert net.server.counters["ended.invalid_input_field"] == 0


def test_empty_and_unknown_messages_are_not_heard() -> None:
    net = PulseNet()
    walker = net.placed(0)
    for _ in range(50):
        walker.party.client.send(b"")
        walker.party.client.send(bytes.fromhex("a20100"))
    ends(walker, None)


def test_the_channel_of_a_message_counts_for_nothing() -> None:
    net = PulseNet()
    one, other = net.placed(0), net.placed(1)
    net.quiet(one)
    other.say(channel=2, input=pulse.PlayerStateInput(state=at(position_x=3)))
    net.run(0.1)
    assert one.names() == ["player_state_delta"]


# --- fields

WRONG: list[dict[str, Any]] = [
    {"parcel_index": 99_534},
    {"parcel_index": -1},
    {"position_x": 256},
    {"position_y": 8_192},
    {"position_z": 256},
    {"velocity_x": 256},
    {"velocity_y": 256},
    {"velocity_z": 2**32 - 1},
    {"rotation_y": 128},
    {"movement_blend": 32},
    {"slide_blend": 16},
    {"head_yaw": 128},
    {"head_pitch": 128},
    {"point_at_x": 131_072, "point_at_y": 0, "point_at_z": 0},
    {"point_at_x": 0, "point_at_y": 128, "point_at_z": 0},
    {"point_at_x": 0, "point_at_y": 0, "point_at_z": 131_072},
]


@pytest.mark.parametrize("fields", [*WRONG, None])
def test_an_input_that_can_not_be_ends_it(fields: dict[str, Any] | None) -> None:
    net = PulseNet()
    walker = net.placed(0)
    state = None if fields is None else pulse.PlayerState(**({"parcel_index": 0} | fields))
    walker.say(input=pulse.PlayerStateInput(state=state))
    ends(walker, R.INVALID_INPUT_FIELD)


def test_an_input_at_its_limits_can_be() -> None:
    net = PulseNet()
    walker = net.placed(0)
    most: dict[str, int] = {}
    for wrong in WRONG[2:]:
        for name, code in wrong.items():
            most[name] = max(most.get(name, 0), code - 1)
    most |= {"velocity_z": 255, "parcel_index": 99_533, "state_flags": 2**32 - 1, "jump_count": -5}
    walker.say(input=pulse.PlayerStateInput(state=pulse.PlayerState(glide_state=pulse.GlideState(9), **most)))
    ends(walker, None)
    assert net.server.players()[0].position == (165 * 16 + 16.0, 200.0, 160 * 16 + 16.0)


@pytest.mark.parametrize("fields", [*WRONG[:3], None])
def test_an_emotes_state_that_can_not_be_ends_it(fields: dict[str, Any] | None) -> None:
    net = PulseNet()
    walker = net.placed(0)
    state = None if fields is None else pulse.PlayerState(**fields)
    walker.say(emote_start=pulse.EmoteStart(emote_id="wave", player_state=state))
    ends(walker, R.INVALID_EMOTE_FIELD)


def test_an_emote_lasts_a_minute_at_most() -> None:
    net = PulseNet()
    walker = net.placed(0)
    walker.say(emote_start=pulse.EmoteStart(emote_id="", duration_ms=60_000, player_state=at()))
    ends(walker, None)
    walker.say(emote_start=pulse.EmoteStart(emote_id="x" * 500, duration_ms=60_001, player_state=at()))
    ends(walker, R.INVALID_EMOTE_FIELD)


@pytest.mark.parametrize(
    "fields", [{"realm": ""}, {"realm": "x" * 256}, {"realm": "𝄞" * 128}, {"realm": "İ" * 128}, *WRONG[:5]]
)
def test_a_teleport_that_can_not_be_ends_it(fields: dict[str, Any]) -> None:
    net = PulseNet()
    walker = net.placed(0)
    walker.say(teleport=pulse.TeleportRequest(**({"realm": "main"} | fields)))
    ends(walker, R.INVALID_TELEPORT_FIELD)


def test_a_realm_has_255_utf_16_units_at_most() -> None:
    net = PulseNet()
    walker = net.welcomed(0)
    walker.teleport(realm="𝄞" * 127 + "X")
    ends(walker, None)
    assert net.server.players()[0].realm == "𝄞" * 127 + "x"


# --- who may come in

ROOMY = PulseSettings(address_players=1_000)


def refused(walker: Walker) -> DisconnectReason | None:
    walker.net.run(0.2)
    return walker.ended


def test_ten_players_of_an_address_may_come_in_and_of_others_more() -> None:
    net = PulseNet()
    walkers = [net.welcomed(number) for number in range(10)]
    assert refused(net.walker(10)) is R.IP_CONNECTION_LIMIT_EXCEEDED
    assert net.server.counters["refused.ip_connection_limit_exceeded"] == 1
    net.welcomed(11, machine="b")
    walkers[0].party.client.disconnect()
    net.run(0.2)
    net.welcomed(12)
    assert len(net.server.players()) == 11


def test_addresses_that_are_allowed_have_no_such_limit() -> None:
    net = PulseNet(settings=PulseSettings(address_players=1, address_listeners=0, allowed=frozenset({"a"})))
    for number in range(5):
        net.welcomed(number)
    listener = net.walker(6)
    listener.listen(("main", (0, 0, 1, 1)))
    net.run(0.1)
    assert listener.names() == ["handshake"]
    other = net.welcomed(7, machine="b")
    assert refused(net.walker(8, machine="b")) is R.IP_CONNECTION_LIMIT_EXCEEDED
    assert other.ended is None


def test_two_listeners_of_an_address_may_come_in_and_are_not_counted_as_players() -> None:
    net = PulseNet(settings=PulseSettings(address_players=1))
    listeners = [net.walker(number) for number in range(1)]
    for number in range(2):
        listener = listeners[number]
        listener.listen(("main", (0, 0, 1, 1)))
        net.run(0.1)
        assert listener.names() == ["handshake"]
        listeners.append(net.walker(number + 1))
    third = listeners[2]
    third.listen(("main", (0, 0, 1, 1)))
    ends(third, R.SCENE_LISTENER_IP_LIMIT_EXCEEDED)
    listeners[0].party.client.disconnect()
    net.run(0.2)
    again = net.walker(3)
    again.listen(("main", (0, 0, 1, 1)))
    net.run(0.1)
    assert again.names() == ["handshake"]
    # The place of a player is free all the while.
    net.welcomed(4)


def test_a_server_without_places_is_full_until_they_have_rested() -> None:
    net = PulseNet(limits=Limits(pulse_places=2))
    one = net.welcomed(0)
    net.welcomed(1)
    assert refused(net.walker(2)) is R.SERVER_FULL
    one.party.client.disconnect()
    net.run(4.0)
    assert refused(net.walker(2)) is R.SERVER_FULL
    net.run(1.0)
    net.welcomed(2)
    assert [player.subject for player in net.server.players()] == [1, 0]


def test_so_many_of_an_address_may_be_without_a_proof() -> None:
    net = PulseNet(settings=replace(ROOMY, address_proving=2))
    waiting = [net.walker(number) for number in range(2)]
    assert refused(net.walker(2)) is R.PRE_AUTH_IP_LIMIT_EXHAUSTED
    net.walker(3, machine="b")
    waiting[0].shake()
    net.run(0.1)
    net.welcomed(4)
    waiting[1].party.client.disconnect()
    net.run(0.1)
    net.welcomed(5)


def test_the_defaults_are_those_of_the_real_one() -> None:
    net = PulseNet(settings=ROOMY)
    for number in range(32):
        net.walker(number)
    assert refused(net.walker(32)) is R.PRE_AUTH_IP_LIMIT_EXHAUSTED


def test_so_many_in_all_may_be_without_a_proof() -> None:
    net = PulseNet(settings=replace(ROOMY, proving=3))
    for number in range(3):
        net.walker(number, machine=f"m{number}")
    assert refused(net.walker(3, machine="m3")) is R.PRE_AUTH_BUDGET_EXHAUSTED


def test_an_address_may_be_anything_that_can_stand_in_a_dict() -> None:
    net = PulseNet(settings=PulseSettings(address_players=1))
    for address in ("text", (), ("a", 5), ("b", 5), 7):
        party = net.client()
        net.parties[address] = net.parties.pop(party.address)
        party.address = address
        party.client.connect(now=net.now)
        net.run(0.2)
        assert party.client.peer.open, address


# --- who takes too little


def test_who_does_not_take_what_there_is_to_see_is_let_go() -> None:
    net = PulseNet(limits=Limits(enet_send_bytes=1_000))
    one, other = net.placed(0), net.placed(1)
    # Its line is cut; it would be given up after five seconds.
    del net.parties[one.party.address]
    for x in range(30):
        other.teleport((x % 2, 0))
        net.run(0.1)
    assert net.server.counters["ended.none"] == 1
    assert [player.wallet for player in net.server.players()] == [other.wallet]


def test_what_was_said_before_an_end_is_not_heard_after_it() -> None:
    net = PulseNet(delay=(0.0, 0.0))
    watcher, walker = net.placed(0), net.placed(1)
    net.quiet(watcher)
    walker.move(position_x=1)
    walker.say(channel=0, input=pulse.PlayerStateInput(state=at(position_x=256)))
    walker.teleport((1, 0))
    net.run(5.0)
    assert walker.ended is R.INVALID_INPUT_FIELD
    assert watcher.names() == ["player_left"]


def test_who_leaves_with_a_handshake_on_its_way_gets_no_answer() -> None:
    """Both come in one datagram: when the handshake is looked at, the connection is over."""
    net = PulseNet(delay=(0.0, 0.0))
    older, walker = net.placed(0), net.walker(0, phone=1)
    net.run(0.2)
    walker.shake()
    *_, datagram = walker.party.client.datagrams(now=net.now)
    datagram += wire.disconnect(4, 0, wants_ack=False)
    net.server.receive(datagram, walker.party.address, now=net.now)
    net.run(1.0)
    assert older.ended is R.DUPLICATE_SESSION
    assert net.server.players() == ()


# --- areas


@pytest.mark.parametrize(
    "areas",
    [
        [],
        [("main", (5, 0, 4, 0))],
        [("main", (0, 5, 0, 4))],
        [("main", (-153, 0, 0, 0))],
        [("main", (0, 0, 166, 0))],
        [("main", (0, -153, 0, 0))],
        [("main", (0, 0, 0, 161))],
        [("", (0, 0, 0, 0))],
        [("x" * 256, (0, 0, 0, 0))],
        [("main", (0, 0, 63, 63))],
        [("main", (0, 0, 61, 65)), ("main", (0, 0, 0, 0))],
        [("main", (0, 0, 10, 10)), ("Main", (20, 20, 21, 21))],
        [(f"r{number}", (0, 0, 0, 0)) for number in range(820)],
    ],
)
def test_an_area_that_can_not_be_ends_it(areas: list[Any]) -> None:
    net = PulseNet(settings=PulseSettings(packet_bytes=65_000))
    listener = net.walker(0)
    listener.listen(*areas)
    ends(listener, R.INVALID_HANDSHAKE_FIELD)
    net.run(0.2)
    listener = net.walker(1)
    listener.listen(("main", (0, 0, 0, 0)))
    net.run(0.1)
    listener.heard()
    listener.say(scene_listener_update=pulse.SceneListenerUpdate(aoi=rectangles(*areas)))
    ends(listener, R.INVALID_SCENE_LISTENER_FIELD)


def test_a_realm_without_rectangles_can_not_be() -> None:
    net = PulseNet()
    listener = net.walker(0)
    wanted = [pulse.SceneListenerAoi(realm="main")]
    listener.say(scene_listener_handshake=pulse.SceneListenerHandshakeRequest(auth_chain=listener.proof(), aoi=wanted))
    ends(listener, R.INVALID_HANDSHAKE_FIELD)


@pytest.mark.parametrize(
    "areas",
    [
        [("main", (0, 0, 61, 65))],  # 4,092 and 4
        [(f"r{number}", (0, 0, 0, 0)) for number in range(819)],  # 4,095
        [("main", (-152, -152, -152, -152)), ("main", (165, 160, 165, 160))],
    ],
)
def test_an_area_at_its_limits_can_be(areas: list[Any]) -> None:
    net = PulseNet(settings=PulseSettings(packet_bytes=65_000))
    listener = net.walker(0)
    listener.listen(*areas)
    ends(listener, None)
    assert listener.names() == ["handshake"]


def test_new_areas_come_out_of_the_same_bucket_as_emotes() -> None:
    net = PulseNet()
    listener = net.walker(0)
    listener.listen(("main", (0, 0, 0, 0)))
    for _ in range(17):
        listener.say(scene_listener_update=pulse.SceneListenerUpdate(aoi=rectangles(("main", (0, 0, 1, 1)))))
    ends(listener, R.DISCRETE_EVENT_RATE_EXCEEDED)
