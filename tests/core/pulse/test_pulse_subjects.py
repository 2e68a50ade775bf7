"""Whom Pulse tells of: the sequences that were seen, each thing that costs much if missed, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.pulse import WALLET, Delta, Full, State, sent, told

from dcl_comms_core import events as ev
from dcl_comms_core.codec import decode_message
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.peers import PeerId
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.quantised import POSITION_XZ, single
from dcl_comms_core.pulse.subjects import ROOM, Subjects

ME, ANN, BOB = PeerId("0xme"), PeerId("0xann"), PeerId("0xbob")


class Party:
    """Subjects, and what they told."""

    def __init__(self, realm: str | None = "main", limits: Limits = DEFAULT_LIMITS, own: PeerId | None = None) -> None:
        self.now = 100.0
        self.subjects = Subjects(limits, own=own)
        assert self.subjects.set_realm(realm, self.now) == []

    def hear(self, data: bytes | pulse.ServerMessage) -> list[ev.Event]:
        message = decode_message(pulse.ServerMessage, data) if isinstance(data, bytes) else data
        return self.subjects.take(message, self.now)

    def join(
        self,
        number: int = 0,
        who: PeerId = ANN,
        sequence: int = 0,
        state: Any = None,
        *,
        tick: int = 0,
        version: int = 0,
        realm: str = "main",
    ) -> list[ev.Event]:
        state = State(48488, 64, 0, 64, state_flags=1) if state is None else state
        full = Full(number, sequence, tick, state)
        return self.hear(pulse.ServerMessage(player_joined=pulse.PlayerJoined(who.text, version, full, realm)))

    def delta(self, baseline: int, new: int, number: int = 0, tick: int = 0, **changed: Any) -> list[ev.Event]:
        return self.hear(pulse.ServerMessage(player_state_delta=Delta(number, baseline, new, tick, **changed)))

    def full(self, sequence: int, state: Any = None, number: int = 0, tick: int = 0) -> list[ev.Event]:
        state = State(48488, 64, 0, 64, state_flags=1) if state is None else state
        return self.hear(pulse.ServerMessage(player_state_full=Full(number, sequence, tick, state)))

    def leave(self, number: int = 0) -> list[ev.Event]:
        return self.hear(pulse.ServerMessage(player_left=pulse.PlayerLeft(number)))

    def asked(self) -> list[tuple[int, int]]:
        return [(one.subject_id, one.known_seq) for one in self.subjects.resyncs(self.now)]


def kinds(events: list[ev.Event]) -> list[str]:
    """What happened, and to whom."""
    return [f"{type(event).__name__} {getattr(event, 'sender', None)}" for event in events]


def place(event: ev.Event) -> float:
    assert isinstance(event, ev.PeerMoved)
    return event.position.x


def x(code: int, parcel: int = 0) -> float:
    return single(parcel * 16 + POSITION_XZ.value(code))


# --- what was seen


def test_somebody_joins_and_walks() -> None:
    party = Party()
    joined = party.hear(sent("joined"))
    assert kinds(joined) == [f"PeerJoined {WALLET}", f"PeerMoved {WALLET}"]
    moved = joined[1]
    assert isinstance(moved, ev.PeerMoved)
    assert (moved.room, moved.at, moved.kind, moved.private) == (ROOM, 100.0, ev.MovementKind.MOVEMENT, False)
    assert (moved.position.x, moved.position.z, moved.yaw, moved.size) == (x(64), x(64), 0.0, 0)
    assert moved.message.timestamp == 43.274  # type: ignore[union-attr]
    assert moved.message.is_instant  # type: ignore[union-attr]
    (walked,) = party.hear(sent("delta"))
    assert isinstance(walked, ev.PeerMoved)
    assert (walked.position.x, round(walked.velocity.z, 2), round(walked.yaw, 1)) == (x(65), 4.96, 90.7)
    assert walked.message.timestamp == 43.785  # type: ignore[union-attr]
    assert not walked.message.is_instant  # type: ignore[union-attr]
    assert party.asked() == []


def test_whom_it_tells_of_at_once_was_there_before_us() -> None:
    def how(events: list[ev.Event]) -> list[str]:
        return [event.arrival.value for event in events if isinstance(event, ev.PeerJoined)]

    party = Party()
    party.now = 101.0
    assert how(party.join(0, ANN)) == ["was here"]
    party.now = 101.5
    assert how(party.join(1, BOB)) == ["new"]
    # Those of another realm were there before we came into it.
    assert how(party.join(2, PeerId("0xcyd"), realm="other")) == []
    assert how(party.subjects.set_realm("other", 200.0)) == ["was here"]
    # After the connection was another one they are told of anew.
    party.subjects.forget(300.0)
    party.subjects.begin(310.0)
    party.now = 310.5
    assert how(party.join(7, ANN, realm="other")) == ["was here"]
    party.now = 312.0
    assert how(party.join(8, BOB, realm="other")) == ["new"]


def test_one_run_with_a_gap() -> None:
    """As it was on the wire: all fields, back to zeros, the next parcel, three deltas lost, the request, the answer."""
    party = Party()
    party.join(sequence=18, state=State(48488, 81, 0, 70, state_flags=1))
    (all_fields,) = party.hear(sent("delta of all fields"))
    assert isinstance(all_fields, ev.PeerMoved)
    assert all_fields.message.is_pointing_at  # type: ignore[union-attr]
    (zeros,) = party.hear(sent("delta back to zeros"))
    assert isinstance(zeros, ev.PeerMoved)
    assert not zeros.message.is_pointing_at  # type: ignore[union-attr]
    assert zeros.velocity == (0.0, 0.0, 0.0)
    (crossed,) = party.hear(sent("delta into the next parcel"))
    assert place(crossed) == x(0, 1)
    assert party.hear(sent("delta after a gap")) == []
    assert party.asked() == [(0, 21)]
    (full,) = party.hear(sent("full"))
    assert place(full) == x(20, 1)
    (again,) = party.delta(25, 26, position_x=21)
    assert place(again) == x(21, 1)
    assert party.asked() == []


def test_a_delta_without_fields_moves_the_sequence() -> None:
    party = Party()
    party.join(sequence=12)
    assert len(party.hear(sent("delta without fields"))) == 1
    assert len(party.delta(13, 14)) == 1


def test_a_teleport_and_an_emote_in_one_tick() -> None:
    """The emote's message is older than the teleport, and comes after it: its place counts no more, its end does."""
    party = Party()
    party.join(sequence=1)
    party.hear(pulse.ServerMessage(emote_started=pulse.EmoteStarted(0, 2, 2000, "wave", State(48488, 64, 0, 64))))
    (jumped,) = party.hear(sent("one tick: teleported"))
    assert place(jumped) == x(120)
    assert jumped.message.is_instant  # type: ignore[union-attr]
    assert jumped.message.is_emoting  # type: ignore[union-attr]
    (stopped,) = party.hear(sent("one tick: emote stopped"))
    assert isinstance(stopped, ev.PeerEmoted)
    assert (stopped.stopping, stopped.urn, stopped.finished) == (True, "wave", False)
    (moved,) = party.hear(sent("one tick: the delta after"))
    assert place(moved) == x(121)
    assert not moved.message.is_emoting  # type: ignore[union-attr]
    assert party.asked() == []


