"""What is recorded is saved, handed out and played: with the time line, at other speeds, packet by packet."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from dcl_comms_station.recording import open_recording

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

RECORD = ".top [aria-keyshortcuts=r]"
AT = ".time .at"


def taken(page, press):
    """What the browser saves when this is pressed."""
    with page.expect_download() as waiting:
        press()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def seconds(page):
    """Where the replay is, and how long it is."""
    at, _, whole = page.locator(AT).inner_text().partition(" / ")
    return tuple(int(minutes) * 60 + int(rest) for minutes, _, rest in (one.partition(":") for one in (at, whole)))


def test_recorded_saved_and_played(station, visit, expect, tmp_path):
    page = visit(station("--recordings", str(tmp_path)).url)
    expect(page.locator(".pill")).to_have_text("connected")
    page.click(RECORD)
    expect(page.locator(RECORD)).to_have_text(re.compile(r"^00:0[2-9] · [\d.]+ k?B$"))
    page.fill("#say", "on the record")
    page.press("#say", "Enter")
    expect(page.locator(".message.ours .text")).to_have_text("on the record")
    expect(page.locator(RECORD)).to_have_text(re.compile(r"^00:(0[5-9]|[1-9])"))
    page.click(RECORD)

    # It is saved, and can be had at once: as it is, or as a table.
    dialog = page.locator("dialog")
    expect(dialog.locator("h2")).to_have_text("The recording is saved")
    name, data = taken(page, lambda: dialog.locator(".button.main").click())
    assert data == (tmp_path / name).read_bytes()
    with open_recording(tmp_path / name) as recorded:
        assert recorded.whole
    page.select_option("dialog select", "csv")
    page.fill("dialog input[type=text]", "kind:(")
    dialog.locator(".button.main").click()
    expect(dialog.locator(".problem")).to_contain_text("column 6")
    page.fill("dialog input[type=text]", "kind:chat")
    page.check("dialog input[type=checkbox]")
    table, lines = taken(page, lambda: dialog.locator(".button.main").click())
    assert table == name.replace(".mcap", ".csv")
    rows = list(csv.DictReader(lines.decode().splitlines()))
    assert {row["kind"] for row in rows} == {"chat"}
    assert b"on the record" not in lines

    # Played: from the beginning, faster, from a place that was clicked at.
    dialog.locator("text=Leave the room and play it").click()
    expect(page.locator(".pill")).to_have_text("recording")
    expect(page.locator("#map-summary")).to_contain_text("3 peers in view")
    expect(page.locator("#say")).to_be_disabled()
    page.select_option(".time select", "16")
    expect(page.locator(".message .text", has_text="on the record")).to_be_visible()
    # At its end it stops; there is nothing more to come.
    expect(page.locator(".time [aria-label=Play]")).to_be_visible()
    at, whole = seconds(page)
    assert (at, whole >= 4) == (whole, True)
    line = page.locator(".time .line")
    line.click(position={"x": line.bounding_box()["width"] * 0.5, "y": 10})
    expect(page.locator(AT)).not_to_have_text(re.compile(f":0?{whole} / "))
    assert abs(seconds(page)[0] - whole / 2) <= 1
    line.press("Home")
    expect(page.locator(AT)).to_have_text(re.compile("^00:00 / "))
    expect(page.locator(".message .text", has_text="on the record")).to_have_count(0)

    # Packet by packet, those that the filter lets through.
    page.click("#tab-packets")
    page.fill("#filter", "kind:chat")
    expect(page.locator(".time .hidden", has_text="Steps go to packets that match kind:chat")).to_have_count(1)
    page.click(".time [aria-keyshortcuts=']']")
    rows = page.locator(".grid.packets .body .row")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("on the record")

    # Handed out from here too, and from the list of the start page.
    page.click(".time [aria-label='Save this recording']")
    again, same = taken(page, lambda: dialog.locator(".button.main").click())
    assert (again, same) == (name, data)
    page.keyboard.press("Escape")
    page.click("[aria-label='Leave, back to the start']")
    page.click(f"[aria-label='Save {name}']")
    assert taken(page, lambda: dialog.locator(".button.main").click())[1] == data
