from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import LocalProtocolError, StreamError
from filed.wire.attributes import (
    Attributes,
    FileType,
    Stat,
    decode_int,
    decode_stat,
    encode_int,
    encode_stat,
    pack_attributes,
    pack_extended,
    parse_attributes,
    parse_looked_for,
    parse_nanoseconds,
    stat_field,
)
from tests.wire.golden import hex_record

SIGNED = st.integers(-(2**63), 2**63 - 1)
PATHS = st.binary(min_size=1, max_size=80).map(lambda path: path.replace(b"\0", b"/"))


@pytest.mark.parametrize(
    ("value", "digits"),
    [(0, b"A"), (1, b"B"), (63, b"/"), (64, b"BA"), (4096, b"BAA"), (33188, b"IGk"), (-1, b"-B"), (-86400, b"-VGA"),
     (4000000000, b"DuaygA")],
)  # fmt: skip
def test_numbers_are_written_as_bacula_writes_them(value, digits):
    assert encode_int(value) == digits
    assert decode_int(digits) == value


@given(SIGNED)
def test_every_signed_number_comes_back(value):
    assert decode_int(encode_int(value)) == value


def test_an_unsigned_64_bit_number_keeps_its_bits():
    assert decode_int(encode_int(2**64 - 1)) == -1
    with pytest.raises(LocalProtocolError):
        encode_int(2**64)


@pytest.mark.parametrize(
    "digits", [b"", b"-", b"--B", b"B==", b"A=", b" A", b"B\n", b"-" + b"/" * 12, b"/" * 13, b"\xff"]
)
def test_what_is_not_a_number_is_refused(digits):
    with pytest.raises(StreamError):
        decode_int(digits)


@given(st.lists(SIGNED, min_size=16, max_size=16))
def test_a_stat_comes_back(numbers):
    stat = Stat(*numbers)
    assert decode_stat(encode_stat(stat)) == stat


def test_a_short_stat_of_an_old_writer_is_filled_with_zeros():
    stat = Stat(*range(1, 17))
    for kept in (13, 14, 15):
        short = b" ".join(encode_stat(stat).split(b" ")[:kept])
        assert decode_stat(short) == Stat(*range(1, kept + 1))


def test_a_windows_writers_seventeenth_field_is_dropped():
    assert decode_stat(encode_stat(range(17))) == Stat(*range(16))


@pytest.mark.parametrize("lstat", [b"", b"A", b" ".join([b"A"] * 12), b" ".join([b"A"] * 30)])
def test_a_stat_of_another_length_is_refused(lstat):
    with pytest.raises(StreamError):
        decode_stat(lstat)


@pytest.mark.parametrize(
    ("name", "file_type", "path", "link"),
    [
        ("attr-file", FileType.REGULAR, b"/data/sample/hello.txt", b""),
        ("attr-empty-file", FileType.EMPTY, b"/data/sample/empty.txt", b""),
        ("attr-dir", FileType.DIRECTORY, b"/data/sample/emptydir/", b""),
        ("attr-symlink", FileType.SYMLINK, b"/data/sample/sym", b"dir1/repeat.txt"),
        ("attr-hardlink", FileType.HARD_LINK, b"/data/sample/hard.txt", b"/data/sample/hello.txt"),
        ("attr-chardev", FileType.SPECIAL, b"/data/sample/chardev", b""),
        ("attr-deleted", FileType.DELETED, b"/data/incr/b", b""),
        ("attr-negative-mtime", FileType.REGULAR, b"/data/sample/acl/a.txt", b""),
        ("attr-utf8", FileType.REGULAR, "/data/sample/ünïcödé-名前.txt".encode(), b""),
        ("attr-update", FileType.REGULAR, b"/data/incr/c", b""),
    ],
)
def test_the_records_of_real_daemons_are_read_and_written_alike(name, file_type, path, link):
    record = hex_record(name)
    attributes = parse_attributes(record)
    assert (attributes.type, attributes.path, attributes.link) == (file_type, path, link)
    assert pack_attributes(*attributes) == record
    assert encode_stat(decode_stat(attributes.lstat)) == attributes.lstat