def test_an_emote_starts_and_is_over() -> None:
    party = Party()
    party.join(sequence=25)
    moved, started = party.hear(sent("emote started with a mask"))
    assert place(moved) == x(21, 1)
    assert moved.message.is_emoting  # type: ignore[union-attr]
    assert isinstance(started, ev.PeerEmoted)
    assert (started.urn, started.stopping, started.timestamp, started.incremental_id) == ("wave", False, 48.851, 27)
    assert (started.message.mask, started.finished) == (1, False)
    moved, over = party.hear(sent("emote over"))
    assert not moved.message.is_emoting  # type: ignore[union-attr]
    assert isinstance(over, ev.PeerEmoted)
    assert (over.urn, over.stopping, over.finished, over.timestamp) == ("wave", True, True, 49.851)


def test_a_stop_of_no_emote_is_a_place_only() -> None:
    party = Party()
    party.join(sequence=25)
    assert kinds(party.hear(sent("emote stopped"))) == [f"PeerMoved {ANN}"]


def test_an_emote_that_is_on_is_told_after_a_join_with_the_same_sequence() -> None:
    party = Party()
    party.join(sequence=27, tick=60_000)
    moved, started = party.hear(sent("emote started"))
    assert isinstance(started, ev.PeerEmoted)
    assert (started.timestamp, started.message.mask) == (48.851, None)  # when it began
    assert place(moved) == x(21, 1)
    assert moved.message.timestamp == 60.0  # type: ignore[union-attr]  # and the place is not older than that of the join


