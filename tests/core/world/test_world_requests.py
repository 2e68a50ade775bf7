"""What a WorldSession's requests say, to whom, in which form; and what is made of the answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from rigs.core.canary import assert_no_secret
from rigs.core.world import GATE, LOGIN, REALM, STEADY, Universe, about, end, in_a_world, said

from dcl_comms_core import (
    ChallengeGuard,
    CloseReason,
    Fetch,
    InvalidAuthChain,
    Limits,
    Place,
    Retry,
    RoomClosed,
    SignatureNeeded,
)
from dcl_comms_core.world.discovery import OlderForms

if TYPE_CHECKING:
    from collections.abc import Callable

    from rigs.core.world import Answer, Citizen

MISREAD = said(401, error="Access denied, invalid signed-fetch request")


def strict(here: Universe, room: str, key: str = "fixedAdapter") -> Callable[[Fetch], Answer]:
    """A service that says of every signature that it can't read what comms-gatekeeper says."""

    def answer(request: Fetch) -> Answer:
        try:
            return here.login(room, key)(request)
        except InvalidAuthChain:
            return MISREAD

    return answer


def posts(citizen: Citizen) -> list[str]:
    citizen.turn()
    return [command.url for command in citizen.commands if isinstance(command, Fetch) and command.method == "POST"]


def world(here: Universe) -> None:
    here.http["GET", f"{REALM}/about"] = about(f"signed-login:{LOGIN}")
    here.http["POST", LOGIN] = strict(here, "world")
    here.http["POST", GATE] = strict(here, "scene-1", "adapter")


def test_a_service_of_today_is_asked_once() -> None:
    here = Universe()
    world(here)
    alice = here.citizen()
    here.run(1.0)
    assert (alice.inside(), posts(alice)) == (["world"], [LOGIN])


def test_one_that_wants_the_older_form_gets_it_and_is_remembered() -> None:
    here = Universe()
    here.folds = True
    world(here)
    alice = here.citizen(gatekeeper=GATE, reconnect=STEADY)
    here.run(1.0)
    assert (alice.inside(), posts(alice)) == (["world"], [LOGIN, LOGIN])
    # The same host is asked in that form at once, by the other way too.
    alice.call("enter_scene", "bafk", (1, 2))
    here.run(1.0)
    assert (alice.inside(), posts(alice)) == (["scene-1", "world"], [LOGIN, LOGIN, GATE])
    # Until it is renewed.
    here.folds = False
    here.rooms["scene-1"].delete(now=here.clock.now)
    here.run(3.0)
    assert posts(alice) == [LOGIN, LOGIN, GATE, GATE, GATE]
    here.rooms["world"].delete(now=here.clock.now)
    here.run(3.0)
    assert (alice.inside(), posts(alice)[5:]) == (["scene-1", "world"], [LOGIN])
    alice.replays()


def test_a_signature_that_is_refused_in_both_forms_says_so_and_nothing_of_the_wallet() -> None:
    here = Universe()
    world(here)
    here.http["POST", LOGIN] = MISREAD
    alice = here.citizen()
    here.run(1.0)
    assert posts(alice) == [LOGIN, LOGIN]
    assert end(alice) == (CloseReason.AUTHENTICATION, Retry.FRESH_CREDENTIALS)


def test_a_wrong_clock_is_no_reason_to_sign_again() -> None:
    here = Universe()
    world(here)
    here.http["POST", LOGIN] = said(401, error="Invalid signature: its timestamp is in the future")
    alice = here.citizen()
    here.run(1.0)
    assert posts(alice) == [LOGIN]
    assert end(alice) == (CloseReason.CLOCK, Retry.FRESH_CREDENTIALS)


def test_nobody_signs_the_second_form_either_where_nobody_signs() -> None:
    here = Universe()
    here.folds = True
    world(here)
    alice = here.citizen()
    while not posts(alice):
        here.run(0.005)
    alice.signs = False
    here.run(1.0)
    needed = alice.take(SignatureNeeded)
    assert len(needed) == 2
    alice.call("refuse_signature", needed[-1].request, "no")
    here.run(1.0)
    assert end(alice) == (CloseReason.NOT_SIGNED, Retry.NEVER)


def test_as_many_hosts_are_remembered_as_a_way_may_have() -> None:
    older = OlderForms(Limits(adapter_hops=2))
    for name in ("a", "b", "a", "c"):
        older.note(f"https://{name}.example/x", older=True)
    assert [older.wanted(f"https://{name}.example/y") for name in "abc"] == [True, False, True]
    older.note("https://a.example/z", older=False)
    assert not older.wanted("https://a.example/y")
    assert not older.wanted("https://a.example:8443/y")


