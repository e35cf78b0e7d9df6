import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import RemoteProtocolError
from filed.fileset.model import FileSet, Include, Options, Signature
from filed.fileset.parse import parse_lines

SEEN = b"""I
Z .nobackup
O e
W *.o
WD */cache
WF *.tmp
N
O ei
R .*\\.bak$
RD .*/zz
RF foo.*
N
O MZ9Cmcs5:Vpins5:Jpinug:P2:rwR
X ext4
X btrfs
XD fixed
N
F /data/src
F /data/src2 with space
N
P bpipe:/MYSQL/x.sql:echo hi:cat
N
E
F /data/src/excl
F *.core
N
N
""".splitlines(keepends=True)


def test_the_lines_of_a_real_director_read_as_its_fileset():
    fileset = parse_lines(SEEN).fileset
    (include,) = fileset.includes
    objects, backups, rest = include.options
    assert objects == Options(exclude=True, wild=(b"*.o",), wilddir=(b"*/cache",), wildfile=(b"*.tmp",))
    assert (backups.regex, backups.regexdir, backups.regexfile) == ((rb".*\.bak$",), (b".*/zz",), (b"foo.*",))
    assert backups.ignore_case
    assert (rest.signature, rest.fstypes, rest.drivetypes) == (Signature.MD5, ("ext4", "btrfs"), ("fixed",))
    assert include.files == (b"/data/src", b"/data/src2 with space")
    assert include.plugins == ("bpipe:/MYSQL/x.sql:echo hi:cat",)
    assert include.exclude_dir_containing == (b".nobackup",)
    assert fileset.excludes == (b"/data/src/excl", b"*.core")


def test_an_include_without_options_has_none():
    lines = [b"I\n", b"F /data/src", b"N\n", b"N\n"]
    assert parse_lines(lines).fileset == FileSet((Include((), (b"/data/src",)),))


def test_several_includes_keep_their_order():
    lines = [b"I", b"F /a", b"N", b"N", b"I", b"O M", b"N", b"F /b", b"N", b"N"]
    assert [include.files for include in parse_lines(lines).fileset.includes] == [(b"/a",), (b"/b",)]


def test_what_is_asked_for_with_the_command_is_kept():
    fileset = parse_lines([], b"fileset vss=1 snap=1\n").fileset
    assert fileset.vss
    assert fileset.snapshot


def test_unknown_letters_and_programs_are_complaints():
    parsed = parse_lines([b"I", b"O MYs", b"T /bin/writer", b"N", b"F /a", b"N", b"N"])
    assert parsed.complaints == (
        'FileSet: unknown option letters "Y" are ignored',
        'FileSet: the program "/bin/writer" (reader, writer) is ignored',
    )
    assert parsed.fileset.includes[0].options == (Options(signature=Signature.MD5, sparse=True),)


@pytest.mark.parametrize("lines", [[b"F /a"], [b"I", b"Q x"], [b"I", b"N", b"E", b"W x"]])
def test_a_line_out_of_place_is_the_peers_fault(lines):
    with pytest.raises(RemoteProtocolError, match="FileSet line"):
        parse_lines(lines)


@given(st.lists(st.binary(max_size=10) | st.sampled_from(SEEN), max_size=20))
def test_any_lines_give_a_fileset_or_the_peers_fault(lines):
    try:
        assert isinstance(parse_lines(lines).fileset, FileSet)
    except RemoteProtocolError as error:
        assert "FileSet line" in str(error)  # noqa: PT017
