"""Announcing, without a session around it: what goes out when, and who is answered."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import livekit

from dcl_comms_core import DEFAULT_LIMITS, LocalProtocolError, Packet, PeerId, ProfileRequested, RoomState, Timer
from dcl_comms_core.room.announcing import Announcing
from dcl_comms_core.room.incoming.profiles import Profiles, build_profile
from dcl_comms_core.room.lifecycle import Lifecycle
from dcl_comms_core.room.output import Output
from dcl_comms_core.room.permit import Permit
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.timers import Timers

ME, ALICE = PeerId("0xabc"), PeerId("alice")


class Bench:
    """Announcing in an open room, and the packets that it sent."""

    def __init__(
        self, *, version: int | None = 7, silent: bool = False, token: Any = None, state: RoomState = RoomState.OPEN
    ) -> None:
        self.clock = Clock()
        self.timers = Timers()
        self.lifecycle = Lifecycle(1, Output("main", self.clock).counters)
        self.lifecycle.state = state
        self.lifecycle.identity = ME
        self._sent: list[Packet] = []
        self.announcing = Announcing(
            self.clock,
            self.timers,
            self.lifecycle,
            Profiles(DEFAULT_LIMITS),
            version=version,
            silent=silent,
            permit=Permit(token),
            send=self._sent.append,
        )

    def at(self, now: float) -> Announcing:
        self.clock.pass_time(now)
        return self.announcing

    def sent(self) -> list[Packet]:
        sent = self._sent.copy()
        self._sent.clear()
        return sent

    def versions(self) -> list[int]:
        return [packet.profile_version.profile_version for packet in self.sent() if packet.profile_version]


def asked_for(address: str) -> ProfileRequested:
    return ProfileRequested(at=0.0, room="main", sender=ALICE, private=False, address=address, version=0)


def test_on_arrival_it_is_announced_and_again_in_ten_seconds() -> None:
    bench = Bench()
    bench.at(3.0).arrive()
    assert (bench.versions(), bench.timers.due()) == ([7], {Timer.PRESENCE: 13.0})
    bench.at(13.0).announce()
    assert (bench.versions(), bench.timers.due()) == ([7], {Timer.PRESENCE: 23.0})


def test_those_who_come_soon_after_an_announcement_wait_two_seconds_from_it() -> None:
    bench = Bench()
    bench.at(3.0).arrive()
    bench.sent()
    bench.at(4.0).welcome()
    assert (bench.versions(), bench.timers.due()) == ([], {Timer.PRESENCE: 5.0})
    bench.at(5.0).welcome()
    assert (bench.versions(), bench.timers.due()) == ([7], {Timer.PRESENCE: 15.0})


def test_while_we_are_not_heard_it_waits_for_its_next_turn() -> None:
    bench = Bench(state=RoomState.RECONNECTING)
    bench.at(3.0).announce()
    assert (bench.versions(), bench.timers.due()) == ([], {Timer.PRESENCE: 13.0})
    bench.lifecycle.state = RoomState.OPEN
    bench.at(3.5).welcome()
    assert bench.versions() == [7]


@pytest.mark.parametrize(
    "quiet", [{"version": None}, {"silent": True}, {"token": livekit(can_publish_data=False).token}]
)
def test_without_a_version_or_where_it_is_not_allowed_nothing_goes_out_by_itself(quiet: dict[str, Any]) -> None:
    bench = Bench(**quiet)
    bench.at(3.0).arrive()
    bench.announcing.welcome()
    assert (bench.sent(), bench.timers.deadline) == ([], None)


def test_a_version_that_was_told_is_the_one_that_is_told_from_then_on() -> None:
    bench = Bench()
    bench.at(3.0).announced(9)
    assert (bench.versions(), bench.timers.due()) == ([], {Timer.PRESENCE: 13.0})
    bench.at(13.0).announce()
    assert bench.versions() == [9]


def test_a_version_that_fits_no_packet_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="0 to 4294967295"):
        Bench(version=-1)


def test_who_asks_for_our_profile_is_answered_once_in_ten_seconds() -> None:
    bench = Bench()
    profile = build_profile('{"version": 7}', "https://content.example.com", 60_000)
    bench.announcing.offer(profile)
    for now in (0.0, 9.0, 10.0):
        bench.at(now).answer(asked_for(ME.text.upper()))
    assert [packet.profile_response for packet in bench.sent()] == [profile, profile]


def test_profiles_of_others_or_that_we_do_not_offer_are_not_ours_to_give() -> None:
    bench = Bench()
    bench.announcing.answer(asked_for(ME.text))
    bench.announcing.offer(build_profile("{}", "", 60_000))
    bench.announcing.answer(asked_for("0xother"))
    bench.lifecycle.identity = None
    bench.announcing.answer(asked_for(ME.text))
    assert bench.sent() == []