def test_versions_of_a_profile() -> None:
    party = Party()
    joined = party.join(version=4)
    assert kinds(joined) == [f"PeerJoined {ANN}", f"PeerMoved {ANN}", f"ProfileAnnounced {ANN}"]
    (told_of,) = party.hear(sent("profile of subject 0"))
    assert isinstance(told_of, ev.ProfileAnnounced)
    assert (told_of.version, told_of.room) == (7, ROOM)
    assert party.hear(sent("profile of subject 1")) == []
    assert kinds(party.join(version=7)) == [f"PeerMoved {ANN}"]
    assert kinds(party.join(version=8)) == [f"PeerMoved {ANN}", f"ProfileAnnounced {ANN}"]
    negative = pulse.PlayerProfileVersionsAnnounced(0, -1)
    assert party.hear(pulse.ServerMessage(player_profile_version_announced=negative)) == []


def test_somebody_leaves() -> None:
    party = Party()
    party.join(0, ANN)
    party.join(1, BOB)
    assert kinds(party.hear(sent("left: subject 1"))) == [f"PeerLeft {BOB}"]
    assert kinds(party.hear(sent("left: subject 0"))) == [f"PeerLeft {ANN}"]
    assert len(party.subjects) == 0


def test_messages_of_another_kind_say_nothing() -> None:
    party = Party()
    assert party.hear(sent("welcome")) == []
    assert party.hear(b"") == []


# --- what costs much if missed


def test_1_zero_is_a_subject_and_a_sequence() -> None:
    party = Party()
    party.join(0, ANN, sequence=0)
    (moved,) = party.hear(sent("first delta of subject 0"))
    assert place(moved) == x(9)
    assert party.delta(3, 4) == []
    assert party.asked() == [(0, 1)]
    party = Party()
    party.join(0, ANN, sequence=0)
    assert party.delta(3, 4) == []
    assert party.asked() == [(0, 0)]
    assert kinds(party.hear(bytes.fromhex("2a00"))) == [f"PeerLeft {ANN}"]


def test_2_after_our_change_of_realm_they_are_hidden_and_not_forgotten() -> None:
    party = Party()
    party.join(0, ANN, sequence=1, version=3)
    party.join(1, BOB, sequence=1, realm="Away.dcl.eth")
    assert kinds(party.subjects.set_realm("away.dcl.eth", 101.0)) == [
        f"PeerLeft {ANN}", f"PeerJoined {BOB}", f"PeerMoved {BOB}",
    ]  # fmt: skip
    assert party.delta(1, 2, position_x=80) == []  # of somebody who is not here, and known all the same
    back = party.subjects.set_realm("MAIN", 102.0)
    assert kinds(back) == [f"PeerLeft {BOB}", f"PeerJoined {ANN}", f"PeerMoved {ANN}", f"ProfileAnnounced {ANN}"]
    assert place(back[2]) == x(80)
    (moved,) = party.delta(2, 3, position_x=81)  # no join for who is back at once
    assert place(moved) == x(81)
    assert party.subjects.set_realm("main", 103.0) == []


def test_2_the_later_service_says_that_all_left_and_joins_them_anew() -> None:
    party = Party()
    party.join(0, ANN)
    assert kinds(party.subjects.set_realm("away.dcl.eth", 101.0)) == [f"PeerLeft {ANN}"]
    assert kinds(party.subjects.set_realm("main", 101.1)) == [f"PeerJoined {ANN}", f"PeerMoved {ANN}"]
    assert kinds(party.leave(0) + party.join(0, ANN)) == [f"PeerLeft {ANN}", f"PeerJoined {ANN}", f"PeerMoved {ANN}"]


def test_3_a_resync_without_an_answer_is_asked_again_after_a_second() -> None:
    party = Party()
    party.join(sequence=1)
    party.delta(5, 6)
    assert party.subjects.deadline() == 100.0
    assert party.asked() == [(0, 1)]
    assert party.subjects.deadline() is None
    party.now = 100.4
    party.delta(6, 7)
    assert party.asked() == []
    assert party.subjects.deadline() == 101.0
    party.now = 101.0
    assert party.asked() == [(0, 1)]
    party.now = 150.0  # it was out of sight; the next gap asks again
    party.delta(9, 10)
    assert party.asked() == [(0, 1)]
    assert kinds(party.full(10)) == [f"PeerMoved {ANN}"]


