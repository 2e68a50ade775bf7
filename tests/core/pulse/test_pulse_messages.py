"""Pulse's messages on both engines: bytes that were seen on the wire, and what is skipped without an error."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.pulse import CLIENT, SERVER

from dcl_comms_core.codec import engines
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import Limits
from dcl_comms_core.proto import WireMessage, pulse

ENGINES = pytest.mark.parametrize("engine", engines().values(), ids=engines().keys())
CAREFUL = Limits(nesting=4)  # below what the fast paths ask for, and enough for every message of Pulse
VECTORS: dict[str, tuple[type[WireMessage], str, dict[str, Any]]] = {
    **{f"client: {name}": (pulse.ClientMessage, *vector) for name, vector in CLIENT.items()},
    **{f"server: {name}": (pulse.ServerMessage, *vector) for name, vector in SERVER.items()},
}


@ENGINES
@pytest.mark.parametrize(("cls", "text", "fields"), VECTORS.values(), ids=VECTORS.keys())
def test_seen_on_the_wire(engine: Any, cls: type[WireMessage], text: str, fields: dict[str, Any]) -> None:
    data, message = bytes.fromhex(text), cls(**fields)
    assert engine.decode_message(cls, data) == message
    assert engine.decode_message(cls, data, limits=CAREFUL) == message
    assert engine.encode(message) == data


@ENGINES
@pytest.mark.parametrize(
    ("data", "known"),
    [("0a0408011801", {"handshake": pulse.HandshakeResponse(success=True)}),
     ("0a1b1217496e76616c6964206175746820636861696e204a534f4e1801",
      {"handshake": pulse.HandshakeResponse(error="Invalid auth chain JSON")}),
     ("5203010203", {}), ("", {}), ("3200f80f01", {"player_profile_version_announced": pulse.PlayerProfileVersionsAnnounced()})],
    ids=["a field of a welcome", "a field of a refusal", "a member of the oneof", "nothing at all", "a field behind"],
)  # fmt: skip
def test_what_is_unknown_is_skipped_and_kept(engine: Any, data: str, known: dict[str, Any]) -> None:
    message = engine.decode_message(pulse.ServerMessage, bytes.fromhex(data))
    for field in pulse.ServerMessage.__dataclass_fields__:
        mine, wanted = getattr(message, field), known.get(field)
        assert (mine is None) == (wanted is None)
        if wanted is not None:
            values = type(wanted).__dataclass_fields__
            assert [getattr(mine, one) for one in values] == [getattr(wanted, one) for one in values]
    assert engine.encode(message).hex() == data


@ENGINES
def test_absent_is_not_zero(engine: Any) -> None:
    absent = engine.decode_message(pulse.PlayerStateDeltaTier0, b"")
    assert (absent.position_x, absent.glide_state, absent.jump_count, absent.head_yaw) == (None, None, None, None)
    assert (absent.subject_id, absent.baseline_seq, absent.new_seq) == (0, 0, 0)
    zero = pulse.PlayerStateDeltaTier0(position_x=0, glide_state=pulse.GlideState.PROP_CLOSED, jump_count=0, head_yaw=0)
    assert engine.encode(zero).hex() == "3000780090010098" + "0100"
    assert engine.decode_message(pulse.PlayerStateDeltaTier0, engine.encode(zero)) == zero
    assert engine.encode(pulse.PlayerState(head_yaw=0)).hex() == "5800"
    assert engine.encode(pulse.EmoteStart(duration_ms=0, mask=0)).hex() == "10002000"


@ENGINES
@pytest.mark.parametrize(
    "text", ["1a", "1a01", "1a0210", "1a10100118022089d602304158506020680a00", "0c", "2a8080808010"]
)
def test_bytes_that_are_no_message_are_refused(engine: Any, text: str) -> None:
    with pytest.raises(DecodeError):
        engine.decode_message(pulse.ServerMessage, bytes.fromhex(text))


@ENGINES
@pytest.mark.parametrize(
    ("number", "text"),
    [(0, ""), (-1, "0801"), (1, "0802"), (63, "087e"), (-64, "087f"), (64, "088001"), (-65, "088101"),
     ((1 << 31) - 1, "08feffffff0f"), (-(1 << 31), "08ffffffff0f")],
)  # fmt: skip
def test_parcels_of_either_sign(engine: Any, number: int, text: str) -> None:
    assert engine.encode(pulse.ParcelRect(min_x=number)).hex() == text
    assert engine.decode_message(pulse.ParcelRect, bytes.fromhex(text)).min_x == number


@ENGINES
def test_of_a_number_that_is_too_long_the_low_32_bits_count(engine: Any) -> None:
    assert engine.decode_message(pulse.ParcelRect, bytes.fromhex("08ffffffff1f")).min_x == -(1 << 31)
    assert engine.decode_message(pulse.ParcelRect, bytes.fromhex("088380808010")).min_x == -2


def test_the_proof_of_login_is_in_no_repr() -> None:
    secret = b'{"x-identity-auth-chain-0": "secret"}'
    for message in (
        pulse.ClientMessage(handshake=pulse.HandshakeRequest(secret)),
        pulse.ClientMessage(scene_listener_handshake=pulse.SceneListenerHandshakeRequest(secret)),
    ):
        assert "secret" not in repr(message)
        assert f"auth_chain=<{len(secret)} hidden>" in repr(message)
