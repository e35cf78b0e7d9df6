from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.fileset import FileSet, Include, Options, Signature
from filed.job.decode.known_digests import FILE_NAME, SESSIONS, SLOTS, DigestsOfJobs, KnownDigests
from filed.job.encode.options_plan import digests_of
from filed.pipeline import Decoder, Digest
from filed.volume import Session
from tests.pipeline.content import SIGNING

JOB = Session(3, 1_795_428_868)
SAME_SLOT = Session(3 + SLOTS, 1_795_428_868)


@given(digests=st.sets(st.sampled_from(Digest)))
def test_what_is_remembered_is_known(digests: set[Digest], tmp_path_factory: pytest.TempPathFactory) -> None:
    known = KnownDigests(tmp_path_factory.mktemp("work"))
    known.remember(JOB, digests)
    assert known.of(JOB) == digests
    assert known.of(Session(4, JOB.vol_session_time)) is None


def test_what_was_never_saved_here_is_not_known(tmp_path: Path) -> None:
    assert KnownDigests(tmp_path).of(JOB) is None
    assert KnownDigests(tmp_path / "not there").of(JOB) is None


def test_a_newer_job_of_the_same_slot_takes_it_over(tmp_path: Path) -> None:
    known = KnownDigests(tmp_path)
    known.remember(JOB, [Digest.MD5])
    known.remember(SAME_SLOT, [Digest.SHA256])
    assert known.of(JOB) is None
    assert known.of(SAME_SLOT) == {Digest.SHA256}
    known.forget(JOB)
    assert known.of(SAME_SLOT) == {Digest.SHA256}


def test_the_file_does_not_grow(tmp_path: Path) -> None:
    known = KnownDigests(tmp_path)
    for number in (0, 1, SLOTS - 1, SLOTS, 2**32 - 1):
        known.remember(Session(number, 2**32 - 1), Digest)
        assert known.of(Session(number, 2**32 - 1)) == set(Digest)
    assert (tmp_path / FILE_NAME).stat().st_size <= SLOTS * 48
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


@given(at=st.integers(0, 47), flipped=st.integers(1, 255))
def test_a_damaged_slot_is_one_of_which_nothing_is_known(
    at: int, flipped: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    work = tmp_path_factory.mktemp("work")
    known = KnownDigests(work)
    known.remember(JOB, [Digest.MD5])
    content = bytearray((work / FILE_NAME).read_bytes())
    content[-48 + at] ^= flipped
    (work / FILE_NAME).write_bytes(content)
    assert known.of(JOB) is None


def test_where_nothing_can_be_written_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).symlink_to(tmp_path / "elsewhere")
    known = KnownDigests(tmp_path)
    known.remember(JOB, [Digest.MD5])
    assert known.of(JOB) is None
    assert not (tmp_path / "elsewhere").exists()
    known.forget(JOB)


def test_each_job_has_its_own_digests(tmp_path: Path) -> None:
    KnownDigests(tmp_path).remember(JOB, [Digest.MD5])
    decoder = Decoder()
    with closing(DigestsOfJobs(tmp_path)) as digests:
        digests.begin(JOB, decoder)
        assert decoder.digests.expected() == (Digest.MD5,)
        digests.begin(SAME_SLOT, decoder)
        assert set(decoder.digests.expected()) == set(Digest)
        decoder.digests.saw([Digest.SHA1])
        digests.begin(JOB, decoder)
        assert decoder.digests.expected() == (Digest.MD5,)
        digests.begin(SAME_SLOT, decoder)
        assert decoder.digests.expected() == (Digest.SHA1,)
    assert KnownDigests(tmp_path).of(JOB) == {Digest.MD5}


def test_what_is_known_wrong_is_forgotten_in_the_end(tmp_path: Path) -> None:
    known = KnownDigests(tmp_path)
    known.remember(JOB, [Digest.MD5])
    decoder = Decoder()
    with closing(DigestsOfJobs(tmp_path)) as digests:
        digests.begin(JOB, decoder)
        decoder.digests.saw([Digest.SHA1])
        for number in range(SESSIONS):  # more than are kept
            digests.begin(Session(number, 1), decoder)
    assert known.of(JOB) is None


def test_a_fileset_says_which_digests_its_jobs_use() -> None:
    blocks = (Options(signature=Signature.MD5), Options(signature=Signature.SHA512), Options())
    fileset = FileSet((Include(options=blocks, files=(b"/",)), Include(files=(b"/srv",))))
    assert digests_of(fileset, None) == {Digest.MD5, Digest.SHA512}
    assert digests_of(fileset, SIGNING) == {Digest.MD5, Digest.SHA512, Digest.SHA256}
    assert digests_of(FileSet((Include(files=(b"/",)),)), None) == set()
