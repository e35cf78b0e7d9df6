import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.fileset.letters import format_letters, parse_letters
from filed.fileset.model import Compression, CompressionKind, Dedup, Options, Replace, Signature

GZIP, LZO, ZSTD = CompressionKind.GZIP, CompressionKind.LZO, CompressionKind.ZSTD
SEEN = {
    "M": Options(signature=Signature.MD5),
    "SZ6sf0": Options(signature=Signature.SHA1, compression=Compression(GZIP, 6), sparse=True, onefs=False),
    "SCpnugsm1:sZ6": Options(
        signature=Signature.SHA1, accurate="pnugsm1", sparse=True, compression=Compression(GZIP, 6)
    ),
    "SZ1Cpinugsmc5:Kfh": Options(
        signature=Signature.SHA1,
        compression=Compression(GZIP, 1),
        accurate="pinugsmc5",
        noatime=True,
        onefs=False,
        recurse=False,
    ),
    "S2ZoK0AXcmpN": Options(
        signature=Signature.SHA256,
        compression=Compression(LZO),
        noatime=True,
        aclsupport=True,
        xattrsupport=True,
        checkfilechanges=True,
        mtimeonly=True,
        portable=True,
        honor_nodump=True,
    ),
    "MZ9Cmcs5:Vpins5:Jpinug:P2:rwR": Options(
        signature=Signature.MD5,
        compression=Compression(GZIP, 9),
        accurate="mcs5",
        verify="pins5",
        basejob="pinug",
        strip_path=2,
        readfifo=True,
        replace=Replace.IFNEWER,
        hfsplus=True,
    ),
    "S7Zsd2Vpin5:Cmcs5:": Options(
        signature=Signature.XXH3_128,
        compression=Compression(ZSTD, 3),
        dedup=Dedup.BOTHSIDES,
        verify="pin5",
        accurate="mcs5",
    ),
    "ZuS5X": Options(compression=Compression(ZSTD, 10), signature=Signature.XXH64, xattrsupport=True),
    "ei": Options(exclude=True, ignore_case=True),
    "HkW": Options(hardlinks=False, keepatime=True, enhanced_wild=True),
    "Vpin": Options(verify="pin"),
}


@pytest.mark.parametrize("text", SEEN)
def test_a_string_seen_from_a_director_reads_as_what_was_configured(text):
    assert parse_letters(text) == (SEEN[text], "")


def test_unknown_letters_are_told_and_the_rest_holds():
    assert parse_letters("MqYs?") == (Options(signature=Signature.MD5, sparse=True), "qY?")
    assert parse_letters("Zxs") == (Options(sparse=True), "Zx")
    assert parse_letters("Px:s") == (Options(sparse=True), "Px:")


def test_the_later_of_two_settings_holds():
    assert parse_letters("MS2")[0].signature is Signature.SHA256


def test_nothing_said_is_the_placeholder():
    assert format_letters(Options()) == "0"
    assert parse_letters("0") == (Options(), "")


@given(st.text(max_size=20))
def test_any_text_reads_as_options(text):
    options, _ = parse_letters(text)
    assert parse_letters(format_letters(options)) == (options, "")
