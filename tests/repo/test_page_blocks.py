"""Every block of Python in a page is run by a test, or is said to be a fragment, and why."""

from __future__ import annotations

import re
from pathlib import Path

import page_programs
import pytest

ROOT = Path(__file__).parents[2]
ALONE, IN_A_REALM = "drivers/bots/test_page_programs.py", "station/pages/test_page_programs.py"
TESTING = "station/test_example_kit.py::test_the_code_in_the_page_runs"
DRIVER = "station/pages/test_driver_docs.py::test_the_page_shows_the_programs_as_they_are"
MEDIA = "drivers/test_media_docs.py::test_the_page_s_programs_run"

RUN_BY = {
    "README.md": ["station/pages/test_readme.py::test_in_a_realm_of_ws_rooms"] * 2,
    "avatars.md": [f"{IN_A_REALM}::test_avatars", f"{IN_A_REALM}::test_avatars_in_a_realm_of_tests"],
    "bots.md": [f"{ALONE}::test_bots"],
    "company.md": [f"{ALONE}::test_company_greets", f"{ALONE}::test_company_ignores"],
    "driver.md": [DRIVER] * 8,
    "enet.md": [f"{ALONE}::test_enet"],
    "identity.md": [f"{ALONE}::test_identities"],
    "listening.md": ["drivers/bots/test_listening_docs.py::test_the_page_s_programs_run"],
    "logging.md": [f"{ALONE}::test_logging"],
    "media.md": [
        MEDIA,
        MEDIA,
        MEDIA,
        "drivers/test_media_docs.py::test_the_page_s_parrot",
        "drivers/test_media_docs.py::test_the_page_s_policy",
        MEDIA,
    ],
    "network.md": [f"{IN_A_REALM}::test_network_fetches", f"{IN_A_REALM}::test_network_is_in_a_ws_room"],
    "pulse.md": [f"{IN_A_REALM}::test_pulse", f"{ALONE}::test_positions_by_http"],
    "realm.md": [
        "station/pages/test_realm_docs.py::test_the_first_example_of_the_realms_page",
        f"{IN_A_REALM}::test_a_world_with_a_password",
        "a fragment: the scene of a preview is asked for at the Foundation's gatekeeper, on the internet",
        f"{ALONE}::test_a_world_without_a_driver",
    ],
    "recording.md": ["station/recording/test_recording_docs.py::test_the_page_s_program"],
    "records.md": [f"{ALONE}::test_records_write_down_and_read"],
    "rooms.md": [
        f"{ALONE}::test_rooms_merged",
        f"{ALONE}::test_rooms_whisper_where_that_can_be",
        f"{IN_A_REALM}::test_rooms_for_ever",
        "drivers/realm/test_room_host.py::test_the_page_s_program_runs",
    ],
    "station.md": ["station/web/test_station_watch.py::test_the_page_s_program"],
    "tap.md": ["station/pages/test_realm_docs.py::test_the_program_of_the_taps_page", f"{ALONE}::test_tap_shows_some"],
    "testing.md": [TESTING] * 9,
    "walking.md": [f"{IN_A_REALM}::test_walking"],
}
"""For each block of each page, in order: the test that runs it, or that it is a fragment."""


def with_blocks():
    return {page.name: page_programs.blocks(page) for page in page_programs.PAGES if page_programs.blocks(page)}


def test_every_block_is_run_or_a_fragment():
    assert {page: len(blocks) for page, blocks in with_blocks().items()} == {
        page: len(told) for page, told in RUN_BY.items()
    }


@pytest.mark.parametrize("page", RUN_BY)
def test_the_tests_are_there_and_read_the_page(page):
    for told in RUN_BY[page]:
        if not told.startswith("a fragment: "):
            file, _, test = told.partition("::")
            text = (ROOT / "tests" / file).read_text(encoding="utf-8")
            assert f"\ndef {test}(" in text, told
            assert re.search(rf'\b{re.escape(page)}\b"|"{re.escape(page)}"', text), (page, told)


def test_no_block_of_another_kind_hides_a_program():
    """What is shown of Python is marked as such, or nobody would run it."""
    for page in page_programs.PAGES:
        marks = set(re.findall(r"^ *```(\w*) *$", page.read_text(encoding="utf-8"), re.MULTILINE))
        assert marks <= {"", "python", "mermaid"}, page
        plain = re.findall(r"^ *```\n(.*?)^ *```\s*$", _without_marked(page), re.MULTILINE | re.DOTALL)
        assert plain == [], page


def _without_marked(page):
    """A page without its blocks that say what they are."""
    return re.sub(r"^ *```\w+\n.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
