"""What an agent says about itself: `bp_descriptor`, read from its memory, checked, and copied into frozen values."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from filed.agents.abi import (
    AGENT_API_1_0,
    AGENT_SLOTS,
    DESCRIPTOR_1_0,
    HOST_FEATURES,
    HOST_MAX,
    HOST_MIN,
    MAGIC,
    OPTION_1_0,
    BpAgentApi,
    BpDescriptor,
    BpOption,
    Feature,
    OptionFlag,
    OptionType,
    version_text,
)
from filed.errors import AgentLoadError, printable

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
S = TypeVar("S", bound=ctypes.Structure)
_KEY = re.compile(r"[a-z][a-z0-9_-]*")
MAX_LIST = 1000  # options, aliases, claims: a longer list has lost its NULL
MAX_TEXT_BYTES = 4096

_REQUIRED = ("create", "begin", "end", "destroy")
_BACKUP_GROUP = ("next_entries", "open_stream", "read", "close_stream")
_RESTORE_GROUP = ("restore_entry", "restore_stream", "write", "restore_done")


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One option that an agent knows. `choices` is for ENUM, `initial` the value when it is not set."""

    key: str
    type: OptionType
    flags: OptionFlag
    help: str = ""
    choices: tuple[str, ...] = ()
    initial: str | None = None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """`bp_descriptor`, copied. claims: prefixes of `File =` lines; an empty one is any path."""

    id: str
    version: str
    vendor: str
    license: str
    header: int
    min_version: int
    max_version: int
    features: Feature
    format: int
    aliases: tuple[str, ...]
    claims: tuple[bytes, ...]
    options: tuple[OptionSpec, ...]
    can_backup: bool
    can_restore: bool

    @property
    def label(self) -> str:
        return f"{self.id} {self.version}"

    @property
    def takes_files(self) -> bool:
        """Does it claim any `File =` lines?"""
        return bool(self.claims)

    @property
    def names_are_absolute(self) -> bool:
        """Only an agent of `Plugin =` lines alone may have names of its own making, without a / before them."""
        return self.takes_files or Feature.PLAIN_FILES in self.features


def read_descriptor(agent: str, address: int) -> tuple[Descriptor, BpAgentApi, int]:
    """The checked copy, the function table (ours, missing slots NULL), and the negotiated version.

    agent: the id that the file's name promises. address: what the query returned, not NULL. Raises AgentLoadError.
    """
    magic = ctypes.string_at(address, len(MAGIC))
    if magic != MAGIC:
        raise _refusal(agent, f"the magic of its descriptor is {magic!r}, not {MAGIC!r}: it is no agent")
    size = ctypes.c_uint32.from_address(address + BpDescriptor.struct_size.offset).value
    if size < DESCRIPTOR_1_0:
        raise _refusal(agent, f"the size of its descriptor is {size}, in version 1.0 {DESCRIPTOR_1_0}")
    raw = _copied(BpDescriptor, address, size)
    name = _text(agent, "id", raw.id)
    if not ID.fullmatch(name):
        raise _refusal(agent, f"its id {name!r} is not lower-case letters, digits and -, up to 32")
    if name != agent:
        raise _refusal(agent, f"it says its id is {name!r}; rename the file to that")
    chosen = _choose(agent, raw)
    api = _copy_api(agent, raw.api)
    can_backup, can_restore = _groups(agent, api)
    return (
        Descriptor(
            id=name,
            version=_text(agent, "version", raw.version),
            vendor=_text(agent, "vendor", raw.vendor),
            license=_text(agent, "license", raw.license),
            header=raw.header,
            min_version=raw.min_version,
            max_version=raw.max_version,
            features=Feature(raw.features & sum(Feature)),  # unknown features are ignored, as the contract says
            format=raw.format,
            aliases=tuple(_text(agent, "alias", item) for item in _strings(agent, "aliases", raw.aliases)),
            claims=tuple(_strings(agent, "claims", raw.claims)),
            options=_options(agent, raw),
            can_backup=can_backup,
            can_restore=can_restore,
        ),
        api,
        chosen,
    )


