import re

from hypothesis import given
from hypothesis import strategies as st

from filed.fileset.letters import parse_letters
from filed.fileset.lines import agent_text, as_text, wire_lines
from filed.fileset.model import Compression, CompressionKind, Dedup, FileSet, Include, Options, Replace, Signature
from filed.fileset.parse import parse_lines, parse_text

ITEM = st.binary(min_size=1, max_size=12).filter(lambda item: item == item.rstrip(b" \t\r\n") and b"\n" not in item)
TEXT = ITEM.map(lambda item: item.decode("utf-8", "surrogateescape"))
LETTERS = st.text(alphabet="pinugsmc5", max_size=5)


def tuples(of):
    return st.lists(of, max_size=3).map(tuple)


COMPRESSIONS = st.one_of(
    st.builds(Compression, st.just(CompressionKind.GZIP), st.integers(0, 9)),
    st.just(Compression(CompressionKind.LZO)),
    st.builds(Compression, st.just(CompressionKind.ZSTD), st.sampled_from([1, 3, 10, 19])),
)
OPTIONS = st.builds(
    Options,
    signature=st.none() | st.sampled_from(Signature),
    compression=st.none() | COMPRESSIONS,
    dedup=st.none() | st.sampled_from(Dedup),
    replace=st.none() | st.sampled_from(Replace),
    verify=st.none() | LETTERS,
    accurate=st.none() | LETTERS,
    basejob=st.none() | LETTERS,
    strip_path=st.integers(0, 9),
    larger_than=st.integers(0, 1 << 40),
    fstypes=tuples(TEXT),
    drivetypes=tuples(TEXT),
    basejobs=tuples(TEXT),
    plugin=st.just("") | TEXT,
    **{
        name: st.booleans()
        for name, field in Options.__dataclass_fields__.items()
        if field.default is True or field.default is False
    },
    **{name: tuples(ITEM) for name in ("wild", "wilddir", "wildfile", "wildbase", "regex", "regexdir", "regexfile")},
)
INCLUDES = st.builds(Include, tuples(OPTIONS), tuples(ITEM), tuples(TEXT), tuples(ITEM))
FILESETS = st.builds(FileSet, tuples(INCLUDES), tuples(ITEM))


@given(FILESETS)
def test_what_is_written_as_lines_reads_back_equal(fileset):
    assert parse_lines(wire_lines(fileset)).fileset == fileset


@given(FILESETS)
def test_the_text_for_an_agent_is_one_escaped_line_each(fileset):
    lines = agent_text(fileset).split(b"\n")
    assert lines.pop() == b""
    unescaped = [re.sub(rb"\\(.)", lambda m: b"\n" if m[1] == b"n" else m[1], line) for line in lines]
    assert unescaped == [*wire_lines(FileSet(fileset.includes))]


def test_the_text_for_an_agent_escapes_backslash_and_newline_and_leaves_excludes_out():
    include = Include((Options(onefs=False),), (b"/a\\b", b"/c\nd"), ("x: y",), (b".nobackup",))
    assert agent_text(FileSet((include,), (b"/no",))) == (
        b"I\nZ .nobackup\nO f\nN\nF /a\\\\b\nF /c\\nd\nN\nP x: y\nN\n"
    )


@given(FILESETS)
def test_what_is_kept_as_text_reads_back_equal(fileset):
    assert parse_text(as_text(fileset)) == fileset


def test_kept_text_keeps_the_blanks_and_newlines_of_names():
    fileset = FileSet((Include((), (b"/a ", b"/b\n\\n", b"/\xff\r")),), (b" *\t",))
    assert parse_text(as_text(fileset)) == fileset


def test_lines_stand_in_a_directors_order():
    options = Options(exclude=True, wild=(b"*.o",), wilddir=(b"*/cache",), wildfile=(b"*.tmp",), regex=(b"r",))
    include = Include((options,), (b"/data",), ("bpipe:/x:a:b",), (b".nobackup",))
    assert [*wire_lines(FileSet((include,), (b"*.core",)))] == [
        *(b"I", b"Z .nobackup", b"O e", b"R r", b"W *.o", b"WD */cache", b"WF *.tmp", b"N"),
        *(b"F /data", b"N", b"P bpipe:/x:a:b", b"N"),
        *(b"E", b"F *.core", b"N", b"N"),
    ]


def test_the_digest_tells_contents_apart_and_not_names():
    one = FileSet((Include((parse_letters("M")[0],), (b"/a",)),), name="A")
    assert one.digest() == FileSet(one.includes, name="B", vss=True).digest()
    assert one.digest() != FileSet(one.includes, (b"*.o",)).digest()
    assert one.digest() != FileSet((Include((), (b"/a",)),)).digest()
    assert len(one.digest()) == 64
