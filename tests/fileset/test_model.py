from filed.fileset.model import Compression, CompressionKind, FileSet, Include, Options, Signature, merged


def test_merging_no_blocks_gives_the_defaults():
    assert merged(()) == Options()


def test_merging_one_block_gives_it_without_its_exclude():
    assert merged((Options(exclude=True, sparse=True),)) == Options(sparse=True)


def test_switches_are_on_when_any_block_says_so_and_the_last_digest_holds():
    both = merged(
        (
            Options(sparse=True, signature=Signature.MD5, fstypes=("xfs",), strip_path=1),
            Options(recurse=False, signature=Signature.SHA1, fstypes=("ext2", "xfs")),
            Options(compression=Compression(CompressionKind.LZO), accurate="mcs", plugin="x", fstypes=("tmpfs",)),
        )
    )
    assert (both.sparse, both.recurse, both.onefs) == (True, False, True)
    assert both.signature is Signature.SHA1
    assert both.compression == Compression(CompressionKind.LZO)
    assert both.fstypes == ("tmpfs",)
    assert (both.accurate, both.verify, both.strip_path, both.plugin) == ("mcs", None, 1, "x")


def test_an_instance_gets_the_lines_it_takes_and_all_excludes():
    fileset = FileSet(
        (Include((), (b"/a", b"/@EXCHANGE/x")), Include((), (b"/b",), ("bpipe:x", "pg: y")), Include((), (b"/c",))),
        (b"*.o",),
    )
    narrowed = fileset.narrowed(lambda path: path == b"/b", lambda line: line.startswith("pg"))
    assert narrowed == FileSet((Include((), (b"/b",), ("pg: y",)),), (b"*.o",))
