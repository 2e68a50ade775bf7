"""A fragment of news has a legal name, and one or two sentences."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "newsfragments"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
KINDS = [kind["directory"] for kind in SETTINGS["type"]]
FRAGMENTS = sorted(path for path in FOLDER.iterdir() if path.name != "README.md")


def problem(name: str, text: str) -> str:
    """What is wrong with a fragment; empty: nothing."""
    if not re.fullmatch(rf"[a-z0-9]+(-[a-z0-9]+)*\.({'|'.join(KINDS)})\.md", name):
        return "its name"
    # A dot inside of code, or of a file's name, ends no sentence.
    ends = re.findall(r"[.!?](?=\s|$)", re.sub(r"`[^`]*`", "code", text.strip()))
    if text.strip()[-1:] not in {".", "!", "?"} or len(ends) not in {1, 2}:
        return "not one or two sentences"
    return "" if len(text) <= 400 and "\n" not in text.strip() else "too long, or more than a line"


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_every_fragment_is_one(path):
    assert problem(path.name, path.read_text(encoding="utf-8")) == ""


def test_the_kinds_are_those_that_the_readme_names():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"[a-z]+", re.search(r"<([a-z|]+)>", readme)[1])) == set(KINDS)
    assert (FOLDER / "README.md").parent.name == SETTINGS["directory"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("word.fix.md", "It works."),
        ("Two Words.misc.md", "It works."),
        ("word.misc.txt", "It works."),
        ("word.misc.md", ""),
        ("word.misc.md", "It works"),
        ("word.misc.md", "One. Two. Three."),
        ("word.misc.md", "It works,\nand more."),
    ],
)
def test_what_is_none_is_found(name, text):
    assert problem(name, text)
