"""Emotes by name, by URN, and names that are none."""

from __future__ import annotations

import pytest

from dcl_comms_core import LocalProtocolError
from dcl_comms_core.avatars.emotes import Emotes, emote_urn

WAVE = "urn:decentraland:off-chain:base-emotes:wave"


@pytest.mark.parametrize("emote", ["wave", "WAVE", Emotes.WAVE, WAVE])
def test_one_emote_by_all_its_names(emote):
    urn = emote_urn(emote)
    assert urn == WAVE
    # Nothing but a text goes on: codecs take no more.
    assert type(urn) is str


@pytest.mark.parametrize("emote", Emotes)
def test_every_base_emote_is_known_by_its_members_name(emote):
    assert emote_urn(emote.name) == emote_urn(emote.name.lower().replace("_", " ")) == emote.value


def test_other_urns_are_passed_on_as_they_are():
    mine = "urn:decentraland:matic:collections-v2:0x0123456789012345678901234567890123456789:0"
    assert emote_urn(mine) == mine


@pytest.mark.parametrize(
    ("wrong", "text"),
    [("waev", "did you mean 'wave'"), ("xyzzy", "there are clap"), ("", "no base emote"), (5, "int"), (None, "None")],
)
def test_what_is_no_emote(wrong, text):
    with pytest.raises(LocalProtocolError, match=text):
        emote_urn(wrong)
