"""Dates as text, against Python's own datetime and email.utils."""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcl_comms_core.tools.dates import iso_date, milliseconds, parse_http_date, parse_iso_date

UTC = dt.UTC
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
moments = st.datetimes(timezones=st.just(UTC))
zones = st.integers(-1439, 1439).map(lambda m: dt.timezone(dt.timedelta(minutes=m)))


def millis(moment: dt.datetime) -> int:
    return (moment - EPOCH) // dt.timedelta(milliseconds=1)


@given(moments)
def test_iso_both_ways(moment: dt.datetime) -> None:
    text = iso_date(millis(moment))
    assert text == moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    assert parse_iso_date(text) == millis(moment)


@given(moments.filter(lambda m: 1 < m.year < 9999), zones)
def test_iso_with_a_zone(moment: dt.datetime, zone: dt.timezone) -> None:
    moment = moment.replace(tzinfo=zone)
    assert parse_iso_date(moment.isoformat(timespec="microseconds")) == millis(moment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.5Z", 500),
        ("1970-01-01T00:00:01.0019Z", 1001),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:00:00-01:00", 0),
        ("2000-02-29T00:00:00Z", 951_782_400_000),
        ("1900-02-29T00:00:00Z", None),
        ("2024-02-30T00:00:00Z", None),
        ("2024-04-31T00:00:00Z", None),
        ("2024-13-01T00:00:00Z", None),
        ("2024-00-01T00:00:00Z", None),
        ("2024-01-00T00:00:00Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("2024-01-01T24:00:00Z", None),
        ("2024-01-01T00:60:00Z", None),
        ("2024-01-01T00:00:60Z", None),
        ("2024-01-01T00:00:00+24:00", None),
        # As JavaScript reads them, in UTC.
        ("2031-06-15T12:34:56", 1_939_293_296_000),
        ("2031-06-15T12:34:56.1234567", 1_939_293_296_123),
        ("2031-06-15T12:34", 1_939_293_240_000),
        ("2031-06-15T12:34Z", 1_939_293_240_000),
        ("2031-06-15T12:34:56+0000", 1_939_293_296_000),
        ("2031-06-15T12:34:56-0130", 1_939_298_696_000),
        ("2031-06-15t12:34:56z", 1_939_293_296_000),
        ("2031-06-15 12:34:56", 1_939_293_296_000),
        ("2031-06-15", 1_939_248_000_000),
        ("+012031-06-15T12:34:56Z", 317_508_813_296_000),
        ("+275760-09-13T00:00:00.000Z", 8_640_000_000_000_000),
        ("12031-06-15T12:34:56Z", None),
        ("-000001-01-01T00:00:00Z", None),
        ("2031-06-15T12:34:56+00", None),
        ("2031-06-15T12:34:56,5Z", None),
        ("2031-06-15T12:34:56 Z", None),
        ("2031-06-15T12Z", None),
        ("2031-06-15Z", None),
        ("2031-06-15T", None),
        ("2024-01-01T00:00:00Z\n", None),
        ("٢٠٢٤-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_iso_table(text: str, expected: int | None) -> None:
    assert parse_iso_date(text) == expected


@pytest.mark.parametrize(
    ("unix", "expected"),
    [
        (0.0, 0),
        (1_579_561_031.334, 1_579_561_031_334),
        (253_402_300_799.999, 253_402_300_799_999),
        (253_402_300_800.0, None),
        (-62_135_596_800.0, -62_135_596_800_000),
        (-62_135_596_801.0, None),
        (float("nan"), None),
        (float("inf"), None),
        (1e300, None),
    ],
)
def test_milliseconds(unix: float, expected: int | None) -> None:
    assert milliseconds(unix) == expected


@given(moments.filter(lambda m: m.year >= 1900))
def test_http_dates_in_all_three_forms(moment: dt.datetime) -> None:
    moment = moment.replace(microsecond=0)
    unix = millis(moment) // 1000
    assert parse_http_date(format_datetime(moment, usegmt=True), unix_now=0.0) == unix
    asctime = moment.strftime("%a %b ") + f"{moment.day:2} " + moment.strftime("%H:%M:%S ") + f"{moment.year:04}"
    assert parse_http_date(asctime, unix_now=0.0) == unix
    rfc850 = moment.strftime("%A, %d-%b-%y %H:%M:%S GMT")
    assert parse_http_date(rfc850, unix_now=float(unix)) == unix


@pytest.mark.parametrize(
    ("year", "expected"),
    [("94", 1994), ("24", 2024), ("73", 2073), ("75", 1975)],
)
def test_a_short_year_is_at_most_fifty_years_ahead(year: str, expected: int) -> None:
    unix = parse_http_date(f"Sunday, 06-Nov-{year} 08:49:37 GMT", unix_now=1_700_000_000.0)
    assert unix == millis(dt.datetime(expected, 11, 6, 8, 49, 37, tzinfo=UTC)) // 1000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Anf 1994 08:49:37 GMT",
        "Sun, 06 Xyz 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun Nov  0 08:49:37 1994",
    ],
)
def test_what_is_no_http_date(text: str) -> None:
    assert parse_http_date(text, unix_now=0.0) is None
