"""What a person wrote for an agent's options, checked against what the agent says it takes.

The agent gets each value in one form (bplugin.h, BP_OPTION_*): BOOL yes or no, SIZE in bytes, DURATION in seconds, a
PATH absolute. Values that come from a Director are not trusted: only options flagged FROM_DIRECTOR may.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from types import MappingProxyType

from filed.agents.abi import OptionFlag, OptionType
from filed.agents.descriptor import Descriptor, OptionSpec
from filed.agents.secret import Secret
from filed.errors import ConfigError

MASK = "********"
_YES, _NO = frozenset({"yes", "true", "on", "1"}), frozenset({"no", "false", "off", "0"})
# As Bacula has them: k is 1024 and kb 1000.
_SIZE_UNITS = {"": 1}
_SIZE_UNITS |= {letter: 1024**power for power, letter in enumerate("kmgtp", 1)}
_SIZE_UNITS |= {letter + "b": 1000**power for power, letter in enumerate("kmgtp", 1)}
_SIZE_UNITS |= {letter + "ib": 1024**power for power, letter in enumerate("kmgtp", 1)}
_DURATION_UNITS = {
    "": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1, "n": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400, "w": 604800, "week": 604800,
    "weeks": 604800,
}  # fmt: skip
_QUANTITY = re.compile(r"(\d+)\s*([a-z]*)\s*", re.ASCII)
_INT_LIMIT = 2**63


@dataclass(frozen=True, slots=True)
class Settings:
    """An instance's options, ready for `option()`, in order; and the secrets, which it asks for by key."""

    options: tuple[tuple[str, str], ...] = ()
    secrets: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}))


def check_options(
    about: Descriptor,
    conf: Iterable[tuple[str, str]] = (),
    director: Iterable[tuple[str, str]] = (),
    restore: Iterable[tuple[str, str]] = (),
) -> Settings:
    """Checks every value. An option that the Director gives replaces the conf's, unless it REPEATS; so does one chosen for a restore.

    Raises ConfigError naming agent, option, what is wrong and what would be right; never a secret's value.
    """
    known = {spec.key: spec for spec in about.options}
    given = list(_of_conf(about, known, conf))
    from_director, chosen = set[str](), set[str]()
    for key, value in director:
        spec = _spec(about, known, key)
        if not spec.flags & OptionFlag.FROM_DIRECTOR:
            raise ConfigError(
                f"agent {about.id}: option {key} may only be set in this machine's conf, not by a Director"
            )
        if not spec.flags & OptionFlag.REPEATS:
            given = [pair for pair in given if pair[0].key != key]
        given.append((spec, value))
        from_director.add(key)
    for key, value in restore:
        spec = _spec(about, known, key)
        if not spec.flags & OptionFlag.AT_RESTORE:
            may = ", ".join(one.key for one in about.options if one.flags & OptionFlag.AT_RESTORE) or "none"
            raise ConfigError(f"agent {about.id}: option {key} cannot be chosen for a restore; those that can: {may}")
        if key not in chosen or not spec.flags & OptionFlag.REPEATS:
            given = [pair for pair in given if pair[0].key != key]
        given.append((spec, value))
        chosen.add(key)
    present = {spec.key for spec, _ in given}
    for spec in about.options:
        if spec.flags & OptionFlag.REQUIRED and spec.key not in present:
            raise ConfigError(f"agent {about.id}: option {spec.key} is required ({spec.help})")
    options: list[tuple[str, str]] = []
    secrets: dict[str, Secret] = {}
    for spec, value in given:
        if spec.flags & OptionFlag.SECRET:
            # A Director may give a secret, but not name a file of ours to be read.
            secrets[spec.key] = Secret(value, literal=spec.key in from_director)
        else:
            options.append((spec.key, parse_value(about.id, spec, value)))
    return Settings(tuple(options), MappingProxyType(secrets))


def parse_value(agent: str, spec: OptionSpec, text: str) -> str:
    """One value in the form the agent gets. Raises ConfigError."""
    folded = text.strip().lower()
    wanted = "text without a NUL"
    value: str | None = None
    match spec.type:
        case OptionType.STRING:
            value = None if "\0" in text else text
        case OptionType.BOOL:
            wanted = "yes or no"
            value = "yes" if folded in _YES else "no" if folded in _NO else None
        case OptionType.INT:
            wanted = "a whole number"
            value = _integer(folded)
        case OptionType.SIZE:
            wanted = "a size such as 512, 64k or 10 gb"
            value = _quantity(folded, _SIZE_UNITS)
        case OptionType.DURATION:
            wanted = "a time such as 30, 90 s, 5 min or 2 hours"
            value = _quantity(folded, _DURATION_UNITS)
        case OptionType.PATH:
            wanted = "an absolute path"
            value = text if PurePath(text).is_absolute() and "\0" not in text else None
        case OptionType.ENUM:
            wanted = "one of " + ", ".join(spec.choices)
            value = text if text in spec.choices else None
    if value is None:
        raise ConfigError(f"agent {agent}: option {spec.key} = {mask(spec, text)!r}: give {wanted}")
    return value


def mask(spec: OptionSpec, value: str) -> str:
    """The value as it may be shown."""
    return MASK if spec.flags & OptionFlag.SECRET else value


def _of_conf(
    about: Descriptor, known: Mapping[str, OptionSpec], conf: Iterable[tuple[str, str]]
) -> Iterator[tuple[OptionSpec, str]]:
    seen: set[str] = set()
    for key, value in conf:
        spec = _spec(about, known, key)
        if key in seen and not spec.flags & OptionFlag.REPEATS:
            raise ConfigError(f"agent {about.id}: option {key} is given twice")
        seen.add(key)
        yield spec, value


def _spec(about: Descriptor, known: Mapping[str, OptionSpec], key: str) -> OptionSpec:
    if key in known:
        return known[key]
    if known:
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
        meant = f"did you mean {near[0]!r}? It" if near else "it"
        raise ConfigError(f"agent {about.id}: there is no option {key!r}; {meant} knows: {', '.join(sorted(known))}")
    # An agent that declares nothing takes anything and judges by itself.
    return OptionSpec(key, OptionType.STRING, OptionFlag.REPEATS)


def _integer(text: str) -> str | None:
    try:
        number = int(text)
    except ValueError:
        return None
    return str(number) if -_INT_LIMIT <= number < _INT_LIMIT else None


def _quantity(text: str, units: Mapping[str, int]) -> str | None:
    """The sum of parts such as `1 h 30 min`, in the smallest unit."""
    parts = _QUANTITY.findall(text)
    if not parts or _QUANTITY.sub("", text).strip() or any(unit not in units for _, unit in parts):
        return None
    total = sum(int(number) * units[unit] for number, unit in parts)
    return str(total) if total < _INT_LIMIT else None
