"""Whatever file a page names or links to is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))]


def files():
    told = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if told.returncode:
        pytest.skip("not a checkout")
    return told.stdout.splitlines()


def test_every_module_named_in_a_page_exists():
    there = ["/" + path for path in files()]
    wrong = [
        (page, name)
        for page in PAGES
        for name in re.findall(r"`([\w/.-]+\.(?:py|proto|toml))`", (ROOT / page).read_text(encoding="utf-8"))
        # ARCHITECTURE.md calls the two packages core and drivers.
        if not any(path.endswith("/" + re.sub(r"^(core|drivers)/(\.\.\./)?", "", name)) for path in there)
    ]
    assert wrong == []


def test_every_link_leads_to_a_file():
    wrong = [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
        if not (ROOT / page).parent.joinpath(target).exists()
    ]
    assert wrong == []


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    linked = [target for target in re.findall(r"\]\(([^)]+)", index) if not target.startswith("..")]
    assert sorted(linked) == sorted(path.name for path in ROOT.glob("docs/*.md") if path.name != "README.md")
    assert "(docs/README.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