def test_the_stat_of_a_real_file_is_understood():
    stat = decode_stat(parse_attributes(hex_record("attr-file")).lstat)
    assert (oct(stat.mode), stat.nlink, stat.size, stat.data_stream) == ("0o100644", 2, 29, 2)
    assert decode_stat(parse_attributes(hex_record("attr-negative-mtime")).lstat).mtime == -86400
    assert decode_stat(parse_attributes(hex_record("attr-hardlink")).lstat).link_fi == 16


@given(st.integers(0, 2**31 - 1), st.integers(0, 30), PATHS, PATHS, st.integers(0, 9))
def test_a_record_comes_back(file_index, file_type, path, link, delta_seq):
    wanted = Attributes(file_index, file_type, path, b"A " * 15 + b"A", link, b"x", delta_seq)
    assert parse_attributes(memoryview(pack_attributes(*wanted))) == wanted


@given(st.tuples(*[st.integers(0, 999_999_999)] * 3))
def test_nanoseconds_come_back(nanoseconds):
    assert parse_nanoseconds(pack_extended(*nanoseconds)) == nanoseconds
    assert parse_looked_for(pack_extended(*nanoseconds)) == b""


def test_what_was_looked_for_stands_behind_the_nanoseconds():
    extended = pack_extended(1, 2, 3, b"ax")
    assert extended == b"ns:1,2,3;ax"
    assert (parse_nanoseconds(extended), parse_looked_for(extended)) == ((1, 2, 3), b"ax")
    assert parse_looked_for(b"") == parse_looked_for(b"<NULL>") == parse_looked_for(b"ns:1,2,3;AX") == b""


def test_a_record_that_stops_early_is_read():
    assert parse_attributes(b"1 3 /a\0A\0").link == b""
    assert parse_attributes(b"1 3 /a\0A\0/b\0x").extended == b"x"
    assert parse_attributes(b"1 3 /a\0A\0\0\0").delta_seq == 0


def test_high_bits_of_the_file_type_are_flags():
    assert parse_attributes(b"1 65539 /a\0A\0").type == FileType.REGULAR


@given(st.binary(max_size=60))
def test_anything_else_is_a_stream_error(data):
    try:
        attributes = parse_attributes(data)
        decode_stat(attributes.lstat)
    except StreamError:
        pass


@pytest.mark.parametrize(
    "data", [b"", b"1 3 /a", b"1 3\0A\0", b"+1 3 /a\0A\0", b"1_0 3 /a\0A\0", b"1 3 \0A\0", b"1 3 /a\0A\0\0\0x\0"]
)
def test_damaged_records_are_refused(data):
    with pytest.raises(StreamError):
        parse_attributes(data)


def test_a_nul_in_a_path_is_our_bug():
    for path, link in ((b"/a\0b", b""), (b"/a", b"\0")):
        with pytest.raises(LocalProtocolError):
            pack_attributes(1, 3, path, b"", link)


@pytest.mark.parametrize(
    "extended", [b"", b"<NULL>", b"ns:", b"ns:1,2", b"ns:1,2,3,4", b"ns:-1,2,3", b"ns:1,2,1000000000"]
)
def test_other_extended_fields_hold_no_nanoseconds(extended):
    assert parse_nanoseconds(extended) is None


def test_one_number_of_a_stat_is_the_one_of_all():
    lstat = encode_stat(range(16))
    assert [stat_field(lstat, place) for place in range(16)] == list(range(16))
    short = encode_stat(range(13))
    assert (stat_field(short, 12), stat_field(short, 13)) == (12, 0)
    for wrong in (b"", b"A A", b"A A ?"):
        with pytest.raises(StreamError):
            stat_field(wrong, 7 if wrong != b"A A ?" else 2)
