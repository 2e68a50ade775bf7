"""Who sees whom on a Pulse server, how often, and what it is told."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from rigs.core.enet import Party
from rigs.core.pulse_server import PulseNet, Walker, at, kind

from dcl_comms_core import Limits
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.parcels import index_of
from dcl_comms_core.pulse.reasons import DisconnectReason
from dcl_comms_core.servers.pulse import PulseSettings

STILL = {"delay": (0.0, 0.0)}
"""A line without delays: what is said is heard at once."""


def pair(parcel: tuple[int, int] = (0, 0), **options: Any) -> tuple[PulseNet, Walker, Walker]:
    """Two who are in a realm and have met, the second one on this parcel; what they were told is forgotten."""
    net = PulseNet(**options)
    one, other = net.placed(0), net.placed(1, parcel)
    net.run(0.5)
    net.quiet(one, other)
    return net, one, other


def deltas(walker: Walker) -> list[pulse.PlayerStateDeltaTier0]:
    """What it was told, which is deltas only."""
    found = [message.player_state_delta for message in walker.heard()]
    assert None not in found
    return [one for one in found if one is not None]


# --- joining


def test_nobody_sees_anybody_before_both_have_a_realm() -> None:
    net = PulseNet()
    one, other = net.placed(0), net.welcomed(1)
    other.move(position_x=5)
    net.run(0.3)
    assert one.heard() == other.heard() == []
    other.teleport()
    net.run(0.1)
    (joined,) = one.heard()
    assert (joined.player_joined.user_id, joined.player_joined.realm) == (other.wallet, "main")
    # The input was a state too, of which nobody was told.
    assert joined.player_joined.state.sequence == 1
    assert other.names() == ["player_joined"]


def test_realms_are_the_same_in_any_case_and_do_not_see_each_other() -> None:
    net = PulseNet()
    one, other, third = net.placed(0, realm="MAIN"), net.placed(1, realm="main"), net.placed(2, realm="w.dcl.eth")
    assert one.names() == other.names() == ["player_joined"]
    assert third.heard() == []


@pytest.mark.parametrize(("parcel", "seen"), [((12, 0), True), ((13, 0), False), ((0, -12), True), ((9, 9), False)])
def test_who_is_farther_than_200_metres_is_not_seen(parcel: tuple[int, int], seen: bool) -> None:
    net = PulseNet()
    one, other = net.placed(0), net.placed(1, parcel)
    net.run(0.2)
    assert one.names() == other.names() == (["player_joined"] if seen else [])


def test_ids_begin_with_0_and_go_round() -> None:
    net = PulseNet(settings=PulseSettings(cooling_seconds=5.0))
    walkers = [net.placed(number) for number in range(3)]
    assert [player.subject for player in net.server.players()] == [0, 1, 2]
    walkers[0].party.client.disconnect()
    net.run(6.0)
    net.placed(3)
    assert [player.subject for player in net.server.players()] == [1, 2, 3]


# --- moving


@pytest.mark.parametrize(
    ("parcel", "pause"), [((0, 0), 0.05), ((2, 0), 0.1), ((3, 0), 0.1), ((5, 0), 0.2), ((12, 0), 0.2)]
)
def test_the_farther_somebody_is_the_seldomer_it_is_told(parcel: tuple[int, int], pause: float) -> None:
    net, one, other = pair(parcel, **STILL)
    for step in range(8):
        other.move(parcel, position_x=step + 1)
        net.run(0.1)
    net.run(0.2)
    told = deltas(one)
    assert [delta.new_seq for delta in told][-1] == 8
    steps = {later.new_seq - earlier.new_seq for earlier, later in pairwise(told)}
    assert steps == {2 if pause == 0.2 else 1}
    assert all(earlier.new_seq == later.baseline_seq for earlier, later in pairwise(told))


FAR = {"slide_blend", "head_yaw", "head_pitch"}
FARTHER = {"velocity_x", "velocity_y", "velocity_z", "movement_blend"}


@pytest.mark.parametrize(("parcel", "left_out"), [((1, 0), set()), ((3, 0), FAR), ((6, 0), FAR | FARTHER)])
def test_tiers_leave_out_fields(parcel: tuple[int, int], left_out: set[str]) -> None:
    net, one, other = pair(parcel)
    said = at(
        parcel,
        position_x=1,
        position_y=2,
        position_z=3,
        velocity_x=4,
        velocity_y=5,
        velocity_z=6,
        rotation_y=7,
        movement_blend=8,
        slide_blend=9,
        head_yaw=10,
        head_pitch=11,
        state_flags=225,
        glide_state=pulse.GlideState.GLIDING,
        jump_count=12,
        point_at_x=13,
        point_at_y=14,
        point_at_z=15,
    )
    other.say(input=pulse.PlayerStateInput(state=said))
    net.run(0.3)
    (delta,) = deltas(one)
    told = {name for name in said.__dataclass_fields__ if getattr(delta, name) is not None}
    assert told == set(said.__dataclass_fields__) - left_out - {"parcel_index"}
    assert all(getattr(delta, name) == getattr(said, name) for name in told)


def test_those_who_are_as_near_are_told_the_same() -> None:
    net, one, other = pair()
    third = net.placed(2)
    net.quiet(one, third)
    other.move(position_x=7)
    net.run(0.1)
    told = one.heard_hex()
    assert len(told) == 1
    assert told == third.heard_hex()


def test_what_a_far_one_was_not_told_it_is_not_told_from_near_until_it_asks() -> None:
    net, one, other = pair((5, 0))
    other.move((5, 0), velocity_x=80, slide_blend=7, state_flags=1)
    net.run(0.3)
    other.move((0, 0), velocity_x=80, slide_blend=7, state_flags=1)
    net.run(0.3)
    *_, last = deltas(one)
    assert (last.velocity_x, last.slide_blend) == (None, None)
    one.say(resync=pulse.ResyncRequest(subject_id=1, known_seq=last.new_seq))
    net.run(0.1)
    (full,) = one.heard()
    assert full.player_state_full.sequence == last.new_seq
    assert (full.player_state_full.state.velocity_x, full.player_state_full.state.slide_blend) == (80, 7)


def test_a_state_that_is_as_before_is_not_told_but_for_the_first_after_a_teleport() -> None:
    net, one, other = pair()
    other.move(state_flags=1)
    net.run(0.2)
    (delta,) = deltas(one)
    assert (delta.baseline_seq, delta.new_seq, delta.position_x) == (0, 1, None)
    other.move(state_flags=1)
    net.run(0.2)
    assert one.heard() == []


def test_half_a_point_is_none() -> None:
    net, one, other = pair()
    other.move(state_flags=129, point_at_x=5, point_at_z=6)
    net.run(0.2)
    (delta,) = deltas(one)
    assert (delta.state_flags, delta.point_at_x, delta.point_at_z) == (129, None, None)


def test_unknown_fields_of_a_state_are_not_passed_on() -> None:
    net, one, other = pair()
    state = pulse.PlayerState.parse(bytes(at(position_x=3)) + bytes.fromhex("fa3f0568656c6c6f"))
    other.say(input=pulse.PlayerStateInput(state=state))
    one.say(resync=pulse.ResyncRequest(subject_id=1))
    net.run(0.2)
    assert all(b"hello" not in bytes(message) for message in one.heard())


def test_one_does_not_see_oneself() -> None:
    net, one, other = pair()
    one.move(position_x=5)
    one.teleport((1, 0))
    one.say(resync=pulse.ResyncRequest(subject_id=0))
    net.run(0.5)
    assert one.heard() == []
    assert other.names() == ["teleported"]


# --- asking again


def test_a_full_state_comes_on_the_next_tick_whatever_is_known_and_however_far() -> None:
    net, one, other = pair((12, 0), **STILL)
    for known in (0, 7, 2**32 - 1):
        # Tier 2 is looked at every fourth tick; an answer does not wait for that.
        asked = net.now
        one.say(resync=pulse.ResyncRequest(subject_id=1, known_seq=known))
        net.until(lambda: one.was_told)
        assert net.now - asked <= 0.0501
        (full,) = one.heard()
        assert (full.player_state_full.sequence, full.player_state_full.state.parcel_index) == (0, index_of(12, 0))


def test_nobody_is_told_of_whom_it_does_not_see() -> None:
    net = PulseNet()
    one = net.placed(0)
    net.placed(1, (100, 0))
    net.placed(2, realm="w.dcl.eth")
    for subject in (0, 1, 2, 3, 2**32 - 1):
        one.say(resync=pulse.ResyncRequest(subject_id=subject))
    net.run(0.3)
    assert (one.heard(), one.ended) == ([], None)


def test_an_answer_that_is_not_due_is_not_given_later() -> None:
    net, one, other = pair()
    other.teleport((100, 0))
    net.run(0.1)
    one.say(resync=pulse.ResyncRequest(subject_id=1))
    net.run(0.1)
    other.teleport((0, 0))
    net.run(0.2)
    assert one.names() == ["teleported"]


def test_a_teleport_takes_the_place_of_the_answer() -> None:
    net, one, other = pair(**STILL)
    one.say(resync=pulse.ResyncRequest(subject_id=1))
    other.teleport((1, 0))
    net.run(0.2)
    assert one.names() == ["teleported"]


# --- leaving


def left_after(net: PulseNet, walker: Walker) -> float:
    """How long until it was told of an end, and of nothing else."""
    began = net.now
    net.until(lambda: walker.was_told)
    assert walker.names() == ["player_left"]
    return net.now - began


@pytest.mark.parametrize("how", ["walks", "jumps", "realm", "leaves", "vanishes", "kicked"])
def test_who_is_out_of_sight_is_told_as_left_three_or_four_seconds_later(how: str) -> None:
    net, one, other = pair()
    if how == "walks":
        other.move((20, 0))
    elif how == "jumps":
        other.teleport((20, 0))
    elif how == "realm":
        other.teleport((0, 0), realm="w.dcl.eth")
    elif how == "leaves":
        other.party.client.disconnect()
    elif how == "kicked":
        net.server.kick(other.wallet, now=net.now)
    else:
        del net.parties[other.party.address]
    # Whose line is cut is given up after five seconds.
    lost = 5.0 if how == "vanishes" else 0.0
    assert 3.0 + lost <= left_after(net, one) <= 4.2 + lost + (0.5 if lost else 0.0)
    # Both lose each other in the same sweep.
    if how in {"walks", "jumps"}:
        net.run(0.1)
        assert other.names() == ["player_left"]


def test_who_comes_back_before_that_was_never_away() -> None:
    net, one, other = pair()
    other.move((20, 0), position_x=1)
    net.run(2.0)
    assert one.heard() == []
    other.move((0, 0), position_x=2)
    net.run(0.2)
    (delta,) = deltas(one)
    assert (delta.baseline_seq, delta.new_seq, delta.position_x) == (0, 2, 2)
    net.run(6.0)
    assert one.heard() == []


def test_who_changes_realm_has_left_all_at_once_and_joins_anew_in_the_same_tick() -> None:
    net, one, other = pair(**STILL)
    third = net.placed(2)
    net.quiet(one, other)
    one.teleport(realm="w.dcl.eth")
    one.teleport(realm="main")
    net.run(0.2)
    told = one.heard()
    assert [kind(message) for message in told] == ["player_left"] * 2 + ["player_joined"] * 2
    assert {message.player_joined.user_id for message in told[2:]} == {other.wallet, third.wallet}
    # To the others it was in its realm all the time.
    assert other.names() == ["teleported"]


def test_a_teleport_within_the_realm_keeps_everybody() -> None:
    net, one, other = pair()
    one.teleport((1, 0), realm="Main")
    net.run(0.2)
    assert one.heard() == []


def test_an_id_that_another_one_has_got_is_told_as_left_first() -> None:
    net, one, other = pair(settings=PulseSettings(cooling_seconds=0.0), limits=Limits(pulse_places=2))
    other.party.client.disconnect()
    net.run(0.2)
    third = net.placed(2)
    left, joined = one.heard()
    assert left.player_left.subject_id == joined.player_joined.state.subject_id == 1
    assert joined.player_joined.user_id == third.wallet
    net.run(5.0)
    assert one.heard() == []


# --- jumps


def test_a_teleport_is_told_as_such_and_what_comes_after_on_the_next_tick() -> None:
    net, one, other = pair(**STILL)
    other.move(rotation_y=5, head_yaw=6, velocity_x=7, jump_count=8, slide_blend=9, state_flags=33)
    net.run(0.1)
    one.heard()
    other.teleport((1, 0), position_x=3, position_y=4, position_z=5)
    other.say(channel=0, input=pulse.PlayerStateInput(state=at((1, 0), position_x=9)))
    net.run(0.05)
    (told,) = one.heard()
    jump = told.teleported
    assert jump is not None
    assert (jump.subject_id, jump.sequence, jump.realm) == (1, 2, "main")
    assert jump.state == at((1, 0), position_x=3, position_y=4, position_z=5, rotation_y=5, head_yaw=6, state_flags=1)
    net.run(0.05)
    (delta,) = deltas(one)
    assert (delta.baseline_seq, delta.new_seq, delta.position_x) == (2, 3, 9)


def test_of_several_teleports_in_a_tick_the_last_is_told() -> None:
    net, one, other = pair(**STILL)
    for x in range(10):
        other.teleport((x, 0))
    net.run(0.2)
    (told,) = one.heard()
    assert (told.teleported.sequence, told.teleported.state.parcel_index) == (10, index_of(9, 0))


def test_a_teleport_through_another_realm_does_not_show_the_places_there() -> None:
    net, one, other = pair(**STILL)
    other.teleport((50, 0), realm="w.dcl.eth")
    other.say(emote_start=pulse.EmoteStart(emote_id="wave", player_state=at((50, 0))))
    other.teleport((1, 0), realm="main")
    net.run(0.2)
    told = one.heard()
    assert [kind(message) for message in told] == ["teleported", "emote_started"]
    assert told[1].emote_started.player_state.parcel_index == index_of(1, 0)
    assert told[1].emote_started.sequence == told[0].teleported.sequence == 3
    # What is told next goes on from there.
    other.move((1, 0), position_x=7)
    net.run(0.1)
    assert [delta.baseline_seq for delta in deltas(one)] == [3]


# --- emotes


def wave(walker: Walker, **fields: Any) -> None:
    walker.say(emote_start=pulse.EmoteStart(**({"emote_id": "wave", "player_state": at(position_x=4)} | fields)))


def test_an_emote_is_told_with_its_state_and_mask() -> None:
    net, one, other = pair()
    wave(other, mask=3)
    net.run(0.1)
    (told,) = one.heard()
    started = told.emote_started
    assert started is not None
    assert (started.subject_id, started.sequence, started.emote_id, started.mask) == (1, 1, "wave", 3)
    assert started.player_state == at(position_x=4)
    assert net.server.players()[1].emote == "wave"


def test_an_emote_of_a_duration_ends_by_itself() -> None:
    net, one, other = pair(**STILL)
    wave(other, duration_ms=1_000)
    net.run(0.1)
    (told,) = one.heard()
    net.run(0.8)
    assert one.heard() == []
    net.run(0.25)
    (ended,) = one.heard()
    stopped = ended.emote_stopped
    assert stopped is not None
    assert (stopped.reason, stopped.sequence) == (pulse.EmoteStopReason.COMPLETED, 2)
    assert 1_000 <= stopped.server_tick - told.emote_started.server_tick <= 1_051
    assert stopped.player_state == at(position_x=4)
    assert net.server.players()[1].emote is None


def test_an_emote_without_a_duration_goes_on_until_it_is_stopped() -> None:
    net, one, other = pair()
    wave(other)
    net.run(70.0)
    assert one.names() == ["emote_started"]
    other.say(emote_stop=pulse.EmoteStop())
    net.run(0.1)
    (ended,) = one.heard()
    assert ended.emote_stopped.reason is pulse.EmoteStopReason.CANCELLED
    other.say(emote_stop=pulse.EmoteStop())
    net.run(0.1)
    assert one.heard() == []


def test_an_emote_that_was_stopped_does_not_end_again() -> None:
    net, one, other = pair()
    wave(other, duration_ms=500)
    net.run(0.1)
    other.say(emote_stop=pulse.EmoteStop())
    net.run(1.0)
    assert one.names() == ["emote_started", "emote_stopped"]


def test_an_emote_in_the_place_of_another_one_is_told_without_a_stop_and_has_a_time_of_its_own() -> None:
    net, one, other = pair()
    wave(other, duration_ms=500)
    net.run(0.1)
    wave(other, emote_id="dance")
    net.run(1.0)
    assert one.names() == ["emote_started", "emote_started"]


def test_moves_and_jumps_do_not_end_an_emote() -> None:
    net, one, other = pair()
    wave(other)
    net.run(0.1)
    other.move(position_x=9)
    net.run(0.1)
    other.teleport((1, 0))
    net.run(0.1)
    assert one.names() == ["emote_started", "player_state_delta", "teleported"]


def test_an_emote_of_less_than_a_tick_is_a_delta_only() -> None:
    net, one, other = pair(**STILL)
    wave(other)
    other.say(emote_stop=pulse.EmoteStop())
    net.run(0.1)
    (delta,) = deltas(one)
    assert (delta.baseline_seq, delta.new_seq) == (0, 2)


def test_a_stop_may_come_with_a_delta() -> None:
    net, one, other = pair(**STILL)
    wave(other)
    net.run(0.1)
    one.heard()
    other.say(emote_stop=pulse.EmoteStop())
    other.say(channel=0, input=pulse.PlayerStateInput(state=at(position_x=5)))
    net.run(0.1)
    told = {kind(message): message for message in one.heard()}
    assert told["emote_stopped"].emote_stopped.sequence == 2
    delta = told["player_state_delta"].player_state_delta
    assert (delta.baseline_seq, delta.new_seq, delta.position_x) == (2, 3, 5)


def test_a_start_and_a_teleport_of_one_tick_are_told_the_teleport_first() -> None:
    net, one, other = pair(**STILL)
    wave(other)
    other.teleport((1, 0))
    net.run(0.1)
    jump, start = one.heard()
    assert (jump.teleported.sequence, start.emote_started.sequence) == (2, 1)
    other.move((1, 0), position_x=1)
    net.run(0.1)
    assert [delta.baseline_seq for delta in deltas(one)] == [2]


def test_who_comes_later_is_told_of_the_emote_with_the_number_of_the_join() -> None:
    net, one, other = pair()
    wave(other, emote_id="")
    other.move(position_x=9)
    net.run(0.2)
    (started,) = (message for message in one.heard() if message.emote_started)
    third = net.placed(2)
    told = {}
    for message in third.heard():
        if message.player_joined and message.player_joined.user_id == other.wallet:
            told["joined"] = message.player_joined.state.sequence
        if message.emote_started:
            told["emote"] = message.emote_started.sequence
            # It began when it began.
            assert message.emote_started.server_tick == started.emote_started.server_tick
    assert told == {"joined": 2, "emote": 2}


# --- profiles


def test_a_profile_version_is_told_when_it_is_another_one_also_a_lower_one() -> None:
    net, one, other = pair()
    for version in (7, 7, 3, -1):
        other.say(profile_announcement=pulse.ProfileVersionAnnouncement(version=version))
        net.run(0.1)
    versions = [message.player_profile_version_announced.version for message in one.heard()]
    assert versions == [7, 3, -1]
    third = net.placed(2)
    assert {message.player_joined.profile_version for message in third.heard()} == {0, -1}


def test_the_version_of_a_handshake_counts_for_nothing() -> None:
    net = PulseNet()
    one, other = net.placed(0), net.walker(1)
    other.shake(profile_version=9)
    other.teleport()
    net.run(0.1)
    (joined,) = one.heard()
    assert joined.player_joined.profile_version == 0


def test_a_profile_is_told_before_all_else() -> None:
    net, one, other = pair(**STILL)
    other.teleport((1, 0))
    other.say(profile_announcement=pulse.ProfileVersionAnnouncement(version=1))
    net.run(0.1)
    assert one.names() == ["player_profile_version_announced", "teleported"]


# --- time


def test_ticks_that_were_missed_are_not_made_up_for() -> None:
    net, one, other = pair(**STILL)
    other.move(position_x=1)
    net.turn()
    while net.due:
        net.due.pop(0)[2]()
    net.now += 3.0
    net.server.handle_timeout(net.now)
    assert net.server.deadline() is not None
    before = net.now
    net.run(0.05)
    assert len(deltas(one)) == 1
    assert net.now == before + 0.05


def test_a_server_without_anybody_has_no_deadline() -> None:
    net = PulseNet()
    assert net.server.deadline() is None
    walker = net.placed(0)
    assert net.server.deadline() is not None
    walker.party.client.disconnect()
    net.run(10.0)
    assert (net.server.deadline(), net.server.players()) == (None, ())
    # The next one finds a clock that goes on.
    one, other = net.placed(1), net.placed(2)
    assert one.names() == other.names() == ["player_joined"]


def test_a_state_has_the_time_at_which_it_was_taken_in() -> None:
    net, one, other = pair(**STILL)
    net.run(2.0)
    net.quiet(one)
    said = round((net.now - 1_000.0) * 1_000)
    other.move(position_x=1)
    net.run(0.2)
    (delta,) = deltas(one)
    assert delta.server_tick == said
    third = net.placed(2)
    ticks = [message.player_joined.state.server_tick for message in third.heard()]
    assert said in ticks


def test_close_tells_everybody() -> None:
    net, one, other = pair()
    early = net.walker(2)
    net.run(0.1)
    net.server.close(now=net.now)
    net.run(0.2)
    assert {walker.ended for walker in (one, other, early)} == {DisconnectReason.GRACEFUL}
    assert net.server.deadline() is None
    party: Party = net.client()
    party.client.connect(now=net.now)
    net.run(1.0)
    assert not party.client.peer.open


def test_losses_are_made_good_by_asking_again() -> None:
    net = PulseNet(seed=3, loss=0.2, repeats=0.1, delay=(0.01, 0.08))
    one, other = net.welcomed(0), net.welcomed(1)
    one.teleport()
    other.teleport()
    known: dict[int, pulse.PlayerState] = {}
    seqs: dict[int, int] = {}
    asked: dict[int, float] = {}

    def take(message: pulse.ServerMessage) -> None:
        full = message.player_state_full or (message.player_joined and message.player_joined.state)
        if full:
            known[full.subject_id], seqs[full.subject_id] = full.state, full.sequence
        delta = message.player_state_delta
        if delta and delta.subject_id in known:
            if delta.baseline_seq == seqs[delta.subject_id]:
                for name in known[delta.subject_id].__dataclass_fields__:
                    if getattr(delta, name) is not None:
                        setattr(known[delta.subject_id], name, getattr(delta, name))
                seqs[delta.subject_id] = delta.new_seq
            elif delta.baseline_seq > seqs[delta.subject_id] and net.now - asked.get(delta.subject_id, 0.0) > 1.0:
                asked[delta.subject_id] = net.now
                one.say(resync=pulse.ResyncRequest(subject_id=delta.subject_id, known_seq=seqs[delta.subject_id]))

    for step in range(120):
        other.move(position_x=step % 250, position_z=step % 7, velocity_x=step % 5)
        net.run(0.1)
        for message in one.heard():
            take(message)
    agreed = 0
    for step in range(40):
        other.move(position_x=step, position_z=9)
        net.run(0.25)
        for message in one.heard():
            take(message)
        agreed += known[1] == at(position_x=step, position_z=9)
    # The newest input, or the delta of it, may be lost: then the next one makes it good.
    assert agreed > 20
    assert max(asked.values()) > 0.0


# --- clusters


def test_players_are_told_of_their_cluster_with_their_session() -> None:
    net, one, other = pair((5, 0))
    net.run(1.0)
    changes = {change.wallet: change for change in net.changes()}
    assert {change.cluster for change in changes.values()} == {"C1"}
    assert changes[one.wallet].session == one.session
    assert net.server.assignment(one.wallet.upper(), one.session.upper()) == ("C1", "main", one.session)
    assert net.server.assignment(one.wallet, other.session) is None
    assert net.server.clusters() == {"C1": frozenset({one.wallet, other.wallet})}
    other.teleport((50, 50))
    net.run(1.0)
    (change,) = net.changes()
    assert (change.wallet, change.cluster) == (other.wallet, "C2")
    assert {player.cluster for player in net.server.players()} == {"C1", "C2"}


def test_who_walks_off_is_told_after_three_passes() -> None:
    net, one, other = pair()
    net.run(1.0)
    net.changes()
    other.move((40, 0))
    net.run(1.9)
    assert net.changes() == []
    net.run(1.2)
    (change,) = net.changes()
    assert change.wallet == other.wallet


def test_who_is_gone_has_no_assignment() -> None:
    net, one, other = pair()
    net.run(1.0)
    one.party.client.disconnect()
    net.run(0.1)
    assert net.server.assignment(one.wallet, one.session) is None
    assert net.server.clusters() == {"C1": frozenset({other.wallet})}


def test_another_session_has_the_others_place_but_not_its_assignment() -> None:
    net, one, other = pair()
    net.run(1.0)
    net.changes()
    again = net.placed(0, phone=1)
    assert net.server.assignment(again.wallet, again.session) is None
    net.run(1.0)
    (change,) = net.changes()
    assert (change.session, change.displaced_session, change.displaced_cluster) == (again.session, one.session, "C1")


def test_what_is_not_taken_is_the_newest_of_each_and_of_those_who_are_there() -> None:
    net = PulseNet()
    one, other = net.placed(0), net.placed(1)
    net.events.clear()
    # Nobody looks at events: time passes by hand.
    for x in (0, 40):
        one.teleport((x, 0))
        other.teleport((x + 100, 0))
        for _ in range(40):
            for party in net.parties.values():
                for datagram in party.client.datagrams(now=net.now):
                    net.server.receive(datagram, party.address, now=net.now)
            net.now += 0.05
            net.server.handle_timeout(net.now)
            for address, datagram in net.server.datagrams(now=net.now):
                net.parties[address].client.receive(datagram, now=net.now)
    net.server.kick(other.wallet, now=net.now)
    (change,) = net.server.events()
    assert change.wallet == one.wallet
    assert net.server.assignment(one.wallet, one.session).cluster == change.cluster
