"""What a player and a listener tell Pulse: all that the service needs, and nothing that it hangs up for."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from rigs.core.pulse_line import Line

from dcl_comms_core import DecodeError, LocalProtocolError, encode
from dcl_comms_core.proto import pulse, rfc4
from dcl_comms_core.pulse.areas import ScenesOnly
from dcl_comms_core.states import PulseState


def walk(line: Line, x: float, z: float = 8.0, **values: Any) -> None:
    movement = rfc4.Movement(position_x=x, position_z=z, is_grounded=True, **values)
    line.session.send_bytes(encode(rfc4.Packet(movement=movement)), now=line.now)


def emote(line: Line, urn: str, duration: float | None = None, **values: Any) -> None:
    line.session.show_emote(rfc4.PlayerEmote(urn=urn, **values), duration, now=line.now)


def entered(**settings: Any) -> Line:
    """A line on which all is said and done."""
    line = Line(**settings).open().run(2.0)
    line.heard.clear()
    return line


def order(line: Line) -> list[str]:
    kinds = ("handshake", "input", "resync", "profile_announcement", "emote_start", "emote_stop", "teleport")
    return [next(kind for kind in kinds if getattr(message, kind) is not None) for _, _, message in line.heard]


# --- where we are


def test_of_many_movements_ten_a_second_go_out_and_the_newest_at_last() -> None:
    line = entered()
    for step in range(200):
        walk(line, 8.0 + step / 100)
        line.run(0.01)
    line.run(1.0)
    times = [at for at, _, message in line.heard if message.input is not None]
    assert 19 <= len(times) <= 21
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.0999
    assert line.said("input")[-1].state.position_x == round((8.0 + 1.99) / 16 * 255)
    assert {channel for _, channel, message in line.heard if message.input is not None} == {1}


def test_a_jump_is_told_as_one_and_the_movement_after_it() -> None:
    line = entered()
    walk(line, 40.0, is_instant=True, rotation_y=90.0)
    line.run(0.5)
    (jump,) = line.said("teleport")
    assert (jump.parcel_index, jump.position_x, jump.realm) == (48490, 128, "main")
    (after,) = line.said("input")
    assert (after.state.parcel_index, after.state.rotation_y) == (48490, 32)
    assert order(line) == ["teleport", "input"]


def test_of_many_jumps_few_go_out_and_the_newest_at_last() -> None:
    line = entered()
    for step in range(100):
        walk(line, 16.0 * step, is_instant=True)
        line.run(0.02)
    line.run(1.0)
    jumps = line.said("teleport")
    assert 4 <= len(jumps) <= 15
    assert jumps[-1].parcel_index == 48488 + 99


def test_nothing_is_said_from_outside_of_the_grid() -> None:
    line = entered()
    walk(line, 5_000.0)
    walk(line, 5_000.0, is_instant=True)
    line.run(1.0)
    assert (line.heard, line.session.counters["outside"]) == ([], 2)
    emote(line, "wave")
    line.run(1.0)
    assert line.heard == []
    walk(line, 9.0)
    line.run(1.0)
    assert order(line)[0] == "teleport"
    assert line.session.state is PulseState.OPEN


def test_where_we_stand_is_told_though_we_never_move_and_no_position_replaces_a_movement() -> None:
    line = Line()
    line.session.set_realm("main", now=line.now)
    line.session.set_position((20.0, 100.0, 8.0), now=line.now)
    line.session.set_position((40.0, 0.0, 8.0), now=line.now)
    line.session.open(now=line.now)
    line.run(1.0)
    (jump,) = line.said("teleport")
    assert (jump.parcel_index, jump.position_y) == (48489, 4096)


# --- the realm


def test_nobody_is_anywhere_before_the_realm_is_known() -> None:
    line = Line()
    line.session.set_position((8.0, 0.0, 8.0), now=line.now)
    line.session.open(now=line.now)
    line.run(1.0)
    assert order(line) == ["handshake"]
    line.session.set_realm("Boedo.DCL.eth", now=line.now)
    line.run(1.0)
    (jump,) = line.said("teleport")
    assert jump.realm == "boedo.dcl.eth"
    line.session.set_realm("boedo.dcl.eth", now=line.now)
    line.run(1.0)
    assert len(line.said("teleport")) == 1


@pytest.mark.parametrize("name", [None, "", "x" * 256, "\U0001f600" * 128, "\ud800"])
def test_a_realm_without_a_name_that_can_be_told_is_none(name: str | None) -> None:
    line = entered()
    line.session.set_realm(name, now=line.now)
    walk(line, 9.0)
    line.run(1.0)
    assert line.heard == []
    line.session.set_realm("\U0001f600" * 127, now=line.now)
    line.run(1.0)
    assert [jump.realm for jump in line.said("teleport")] == ["\U0001f600" * 127]


# --- emotes


def test_an_emote_has_its_duration_its_mask_and_our_place() -> None:
    line = entered()
    emote(line, "urn:dance", 2.5, mask=1)
    line.run(0.5)
    (start,) = line.said("emote_start")
    assert (start.emote_id, start.duration_ms, start.mask, start.player_state.parcel_index) == (
        "urn:dance",
        2500,
        1,
        48488,
    )
    line.heard.clear()
    walk(line, 8.0)
    line.run(1.0)
    assert line.heard == [], "who stands and emotes says nothing"
    line.run(2.0)
    walk(line, 8.0)
    line.run(1.0)
    assert order(line) == ["input"], "it is over by itself"


def test_who_moves_stops_the_emote() -> None:
    line = entered()
    emote(line, "dance")
    line.run(10.0)
    walk(line, 9.0)
    walk(line, 10.0)
    line.run(1.0)
    assert order(line) == ["emote_start", "emote_stop", "input", "input"]


def test_an_emote_is_stopped_once_and_none_is_where_none_is_on() -> None:
    line = entered()
    emote(line, "", is_stopping=True)
    emote(line, "dance")
    line.run(1.0)
    emote(line, "", is_stopping=True)
    emote(line, "", is_stopping=True)
    line.run(1.0)
    assert order(line) == ["emote_start", "emote_stop"]


@pytest.mark.parametrize(("duration", "told"), [(1_000.0, 60_000), (-1.0, 0), (0.0004, 0), (None, None)])
def test_a_duration_is_one_that_the_service_takes(duration: float | None, told: int | None) -> None:
    line = entered()
    emote(line, "dance", duration)
    line.run(1.0)
    assert [start.duration_ms for start in line.said("emote_start")] == [told]


@pytest.mark.parametrize(
    ("urn", "duration"), [("a\ud800", None), ("a\nb", 1.0), ("wave", float("nan")), ("wave", float("inf"))]
)
def test_an_emote_that_can_not_be_told_is_refused(urn: str, duration: float | None) -> None:
    line = entered()
    with pytest.raises(LocalProtocolError, match="an emote has a URN"):
        emote(line, urn, duration)
    line.run(1.0)
    assert line.heard == []


def test_what_nobody_heard_of_yet_is_taken_back_silently() -> None:
    line = entered()
    for _ in range(10):
        emote(line, "dance")
        emote(line, "", is_stopping=True)
    line.run(3.0)
    kinds = order(line)
    assert kinds.count("emote_start") == kinds.count("emote_stop") <= 4
    emote(line, "last")
    line.run(1.0)
    assert line.said("emote_start")[-1].emote_id == "last"


def test_an_emote_that_is_on_is_stopped_though_another_one_waits() -> None:
    line = entered()
    for number in range(8):
        emote(line, f"dance {number}")
    emote(line, "", is_stopping=True)
    line.run(3.0)
    assert order(line)[-1] == "emote_stop"


def test_an_emote_of_another_connection_is_not_told_again() -> None:
    line = Line()
    emote(line, "dance")
    line.open().run(1.0)
    assert line.said("emote_start") == []


# --- our profile


def test_the_profiles_version_is_told_at_each_beginning_and_change() -> None:
    line = entered()

    def announce(version: int) -> None:
        packet = rfc4.Packet(profile_version=rfc4.AnnounceProfileVersion(profile_version=version))
        line.session.send_bytes(encode(packet), now=line.now)
        line.run(1.0)

    for version in (7, 7, 8):
        announce(version)
    assert [told.version for told in line.said("profile_announcement")] == [7, 8]
    line.heard.clear()
    line.peer.disconnect(1)
    line.run(20.0)
    (hello,) = line.said("handshake")
    assert (hello.profile_version, [told.version for told in line.said("profile_announcement")]) == (8, [8])


# --- packets


def test_packets_of_other_kinds_are_none_of_its_business() -> None:
    line = entered()
    line.session.send_bytes(encode(rfc4.Packet(chat=rfc4.Chat(message="hello"))), now=line.now)
    line.session.send_bytes(encode(rfc4.Packet(player_emote=rfc4.PlayerEmote(urn="wave"))), now=line.now)
    line.run(1.0)
    assert (order(line), line.session.counters["ignored"]) == (["emote_start"], 1)
    with pytest.raises(DecodeError):
        line.session.send_bytes(b"\xff", now=line.now)


def test_a_service_that_takes_nothing_costs_no_memory() -> None:
    line = entered(limits=_small())
    line.reaches = False
    for step in range(30):
        emote(line, "x" * 200 + str(step))
        line.run(0.1)
    assert line.session.counters["dropped.enet_send_bytes"] > 0


def _small() -> Any:
    from dcl_comms_core import Limits

    return Limits(enet_send_bytes=2_000)


# --- listeners


def test_a_listener_says_what_it_watches_and_nothing_of_itself() -> None:
    line = entered(scenes=ScenesOnly((0, 0), (-2, -2, -1, -1), also={"Boedo.dcl.eth": [(1, 1)]}))
    assert (line.session.sending, line.session.places) == (False, False)
    line = Line(scenes=ScenesOnly((0, 0), (-2, -2, -1, -1), also={"Boedo.dcl.eth": [(1, 1)]})).open().run(1.0)
    walk(line, 50.0)
    emote(line, "wave")
    line.run(1.0)
    (hello,) = line.said("scene_listener_handshake")
    assert {one.realm: [(r.min_x, r.min_z, r.max_x, r.max_z) for r in one.parcel_rects] for one in hello.aoi} == {
        "boedo.dcl.eth": [(1, 1, 1, 1)],
        "main": [(0, 0, 0, 0), (-2, -2, -1, -1)],
    }
    assert len(line.heard) == 1


def test_what_a_listener_watches_changes_once_a_second_at_most() -> None:
    line = entered(scenes=ScenesOnly((0, 0)))
    for column in range(30):
        line.session.set_areas(ScenesOnly((column, 0), realm="Main"), now=line.now)
        line.run(0.1)
    line.run(2.0)
    updates = line.said("scene_listener_update")
    assert 3 <= len(updates) <= 5
    (area,) = updates[-1].aoi
    assert (area.realm, area.parcel_rects) == ("main", [pulse.ParcelRect(29, 0, 29, 0)])
    with pytest.raises(LocalProtocolError, match="player"):
        entered().session.set_areas(ScenesOnly((0, 0)))


def test_areas_of_one_realm_are_told_together() -> None:
    line = Line(scenes=ScenesOnly((0, 0), also={"main": [(1, 1)]})).open().run(1.0)
    (area,) = line.said("scene_listener_handshake")[0].aoi
    assert len(area.parcel_rects) == 2


@pytest.mark.parametrize(
    ("parcels", "more"),
    [
        ((), {}),
        (((0, 0),), {"also": {"x": []}}),
        (((0,),), {}),
        (((0, 0, 1),), {}),
        (((0, "0"),), {}),
        (((1, 1, 0, 0),), {}),
        (((-153, 0),), {}),
        (((0, 0, 0, 161),), {}),
        (((0, 0),), {"realm": ""}),
        (((0, 0),), {"at": "not an address"}),
        (((0, 0),), {"realm": "x" * 256}),
        (((0, 0, 63, 63),), {}),
        (((0, 0, 61, 65),), {"also": {"x": [(0, 0)]}}),
    ],
)
def test_what_the_service_would_hang_up_for_is_refused(parcels: Any, more: Any) -> None:
    with pytest.raises(LocalProtocolError):
        ScenesOnly(*parcels, **more)


def test_as_much_as_it_may_cost_is_taken() -> None:
    assert ScenesOnly((0, 0, 61, 65)).rectangles == ((0, 0, 61, 65),)
    assert ScenesOnly((0, 0), at="pulse.example:9").at == "pulse.example:9"
    assert ScenesOnly((163, 158), (-152, -152), realm="X.dcl.eth").realm == "x.dcl.eth"
