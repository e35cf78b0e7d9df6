import re
import timeit

import pytest

from filed.errors import JobError
from filed.fileset.match import Matcher, Verdict, unused
from filed.fileset.model import Compression, CompressionKind, FileSet, Include, Options, Signature

EXT4 = 0xEF53
PROC = 0x9FA0


def matcher(*options: Options, files: tuple[bytes, ...] = (b"/data",), excludes: tuple[bytes, ...] = ()) -> Matcher:
    return Matcher(FileSet((Include(options, files),), excludes))


def walk(match: Matcher, *paths: bytes, dev: int = 1) -> list[Verdict]:
    """Verdicts below /data, after its own."""
    match.directory(b"/data", dev, top=True)
    return [match.directory(path, dev)[0] for path in paths]


def test_without_options_everything_is_taken_with_the_defaults():
    match = matcher()
    assert match.file(b"/data/a") == Options()
    assert walk(match, b"/data/d") == [Verdict.TAKE]


def test_the_first_block_that_matches_decides():
    objects = Options(exclude=True, wild=(b"*.o",))
    pictures = Options(wildfile=(b"*.jpg", b"*.o"), signature=Signature.SHA1)
    rest = Options(signature=Signature.MD5)
    match = matcher(objects, pictures, rest)
    assert match.file(b"/data/a.o") is None
    assert match.file(b"/data/a.jpg") is pictures
    assert match.file(b"/data/a.c") is rest


def test_the_same_object_comes_back_each_time():
    options = Options(sparse=True)
    match = matcher(options)
    assert match.file(b"/data/a") is match.file(b"/data/b") is options


def test_a_block_with_exclude_and_no_pattern_takes_all_that_reach_it():
    match = matcher(Options(wildfile=(b"*.c",)), Options(exclude=True))
    assert match.file(b"/data/a.c")
    assert match.file(b"/data/a.o") is None
    assert walk(match, b"/data/d") == [Verdict.SKIP]


def test_a_block_whose_patterns_are_for_directories_does_not_touch_files():
    match = matcher(Options(exclude=True, wilddir=(b"*/cache",)))
    assert match.file(b"/data/cache")
    assert walk(match, b"/data/cache", b"/data/src") == [Verdict.SKIP, Verdict.TAKE]


def test_patterns_for_files_do_not_touch_directories():
    match = matcher(Options(exclude=True, wildfile=(b"*tmp",), regexfile=(b"x$",)))
    assert walk(match, b"/data/tmp", b"/data/x") == [Verdict.TAKE, Verdict.TAKE]
    assert match.file(b"/data/tmp") is None
    assert match.file(b"/data/x") is None


def test_regular_expressions_for_directories_are_searched_in_the_path():
    match = matcher(Options(exclude=True, regexdir=(b"/zz",), regex=(rb"\.bak$",)))
    assert walk(match, b"/data/zz/deeper", b"/data/b.bak", b"/data/z") == [Verdict.SKIP, Verdict.SKIP, Verdict.TAKE]
    assert match.file(b"/data/f.bak") is None
    assert match.file(b"/data/zz") is not None


def test_the_last_blocks_options_hold_when_none_matches_even_if_it_has_patterns():
    last = Options(exclude=True, wild=(b"*.o",), signature=Signature.MD5)
    assert matcher(last).file(b"/data/a.c") is last


def test_exclude_entries_are_wild_cards_on_the_whole_path():
    match = matcher(excludes=(b"/data/excl", b"*.core"))
    assert walk(match, b"/data/excl", b"/data/exclude") == [Verdict.SKIP, Verdict.TAKE]
    assert match.file(b"/data/a/b.core") is None
    assert match.file(b"/data/excl/x")


def test_exclude_entries_know_case():
    match = matcher(Options(ignore_case=True), excludes=(b"*.CORE",))
    assert match.file(b"/data/x.core")


def test_what_a_block_takes_is_not_asked_of_the_exclude_entries():
    match = matcher(Options(wildfile=(b"*/keep.core",)), Options(), excludes=(b"*.core",))
    assert match.file(b"/data/keep.core")
    assert match.file(b"/data/x.core") is None


def test_ignore_case_belongs_to_its_block():
    match = matcher(Options(exclude=True, ignore_case=True, wild=(b"*.OBJ",), regex=(b"thumbs\\.db$",)))
    assert match.file(b"/data/a.obj") is None
    assert match.file(b"/data/Thumbs.DB") is None


def test_a_file_lines_own_entry_is_not_filtered_and_has_all_blocks_options():
    first = Options(exclude=True, wild=(b"*",), sparse=True, signature=Signature.MD5)
    second = Options(onefs=False, compression=Compression(CompressionKind.GZIP, 6), fstypes=("ext2",))
    match = matcher(first, second)
    assert match.directory(b"/data", 1, EXT4, top=True) == (Verdict.TAKE, None)
    top = match.top_entry
    assert (top.sparse, top.signature, top.onefs, top.exclude) == (True, Signature.MD5, False, False)
    assert top.compression == Compression(CompressionKind.GZIP, 6)


def test_another_file_system_is_saved_as_an_entry_but_not_entered():
    match = matcher()
    match.directory(b"/data", 1, top=True)
    verdict, text = match.directory(b"/data/mnt", 2)
    assert verdict == Verdict.PRUNE
    assert text == "/data/mnt is a different filesystem. Will not descend from /data into /data/mnt"


