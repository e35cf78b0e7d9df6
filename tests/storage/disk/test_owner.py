"""A directory of Volumes that is somebody else's, or can be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.catalog import Catalog
from filed.errors import CatalogError, VolumeError
from filed.storage import VolumeDirectory
from filed.storage.disk.owner import refuse_others

OTHERS = 12_345


def test_what_others_can_write_is_refused_for_reading_too(tmp_path: Path) -> None:
    for mode, wrong in ((0o700, False), (0o755, False), (0o702, True), (0o1777, True)):
        tmp_path.chmod(mode)
        if wrong:
            with pytest.raises(VolumeError, match=r"can be written by others.*chmod go-w"):
                VolumeDirectory.open(tmp_path)
        else:
            VolumeDirectory.open(tmp_path)


@pytest.mark.root
def test_what_belongs_to_another_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, OTHERS, -1)
    with pytest.raises(VolumeError, match=rf"belongs to user {OTHERS}.*or run this as the user it belongs to"):
        VolumeDirectory.open(tmp_path)


def test_one_that_is_not_there_is_nobodys(tmp_path: Path) -> None:
    refuse_others(tmp_path / "none")


def test_a_link_in_place_of_a_catalog_or_its_log_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.touch()
    for name in ("catalog.sqlite", "catalog.sqlite-wal"):
        storage = tmp_path / name.replace(".", "-")
        storage.mkdir()
        (storage / name).symlink_to(precious)
        for use in (Catalog.open, Catalog.read):
            with pytest.raises(CatalogError, match=f"{name} is a symbolic link"):
                use(storage)
    assert precious.read_bytes() == b""
