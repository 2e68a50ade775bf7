"""The fuzz bodies as ordinary tests: the corpus, a modest number of fresh inputs, and proof that they can fail."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

pytest.importorskip("grpc_tools", reason="the oracle needs protoc (grpcio-tools)")

from dcl_comms_core.codec import decode_message, encode, python, strict
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.proto import rfc4, v3
from dcl_comms_core.testing import strategies
from fuzz.check import Disagreement, check
from fuzz.generate import CLASSES, TARGETS, make
from fuzz.policy import ACCEPTANCE, ENCODING
from fuzz.run import CORPUS, STRATEGIES, Tally, fuzz, keep, load

if TYPE_CHECKING:
    from dcl_comms_core.proto import WireMessage

QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)


def test_corpus() -> None:
    cases = load()
    assert cases
    for _, cls, data in cases:
        check(cls, data)


@settings(QUIET, max_examples=150)
@given(st.sampled_from(CLASSES), strategies.message_classes(), st.data())
def test_any_bytes(kind: str, cls: type[WireMessage], data: st.DataObject) -> None:
    check(cls, data.draw(STRATEGIES[kind](cls)))


@settings(QUIET, max_examples=100)
@given(strategies.message_classes(), st.data())
def test_any_message(cls: Any, data: st.DataObject) -> None:
    message = data.draw(strategies.messages(cls))
    raw = encode(message)
    assert decode_message(cls, raw) == message
    check(cls, raw)


@settings(QUIET, max_examples=50)
@given(strategies.packets(), strategies.wire_bytes(rfc4.Packet))
def test_any_packet(packet: rfc4.Packet, data: bytes) -> None:
    assert rfc4.Packet.parse(encode(packet)) == packet
    check(rfc4.Packet, data)
    # Decoding what stands in a row is merging.
    try:
        merged = rfc4.Packet.parse(encode(packet) + data)
    except DecodeError:
        return
    check(rfc4.Packet, encode(merged))


def test_generated() -> None:
    tally = fuzz(seconds=50, examples=6_000, start=3)
    assert tally.total >= 6_000
    assert set(tally.classes) == set(CLASSES)
    assert tally.classes["valid"] < tally.total / 2
    assert tally.excused.total() < tally.total / 100
    assert "executions" in tally.report()


def test_valid_inputs_are_accepted() -> None:
    rng = Random(5)
    for cls in TARGETS:
        for _ in range(30):
            assert check(cls, make(rng, "valid", cls)).result == "accepted"


def test_policy_predicates() -> None:
    signalling = b"\x2a\x00\x42\x05\x0d\x01\x00\x80\x7f"
    quiet = signalling[:-2] + b"\xc0\x7f"
    infinite = b"\x42\x05\x0d\x00\x00\x80\x7f"
    (nan,) = ENCODING
    assert [nan.applies(data) for data in (signalling, quiet, infinite)] == [True, False, False]
    assert check(rfc4.Packet, signalling) == ("accepted", "signalling NaN")
    assert check(rfc4.Packet, quiet) == check(rfc4.Packet, infinite) == ("accepted", None)
    large, unknown = ACCEPTANCE
    assert check(rfc4.Packet, b"\xfa\x01\x80\x80\x08" + bytes(131_072)).excused == large.name
    assert check(rfc4.Packet, b"\xfa\x01\x80\x80\x04" + bytes(65_536)).excused == unknown.name


PLANTED: list[tuple[str, Any, str, Any]] = [
    ("drops -0.0", python.ENCODERS, "rfc4.Movement",
     lambda old: lambda m: old(m).replace(b"\x15\x00\x00\x00\x80", b"")),
    ("forgets unknown fields", python.ENCODERS, "rfc4.Packet",
     lambda old: lambda m: old(m).removesuffix(m._unknown_fields)),
    ("takes a wrong member", python._FAST, "rfc4.Reaction",
     lambda old: lambda data, p, end: rfc4.Reaction(count=7) if data[:1] == b"\x08" else old(data, p, end)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "table", "ref", "break_it"), PLANTED, ids=[case[0] for case in PLANTED])
def test_a_planted_bug_is_found(name: str, table: Any, ref: str, break_it: Any, monkeypatch: Any) -> None:
    cls = getattr(rfc4, ref.partition(".")[2])
    monkeypatch.setitem(table, cls, break_it(table[cls]))
    rng = Random(1)
    with pytest.raises(Disagreement):
        for _ in range(20_000):
            check(cls, make(rng, "valid", cls))


def test_an_accepting_or_refusing_decoder_is_found(monkeypatch: Any) -> None:
    monkeypatch.setattr(strict, "read_size", lambda data, pos, end: (min(data[pos], end - pos - 1), pos + 1))
    with pytest.raises(Disagreement, match="accepted"):
        check(rfc4.Packet, b"\x2a\x05\x0a\x01a")
    monkeypatch.undo()

    def no_text(raw: bytes, pos: int) -> str:
        raise DecodeError("no text today", pos)

    monkeypatch.setattr(strict, "_text", no_text)
    with pytest.raises(Disagreement, match="refused"):
        check(v3.IslandData, b"\x12\x01a")


def test_keep_and_load(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("fuzz.run.CORPUS", tmp_path / "corpus")
    path = keep(rfc4.Packet, b"\x58\x64")
    assert path.read_text(encoding="utf-8") == "rfc4.Packet\n5864\n"
    assert load() == [(path.stem, rfc4.Packet, b"\x58\x64")]
    assert CORPUS.name == "corpus"


def test_tally_counts() -> None:
    tally = Tally()
    tally.run("valid", rfc4.Packet, b"\x58\x64")
    tally.run("hostile", rfc4.Packet, b"\x58", drawn=True)
    assert tally.total == 2
    assert tally.outcomes["valid", "accepted"] == 1
    assert "50% of them" in tally.report()
