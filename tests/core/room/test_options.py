"""What a room may be told."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from dcl_comms_core import DEFAULT_LIMITS, Limits, LocalProtocolError, PeerId, Subscribe, Track, TrackKind, TrackSource
from dcl_comms_core.room.options import RoomOptions, RoomSettings, wants

ALICE = PeerId("alice")
VOICE = Track(sid="TR_1", name="mic", kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE)
FACE = Track(sid="TR_2", name="cam", kind=TrackKind.VIDEO, source=TrackSource.CAMERA)


def test_options_and_settings_have_the_same_names() -> None:
    assert {field.name for field in fields(RoomOptions)} == set(RoomSettings.__annotations__)


def test_nothing_said_is_the_defaults() -> None:
    assert RoomOptions.of(None, {}) == RoomOptions()
    assert RoomOptions().limits is DEFAULT_LIMITS


def test_settings_change_some_of_the_options_and_leave_those_that_were_given() -> None:
    given = RoomOptions(entropy=7, silent=True)
    chosen = RoomOptions.of(given, {"limits": Limits(peers=3), "silent": False})
    assert (chosen.entropy, chosen.silent, chosen.limits.peers) == (7, False, 3)
    assert (given.silent, RoomOptions.of(given, {})) == (True, given)


def test_an_unknown_option_is_a_type_error_that_names_it() -> None:
    unknown: Any = {"volume": 11}
    with pytest.raises(TypeError, match="volume"):
        RoomOptions.of(None, unknown)


@pytest.mark.parametrize(
    ("policy", "asked_for"),
    [
        (Subscribe.ALL, []),  # the transport asks by itself
        (Subscribe.AUDIO, [VOICE]),
        (Subscribe.NONE, []),
        (lambda sender, track: sender == ALICE and track is FACE, [FACE]),
    ],
)
def test_a_policy_says_which_tracks_to_ask_for(policy: Any, asked_for: list[Track]) -> None:
    assert [track for track in (VOICE, FACE) if wants(policy, ALICE, track)] == asked_for


@pytest.mark.parametrize("answer", [None, 1, "yes"])
def test_a_policy_that_gives_no_bool_is_a_mistake(answer: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"True or False, not {type(answer).__name__}"):
        wants(lambda _sender, _track: answer, ALICE, VOICE)
