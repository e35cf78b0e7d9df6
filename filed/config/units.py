"""Numbers with units, as a conf writes them: durations, sizes, speeds.

Each function takes the text right of the equals sign and raises ValueError with a sentence for a person.  What the units
mean was tried with bacula-fd 9.6.7: `m` is months in a duration (`min` or `n` are minutes) and mebibytes in a size.
"""

from __future__ import annotations

import re

DURATIONS = {
    "seconds": 1,
    "minutes": 60,
    "hours": 3600,
    "days": 86400,
    "weeks": 7 * 86400,
    "months": 30 * 86400,
    "quarters": 91 * 86400,
    "years": 365 * 86400,
}
SHORT = {"m": "months", "n": "minutes"}
"""`m` might begin two words; `n` begins none."""
SIZES = {
    "": 1,
    "k": 1 << 10,
    "kb": 10**3,
    "m": 1 << 20,
    "mb": 10**6,
    "g": 1 << 30,
    "gb": 10**9,
    "t": 1 << 40,
    "tb": 10**12,
}
SPEEDS = ("", "k", "kb", "m", "mb")
PART = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?)\s*([a-z]*)", re.IGNORECASE)


def duration_s(text: str) -> int:
    """Seconds of `90`, `90d`, `1 hour 30 minutes`; a number without unit is seconds."""
    total, at = 0.0, 0
    if not text.strip():
        raise ValueError("a time is missing, for example: 1 hour 30 minutes")
    while at < len(text.rstrip()):
        part = PART.match(text, at)
        if not part:
            raise ValueError(f'"{text}" is not a time; write for example: 1 hour 30 minutes')
        total += float(part[1]) * DURATIONS[_duration_unit(part[2].lower())]
        at = part.end()
    return round(total)


def size_bytes(text: str) -> int:
    """Bytes of `64k`, `1.5 gb`; k, m, g, t count by 1024, kb, mb, gb, tb by 1000."""
    return _scaled(text, "size", tuple(SIZES), "")


def speed_bytes_s(text: str) -> int:
    """Bytes a second of `5mb/s`, `512 k/s`, `1000`."""
    return _scaled(text, "speed", SPEEDS, "/s")


def whole_number(text: str) -> int:
    if not re.fullmatch(r"\s*-?[0-9]+\s*", text):
        raise ValueError(f'"{text}" is not a whole number')
    return int(text)


def yes_or_no(text: str) -> bool:
    match text.strip().lower():
        case "yes" | "true":
            return True
        case "no" | "false":
            return False
    raise ValueError(f'"{text}" is neither yes nor no')


def _duration_unit(unit: str) -> str:
    if not unit:
        return "seconds"
    if unit in SHORT:
        return SHORT[unit]
    for name in DURATIONS:
        if name.startswith(unit):
            return name
    raise ValueError(f'"{unit}" is not a unit of time; there are {", ".join(DURATIONS)}, and their beginnings')


def _scaled(text: str, what: str, units: tuple[str, ...], ending: str) -> int:
    whole = re.fullmatch(
        r"\s*([0-9]+(?:\.[0-9]*)?)\s*([a-z]*)" + (f"(?:{ending})?" if ending else "") + r"\s*", text, re.IGNORECASE
    )
    if not whole:
        raise ValueError(f'"{text}" is not a {what}; write for example: 20mb{ending}')
    unit = whole[2].lower()
    if unit not in units:
        raise ValueError(f'"{unit}" is not a unit of {what}; there are {", ".join(filter(None, units))}')
    return int(float(whole[1]) * SIZES[unit])