def test_with_onefs_no_the_border_is_crossed_and_below_it_nothing_is_another_file_system():
    match = matcher(Options(onefs=False, wilddir=(b"/data/mnt",)), Options())
    assert match.directory(b"/data", 1, top=True)[0] == Verdict.TAKE
    assert match.directory(b"/data/mnt", 2)[0] == Verdict.TAKE
    assert match.directory(b"/data/mnt/a", 2)[0] == Verdict.TAKE
    assert match.directory(b"/data/mnt/a/b", 3)[0] == Verdict.PRUNE
    assert match.directory(b"/data/other", 1)[0] == Verdict.TAKE
    assert match.directory(b"/data/mnt2", 2)[0] == Verdict.PRUNE


def test_the_root_directory_can_be_a_file_line():
    match = matcher(files=(b"/",))
    assert match.directory(b"/", 1, top=True)[0] == Verdict.TAKE
    assert match.directory(b"/etc", 1)[0] == Verdict.TAKE
    assert match.directory(b"/proc", 5)[1] == "/proc is a different filesystem. Will not descend from / into /proc"


def test_recurse_no_saves_subdirectories_without_entering_them():
    match = matcher(Options(recurse=False))
    assert match.directory(b"/data", 1, top=True)[0] == Verdict.TAKE
    assert match.directory(b"/data/d", 1)[0] == Verdict.PRUNE


def test_a_file_line_on_an_unlisted_file_system_is_skipped_and_said():
    match = matcher(Options(fstypes=("xfs",)))
    verdict, text = match.directory(b"/data", 1, EXT4, top=True)
    assert verdict == Verdict.SKIP
    assert text == 'Top level directory "/data" has unlisted fstype "ext2"'


def test_ext4_is_listed_as_ext2_and_by_its_own_name():
    for name in ("ext2", "ext4", "EXT3"):
        assert matcher(Options(fstypes=(name,))).directory(b"/data", 1, EXT4, top=True)[0] == Verdict.TAKE


def test_below_a_file_line_the_fstype_is_asked_at_borders_only():
    match = matcher(Options(onefs=False, fstypes=("ext2",)))
    match.directory(b"/data", 1, EXT4, top=True)
    assert match.directory(b"/data/proc", 2, PROC) == (
        Verdict.PRUNE,
        'Directory "/data/proc" has unlisted fstype "proc"',
    )
    assert match.directory(b"/data/more", 3, EXT4)[0] == Verdict.TAKE


def test_an_agent_that_does_not_know_the_file_system_is_not_asked():
    assert matcher(Options(fstypes=("xfs",))).directory(b"/data", 1, None, top=True)[0] == Verdict.TAKE


def test_nodump_is_honoured_only_when_asked_for():
    for honor, expected in ((True, Verdict.PRUNE), (False, Verdict.TAKE)):
        match = matcher(Options(honor_nodump=honor))
        match.directory(b"/data", 1, top=True)
        assert match.directory(b"/data/d", 1, nodump=True)[0] == expected
        assert (match.file(b"/data/f", True) is None) == honor
        assert match.file(b"/data/f")


def test_each_include_has_its_own_rules_and_the_excludes_hold_in_all():
    a, b = Options(exclude=True, wild=(b"*.o",)), Options(signature=Signature.MD5)
    parts = FileSet((Include((a,), (b"/a",)), Include((b,), (b"/b", b"/c"))), (b"*.tmp",)).parts()
    first, second = map(Matcher, parts)
    assert first.file(b"/a/x.o") is None
    assert first.top_entry.exclude is False
    assert second.file(b"/b/x.o") is b
    assert second.top_entry == b
    assert first.file(b"/a/x.tmp") is second.file(b"/c/x.tmp") is None


def test_an_instance_of_a_plugin_line_has_the_rules_of_its_include():
    options = Options(signature=Signature.MD5, wildfile=(b"*.sql",))
    fileset = FileSet((Include((options,), plugins=("bpipe:/x.sql:a:b",)),))
    assert Matcher(fileset).file(b"/x.sql") is options


def test_names_that_are_not_text_match_by_bytes():
    match = matcher(Options(exclude=True, wild=(b"*caf\xe9*",), regex=(b"n.$",)))
    assert match.file(b"/data/caf\xe9.txt") is None
    assert match.file(b"/data/n\xff") is None


def test_a_bad_regular_expression_is_a_job_error_before_the_walk():
    with pytest.raises(JobError, match=re.escape('regex "(a" cannot be used')):
        matcher(Options(regex=(b"(a",)))


@pytest.mark.bench
def test_a_file_costs_less_than_a_third_of_a_microsecond():
    path = b"/usr/share/doc/package/html/main/Some_Long_Page_Name.html"
    plain = matcher()
    listed = matcher(Options(exclude=True, wild=(b"*.o", b"*.tmp"), wildfile=(b"*/core", b"*~")), Options())
    for name, match, limit in (("no pattern", plain, 0.3), ("four wild", listed, 1.5)):
        cost = min(timeit.repeat(lambda match=match: match.file(path), number=100_000, repeat=3)) * 10
        print(f"{name}: {cost:.3f} us a file")
        assert cost < limit


def test_what_took_nothing_away_is_known_and_what_one_include_uses_is_used() -> None:
    block = Options(exclude=True, wild=(b"*.o", b"*.tmp"), wilddir=(b"*.o",), regexfile=(b"core$",))
    first, second = (Matcher(FileSet((Include((block, Options())),), (b"/proc",))) for _ in range(2))
    assert first.file(b"/a.o") is None
    assert second.file(b"/core") is None
    assert first.file(b"/b.c") is not None
    assert unused([first, second]) == [
        'Exclude "/proc"',
        'Options: wild = "*.tmp" with exclude = yes',
        'Options: wilddir = "*.o" with exclude = yes',
    ]
    assert second.directory_entry(b"/b.o") is None
    assert second.file(b"/proc") is None
    assert unused([first, second]) == ['Options: wild = "*.tmp" with exclude = yes']
