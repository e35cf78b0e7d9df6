from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from filed.catalog import BaseWhy, JobId
from filed.catalog.chain import choose_among
from filed.errors import CatalogError
from tests.catalog.model import Item, backup, begin, finish, open_catalog

ONE = {b"/a": Item(1)}


def test_a_full_needs_no_base(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, ONE)
        choice = catalog.choose_base("etc", "here", "F", "fs")
        assert (choice.base, choice.why) == (None, BaseWhy.NOT_WANTED)
        assert catalog.chain(full.job_id) == [full]


def test_an_incremental_builds_on_the_last_good_job(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, ONE)
        first = backup(catalog, ONE, "I", full)
        difference = backup(catalog, ONE, "D", full)
        finish(catalog, begin(catalog, "I", difference), "f")
        begin(catalog, "I", difference)
        choice = catalog.choose_base("etc", "here", "I", "fs")
        assert (choice.base, choice.why) == (difference, BaseWhy.FOUND)
        last = backup(catalog, ONE, "I", difference)
        assert catalog.chain(last.job_id) == [full, difference, last]
        assert catalog.chain(first.job_id) == [full, first]


def test_a_differential_builds_on_the_last_good_full(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        backup(catalog, ONE)
        full = backup(catalog, ONE)
        backup(catalog, ONE, "I", full)
        finish(catalog, begin(catalog), "E")
        assert catalog.choose_base("etc", "here", "D", "fs").base == full


def test_warnings_are_good_enough(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = finish(catalog, begin(catalog), "W")
        assert catalog.choose_base("etc", "here", "I", "fs").base == full


def test_without_a_good_full_there_is_no_base(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        finish(catalog, begin(catalog), "A")
        choice = catalog.choose_base("etc", "here", "I", "fs")
        assert (choice.base, choice.why) == (None, BaseWhy.NO_FULL)


def test_another_fileset_name_or_client_is_no_base(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        backup(catalog, ONE)
        assert catalog.choose_base("etc", "here", "I", "other").why == BaseWhy.FILESET_CHANGED
        assert catalog.choose_base("home", "here", "I", "fs").why == BaseWhy.NO_FULL
        assert catalog.choose_base("etc", "there", "I", "fs").why == BaseWhy.NO_FULL


def test_a_fileset_that_came_back_finds_its_old_jobs(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, ONE)
        backup(catalog, ONE, fileset="other")
        assert catalog.choose_base("etc", "here", "I", "fs").base == full


def test_a_broken_chain_is_no_base(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, ONE)
        backup(catalog, ONE, "I", full)
        catalog.remove_jobs([full.job_id])
        choice = catalog.choose_base("etc", "here", "I", "fs")
        assert (choice.base, choice.why) == (None, BaseWhy.BROKEN)


def test_a_broken_chain_gives_way_to_an_older_whole_one(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        old = backup(catalog, ONE)
        full = backup(catalog, ONE)
        backup(catalog, ONE, "I", full)
        catalog.remove_jobs([full.job_id])
        assert catalog.choose_base("etc", "here", "I", "fs").base == old


def test_an_incremental_without_a_base_cannot_be_restored(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        job = backup(catalog, ONE, "I")
        with pytest.raises(CatalogError, match="builds on a Job that is not in the catalog"):
            catalog.chain(job.job_id)


def test_a_ring_of_bases_is_damage(tmp_path: Path) -> None:
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, ONE)
        job = backup(catalog, ONE, "I", full)
        with catalog.database.transaction() as connection:
            connection.execute("UPDATE job SET base_job_id = ? WHERE job_id = ?", (job.job_id, full.job_id))
        with pytest.raises(CatalogError, match="damaged"):
            catalog.chain(job.job_id)
        assert catalog.choose_base("etc", "here", "I", "fs").why == BaseWhy.BROKEN


def test_each_way_to_a_missing_full_is_gone_once(tmp_path: Path) -> None:
    """Twenty thousand Incrementals whose Full is lost: gone from each of them, it is 200 million steps."""
    with open_catalog(tmp_path) as catalog:
        full = backup(catalog, ONE)
    many = [
        replace(full, job_id=JobId(number), level="I", base_job_id=JobId(number - 1)) for number in range(20_001, 1, -1)
    ]
    assert choose_among(many, "I", "fs").why == BaseWhy.BROKEN
    assert choose_among([*many, full], "I", "fs").base == many[0]
    ring = [replace(many[0], base_job_id=many[1].job_id), replace(many[1], base_job_id=many[0].job_id)]
    assert choose_among(ring, "I", "fs").why == BaseWhy.BROKEN