def test_3_what_fits_after_all_ends_the_wish() -> None:
    party = Party()
    party.join(0, ANN, sequence=1)
    party.join(1, BOB, sequence=1)
    party.delta(5, 6)
    party.delta(5, 6, number=1)
    assert len(party.delta(1, 6)) == 1  # the answer may be a delta from what we have
    assert party.asked() == [(1, 1)]


def test_4_a_state_without_a_join_is_nobodys() -> None:
    party = Party()
    assert party.full(5, number=3) == []
    assert party.delta(5, 6, number=3) == []
    assert party.hear(sent("emote started")) == []
    assert party.hear(sent("emote stopped")) == []
    assert party.hear(sent("teleported")) == []
    assert party.hear(sent("profile of subject 0")) == []
    assert party.asked() == []
    assert len(party.subjects) == 0


def test_5_what_a_far_tier_left_out_stays_old_until_a_whole_state() -> None:
    party = Party()
    party.join(sequence=1, state=State(48488, 64, 0, 64))
    (near,) = party.delta(1, 9, position_x=90)
    assert isinstance(near, ev.PeerMoved)
    assert near.velocity == (0.0, 0.0, 0.0)
    (full,) = party.full(9, State(48488, 90, 0, 64, velocity_x=80, slide_blend=7, head_yaw=50, state_flags=32))
    assert isinstance(full, ev.PeerMoved)
    assert round(full.velocity.x, 2) == 4.96
    assert full.message.head_ik_yaw_enabled  # type: ignore[union-attr]


def test_6_the_flags_decide_about_head_and_point() -> None:
    party = Party()
    party.join(sequence=18)
    party.hear(sent("delta of all fields"))
    (moved,) = party.delta(19, 20, state_flags=1)
    assert not moved.message.head_ik_yaw_enabled  # type: ignore[union-attr]
    (moved,) = party.delta(20, 21, state_flags=225)
    assert moved.message.head_ik_pitch_enabled  # type: ignore[union-attr]
    assert moved.message.is_pointing_at  # type: ignore[union-attr]


def test_7_nobody_leaves_by_the_clock() -> None:
    party = Party()
    party.join(sequence=1)
    party.now += 3_600.0
    assert party.asked() == []
    assert party.subjects.deadline() is None
    assert len(party.delta(1, 2)) == 1
    assert kinds(party.leave()) == [f"PeerLeft {ANN}"]


def test_8_coming_back_brings_no_join() -> None:
    party = Party()
    party.join(sequence=55)
    (back,) = party.delta(55, 57, position_x=12)
    assert place(back) == x(12)
    jumped = pulse.TeleportPerformed(0, 60, 9, State(48489, 5, 0, 6), "main")
    (moved,) = party.hear(pulse.ServerMessage(teleported=jumped))
    assert place(moved) == x(5, 1)


def test_9_two_ids_of_one_wallet() -> None:
    party = Party()
    party.join(0, ANN, sequence=4, tick=1_000)
    second = party.join(1, ANN, sequence=0, state=State(48489, 0), tick=2_000)
    assert kinds(second) == [f"PeerMoved {ANN}"]
    assert party.delta(4, 5, number=0, tick=1_500) == []  # the old one has nothing to say any more
    assert kinds(party.leave(0)) == []
    assert kinds(party.leave(0)) == []  # told twice
    assert len(party.delta(0, 1, number=1, tick=2_500)) == 1
    assert kinds(party.leave(1)) == [f"PeerLeft {ANN}"]
    assert party.leave(7) == []


def test_9_the_older_of_two_may_be_told_last() -> None:
    party = Party()
    party.join(1, ANN, sequence=3, state=State(48489, 0), tick=2_000)
    assert party.join(0, ANN, sequence=9, tick=1_000) == []
    assert len(party.delta(3, 4, number=1, tick=2_100)) == 1
    assert kinds(party.leave(1)) == [f"PeerMoved {ANN}"]  # the other one is still there
    assert kinds(party.leave(0)) == [f"PeerLeft {ANN}"]


def test_9_of_two_the_one_in_our_realm_counts() -> None:
    party = Party()
    party.join(0, ANN, tick=1_000, realm="away.dcl.eth")
    party.join(1, ANN, tick=500)
    assert kinds(party.leave(1)) == [f"PeerLeft {ANN}"]