@pytest.mark.parametrize(
    ("answer", "reason", "retry"),
    [
        (said(403, error="Forbidden"), CloseReason.BLOCKED, Retry.BACKOFF),
        ((403, {}, b"error code: 1010"), CloseReason.BLOCKED, Retry.BACKOFF),
        (said(401, error="Not Authorized", message="the world is blocked"), CloseReason.BLOCKED, Retry.BACKOFF),
    ],
)
def test_a_realm_that_answers_nobody_says_nothing_of_the_wallet(answer: Any, reason: CloseReason, retry: Retry) -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = answer
    alice = here.citizen()
    here.run(1.0)
    assert end(alice) == (reason, retry)


def test_a_firewall_before_the_gatekeeper_does_not_end_the_wish_for_good() -> None:
    here = Universe()
    alice = in_a_world(here, gatekeeper=GATE)
    here.http["POST", GATE] = (403, {}, b"<html><title>Attention Required!</title></html>")
    alice.call("enter_scene", "bafk", (1, 2))
    here.run(1.0)
    assert alice.take(RoomClosed) == []
    here.http["POST", GATE] = here.login("scene-1", "adapter")
    here.run(3.0)
    assert alice.inside() == ["scene-1", "world"]


# --- a world's password, and its scenes

WORLD = f"{REALM}/world/many.dcl.eth"
COMMS = f"{REALM}/worlds/many.dcl.eth/comms"
SCENE = f"{REALM}/worlds/many.dcl.eth/scenes/bafkb/comms"
# Short, and not as it is in JSON.
SECRET = 'Ö"p3n'


def says(request: Fetch) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dict(request.headers)["x-identity-metadata"])
    return found


def behind_a_password(here: Universe, url: str, room: str) -> None:
    def answer(request: Fetch) -> Answer:
        if says(request).get("secret") != SECRET:
            return said(403, error='You are not allowed to access world "many.dcl.eth".')
        return here.login(room)(request)

    here.http["POST", url] = answer


def many(here: Universe) -> None:
    """A world with a password, and with several scenes."""
    here.http["GET", f"{WORLD}/about"] = about(
        f"fixed-adapter:signed-login:{COMMS}", configurations={"realmName": "many.dcl.eth"}
    )
    behind_a_password(here, COMMS, "world")
    behind_a_password(here, SCENE, "scene-b")


@pytest.mark.parametrize("secret", [None, "", "sesame"])
def test_a_world_with_a_password_says_that_it_has_one(secret: str | None) -> None:
    here = Universe()
    many(here)
    alice = here.citizen(WORLD, secret=secret)
    here.run(1.0)
    assert end(alice) == (CloseReason.WRONG_SECRET, Retry.NEVER)


def test_who_knows_the_password_is_let_in_and_into_its_scenes_and_no_journal_tells() -> None:
    here = Universe()
    many(here)
    alice = here.citizen(WORLD, secret=SECRET, reconnect=STEADY)
    here.run(1.0)
    alice.call("enter_scene", "bafkb", (0, 0))
    here.run(1.0)
    assert (alice.inside(), posts(alice)) == (["scene-b", "world"], [COMMS, SCENE])
    *_, asked = (command for command in alice.commands if isinstance(command, Fetch))
    # The realm named the place, so it may lead no nearer than the realm is.
    assert (asked.within, says(asked)["sceneId"], says(asked)["realmName"]) == (Place.PUBLIC, "bafkb", "many.dcl.eth")
    text = alice.journal.text()
    for form in (SECRET, json.dumps(SECRET)[1:-1], json.dumps(SECRET)[1:-1].lower()):
        assert_no_secret(form, text, *map(repr, alice.take()))
    alice.replays()


def test_a_password_in_the_older_form_is_hidden_too() -> None:
    here = Universe()
    here.folds = True
    many(here)
    here.http["POST", COMMS] = strict(here, "world")
    alice = here.citizen(WORLD, secret="A longer Password than sixteen")
    here.run(1.0)
    assert alice.inside() == ["world"]
    assert "assword" not in alice.journal.text()
    alice.replays()


def test_a_chat_that_looks_like_a_password_does_not_disturb_a_journal() -> None:
    here = Universe()
    alice = in_a_world(here)
    alice.call("chat", '{"secret": "abc", "more": "\\"x"}')
    here.run(0.5)
    assert '\\"abc' not in alice.journal.text()
    alice.replays()


def test_nobody_else_is_told_the_password() -> None:
    here = Universe()
    many(here)
    elsewhere = "https://other.example/worlds/many.dcl.eth/comms"
    here.http["POST", COMMS] = said(fixedAdapter=f"signed-login:{elsewhere}")
    behind_a_password(here, elsewhere, "world")
    alice = here.citizen(WORLD, secret=SECRET, guard=ChallengeGuard(["*"]))
    here.run(1.0)
    told = {command.url: "secret" in says(command) for command in alice.commands if getattr(command, "headers", ())}
    assert told == {COMMS: True, elsewhere: False}
    assert end(alice) == (CloseReason.WRONG_SECRET, Retry.NEVER)
