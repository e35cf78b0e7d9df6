from __future__ import annotations

from filed.pipeline.digest import Digest
from filed.pipeline.in_use import UNKNOWN_FILES, DigestsInUse


def test_every_kind_is_calculated_until_one_is_seen() -> None:
    digests = DigestsInUse()
    digests.count_content()
    assert set(digests.expected()) == set(Digest)
    digests.saw([Digest.MD5])
    assert digests.expected() == (Digest.MD5,)
    digests.saw([Digest.SHA256])
    assert set(digests.expected()) == {Digest.MD5, Digest.SHA256}
    assert not digests.known_wrong


def test_a_job_of_files_without_a_digest_is_taken_to_have_none() -> None:
    digests = DigestsInUse()
    digests.count_content(UNKNOWN_FILES - 1)
    assert digests.expected()
    digests.count_content()
    assert not digests.expected()
    digests.saw([Digest.SHA1])
    assert digests.expected() == (Digest.SHA1,)


def test_what_is_known_is_calculated_from_the_first_file_on() -> None:
    assert DigestsInUse({Digest.SHA512}).expected() == (Digest.SHA512,)
    assert DigestsInUse(()).expected() == ()


def test_what_a_catalog_needs_is_calculated_whatever_was_seen() -> None:
    digests = DigestsInUse()
    digests.need([Digest.SHA512])
    assert set(digests.expected()) == set(Digest), "of signatures nobody knows yet"
    digests.saw([Digest.MD5])
    assert set(digests.expected()) == {Digest.MD5, Digest.SHA512}
    without = DigestsInUse()
    without.need([Digest.SHA512])
    without.count_content(UNKNOWN_FILES)
    assert without.expected() == (Digest.SHA512,)


def test_what_is_known_wrong_is_put_right_by_the_first_record() -> None:
    digests = DigestsInUse({Digest.MD5})
    digests.saw([Digest.MD5])
    assert not digests.known_wrong
    digests.saw([Digest.SHA1])
    digests.saw([Digest.SHA1])
    assert digests.known_wrong
    assert set(digests.expected()) == {Digest.MD5, Digest.SHA1}
