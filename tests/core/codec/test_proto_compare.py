"""The maintainer's comparison with the published protocol, without the network: its verdicts and its list."""

from __future__ import annotations

import sys
import tarfile
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROTO = ROOT / "dcl_comms_core" / "proto"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    if find_spec("grpc_tools") is None:
        pytest.skip("needs protoc (grpcio-tools)")
    spec = spec_from_file_location("compare_protocol", ROOT / ".ci/tools/compare_protocol.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def published(folder: Path, edit: tuple[str, str]) -> Path:
    """A tarball like npm's, with our files after one edit."""
    for path in PROTO.rglob("*.proto"):
        copy = folder / "package" / "proto" / path.relative_to(PROTO)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8").replace(*edit), encoding="utf-8")
    with tarfile.open(folder / "p.tgz", "w:gz") as archive:
        archive.add(folder / "package", "package")
    return folder / "p.tgz"


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (("float rotation_y = 16;", "double rotation_y = 16;"),
         "Movement.rotation_y: ours float = 16, published double = 16"),
        (("    GLIDING = 2;", "    GLIDING = 7;"), "Movement.GlideState.GLIDING: ours = 2, published = 7"),
        (("  optional uint32 mask = 11;\n", ""), "PlayerEmote.mask: ours only (optional uint32 = 11)"),
        (("int32 count = 3;", "int32 count = 3; string extra = 4;"), "Reaction.extra: published only (string = 4)"),
        (("bytes data = 2;", "repeated bytes data = 2;"), "Scene.data: ours bytes = 2, published repeated bytes = 2"),
    ],
)  # fmt: skip
def test_a_difference_is_found(
    tool: ModuleType, tmp_path: Path, edit: tuple[str, str], expected: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    listed = tmp_path / "allowed.toml"
    listed.write_text("", encoding="utf-8")
    monkeypatch.setattr(tool, "ALLOWED", listed)
    monkeypatch.setattr(sys, "argv", ["compare", "--package", str(published(tmp_path, edit))])
    assert tool.main() == 1
    line = f"decentraland.kernel.comms.rfc4.{expected}"
    assert f"UNLISTED  {line}" in capsys.readouterr().out
    listed.write_text(f'[[difference]]\nwhat = "{line}"\nreason = "to see it pass"\n', encoding="utf-8")
    assert tool.main() == 0


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (("uint32 rotation_y = 8 [(decentraland.common.quantized) = {min: 0, max: 360, bits: 7}]",
          "uint32 rotation_y = 8 [(decentraland.common.quantized) = {min: 0, max: 360, bits: 9}]"),
         ("decentraland.pulse.PlayerState.rotation_y: ours uint32 = 8 (decentraland.common.quantized) min 0.0 max 360.0 "
          "bits 7, published uint32 = 8 (decentraland.common.quantized) min 0.0 max 360.0 bits 9")),
        (("uint32 velocity_x = 5 [(decentraland.common.quantized_power) = {max: 50, pow: 2, bits: 8}]",
          "uint32 velocity_x = 5"),
         ("decentraland.pulse.PlayerState.velocity_x: ours uint32 = 5 (decentraland.common.quantized_power) max 50.0 "
          "pow 2.0 bits 8, published uint32 = 5")),
        (("quantized_power = 50003", "quantized_power = 50004"),
         ("decentraland.common.quantized_power: ours option decentraland.common.QuantizedPowerFloatOptions = 50003, "
          "published option decentraland.common.QuantizedPowerFloatOptions = 50004")),
        (("  float pow = 2;", "  double pow = 2;"),
         "decentraland.common.QuantizedPowerFloatOptions.pow: ours float = 2, published double = 2"),
        (("sint32 min_x = 1;", "int32 min_x = 1;"),
         "decentraland.pulse.ParcelRect.min_x: ours sint32 = 1, published int32 = 1"),
        (("optional int32 mask = 4;", "int32 mask = 4;"),
         "decentraland.pulse.EmoteStart.mask: ours optional int32 = 4, published int32 = 4"),
    ],
)  # fmt: skip
def test_a_difference_of_pulse_is_found(tool: ModuleType, tmp_path: Path, edit: tuple[str, str], expected: str) -> None:
    published(tmp_path, edit)
    ours, theirs = tool.facts(PROTO, tmp_path), tool.facts(tmp_path / "package" / "proto", tmp_path)
    assert expected in tool.compare(ours, theirs)


def test_a_new_file_of_pulse_is_read_and_any_kind_of_option(tool: ModuleType, tmp_path: Path) -> None:
    published(
        tmp_path,
        (
            "  QuantizedFloatOptions quantized = 50001;",
            "  QuantizedFloatOptions quantized = 50001; uint32 steps = 50009;",
        ),
    )
    new = tmp_path / "package/proto/decentraland/pulse/pulse_more.proto"
    new.write_text(
        'syntax = "proto3"; package decentraland.pulse; import "decentraland/common/options.proto";'
        "message More { uint32 a = 1 [(decentraland.common.steps) = 5, deprecated = true]; }",
        encoding="utf-8",
    )
    assert tool.compare(tool.facts(PROTO, tmp_path), tool.facts(tmp_path / "package" / "proto", tmp_path)) == [
        "decentraland.pulse.More: published only (message)",
        "decentraland.pulse.More.a: published only (uint32 = 1 (decentraland.common.steps) 5)",
    ]


def test_files_without_options_of_their_own(tool: ModuleType) -> None:
    field = tool.descriptor_pb2.FieldDescriptorProto(options=tool.descriptor_pb2.FieldOptions(deprecated=True))
    assert tool.Options([]).of(field) == []


def test_verdicts(tool: ModuleType) -> None:
    assert tool.verdict([], {}) == (["0 differences: 0 not listed; 0 listed ones no longer exist"], 0)
    lines, code = tool.verdict(["new"], {"gone": "why"})
    assert code == 1
    assert lines[:2] == ["UNLISTED  new", "STALE     gone"]


def test_every_listed_difference_has_a_reason(tool: ModuleType, tmp_path: Path) -> None:
    assert all(tool.allowed(tool.ALLOWED).values())
    bare = tmp_path / "bare.toml"
    bare.write_text('[[difference]]\nwhat = "x"\n', encoding="utf-8")
    with pytest.raises(SystemExit, match="no reason"):
        tool.allowed(bare)


def test_the_published_package_is_one_version_with_its_hash(tool: ModuleType, tmp_path: Path) -> None:
    version, integrity = tool.pinned()
    assert version[0].isdigit()
    assert len(integrity) == len(tool.digest(published(tmp_path, ("", ""))))
    assert integrity.startswith("sha512-")


def test_another_tarball_under_its_number_is_refused(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """npm is a program here that gives what it is told to."""
    tarball = published(tmp_path, ("", ""))
    npm = tmp_path / "npm"
    said = '[{"name": "@dcl/protocol", "version": "1", "filename": "it.tgz"}]'
    npm.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/asked\n/bin/cp {tarball} it.tgz\necho '{said}'\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["compare_protocol.py"])
    with pytest.raises(SystemExit, match="is not the one that was tried: sha512-"):
        tool.main()
    assert (tmp_path / "asked").read_text().split()[-1] == f"@dcl/protocol@{tool.pinned()[0]}"
    monkeypatch.setattr(sys, "argv", ["compare_protocol.py", "--newest"])
    tool.main()
    assert (tmp_path / "asked").read_text().split()[-1] == "@dcl/protocol@latest"
