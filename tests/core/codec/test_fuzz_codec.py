"""The fuzz bodies as ordinary tests: the corpus, a modest number of fresh inputs, and proof that they can fail."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

pytest.importorskip("grpc_tools", reason="the oracle needs protoc (grpcio-tools)")

from dcl_comms_core.codec import decode_message, encode, engines, python, strict
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.proto import rfc4, v3
from dcl_comms_core.testing import strategies
from fuzz import mutants
from fuzz.check import Disagreement, check, check_columns, check_message
from fuzz.compare import identical
from fuzz.generate import CLASSES, TARGETS, make
from fuzz.objects import build
from fuzz.policy import ACCEPTANCE, ENCODING
from fuzz.run import CORPUS, KINDS, STRATEGIES, Tally, fuzz, keep, load, main, smaller

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


def test_maps_and_groups_are_drawn() -> None:
    often = settings(QUIET, max_examples=2000, phases=[Phase.generate])
    found = find(strategies.messages(v3.IslandChangedMessage), lambda message: len(message.peers) > 1, settings=often)
    assert check_message(found, sound=True).result == "accepted"
    raw = find(strategies.unknown_fields(), lambda data: data[0] & 7 == 3 and len(data) > 2, settings=often)
    assert check(rfc4.Packet, raw).result == "accepted"


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
    tally = fuzz(seconds=100, examples=3_000, start=3)
    assert tally.total >= 3_000
    assert not tally.failures
    assert set(tally.classes) == set(KINDS)
    assert tally.hostile > tally.total / 2
    assert len(tally.distinct) > 300
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
    assert check(rfc4.Packet, signalling) == ("accepted", "-", "signalling NaN")
    assert check(rfc4.Packet, quiet) == check(rfc4.Packet, infinite) == ("accepted", "-", None)
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
    alone = {"python": engines()["python"]}
    monkeypatch.setattr("fuzz.check.engines", lambda: alone)
    monkeypatch.setattr(strict, "read_size", lambda data, pos, end: (min(data[pos], end - pos - 1), pos + 1))
    with pytest.raises(Disagreement, match="accepted"):
        check(rfc4.Packet, b"\x2a\x05\x0a\x01a")
    monkeypatch.undo()
    monkeypatch.setattr("fuzz.check.engines", lambda: alone)

    def no_text(raw: bytes, pos: int) -> str:
        raise DecodeError("no text today", pos)

    monkeypatch.setattr(strict, "_text", no_text)
    with pytest.raises(Disagreement, match="refused"):
        check(v3.IslandData, b"\x12\x01a")


def test_the_conformance_page_is_up_to_date() -> None:
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, root / ".ci" / "tools" / "conformance.py", "--check"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "no differences between python" in run.stdout


def test_mutants_apply_and_one_is_found() -> None:
    listed = mutants.load()
    assert len(listed) >= 10
    assert sum(m["file"].startswith("_native/") for m in listed) >= 3
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(mutants.ROOT / mutants.CORE, Path(scratch, mutants.CORE))
        for mutant in listed:
            path = mutants.place(Path(scratch), mutant)
            before = path.read_bytes()
            mutants.plant(Path(scratch), mutant)
            assert path.read_bytes() != before
            path.write_bytes(before)
        with pytest.raises(mutants.Stale):
            mutants.plant(Path(scratch), {"file": "wire.py", "old": "not in there", "new": ""})
    finding = mutants.hunt(next(m for m in listed if m["file"] == "wire.py"), seconds=30, seed=1)
    assert finding.seconds is not None
    # Whichever of the two it meets first.
    assert "Disagreement" in finding.what or "IndexError" in finding.what


def test_without_atheris_it_says_so() -> None:
    if importlib.util.find_spec("atheris") is not None:
        pytest.skip("it is installed")
    target = Path(__file__).resolve().parents[3] / "fuzz" / "atheris_codec.py"
    run = subprocess.run([sys.executable, target], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "pip install atheris" in run.stderr


def test_keep_and_load(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("fuzz.run.CORPUS", tmp_path / "corpus")
    path = keep(rfc4.Packet, b"\x58\x64")
    assert path.read_text(encoding="utf-8") == "rfc4.Packet\n5864\n"
    assert load() == [(path.stem, rfc4.Packet, b"\x58\x64")]
    assert CORPUS.name == "corpus"


def test_tally_counts() -> None:
    tally = Tally()
    for kind, data in (
        ("valid", b"\x58\x64"),
        ("hostile", b"\x58"),
        ("hostile", b"\x58\x64\x00"),
        ("hostile", b"\x00"),
    ):
        tally.run(kind, rfc4.Packet, lambda data=data: check(rfc4.Packet, data), drawn=kind == "valid")
    assert tally.total == 4
    assert tally.outcomes["valid", "accepted"] == 1
    assert {place for *_, place in tally.distinct} == {"-", "end", "2 bits", "start"}
    report = tally.report()
    assert "75% of them" in report
    assert "accepted 1, refused 3" in report
    assert "failures: 0" in report


def test_objects() -> None:
    rng, results = Random(8), set()
    for _ in range(600):
        message, sound = build(rng, rng.choice(TARGETS))
        results.add((check_message(message, sound=sound).result, sound))
    assert results == {("accepted", True), ("accepted", False), ("not encodable", False)}


def test_columns() -> None:
    rng = Random(2)
    packets = [make(rng, rng.choice(CLASSES), rfc4.Packet) for _ in range(600)]
    for kind in ("position", "movement"):
        check_columns(kind, packets)


def test_columns_that_differ_are_found(monkeypatch: Any) -> None:
    rows = engines()["python"].decode_positions([b"\x0a\x05\x1d\x00\x00\x80\x3f"])
    assert rows["valid"][0]
    rows["position_x"][0] = 2.0
    broken = engines()["python"]._replace(decode_positions=lambda packets: rows)
    monkeypatch.setattr("fuzz.check.engines", lambda: {"python": broken})
    with pytest.raises(Disagreement, match="position_x"):
        check_columns("position", [b"\x0a\x05\x1d\x00\x00\x80\x3f"])


@pytest.mark.parametrize(("name", "change"), [
    ("encode", lambda old: lambda m: old(m) + b"\x00"),
    ("decode_message", lambda old: lambda cls, data, **more: cls()),
    ("peek", lambda old: lambda data, **more: old(data, **more)._replace(protocol_version=7)),
    ("kind_of", lambda old: lambda packet: None),
    ("encode_position", lambda old: lambda *given, **values: old(*given, **values)[1:]),
    ("decode_kind", lambda old: lambda data, **more: (None, rfc4.Packet())),
])  # fmt: skip
def test_engines_that_differ_are_found(name: str, change: Any, monkeypatch: Any) -> None:
    good = engines()["python"]
    bad = good._replace(name="bad", **{name: change(getattr(good, name))})
    monkeypatch.setattr("fuzz.check.engines", lambda: {"python": good, "bad": bad})
    with pytest.raises(Disagreement):
        check(rfc4.Packet, b"\x0a\x05\x1d\x00\x00\x80\x3f\x58\x64")


def test_another_error_is_found(monkeypatch: Any) -> None:
    good = engines()["python"]

    def late(cls: Any, data: Any, **more: Any) -> Any:
        try:
            return good.decode_message(cls, data, **more)
        except DecodeError as error:
            raise DecodeError(error.reason, error.offset + 1) from None

    monkeypatch.setattr("fuzz.check.engines", lambda: {"python": good, "late": good._replace(decode_message=late)})
    with pytest.raises(Disagreement, match="the engines answer"):
        check(rfc4.Packet, b"\x0a\x7f")


@pytest.mark.parametrize(("one", "other"), [
    (0.0, -0.0), (1, True), ([1], [1, 2]), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), (rfc4.Chat(), rfc4.Voice()),
    (float("nan"), -float("nan")), (rfc4.Chat(message="a"), rfc4.Chat(message="b")),
])  # fmt: skip
def test_identical_is_strict(one: Any, other: Any) -> None:
    assert identical(one, one)
    assert not identical(one, other)


def test_a_failure_is_made_smaller_and_kept(monkeypatch: Any, tmp_path: Path, capsys: Any) -> None:
    def broken(cls: Any, data: bytes) -> Any:
        if b"\x58\x64" in data:
            raise Disagreement("planted")
        return check(cls, data)

    monkeypatch.setattr("fuzz.run.check", broken)
    monkeypatch.setattr("fuzz.run.CORPUS", tmp_path / "corpus")
    assert smaller(rfc4.Packet, b"\x08\x01\x58\x64\x12\x00", Disagreement) == b"\x58\x64"
    monkeypatch.setattr("sys.argv", ["run.py", "--examples", "3000", "--seed", "1"])
    assert main() == 1
    assert re.search(r"failures: 1\d", capsys.readouterr().out)
    assert ("rfc4.Packet", "5864") in {tuple(path.read_text().split()) for path in (tmp_path / "corpus").iterdir()}
