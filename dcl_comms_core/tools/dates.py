"""Dates as text: ISO 8601 in login messages, HTTP dates in ``Retry-After``.

Times are UTC in the proleptic Gregorian calendar.  Written out because Python's own modules for this load
``time`` or read the clock, and accept more than they should.
"""

from __future__ import annotations

import math
import re
from typing import Final

__all__ = ["iso_date", "milliseconds", "parse_http_date", "parse_iso_date"]

_DAY: Final = 86_400
_MINUTES_A_DAY: Final = 1_440
_FIRST: Final = -62_135_596_800_000
_LAST: Final = 253_402_300_799_999
"""The first and the last millisecond of the years 1 to 9999."""

# What JavaScript reads of it, but for hour 24 and days that a month does not have.
_ISO = re.compile(
    r"([0-9]{4}|\+[0-9]{6})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2}))?)?"
)
_MONTHS: Final = "janfebmaraprmayjunjulaugsepoctnovdec"
_MONTH = r"([A-Za-z]{3})"
_CLOCK = r"([0-9]{2}):([0-9]{2}):([0-9]{2})"
# RFC 9110, 5.6.7: the form to send, and two obsolete ones that a recipient has to accept.
_IMF = re.compile(rf"[A-Za-z]{{3}}, ([0-9]{{2}}) {_MONTH} ([0-9]{{4}}) {_CLOCK} GMT")
_RFC850 = re.compile(rf"[A-Za-z]{{6,9}}, ([0-9]{{2}})-{_MONTH}-([0-9]{{2}}) {_CLOCK} GMT")
_ASCTIME = re.compile(rf"[A-Za-z]{{3}} {_MONTH} ([ 0-9][0-9]) {_CLOCK} ([0-9]{{4}})")


def milliseconds(unix: float) -> int | None:
    """Return the nearest whole millisecond of the years 1 to 9999, or None."""
    if not (math.isfinite(unix) and abs(unix) <= _LAST):
        return None
    whole = round(unix * 1000)
    return whole if _FIRST <= whole <= _LAST else None


def iso_date(millis: int) -> str:
    """Write milliseconds (years 1 to 9999) as JavaScript does: ``2031-06-15T12:34:56.789Z``."""
    seconds, thousandths = divmod(millis, 1000)
    days, second = divmod(seconds, _DAY)
    # Howard Hinnant's civil_from_days: years begin in March, so that the leap day is a year's last.
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = (shifted + 2) % 12 + 1
    year = year_of_era + era * 400 + (month <= 2)  # noqa: PLR2004  # January and February
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{year:04}-{month:02}-{day:02}T{clock}.{thousandths:03}Z"


def parse_iso_date(text: str) -> int | None:
    """Read an ISO 8601 date as milliseconds; None if it is none.

    Without a zone it is UTC, as for servers in containers, which have no other; without a time it is midnight.  Digits
    after milliseconds are cut off.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(group or 0) for group in match.groups()[:6])
    seconds = _unix(year, month, day, (hour, minute, second))
    offset = int(match[9] or 0) * 60 + int(match[10] or 0)
    if seconds is None or offset >= _MINUTES_A_DAY:
        return None
    if match[8] == "+":
        offset = -offset
    return (seconds + 60 * offset) * 1000 + int((match[7] or "0").ljust(3, "0")[:3])


def parse_http_date(text: str, *, unix_now: float) -> int | None:
    """Read an HTTP date as unix seconds; None if it is none.  ``unix_now`` tells which century a short year means."""
    if match := _IMF.fullmatch(text):
        day, month, year, *clock = match.groups()
    elif match := _RFC850.fullmatch(text):
        day, month, year, *clock = match.groups()
        this_year = 1970 + int(unix_now // (365.2425 * _DAY))
        # A year that seems more than 50 years ahead is the last one with these digits.
        ahead = (int(year) - this_year) % 100
        year = str(this_year + (ahead - 100 if ahead > 50 else ahead))  # noqa: PLR2004  # RFC 9110's number
    elif match := _ASCTIME.fullmatch(text):
        month, day, *clock, year = match.groups()
    else:
        return None
    place, odd = divmod(_MONTHS.find(month.lower()), 3)
    if odd:
        return None
    return _unix(int(year), place + 1, int(day), (int(clock[0]), int(clock[1]), int(clock[2])))


def _unix(year: int, month: int, day: int, clock: tuple[int, int, int]) -> int | None:
    hour, minute, second = clock
    if not (year and 1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):  # noqa: PLR2004  # a calendar
        return None
    if not 1 <= day <= _days_in(year, month):
        return None
    shifted = year - (month <= 2)  # noqa: PLR2004  # as in iso_date
    era, year_of_era = divmod(shifted, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468
    return days * _DAY + hour * 3600 + minute * 60 + second


def _days_in(year: int, month: int) -> int:
    if month == 2:  # noqa: PLR2004  # February
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in {4, 6, 9, 11} else 31
