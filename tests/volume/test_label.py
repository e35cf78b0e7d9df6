from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import VolumeError
from filed.volume import (
    SessionEnd,
    SessionLabel,
    VolumeLabel,
    check_name,
    open_volume,
    pack_session_label,
    pack_volume_label,
    parse_session_label,
    parse_volume_label,
)
from tests.volume.golden import BB02, BB03, golden
from tests.wire.golden import hex_record

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
times = st.integers(-(2**63), 2**63 - 1)
letters = st.sampled_from("BFDITWEfA")
volume_labels = st.builds(VolumeLabel, *[names] * 3, times, times, *[names] * 6, u32)
ends = st.builds(SessionEnd, u32, u64, u32, letters, u64, u64)
session_labels = st.builds(SessionLabel, u32, *[names] * 4, letters, letters, *[names] * 3, times, st.none() | ends)


@given(volume_labels)
def test_a_volume_label_comes_back_as_it_went(label: VolumeLabel) -> None:
    assert parse_volume_label(pack_volume_label(label)) == label


@given(session_labels)
def test_a_session_label_comes_back_as_it_went(label: SessionLabel) -> None:
    assert parse_session_label(pack_session_label(label), ended=label.end is not None) == label


@given(st.binary(max_size=400))
def test_any_bytes_are_a_label_or_an_error(data: bytes) -> None:
    for parse in (parse_volume_label, lambda data: parse_session_label(data, ended=True)):
        with contextlib.suppress(VolumeError):
            parse(data)


def test_real_volume_labels_pack_to_the_same_bytes(tmp_path) -> None:
    for name in BB02:
        with open_volume(golden(name).put(tmp_path)) as reader:
            data = next(reader.records()).data
            assert pack_volume_label(reader.label()) == data


def test_the_extra_fields_of_a_bb03_label_do_not_disturb(tmp_path) -> None:
    for name in BB03:
        with open_volume(golden(name).put(tmp_path)) as reader:
            assert reader.label().name == name
            assert reader.label().program_version.startswith("Ver. 15.0.3")


def test_real_session_labels_pack_to_the_same_bytes() -> None:
    start, end = hex_record("sos-label"), hex_record("eos-label")
    assert pack_session_label(parse_session_label(start, ended=False)) == start
    assert pack_session_label(parse_session_label(end, ended=True)) == end


def test_a_real_end_of_session_says_what_the_director_saw() -> None:
    label = parse_session_label(hex_record("eos-label"), ended=True)
    assert (label.job_id, label.name, label.client, label.level) == (2, "J-md5", "fd", "F")
    assert label.end == SessionEnd(files=20, bytes=5841, errors=0, status="T", start=203, end=203)


@pytest.mark.parametrize("size", range(1, 134))
def test_a_label_cut_anywhere_is_an_error(size: int) -> None:
    with pytest.raises(VolumeError, match="session label"):
        parse_session_label(hex_record("sos-label")[:size], ended=False)


def test_an_old_label_ends_after_the_program_date() -> None:
    data = pack_volume_label(VolumeLabel("Old", program_date="Build 2004"))
    assert parse_volume_label(data[: -(1 + 20)]).program_date == "Build 2004"


def test_a_label_of_another_kind_is_named() -> None:
    with pytest.raises(VolumeError, match="version 3"):
        parse_volume_label(b"Bacula 0.9 mortal\n\0\0\0\0\x03")


@pytest.mark.parametrize("name", ["a\nb", "x" * 128, "ä" * 64, "\0"])
def test_a_name_that_real_programs_would_cut_is_refused(name: str) -> None:
    with pytest.raises(VolumeError, match="does not fit a label"):
        check_name("Job", name)


def test_an_ordinary_name_is_fine() -> None:
    check_name("Job", "Müllers Täglich.2026-11-23_10.25.18_03")