@pytest.mark.parametrize("name", ["emote started", "emote stopped"])
def test_10_an_older_emote_is_one_all_the_same(name: str) -> None:
    party = Party()
    party.join(sequence=26)
    party.hear(pulse.ServerMessage(emote_started=pulse.EmoteStarted(0, 26, 1, "dance", None)))
    party.delta(26, 40, position_x=99)
    (emoted,) = party.hear(sent(name))
    assert isinstance(emoted, ev.PeerEmoted)
    assert emoted.stopping == (name == "emote stopped")
    (moved,) = party.delta(40, 41)
    assert place(moved) == x(99)
    assert moved.message.is_emoting == (name == "emote started")  # type: ignore[union-attr]
    assert party.asked() == []


def test_10_only_a_join_replaces_whatever_its_sequence() -> None:
    party = Party()
    party.join(sequence=50)
    assert party.full(49) == []
    older = pulse.TeleportPerformed(0, 49, 0, State(48489, 5), "main")
    assert party.hear(pulse.ServerMessage(teleported=older)) == []
    assert len(party.full(50)) == 1
    assert len(party.join(sequence=2)) == 1
    assert len(party.delta(2, 3)) == 1


def test_11_a_welcome_is_no_news_of_anybody() -> None:
    """Being connected, and welcome, is the session's business: nothing here is taken for it."""
    assert Party().hear(sent("welcome")) == []
    assert Party().hear(sent("refused")) == []


# --- numbers that are used again


def test_a_number_that_another_wallet_has() -> None:
    party = Party()
    party.join(0, ANN, sequence=40)
    assert kinds(party.join(0, BOB, sequence=0)) == [f"PeerLeft {ANN}", f"PeerJoined {BOB}", f"PeerMoved {BOB}"]
    assert len(party.delta(0, 1)) == 1
    assert kinds(party.leave(0)) == [f"PeerLeft {BOB}"]


def test_a_sequence_that_goes_back_in_one_delta_is_somebody_elses() -> None:
    party = Party()
    party.join(sequence=46)
    assert kinds(party.delta(46, 0)) == [f"PeerLeft {ANN}"]
    assert party.delta(0, 1) == []
    assert party.asked() == []
    assert kinds(party.join(0, BOB)) == [f"PeerJoined {BOB}", f"PeerMoved {BOB}"]


def test_a_sequence_that_began_anew_is_asked_for_after_three_deltas() -> None:
    party = Party()
    party.join(sequence=50)
    assert [party.delta(n, n + 1) for n in range(2)] == [[], []]
    assert party.asked() == []
    party.delta(2, 3)
    assert party.asked() == [(0, 50)]
    assert len(party.full(3)) == 1
    assert len(party.delta(3, 4)) == 1
    assert party.full(2) == []


def test_a_late_delta_is_let_go() -> None:
    party = Party()
    party.join(sequence=5)
    assert party.delta(4, 5) == []
    assert party.delta(3, 9) == []
    assert len(party.delta(5, 6)) == 1
    assert party.delta(5, 6) == []
    assert party.delta(6, 6) == []
    assert party.asked() == []


# --- realms


def test_a_teleport_into_another_realm_and_back() -> None:
    party = Party()
    party.join(sequence=1)
    away = pulse.TeleportPerformed(0, 2, 0, State(48488, 1), "Away.dcl.eth")
    assert kinds(party.hear(pulse.ServerMessage(teleported=away))) == [f"PeerLeft {ANN}"]
    back = pulse.TeleportPerformed(0, 3, 0, State(48488, 2), "main")
    assert kinds(party.hear(pulse.ServerMessage(teleported=back))) == [f"PeerJoined {ANN}", f"PeerMoved {ANN}"]
    same = pulse.TeleportPerformed(0, 4, 0, State(48488, 3), "")
    assert kinds(party.hear(pulse.ServerMessage(teleported=same))) == [f"PeerMoved {ANN}"]


def test_a_join_in_another_realm_hides() -> None:
    party = Party()
    party.join(sequence=1)
    assert kinds(party.join(sequence=2, realm="away.dcl.eth")) == [f"PeerLeft {ANN}"]
    assert party.join(1, BOB, realm="away.dcl.eth") == []
    assert party.hear(pulse.ServerMessage(emote_started=pulse.EmoteStarted(1, 3, 0, "wave", None))) == []
    assert (
        party.hear(pulse.ServerMessage(emote_stopped=pulse.EmoteStopped(1, 0, pulse.EmoteStopReason.COMPLETED, 3)))
        == []
    )
    assert len(party.subjects) == 2


