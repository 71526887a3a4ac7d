"""Time zones by the names that people give them: *Berlin*, *UTC+8*, *new york*, *est*."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import available_timezones

from bot.rules.zone import zone_of

COMMON = (
    "America/Los_Angeles",
    "America/New_York",
    "America/Sao_Paulo",
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Istanbul",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
)
"""Those that are offered, from west to east."""

_AREAS = (
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)
_PLACES: Mapping[str, str] = {
    **dict.fromkeys(
        ["et", "est", "edt", "eastern", "washington", "boston", "miami", "atlanta", "philadelphia"],
        "America/New_York",
    ),
    **dict.fromkeys(["ct", "cdt", "central", "houston", "dallas", "austin"], "America/Chicago"),
    **dict.fromkeys(["mt", "mst", "mdt", "mountain"], "America/Denver"),
    **dict.fromkeys(
        ["pt", "pst", "pdt", "pacific", "san francisco", "seattle", "las vegas", "san diego", "la", "sf"],
        "America/Los_Angeles",
    ),
    **dict.fromkeys(["rio", "rio de janeiro", "brasilia", "brazil"], "America/Sao_Paulo"),
    **dict.fromkeys(["buenos aires", "argentina"], "America/Argentina/Buenos_Aires"),
    **dict.fromkeys(["uk", "england", "bst", "edinburgh", "manchester"], "Europe/London"),
    **dict.fromkeys(
        ["cet", "cest", "germany", "munich", "frankfurt", "hamburg", "cologne"],
        "Europe/Berlin",
    ),
    **dict.fromkeys(["geneva", "switzerland"], "Europe/Zurich"),
    **dict.fromkeys(["milan", "italy"], "Europe/Rome"),
    **dict.fromkeys(["barcelona", "spain"], "Europe/Madrid"),
    **dict.fromkeys(["france", "lyon", "marseille"], "Europe/Paris"),
    **dict.fromkeys(["netherlands", "rotterdam"], "Europe/Amsterdam"),
    **dict.fromkeys(["eet", "eest", "kyiv", "ukraine"], "Europe/Kyiv"),
    **dict.fromkeys(["msk", "st petersburg", "saint petersburg", "russia"], "Europe/Moscow"),
    **dict.fromkeys(["uae", "abu dhabi"], "Asia/Dubai"),
    **dict.fromkeys(
        ["ist", "india", "mumbai", "delhi", "new delhi", "bangalore", "bengaluru", "chennai"],
        "Asia/Kolkata",
    ),
    **dict.fromkeys(["beijing", "shenzhen", "guangzhou", "hangzhou", "china"], "Asia/Shanghai"),
    **dict.fromkeys(["hkt", "hong kong"], "Asia/Hong_Kong"),
    **dict.fromkeys(["sgt"], "Asia/Singapore"),
    **dict.fromkeys(["jst", "osaka", "japan"], "Asia/Tokyo"),
    **dict.fromkeys(["kst", "korea", "busan"], "Asia/Seoul"),
    **dict.fromkeys(["hanoi", "saigon", "vietnam"], "Asia/Ho_Chi_Minh"),
    **dict.fromkeys(["thailand"], "Asia/Bangkok"),
    **dict.fromkeys(["aest", "aedt", "canberra"], "Australia/Sydney"),
    **dict.fromkeys(["nz", "new zealand", "wellington"], "Pacific/Auckland"),
    **dict.fromkeys(["nigeria", "abuja"], "Africa/Lagos"),
    **dict.fromkeys(["south africa", "cape town"], "Africa/Johannesburg"),
    **dict.fromkeys(["gmt", "z", "zulu", "utc", "uct", "universal"], "UTC"),
}
"""Places and letters that the database of time zones has not, or has as something else: ``est`` all year."""

_BETWEEN: Mapping[int, str] = {
    -570: "Pacific/Marquesas",
    210: "Asia/Tehran",
    270: "Asia/Kabul",
    330: "Asia/Kolkata",
    345: "Asia/Kathmandu",
    390: "Asia/Yangon",
    525: "Australia/Eucla",
    570: "Australia/Darwin",
}
"""Offsets in minutes that are no whole hours, and whose place has the same all year."""

_OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-])\s*(\d{1,2})(?::?(00|15|30|45))?", re.ASCII)
_EASTMOST, _WESTMOST = 14, 12


def find_zone(text: str) -> str | None:
    """Find the IANA name that somebody means; ``None`` if nothing is called so."""
    wanted = _plain(text)
    if offset := _OFFSET.fullmatch(wanted.replace("−", "-").replace("–", "-")):
        return _fixed(offset[1], int(offset[2]), int(offset[3] or 0))
    return _PLACES.get(wanted) or _names().get(wanted)


def near_zones(text: str, most: int = 3) -> list[str]:
    """Name those that are called most like it, best first."""
    wanted = _plain(text)
    known = {**_names(), **_PLACES}
    found = get_close_matches(wanted, known, n=2 * most, cutoff=0.6)
    found += sorted(name for name in known if len(wanted) > 2 and name.startswith(wanted))
    return list(dict.fromkeys(known[name] for name in found))[:most]


def zones_from(prefix: str, most: int) -> list[str]:
    """List the zones whose name or city begins so; the common ones for nothing."""
    wanted = _plain(prefix)
    if not wanted:
        return list(COMMON)
    known = {**_names(), **_PLACES}
    exact = find_zone(prefix)
    found = sorted(name for name in known if name.startswith(wanted))
    return list(dict.fromkeys([*([exact] if exact else []), *(known[name] for name in found)]))[:most]


def offset_name(zone: str, now: float) -> str:
    """Give how far a zone is from UTC at an instant: ``UTC+5:30``, and ``UTC`` where it is not."""
    offset = datetime.fromtimestamp(now, UTC).astimezone(zone_of(zone)).utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset else 0
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")


def shown(zone: str, now: float) -> str:
    """Name a zone for people: as the database has it, and what is only an offset by that: ``UTC+8``."""
    return offset_name(zone, now) if zone.startswith("Etc/") else zone


def city_of(zone: str) -> str:
    """Give the name of a zone's city: ``New York``."""
    return zone.rpartition("/")[2].replace("_", " ")


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").casefold().split())


def _fixed(sign: str, hours: int, minutes: int) -> str | None:
    if minutes:
        whole = (hours * 60 + minutes) * (1 if sign == "+" else -1)
        return _BETWEEN.get(whole)
    if not hours:
        return "UTC"
    if hours > (_EASTMOST if sign == "+" else _WESTMOST):
        return None
    # In these names the sign is turned round, as POSIX has it.
    return f"Etc/GMT{'-' if sign == '+' else '+'}{hours}"


@lru_cache(maxsize=1)
def _names() -> Mapping[str, str]:
    """Map what each zone is called, whole and by its city, to its name."""
    known = sorted(name for name in available_timezones() if name.partition("/")[0] in _AREAS)
    names = {_plain(city_of(name)): name for name in reversed(known)}
    names.update({_plain(name): name for name in known})
    names["utc"] = "UTC"
    return names
