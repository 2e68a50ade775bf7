"""`make watch` on what npm and pip really said, and what it is told of against what is installed for the tests."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import livekit_versions
import pytest
import watch

ROOT = Path(__file__).parents[2]
DAY = date(2026, 11, 30)

# npm view @dcl/crypto dist-tags.latest time --json, without most of its dates
CRYPTO = """{
  "dist-tags.latest": "3.7.0",
  "time": {
    "3.6.0": "2026-05-05T22:21:00.802000+00:00",
    "3.7.0": "2026-07-17T12:43:59.756000+00:00"
  }
}"""
# npm view @dcl/crypto-middleware dist-tags.latest time --json, without a part of its advice
NOWHERE = """{
  "error": {
    "code": "E404",
    "summary": "Not Found - GET .../@dcl%2fcrypto-middleware",
    "detail": "The requested resource '@dcl/crypto-middleware@*' could not be found or you do not have permission to access it."
  }
}"""
# The same where nobody listens.
REFUSED = """{
  "error": {
    "code": "ECONNREFUSED",
    "summary": "FetchError: request to http://127.0.0.1:9/@dcl%2fcrypto failed, reason: connect ECONNREFUSED 127.0.0.1:9",
    "detail": "If you are behind a proxy, please make sure that the 'proxy' config is set properly.  See: 'npm help config'"
  }
}"""
# pip index versions livekit, without some older ones
LIVEKIT = """livekit (1.2.1)
Available versions: 1.2.1, 1.2.0, 1.1.21, 1.1.20, 1.1.9, 1.0.25, 1.0.23, 1.0.9, 0.22.0, 0.21.3, 0.0.1
"""


def tried(*versions: str, name: str = "@dcl/crypto", on: str = "npm") -> watch.Tried:
    return watch.Tried(name=name, on=on, versions=list(versions), day=DAY, then="its tests")


@pytest.mark.parametrize(
    ("before", "answer", "new", "text"),
    [
        (["3.7.0"], CRYPTO, False, "as tried  @dcl/crypto 3.7.0, tried on 2026-11-30"),
        (["3.6.0"], CRYPTO, True, "NEW       @dcl/crypto 3.7.0 of 2026-07-17"),
        ([], CRYPTO, True, "NEW       @dcl/crypto 3.7.0 of 2026-07-17"),
        ([], NOWHERE, False, "as tried  @dcl/crypto on no registry, tried on 2026-11-30"),
        (["3.7.0"], NOWHERE, True, "GONE      @dcl/crypto"),
    ],
)
def test_what_npm_says(before, answer, new, text):
    verdict = watch.judge(tried(*before), watch.npm_latest(answer))
    assert verdict.new is new
    assert verdict.text.startswith(text)
    if text.startswith("NEW"):
        assert "then: its tests" in verdict.text


@pytest.mark.parametrize(("answer", "code"), [(REFUSED, "ECONNREFUSED"), ("", "no answer")])
def test_a_registry_that_does_not_answer_is_nothing_new(answer, code):
    with pytest.raises(watch.Unanswered, match=code):
        watch.npm_latest(answer)


@pytest.mark.parametrize(
    ("before", "new"),
    [
        (["1.0.25", "1.1.21", "1.2.1"], []),
        (["1.0.25", "1.1.20", "1.2.1"], ["1.1.21"]),
        (["1.0.23", "1.1.21"], ["1.0.25", "1.2.1"]),
        (["1.2.1"], []),
    ],
)
def test_the_last_wheel_of_each_series_counts(before, new):
    known = livekit_versions.read_listing(LIVEKIT)
    published = watch.series(known, min(map(livekit_versions.version, before)))
    verdict = watch.judge(tried(*before, name="livekit", on="pypi"), published)
    assert verdict.new is bool(new)
    assert verdict.text.startswith(f"NEW       livekit {', '.join(new)}\n" if new else "as tried  livekit")


def test_the_exit_code_says_whether_something_is_new():
    same, new, unknown = (watch.Verdict(kind, "") for kind in (False, True, None))
    codes = {(same, same): 0, (same, new): 1, (unknown, new): 1, (unknown, same): 2}
    assert {pair: watch.exit_code(list(pair)) for pair in codes} == codes


def test_what_was_tried_is_what_the_tests_install():
    pinned = {}
    for file in (ROOT / "tests" / "interop" / "npm").glob("*/package.json"):
        pinned |= json.loads(file.read_text())["dependencies"]
    listed = {entry.name: entry.versions for entry in watch.tried() if entry.on == "npm"}
    both = pinned.keys() & listed.keys()
    assert both == {"@dcl/crypto", "@dcl/platform-crypto-middleware", "@dcl/sdk-commands", "livekit-client"}
    assert {name: [pinned[name]] for name in both} == {name: listed[name] for name in both}
    assert pinned["@dcl/sdk"] == pinned["@dcl/sdk-commands"]
