"""Whether Pulse is asked, where, and as what."""

from __future__ import annotations

from typing import Any

import pytest

from dcl_comms_core import LocalProtocolError, Place, Realm, ScenesOnly, TargetRefused
from dcl_comms_core.adapters.pulse import PulseAddress
from dcl_comms_core.pulse.choice import AUTO, Chosen, check_pulse, choose

GENESIS = "https://realm-provider.decentraland.org/main"
PRIVATE = "https://realm.example"
FOUNDATIONS = PulseAddress("pulse-server.decentraland.org", 7777)
OWN = PulseAddress("pulse.example", 7000)


def chosen(setting: Any, url: str | None = GENESIS, place: Place | None = Place.PUBLIC, **realm: Any) -> Chosen | None:
    check_pulse(setting)
    return choose(setting, url=url, realm=Realm(**realm), place=place)


def test_by_itself_it_is_the_foundations_for_its_realms_and_for_others_what_their_document_says() -> None:
    assert chosen(AUTO) == Chosen(FOUNDATIONS, None, None)
    assert chosen(AUTO, PRIVATE) is None
    assert chosen(AUTO, None) is None
    assert chosen(AUTO, PRIVATE, pulse=OWN) == Chosen(OWN, Place.PUBLIC, None)
    # A realm's own word goes first.
    assert chosen(AUTO, pulse=OWN) == Chosen(OWN, Place.PUBLIC, None)


def test_what_the_user_says_goes_before_all() -> None:
    assert chosen(None, pulse=OWN) is None
    assert chosen("Mine.example", pulse=OWN) == Chosen(PulseAddress("mine.example"), None, None)
    assert chosen("127.0.0.1:1", None) == Chosen(PulseAddress("127.0.0.1", 1), None, None)


def test_who_watches_does_so_at_the_same_place() -> None:
    watching = ScenesOnly((0, 0, 1, 1))
    assert chosen(watching) == Chosen(FOUNDATIONS, None, watching)
    assert chosen(watching, PRIVATE) is None
    assert chosen(watching, PRIVATE, pulse=OWN) == Chosen(OWN, Place.PUBLIC, watching)


def test_a_public_realm_leads_to_no_place_of_ours() -> None:
    near = PulseAddress("127.0.0.1", 7777)
    with pytest.raises(TargetRefused):
        chosen(AUTO, PRIVATE, pulse=near)
    assert chosen(AUTO, PRIVATE, Place.LOOPBACK, pulse=near) == Chosen(near, Place.LOOPBACK, None)


@pytest.mark.parametrize("setting", ["", "h:x", "https://h", "me:secret@h", 5, True, b"h:1", ("h", 1)])
def test_what_can_not_be_wanted_is_refused_and_not_repeated(setting: Any) -> None:
    with pytest.raises(LocalProtocolError, match='pulse= takes "auto", None') as caught:
        check_pulse(setting)
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None
