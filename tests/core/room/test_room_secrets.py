"""No text that a session shows holds its access token."""

from __future__ import annotations

import pytest
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.core.room import STEADY, UNIX, Rig, livekit, wire

from dcl_comms_core import (
    Chat,
    ClockSet,
    CloseReason,
    CommsError,
    LinkFailed,
    LiveKitAdapter,
    LocalProtocolError,
    OpenLink,
    RoomState,
    TrackSource,
)


def secret_of(rig: Rig) -> str:
    adapter = rig.session.adapter
    assert isinstance(adapter, LiveKitAdapter)
    return adapter.token.reveal()


def shown(rig: Rig) -> list[str]:
    rig.drain()
    things = [rig.session, rig.session.adapter, rig.session.peers, rig.session.counters, *rig.commands, *rig.events]
    return [text for thing in things for text in (repr(thing), str(thing))]


def test_a_whole_life() -> None:
    rig = Rig(livekit(), reconnect=STEADY).join("alice")
    assert OpenLink in {type(command) for command in rig.commands}
    rig.session.chat("hello")
    rig.data(wire(chat=Chat(message="hi")))
    rig.data(b"\xff")
    rig.fall_silent()
    rig.lose()
    rig.timer()
    rig.close()
    rig.lose()
    assert rig.session.state is RoomState.CLOSED
    assert_no_secret(secret_of(rig), *shown(rig))


@pytest.mark.parametrize(
    "token", [{"ttl": -5.0}, {"claims": {"nbf": int(UNIX) + 9}}, {"room_join": False}, {"can_publish_data": False}]
)
def test_tokens_that_are_refused(token: dict[str, object]) -> None:
    rig = Rig(livekit(**token)).open()
    errors = []
    if rig.session.state is RoomState.CONNECTING:
        rig.join()
    for call in (rig.open, lambda: rig.session.chat("x"), lambda: rig.session.check_publish(TrackSource.CAMERA)):
        with pytest.raises(CommsError) as caught:
            call()
        errors += exception_texts(caught.value)
    assert_no_secret(secret_of(rig), *shown(rig), *errors)


def test_misuse() -> None:
    rig = Rig(livekit())
    errors = []
    for call in (
        lambda: rig.session.receive(rig.session.adapter, now=0.0),  # type: ignore[arg-type]  # the mistake
        lambda: rig.session.receive(ClockSet(unix_offset=float("nan")), now=0.0),
        lambda: rig.session.send(rig.session.adapter),  # type: ignore[arg-type]  # the mistake
        lambda: rig.session.send_bytes(b"", to=rig.session.adapter),  # type: ignore[arg-type]  # the mistake
    ):
        with pytest.raises(LocalProtocolError) as caught:
            call()
        errors += exception_texts(caught.value)
    assert_no_secret(secret_of(rig), *errors)


def test_the_canary_would_sing() -> None:
    rig = Rig(livekit()).open()
    rig.tell(LinkFailed, reason=CloseReason.AUTHENTICATION, detail="bad token " + secret_of(rig))
    with pytest.raises(AssertionError, match="holds a secret"):
        assert_no_secret(secret_of(rig), *shown(rig))
