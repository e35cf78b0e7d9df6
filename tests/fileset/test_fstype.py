import pytest

from filed.fileset.fstype import listed, type_name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0xEF53, "ext2"), (0x58465342, "xfs"), (0x9123683E, "btrfs"), (0x01021994, "tmpfs"), (0x6969, "nfs"),
        (0xFF534D42, "cifs"), (0x794C7630, "overlay"), (0x2FC12FC1, "zfs"), (0x9FA0, "proc"), (0x62656572, "sysfs"),
        (0x65735546, "fuse"), (0x4D44, "vfat"), (0x5346544E, "ntfs"), (0x9660, "iso9660"),
    ],
)  # fmt: skip
def test_a_statfs_number_has_its_name(number, name):
    assert type_name(number) == name


def test_a_number_that_the_kernel_sign_extended_is_the_same_file_system():
    assert type_name(0x9123683E - (1 << 32)) == "btrfs"


def test_a_number_nobody_knows_is_shown():
    assert type_name(0x1234567) == "0x1234567"


def test_other_spellings_mean_the_same():
    assert listed(0xEF53, ("xfs", "ext4"))
    assert listed("EXT3", ("ext2",))
    assert not listed("tmpfs", ("ext2",))
    assert not listed(0xEF53, ())
