"""File system names as a FileSet's `fstype` spells them, from the number statfs(2) reports.

The numbers are those of Linux' public header <linux/magic.h> and of statfs(2).  ext2, ext3 and ext4 share one number, and
so one name: `fstype = ext2`, for which `ext3` and `ext4` are taken as other spellings.
"""

from __future__ import annotations

NAMES = {
    0xADF5: "adfs",
    0xADFF: "affs",
    0x5346414F: "afs",
    0x0187: "autofs",
    0x62646576: "bdevfs",
    0x42465331: "befs",
    0x1BADFACE: "bfs",
    0x42494E4D: "binfmt_misc",
    0xCAFE4A11: "bpf",
    0x9123683E: "btrfs",
    0xCA451A4E: "bcachefs",
    0x00C36400: "ceph",
    0x27E0EB: "cgroup",
    0x63677270: "cgroup2",
    0xFF534D42: "cifs",
    0x73757245: "coda",
    0x012FF7B7: "coh",
    0x62656570: "configfs",
    0x28CD3D45: "cramfs",
    0x64626720: "debugfs",
    0x1373: "devfs",
    0x1CD1: "devpts",
    0xF15F: "ecryptfs",
    0xDE5E81E4: "efivarfs",
    0x414A53: "efs",
    0xE0F5E1E2: "erofs",
    0x2011BAB0: "exfat",
    0xEF53: "ext2",
    0xF2F52010: "f2fs",
    0x65735546: "fuse",
    0xBAD1DEA: "futexfs",
    0x01161970: "gfs2",
    0x4244: "hfs",
    0x482B: "hfsplus",
    0x00C0FFEE: "hostfs",
    0xF995E849: "hpfs",
    0x958458F6: "hugetlbfs",
    0x9660: "iso9660",
    0x72B6: "jffs2",
    0x3153464A: "jfs",
    0x137F: "minix",
    0x138F: "minix",
    0x2468: "minix",
    0x2478: "minix",
    0x4D5A: "minix",
    0x19800202: "mqueue",
    0x4D44: "vfat",
    0x11307854: "mtd_inode_fs",
    0x564C: "ncpfs",
    0x6969: "nfs",
    0x3434: "nilfs",
    0x6E736673: "nsfs",
    0x5346544E: "ntfs",
    0x7366746E: "ntfs",
    0x7461636F: "ocfs2",
    0x9FA1: "openprom",
    0x794C7630: "overlay",
    0x50495045: "pipefs",
    0x9FA0: "proc",
    0x6165676C: "pstore",
    0x002F: "qnx4",
    0x68191122: "qnx6",
    0x858458F6: "ramfs",
    0x52654973: "reiserfs",
    0x7275: "romfs",
    0x73636673: "securityfs",
    0xF97CFF8C: "selinuxfs",
    0x43415D53: "smackfs",
    0x517B: "smbfs",
    0xFE534D42: "smb2",
    0x534F434B: "sockfs",
    0x73717368: "squashfs",
    0x62656572: "sysfs",
    0x012FF7B6: "sysv2",
    0x012FF7B5: "sysv4",
    0x01021994: "tmpfs",
    0x74726163: "tracefs",
    0x15013346: "udf",
    0x00011954: "ufs",
    0x9FA2: "usbdevfs",
    0x01021997: "9p",
    0xA501FCF5: "vxfs",
    0x012FF7B4: "xenix",
    0xABBA1974: "xenfs",
    0x58465342: "xfs",
    0x2FC12FC1: "zfs",
}
SPELLINGS = {"ext3": "ext2", "ext4": "ext2", "fat": "vfat", "msdos": "vfat", "nfs4": "nfs", "fuseblk": "fuse"}
"""Other names people write, and the one that stands in the table."""


def type_name(fs_type: int | str) -> str:
    """The name of a file system, from its statfs number or from a name an agent already has."""
    if isinstance(fs_type, int):
        return NAMES.get(fs_type & 0xFFFFFFFF, f"0x{fs_type & 0xFFFFFFFF:x}")
    return SPELLINGS.get(fs_type.lower(), fs_type.lower())


def listed(fs_type: int | str, names: tuple[str, ...]) -> bool:
    """Whether a file system is one of those a FileSet names."""
    name = type_name(fs_type)
    return any(type_name(allowed) == name for allowed in names)
