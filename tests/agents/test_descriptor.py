"""Descriptors are built here in memory; what compiled agents get refused for is in test_load.py."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from filed.agents.abi import (
    AGENT_SLOTS,
    HOST_MAX,
    MAGIC,
    BpAgentApi,
    BpDescriptor,
    BpOption,
    Feature,
    OptionFlag,
    OptionType,
    version,
)
from filed.agents.descriptor import Descriptor, OptionSpec, read_descriptor
from filed.errors import AgentLoadError


class Made:
    """A descriptor that lies in our own memory; keeps alive what it points to."""

    def __init__(self, *options: BpOption, lists: dict[str, list[bytes]] | None = None, **fields: Any) -> None:
        self.api = BpAgentApi(struct_size=ctypes.sizeof(BpAgentApi))
        for slot, kind in AGENT_SLOTS.items():
            setattr(self.api, slot, kind(8))
        self.options = (BpOption * len(options))(*options)
        defaults: dict[str, Any] = {
            "magic": MAGIC,
            "struct_size": ctypes.sizeof(BpDescriptor),
            "header": version(1, 0),
            "min_version": version(1, 0),
            "max_version": version(1, 0),
            "option_size": ctypes.sizeof(BpOption),
            "id": b"made",
            "version": b"1.2",
            "vendor": b"us",
            "license": b"MIT",
            "options": ctypes.addressof(self.options) if options else None,
            "n_options": len(options),
            "api": ctypes.addressof(self.api),
        }
        self.lists = {}
        for name, strings in (lists or {}).items():
            self.lists[name] = (ctypes.c_char_p * (len(strings) + 1))(*strings, None)
            defaults[name] = ctypes.addressof(self.lists[name])
        self.raw = BpDescriptor(**defaults | fields)

    def read(self) -> Descriptor:
        return read_descriptor("made", ctypes.addressof(self.raw))[0]


def option(key: bytes = b"key", **fields: Any) -> BpOption:
    return BpOption(**{"key": key, "help": b"helps", "type": OptionType.STRING} | fields)


def test_all_of_it_is_copied() -> None:
    made = Made(
        option(b"mode", type=OptionType.ENUM, choices=b"a|b", initial=b"a", flags=OptionFlag.REQUIRED),
        lists={"claims": [b"/@X", b"/\xff"], "aliases": [b"old"]},
        features=Feature.VERBATIM | 1 << 40,
        format=3,
    )
    about = made.read()
    made.raw.id = b"other"
    assert (about.id, about.version, about.label, about.format) == ("made", "1.2", "made 1.2", 3)
    assert (about.claims, about.aliases) == ((b"/@X", b"/\xff"), ("old",))
    assert about.features == Feature.VERBATIM
    spec = OptionSpec("mode", OptionType.ENUM, OptionFlag.REQUIRED, "helps", ("a", "b"), "a")
    assert about.options == (spec,)
    assert about.can_backup
    assert about.can_restore


def test_only_agents_of_plugin_lines_may_have_relative_names() -> None:
    assert not Made().read().names_are_absolute
    assert not Made().read().takes_files
    assert Made(lists={"claims": [b""]}).read().names_are_absolute
    assert Made(features=Feature.PLAIN_FILES).read().names_are_absolute


def test_the_highest_common_version_is_chosen() -> None:
    made = Made(max_version=version(1, 99))
    assert read_descriptor("made", ctypes.addressof(made.raw))[2] == HOST_MAX


def test_a_later_agent_s_longer_structs_are_read_as_far_as_we_know_them() -> None:
    wide = (ctypes.c_char * 64 * 2)()
    for number, key in enumerate((b"one", b"two")):
        ctypes.memmove(wide[number], ctypes.byref(option(key)), ctypes.sizeof(BpOption))
    made = Made(struct_size=4000, option_size=64, n_options=2, options=ctypes.addressof(wide))
    made.keep = option(b"one"), option(b"two")  # type: ignore[attr-defined]
    made.api.struct_size = 9999
    assert [spec.type for spec in made.read().options] == [OptionType.STRING] * 2


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (Made(version=None), "the version in its descriptor is NULL"),
        (Made(vendor=b"x" * 5000), "the vendor in its descriptor has 5000 bytes"),
        (Made(n_options=5000, options=8), "its option table makes no sense"),
        (Made(option(), option_size=8), "its option table makes no sense"),
        (Made(option(b"")), "its option ''"),
        (Made(option(b"Key")), "its option 'Key'"),
        (Made(option(), option()), "two of its options have the same key"),
        (Made(option(type=99)), "its option key has type 99"),
        (Made(option(type=OptionType.ENUM)), "its option key is a choice of nothing"),
        (Made(option(help=None)), "the key in its descriptor is NULL"),
        (Made(lists={"claims": [b"/x"] * 1001}), "its list of claims does not end"),
        (Made(needs=4), "it needs features 0x4"),
        (Made(id=b"x\ny"), "its id"),
    ],
)
def test_what_makes_no_sense_is_refused(made: Made, why: str) -> None:
    with pytest.raises(AgentLoadError, match=f"agent made: load: not loaded: .*{why}"):
        made.read()
