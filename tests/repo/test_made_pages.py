"""Pages that are made: of what the code says, whole, and found out where they are not; of what was measured."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import get_args

import docstrings
import events_page
import generated
import performance_page
import pytest
import settings_page
from dcl_comms_drivers.settings import Options, Settings

from dcl_comms_core import Event

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".ci" / "tools"


@pytest.mark.parametrize("tool", ["events_page", "settings_page"])
def test_the_page_is_what_the_code_says(tool):
    done = subprocess.run(
        [sys.executable, str(TOOLS / f"{tool}.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_event_has_a_section_with_its_fields():
    page = events_page.page()
    for kind in get_args(Event):
        section = page.partition(f"\n### {kind.__name__}\n")[2].partition("\n##")[0]
        own = kind.__annotations__.keys()
        assert section.strip(), kind
        for field in dataclasses.fields(kind):
            if field.name in own and not field.name.startswith("_"):
                assert f"\n* `{field.name}: " in section, (kind, field.name)


def test_every_default_is_the_one_that_holds():
    given = settings_page.defaults()
    assert given.keys() == Settings.__annotations__.keys()
    assert Options.of(Settings(**given)) == Options.of({})
    rows = [line.split(" | ") for line in settings_page.page().splitlines() if line.startswith("| `")]
    assert {row[0].strip("| `") for row in rows} >= given.keys()


def test_a_field_without_a_docstring_ends_the_tool():
    with pytest.raises(SystemExit, match=r"^Bare\.silent has no docstring$"):
        events_page.fields_shown(Bare, docstrings.fields_of(Bare))


@pytest.mark.parametrize("page", [events_page, settings_page])
def test_what_no_family_has_ends_the_tool(page, monkeypatch):
    family = next(iter(page.FAMILIES))
    monkeypatch.setitem(page.FAMILIES, family, page.FAMILIES[family][1:])
    gone = "RoomOpened" if page is events_page else "wallet"
    with pytest.raises(SystemExit, match=rf"FAMILIES in \.ci/tools/\w+\.py: {gone}$"):
        page.page()


def test_a_page_is_written_and_one_that_says_something_else_is_found(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    monkeypatch.setattr(generated, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["somewhere/made.py", "--check"])
    with pytest.raises(SystemExit, match=r"^page\.md is not what the code says: python \.ci/tools/made\.py$"):
        generated.keep(page, "new")
    monkeypatch.setattr(sys, "argv", ["made.py"])
    generated.keep(page, "new")
    assert page.read_text() == "new"
    monkeypatch.setattr(sys, "argv", ["made.py", "--check"])
    generated.keep(page, "new")
    with pytest.raises(SystemExit):
        generated.keep(page, "newer")


def test_what_a_source_says_of_a_class():
    assert docstrings.paragraphs(Bare) == ["Says `this`.", "And more of it."]
    told = docstrings.fields_of(Bare)
    assert [one.name for one in told] == ["metres", "silent", "double"]
    assert told[0] == ("metres", "float", "2.0", "A length | a width.")
    assert told[2] == ("double", "float", "", "Twice as much.")
    assert docstrings.cell(told[0].text) == r"A length \| a width."
    assert [(one.name, one.text) for one in docstrings.members(Two)] == [("ONE", "the first"), ("TWO", "The other.")]


def test_what_was_measured_is_written_and_what_was_not_stays():
    old = performance_page.PAGE.read_text(encoding="utf-8")
    rows = [{"bench": "codec", "case": "chat, decode", "ratio": 0.123}]
    new = performance_page.page({"made": "today", "with": {"python": "9"}, "rows": rows}, old)
    assert "| chat |  | 0.12 |" in new
    assert "Measured today with python 9," in new
    assert new.count("`make bench ONLY=codec` repeats it.") == 1
    assert new.partition("<!-- livekit -->")[2] == old.partition("<!-- livekit -->")[2] != ""
    assert new.partition("<!-- speed")[0] == old.partition("<!-- speed")[0]
    rows = [{"bench": "unused", "case": "chores, none of them there, 64 a turn", "ratio": 1.234}]
    new = performance_page.page({"made": "today", "with": {"python": "9"}, "rows": rows}, old)
    assert "| chores, none of them there |  | 1.23 |" in new
    assert new.partition("<!-- unused -->")[0] == old.partition("<!-- unused -->")[0] != new
    row = {"bench": "server", "case": "60 B, a room of 2", "unit": "packets/s", "ours": 61234.5, "baseline": 0.1234}
    rows = [{**row, "baseline_name": "somebody", "ratio": 1.5}]
    new = performance_page.page({"made": "today", "with": {"python": "9"}, "rows": rows}, old)
    assert "| 60 B, a room of 2 | packets/s | 61234 | 0.123, somebody | 1.50 |" in new
    assert performance_page.page({"made": "", "with": {}, "rows": []}, old) == old
    with pytest.raises(SystemExit, match="has no <!-- speed: made by `make bench-page` -->"):
        performance_page.page({"made": "", "with": {}, "rows": []}, "")


@dataclasses.dataclass
class Bare:
    """Says ``this``.

    And more
    of it.
    """

    metres: float = 2.0
    """A length
    | a width."""
    silent: bool = False
    _hidden: int = 0

    @property
    def double(self) -> float:
        """Twice as much."""
        return 2 * self.metres

    def verb(self) -> None:
        """None of it."""


class Two(Enum):
    ONE = "the first"
    TWO = "2"
    """The other."""
