"""The maintainer's comparison of our .proto with LiveKit's, without the network: a wheel is made of our own files."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]
PROTO = ROOT / "dcl_comms_core" / "proto"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    pytest.importorskip("grpc_tools", reason="needs protoc (grpcio-tools)")
    return __import__("compare_livekit")


def published(tool: ModuleType, folder: Path, edit: tuple[str, str]) -> Path:
    """A wheel like PyPI's, with the descriptors of our file after one edit."""
    text = (PROTO / tool.SOURCES[0]).read_text(encoding="utf-8")
    assert edit[0] in text
    copy = folder / tool.SOURCES[0]
    copy.parent.mkdir(parents=True)
    copy.write_text(text.replace(*edit), encoding="utf-8")
    (file,) = tool.compiled(folder, tool.SOURCES, folder)
    empty = type(file)()
    with zipfile.ZipFile(folder / "p.whl", "w") as archive:
        for module, descriptor in zip(tool.MODULES, (empty, file), strict=True):
            data = descriptor.SerializeToString()
            archive.writestr(module, f"DESCRIPTOR = _pool.Default().AddSerializedFile({data!r})\nraise SystemExit(1)\n")
    return folder / "p.whl"


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (("uint32 sequence = 16;", "uint32 sequence = 19;"),
         "DataPacket.sequence: ours uint32 = 16, published uint32 = 19"),
        (("int64 joined_at = 6;", "uint32 joined_at = 6;"),
         "ParticipantInfo.joined_at: ours int64 = 6, published uint32 = 6"),
        (("  bool hidden = 7;\n", ""), "ParticipantPermission.hidden: ours only (bool = 7)"),
        (("  MIGRATION = 8;", "  MIGRATION = 18;"), "DisconnectReason.MIGRATION: ours = 8, published = 18"),
        (("    RoomMoved room_moved = 24;", "    Room room_moved = 24;"),
         "SignalResponse.room_moved: ours oneof message livekit.RoomMoved = 24, published oneof message livekit.Room = 24"),
    ],
)  # fmt: skip
def test_a_difference_is_found(
    tool: ModuleType, tmp_path: Path, edit: tuple[str, str], expected: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    listed = tmp_path / "allowed.toml"
    listed.write_text("", encoding="utf-8")
    monkeypatch.setattr(tool, "ALLOWED", listed)
    monkeypatch.setattr(sys, "argv", ["compare", "--package", str(published(tool, tmp_path, edit))])
    assert tool.main() == 1
    assert f"UNLISTED  livekit.{expected}\n1 differences" in capsys.readouterr().out
    listed.write_text(f'[[difference]]\nwhat = "livekit.{expected}"\nreason = "to see it pass"\n', encoding="utf-8")
    assert tool.main() == 0


@pytest.mark.parametrize("edit", [("", ""), ("bool hidden = 7;", "bool hidden = 7; bool more = 99;")])
def test_what_only_they_have_is_none(tool: ModuleType, tmp_path: Path, edit: tuple[str, str]) -> None:
    none = tool.Options([])
    ours = tool.facts_of(tool.compiled(PROTO, tool.SOURCES, tmp_path), none)
    theirs = tool.facts_of(tool.descriptors(published(tool, tmp_path, edit)), none)
    assert ("livekit.ParticipantPermission.more" in theirs) is bool(edit[0])
    assert tool.differences(ours, theirs) == []


def test_their_names_for_ours(tool: ModuleType) -> None:
    ours = {
        "livekit.LeaveAction": "enum",
        "livekit.LeaveAction.RESUME": "= 1",
        "livekit.LeaveRequest.action": "livekit.LeaveAction = 3",
        "livekit.LeaveActions": "enum",
    }
    assert tool.in_their_words(ours, {"livekit.LeaveAction": "livekit.LeaveRequest.Action"}) == {
        "livekit.LeaveRequest.Action": "enum",
        "livekit.LeaveRequest.Action.RESUME": "= 1",
        "livekit.LeaveRequest.action": "livekit.LeaveRequest.Action = 3",
        "livekit.LeaveActions": "enum",
    }


def test_a_wheel_that_is_made_otherwise(tool: ModuleType, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.whl", "w") as archive:
        for module in tool.MODULES:
            archive.writestr(module, "import something_else\n")
    with pytest.raises(SystemExit, match="in another way"):
        tool.descriptors(tmp_path / "p.whl")


def test_every_listed_difference_has_a_reason_and_the_package_a_hash(tool: ModuleType) -> None:
    assert all(tool.allowed(tool.ALLOWED).values())
    assert all(ours.startswith("livekit.") for ours in tool.renamed(tool.ALLOWED))
    version, digest = tool.pinned()
    assert version[0].isdigit()
    assert len(bytes.fromhex(digest)) == 32
