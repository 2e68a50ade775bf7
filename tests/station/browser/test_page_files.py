"""The files of the Station's page as they are served: small, their own, and nothing that its policy forbids."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import dcl_comms_station

STATIC = Path(dcl_comms_station.__file__).parent / "web" / "static"
AT_START = ("index.html", "station.css", "station.js", "icon.svg")
START_BYTES, ALL_BYTES = 80_000, 130_000


def packed(names):
    return sum(len(gzip.compress((STATIC / name).read_bytes(), 9)) for name in names)


def test_budget():
    everything = [path.name for path in STATIC.iterdir()]
    assert set(AT_START) < set(everything)
    assert packed(AT_START) <= START_BYTES
    assert packed(everything) <= ALL_BYTES


def test_nothing_from_elsewhere():
    for path in STATIC.iterdir():
        if path.name == "licences.txt":
            continue
        text = path.read_text(encoding="utf-8")
        for url in re.findall(r"(?:https?|wss?):\/\/[^\s\"'`<>)]*", text):
            # Names of XML vocabularies, what a field shows as an example, and our own socket.
            assert re.match(r"http://www\.w3\.org/|https://realm\.example|wss://…|ws://\$\{location\.host\}", url), url
        assert "sourceMappingURL" not in text


def test_nothing_inline():
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert "style=" not in page
    assert "<style" not in page
    assert re.findall(r"<script[^>]*>(.*?)</script>", page) == [""]
    assert not re.search(r"\son\w+=", page)
    script = (STATIC / "station.js").read_text(encoding="utf-8")
    for forbidden in ("eval(", "new Function", "document.write", "insertAdjacentHTML"):
        assert forbidden not in script


def test_licences_of_what_is_inside():
    text = (STATIC / "licences.txt").read_text(encoding="utf-8")
    for name in ("preact", "@preact/signals", "@preact/signals-core", "uplot"):
        assert f"{name}\n\n" in text
