"""Time zones by the names that people give them, and clocks at the switches of daylight saving time."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.hours import Quiet
from bot.alerts.message import Button
from bot.alerts.translator import ENGLISH
from bot.commands.zones import COMMON, city_of, find_zone, near_zones, offset_name, shown, zones_from
from bot.rules import fix, parse
from bot.rules.zone import is_zone

ZONES = available_timezones()
WINTER = datetime(2026, 1, 15, 12, tzinfo=UTC).timestamp()
SUMMER = datetime(2026, 7, 15, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("said", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("  New   York ", "America/New_York"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("san francisco", "America/Los_Angeles"),
        ("EST", "America/New_York"),
        ("utc", "UTC"),
        ("UTC+8", "Etc/GMT-8"),
        ("gmt -3", "Etc/GMT+3"),
        ("−5", "Etc/GMT+5"),
        ("UTC+5:30", "Asia/Kolkata"),
        ("+0545", "Asia/Kathmandu"),
        ("UTC+0", "UTC"),
        ("UTC+15", None),
        ("UTC-13", None),
        ("UTC+5:15", None),
        ("berlni", None),
        ("", None),
    ],
)
def test_a_zone_is_found_by_what_people_call_it(said: str, zone: str | None) -> None:
    assert find_zone(said) == zone


def test_an_offset_is_as_far_from_utc_as_it_says() -> None:
    for hours in range(-12, 15):
        zone = find_zone(f"UTC{hours:+}")
        assert zone is not None
        offset = datetime.fromtimestamp(SUMMER, UTC).astimezone(ZoneInfo(zone)).utcoffset()
        assert offset is not None
        assert offset.total_seconds() == hours * 3600


@pytest.mark.parametrize(
    ("said", "near"), [("berlni", "Europe/Berlin"), ("lodnon", "Europe/London"), ("tokio", "Asia/Tokyo")]
)
def test_the_nearest_zone_is_named(said: str, near: str) -> None:
    assert near_zones(said)[0] == near


def test_common_zones_are_offered_with_buttons_that_work() -> None:
    assert [offset_name(zone, WINTER) for zone in COMMON[:6]] == [
        "UTC−8",
        "UTC−5",
        "UTC−3",
        "UTC",
        "UTC",
        "UTC+1",
    ]
    assert offset_name("Europe/Berlin", SUMMER) == "UTC+2"
    assert (city_of("America/New_York"), shown("Etc/GMT-8", WINTER)) == ("New York", "UTC+8")
    for zone in COMMON:
        assert find_zone(zone) == zone
        assert Button(zone, f"/timezone {zone}").is_sound


def test_what_is_typed_is_completed() -> None:
    assert zones_from("", 25) == list(COMMON)
    assert zones_from("ber", 25)[:2] == ["Europe/Berlin", "Atlantic/Bermuda"]
    assert zones_from("+8", 25) == ["Etc/GMT-8"]


@settings(max_examples=40)
@given(st.text(max_size=40))
def test_whatever_is_said_is_no_zone_or_one_that_exists(text: str) -> None:
    zone = find_zone(text)
    assert zone is None or zone in ZONES
    assert all(one in ZONES for one in near_zones(text))


# --- the switches -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "written", "until"),
    [
        # In spring the hour from 2 to 3 is left out: a time in it is an hour later.
        ("2026-03-28T12:00", "2026-03-29 01:59", "2026-03-29T00:59"),
        ("2026-03-28T12:00", "2026-03-29 02:30", "2026-03-29T01:30"),
        ("2026-03-28T12:00", "2026-03-29 03:00", "2026-03-29T01:00"),
        # In autumn it comes twice: the alert lives until the second.
        ("2026-10-24T12:00", "2026-10-25 01:59", "2026-10-24T23:59"),
        ("2026-10-24T12:00", "2026-10-25 02:30", "2026-10-25T01:30"),
        ("2026-10-24T12:00", "2026-10-25 03:00", "2026-10-25T02:00"),
        # A day is as long as it is there.
        ("2026-03-28T12:00", "2026-03-29", "2026-03-29T22:00"),
        ("2026-10-24T12:00", "2026-10-25", "2026-10-25T23:00"),
    ],
)
def test_until_is_read_on_the_persons_clock_at_both_switches(now: str, written: str, until: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp()
    rule = fix(parse(f"btc < 1 until {written}"), at, "Europe/Berlin")
    assert rule.options.until == datetime.fromisoformat(until).replace(tzinfo=UTC)


def test_times_are_told_on_the_clock_of_the_person_at_both_switches() -> None:
    berlin = ENGLISH.in_timezone("Europe/Berlin")
    told = [
        berlin.instant(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp())
        for at in ("2026-03-29T00:59", "2026-03-29T01:00", "2026-10-25T00:59", "2026-10-25T01:00")
    ]
    assert told == [
        "01:59 CET, Mar 29, 2026",
        "03:00 CEST, Mar 29, 2026",
        "02:59 CEST, Oct 25, 2026",
        "02:00 CET, Oct 25, 2026",
    ]


@pytest.mark.parametrize("gone", ["Mars/Olympus_Mons", "", "../etc/passwd", "US/Pacific-New", "x" * 300])
def test_a_clock_that_the_database_has_given_up_is_utc(gone: str) -> None:
    assert ENGLISH.in_timezone(gone).instant(WINTER, WINTER) == "12:00 UTC"
    assert fix(parse("btc < 1 until 2026-01-15 13:00"), WINTER, gone).options.until == datetime(
        2026, 1, 15, 13, tzinfo=UTC
    )
    assert Quiet(23 * 60, 13 * 60).ends_at(gone, WINTER) == WINTER + 3600
    assert not is_zone(gone) and is_zone("UTC") and is_zone("Europe/Berlin")
