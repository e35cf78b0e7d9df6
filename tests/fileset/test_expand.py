import re

import pytest

from filed.errors import JobError
from filed.fileset.expand import expanded
from filed.fileset.model import FileSet, Include


def files(*items: bytes) -> tuple[bytes, ...]:
    return expanded(FileSet((Include((), items),))).includes[0].files


def test_a_list_stands_for_its_lines(tmp_path):
    (tmp_path / "list").write_bytes(b"/a\n/b with blank \r\n\n \t\n/c\xff")
    assert files(b"/0", b"<" + bytes(tmp_path / "list"), b"/9") == (b"/0", b"/a", b"/b with blank", b"/c\xff", b"/9")


def test_a_command_stands_for_what_it_prints():
    assert files(b"|sh -c 'echo /a; echo \"/b c\"'", b"|echo") == (b"/a", b"/b c")


def test_excludes_expand_too(tmp_path):
    (tmp_path / "list").write_bytes(b"*.o\n")
    assert expanded(FileSet((), (b"<" + bytes(tmp_path / "list"),))).excludes == (b"*.o",)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (b"</does/not/exist", 'the list "/does/not/exist" cannot be read: No such file'),
        (b"|false", '"false" ended with code 1'),
        (b"|sh -c 'echo oops >&2; exit 3'", "ended with code 3: oops"),
        (b"|/does/not/exist", "cannot be run"),
        (b"|", "cannot be run"),
        (b"|sh -c 'open", "cannot be run: No closing quotation"),
    ],
)
def test_what_cannot_be_expanded_ends_the_job(item, message):
    with pytest.raises(JobError, match=re.escape(message)):
        files(item)