def _choose(agent: str, raw: BpDescriptor) -> int:
    low, high = raw.min_version, raw.max_version
    if low > high:
        raise _refusal(agent, f"its range of versions, {version_text(low)} to {version_text(high)}, is empty")
    chosen: int = min(HOST_MAX, high)
    if low > HOST_MAX:
        raise _refusal(
            agent, f"it needs API {version_text(low)}, this filed has {version_text(HOST_MAX)}: update filed"
        )
    if chosen < max(HOST_MIN, low):
        raise _refusal(
            agent,
            f"it speaks versions {version_text(low)} to {version_text(high)} of the contract,"
            f" this host {version_text(HOST_MIN)} to {version_text(HOST_MAX)}",
        )
    missing = raw.needs & ~HOST_FEATURES
    if missing:
        raise _refusal(agent, f"it needs features {missing:#x} that this host does not have; use a newer filed")
    if raw.threads:
        raise _refusal(agent, f"it asks for thread model {raw.threads}; version 1.0 has only 0")
    return chosen


def _copy_api(agent: str, address: int | None) -> BpAgentApi:
    if not address:
        raise _refusal(agent, "it has no function table")
    size = ctypes.c_uint32.from_address(address).value
    if size < AGENT_API_1_0:
        raise _refusal(agent, f"the size of its function table is {size}, in version 1.0 {AGENT_API_1_0}")
    return _copied(BpAgentApi, address, size)


def _copied(kind: type[S], address: int, size: int) -> S:
    """Of a struct that its writer made `size` bytes long: what both sides know; what he does not have is zero."""
    ours = ctypes.sizeof(kind)
    return kind.from_buffer_copy(ctypes.string_at(address, min(size, ours)).ljust(ours, b"\0"))


def _groups(agent: str, api: BpAgentApi) -> tuple[bool, bool]:
    have = {slot for slot in AGENT_SLOTS if getattr(api, slot)}
    for slot in _REQUIRED:
        if slot not in have:
            raise _refusal(agent, f"its function {slot} is missing")
    backup, restore = have.issuperset(_BACKUP_GROUP), have.issuperset(_RESTORE_GROUP)
    if not backup and not restore:
        lacks = ", ".join(slot for slot in (*_BACKUP_GROUP, *_RESTORE_GROUP) if slot not in have)
        raise _refusal(agent, f"it can neither back up nor restore; missing functions: {lacks}")
    return backup, restore


def _options(agent: str, raw: BpDescriptor) -> tuple[OptionSpec, ...]:
    if not raw.n_options:
        return ()
    if raw.n_options > MAX_LIST or raw.option_size < OPTION_1_0 or not raw.options:
        raise _refusal(agent, f"its option table makes no sense: {raw.n_options} of {raw.option_size} bytes")
    size = raw.option_size
    specs = [_option(agent, raw.options + number * size, size) for number in range(raw.n_options)]
    keys = [spec.key for spec in specs]
    if len(set(keys)) != len(keys):
        raise _refusal(agent, "two of its options have the same key")
    return tuple(specs)


def _option(agent: str, address: int, size: int) -> OptionSpec:
    raw = _copied(BpOption, address, size)
    key = _text(agent, "option", raw.key)
    if not _KEY.fullmatch(key):
        raise _refusal(agent, f"its option {key!r} is not lower-case letters, digits, - and _")
    if raw.type not in set(OptionType):
        raise _refusal(agent, f"its option {key} has type {raw.type}, which this host does not know")
    choices = tuple(_text(agent, key, raw.choices).split("|")) if raw.choices else ()
    if raw.type == OptionType.ENUM and not choices:
        raise _refusal(agent, f"its option {key} is a choice of nothing")
    return OptionSpec(
        key,
        OptionType(raw.type),
        OptionFlag(raw.flags & sum(OptionFlag)),
        _text(agent, key, raw.help),
        choices,
        None if raw.initial is None else _text(agent, key, raw.initial),
    )


def _strings(agent: str, what: str, address: int | None) -> Iterator[bytes]:
    """The strings of a NULL-terminated array; none for NULL."""
    if not address:
        return
    for number in range(MAX_LIST):
        at = ctypes.c_void_p.from_address(address + number * ctypes.sizeof(ctypes.c_void_p)).value
        if not at:
            return
        yield ctypes.string_at(at)
    raise _refusal(agent, f"its list of {what} does not end")


def _text(agent: str, what: str, value: bytes | None) -> str:
    if value is None:
        raise _refusal(agent, f"the {what} in its descriptor is NULL")
    if len(value) > MAX_TEXT_BYTES:
        raise _refusal(agent, f"the {what} in its descriptor has {len(value)} bytes")
    return printable(value)


def _refusal(agent: str, why: str) -> AgentLoadError:
    return AgentLoadError(agent, "load", 0, f"not loaded: {why}")