def test_a_join_without_a_realm_is_where_we_are() -> None:
    assert len(Party().join(realm="")) == 2


def test_who_watches_many_realms_is_told_of_all() -> None:
    party = Party(realm=None)
    assert len(party.join(0, ANN, realm="a.dcl.eth") + party.join(1, BOB, realm="b.dcl.eth")) == 4


# --- others


def test_we_are_not_told_of_ourselves() -> None:
    party = Party(own=PeerId("0xME"))
    assert party.join(0, ME, sequence=1) == []
    assert party.delta(1, 2) == []
    assert party.leave(0) == []


def test_joined_anew_while_an_emote_is_on() -> None:
    party = Party()
    party.join(sequence=1)
    party.hear(pulse.ServerMessage(emote_started=pulse.EmoteStarted(0, 2, 0, "wave", None)))
    stopped, moved = party.join(sequence=9)
    assert isinstance(stopped, ev.PeerEmoted)
    assert (stopped.stopping, stopped.urn) == (True, "wave")
    assert not moved.message.is_emoting  # type: ignore[union-attr]


def test_everybody_is_forgotten_with_the_connection() -> None:
    party = Party()
    party.join(0, ANN)
    party.join(1, BOB, realm="away.dcl.eth")
    party.delta(5, 6)
    assert kinds(party.subjects.forget(party.now)) == [f"PeerLeft {ANN}"]
    assert party.asked() == []
    assert party.subjects.deadline() is None
    assert party.delta(0, 1) == []
    assert party.subjects.forget(party.now) == []
    assert kinds(party.join(0, BOB)) == [f"PeerJoined {BOB}", f"PeerMoved {BOB}"]  # the realm is the same


# --- limits, and what is refused


def rejected(events: list[ev.Event]) -> str:
    (event,) = events
    assert isinstance(event, ev.PacketRejected)
    assert (event.reason, event.room) == (ev.RejectReason.OUT_OF_RANGE, ROOM)
    return event.detail


@pytest.mark.parametrize(
    "changed", [{"position_x": 256}, {"rotation_y": 128}, {"parcel_index": -1}, {"point_at_x": 1 << 17}]
)
def test_a_code_with_too_many_bits(changed: dict[str, int]) -> None:
    party = Party()
    party.join(sequence=1)
    assert "too many bits" in rejected(party.delta(1, 2, **changed))
    assert party.delta(2, 3) == []  # half a state is none
    assert party.asked() == [(0, 0)]
    assert "too many bits" in rejected(party.full(3, State(**changed)))
    assert "too many bits" in rejected(
        party.hear(pulse.ServerMessage(teleported=pulse.TeleportPerformed(0, 4, 0, State(**changed))))
    )
    assert len(party.full(4)) == 1


def test_somebody_who_joins_with_a_state_that_is_none_comes_with_the_next() -> None:
    party = Party()
    assert "too many bits" in rejected(party.join(state=State(99_534)))
    assert party.delta(0, 1) == []
    assert party.asked() == [(0, 0)]
    assert kinds(party.full(1)) == [f"PeerJoined {ANN}", f"PeerMoved {ANN}"]


@pytest.mark.parametrize(
    "joined",
    [pulse.PlayerJoined("0xann"), pulse.PlayerJoined("0xann", state=Full(0)), pulse.PlayerJoined("", state=Full(state=State(48488))),
     pulse.PlayerJoined("x" * 257, state=Full(state=State(48488))),
     pulse.PlayerJoined("0xann", state=Full(state=State(48488)), realm="r" * 257)],
)  # fmt: skip
def test_a_join_that_is_none(joined: pulse.PlayerJoined) -> None:
    party = Party()
    assert rejected(party.hear(pulse.ServerMessage(player_joined=joined)))
    assert len(party.subjects) == 0


def test_a_state_that_is_not_there_changes_nothing() -> None:
    party = Party()
    party.join(sequence=1)
    assert party.hear(pulse.ServerMessage(player_state_full=Full(0, 2, 0))) == []
    assert (
        party.hear(pulse.ServerMessage(emote_stopped=pulse.EmoteStopped(0, 0, pulse.EmoteStopReason.COMPLETED, 2)))
        == []
    )
    assert len(party.delta(1, 2)) == 1


def test_a_teleport_into_a_realm_of_many_characters() -> None:
    party = Party()
    party.join(sequence=1)
    assert "realm" in rejected(
        party.hear(pulse.ServerMessage(teleported=pulse.TeleportPerformed(0, 2, 0, State(48488), "r" * 257)))
    )


@pytest.mark.parametrize("urn", ["two words", "bell\x07", "x" * 257])
def test_an_emote_that_is_none(urn: str) -> None:
    party = Party()
    party.join(sequence=1)
    assert "emote" in rejected(
        party.hear(pulse.ServerMessage(emote_started=pulse.EmoteStarted(0, 2, 0, urn, State(48488))))
    )


@pytest.mark.parametrize("urn", ["", "wave", "urn:decentraland:matic:collections-v2:0xabc:1"])
def test_an_emotes_mask_of_any_sign(urn: str) -> None:
    party = Party()
    party.join(sequence=1)
    (emoted,) = party.hear(pulse.ServerMessage(emote_started=pulse.EmoteStarted(0, 2, 0, urn, None, -1)))
    assert isinstance(emoted, ev.PeerEmoted)
    assert (emoted.urn, emoted.message.mask) == (urn, (1 << 32) - 1)


def test_so_many_subjects() -> None:
    party = Party(limits=Limits(pulse_subjects=2))
    party.join(0, PeerId("a"))
    party.join(1, PeerId("b"))
    (full,) = party.join(2, PeerId("c"))
    assert isinstance(full, ev.LimitReached)
    assert (full.limit, full.value, full.room) == ("pulse_subjects", 2, ROOM)
    assert party.join(3, PeerId("d")) == []  # once
    party.leave(0)
    assert len(party.join(3, PeerId("d"))) == 2
    assert kinds(party.join(4, PeerId("e"))) == ["LimitReached None"]
    assert len(party.subjects) == 2


def test_so_many_peers() -> None:
    party = Party(limits=Limits(peers=1))
    party.join(0, ANN)
    (full,) = party.join(1, BOB)
    assert isinstance(full, ev.LimitReached)
    assert (full.limit, full.value) == ("peers", 1)
    assert party.delta(0, 1, number=1) == []
    party.leave(0)
    assert kinds(party.delta(1, 2, number=1)) == [f"PeerJoined {BOB}", f"PeerMoved {BOB}"]
    assert kinds(party.join(0, ANN)) == ["LimitReached None"]


def test_what_a_hundred_gaps_ask_for() -> None:
    party = Party()
    party.join(sequence=1)
    for n in range(100):
        party.delta(n + 5, n + 6)
    assert party.asked() == [(0, 1)]


def test_the_label_may_be_another() -> None:
    subjects = Subjects(DEFAULT_LIMITS, room="elsewhere")
    assert [event.room for event in subjects.take(told("joined"), 1.0)] == ["elsewhere", "elsewhere"]


def test_an_emote_ends_with_the_one_of_two_ids_that_plays_it() -> None:
    party = Party()
    wave = pulse.ServerMessage(emote_started=pulse.EmoteStarted(0, 1, 1, "wave", None))
    party.join(0, ANN, sequence=1, tick=1)
    party.hear(wave)
    second = party.join(1, ANN, tick=2)
    assert kinds(second) == [f"PeerEmoted {ANN}", f"PeerMoved {ANN}"]
    assert second[0].stopping  # type: ignore[union-attr]
    third = party.leave(1)  # the first one is still at it
    assert kinds(third) == [f"PeerMoved {ANN}", f"PeerEmoted {ANN}"]
    assert not third[1].stopping  # type: ignore[union-attr]
    assert party.join(1, BOB, tick=9) != []
    party.join(2, ANN, sequence=1, tick=0)
    assert kinds(party.leave(0)) == [f"PeerEmoted {ANN}", f"PeerMoved {ANN}"]


def test_an_emote_that_began_while_we_were_away() -> None:
    party = Party()
    party.join(sequence=1)
    party.subjects.set_realm("away.dcl.eth", 101.0)
    assert party.hear(pulse.ServerMessage(emote_started=pulse.EmoteStarted(0, 1, 1, "wave", None))) == []
    back = party.subjects.set_realm("main", 102.0)
    assert kinds(back) == [f"PeerJoined {ANN}", f"PeerMoved {ANN}", f"PeerEmoted {ANN}"]
    assert back[1].message.is_emoting  # type: ignore[union-attr]
