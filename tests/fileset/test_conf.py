import re
from pathlib import Path

import pytest

from filed.config.standalone import standalone_conf
from filed.config.syntax import parse
from filed.errors import ConfigError
from filed.fileset.conf import read_fileset
from filed.fileset.model import Compression, CompressionKind, FileSet, Include, Options, Replace, Signature

GZIP, LZO, ZSTD = CompressionKind.GZIP, CompressionKind.LZO, CompressionKind.ZSTD


def fileset(body: str, warnings: list[str] | None = None) -> FileSet:
    (statement,) = parse("FileSet {\n Name = T\n" + body + "\n}", "f")
    return read_fileset(statement, warnings)


def options(text: str) -> Options:
    (one,) = fileset("Include { Options { " + text + " }\n File = /x }").includes[0].options
    return one


def test_the_resource_of_a_director_reads_as_its_fileset():
    read = fileset(
        """
        Ignore FileSet Changes = yes
        Enable VSS = no
        Include {
          Options { signature = MD5; compression = GZIP9; One FS = no; aclsupport = yes
                    FS Type = ext4; FS Type = btrfs }
          Options { Exclude = yes; WildDir = "*/.cache"; Wild File = "*~"; RegexFile = "^.*\\\\.bak$"; ignore case = yes }
          File = /home
          File = "/data/with blank"
          Plugin = "bpipe:/x.sql:dump:load"
          Exclude Dir Containing = .nobackup
        }
        Exclude { File = "*.core"; File = /home/x }
        """
    )
    assert (read.name, read.vss) == ("T", False)
    assert read == FileSet(
        (
            Include(
                (
                    Options(
                        signature=Signature.MD5,
                        compression=Compression(GZIP, 9),
                        onefs=False,
                        aclsupport=True,
                        fstypes=("ext4", "btrfs"),
                    ),
                    Options(
                        exclude=True,
                        ignore_case=True,
                        wilddir=(b"*/.cache",),
                        wildfile=(b"*~",),
                        regexfile=(rb"^.*\.bak$",),
                    ),
                ),
                (b"/home", b"/data/with blank"),
                ("bpipe:/x.sql:dump:load",),
                (b".nobackup",),
            ),
        ),
        (b"*.core", b"/home/x"),
    )


@pytest.mark.parametrize(
    ("word", "compression"),
    [
        ("GZIP", Compression(GZIP, 6)), ("gzip1", Compression(GZIP, 1)), ("LZO", Compression(LZO)),
        ("ZSTD", Compression(ZSTD, 3)), ("zstd19", Compression(ZSTD, 19)),
    ],
)  # fmt: skip
def test_compressions_have_the_directors_names(word, compression):
    assert options(f"Compression = {word}").compression == compression


@pytest.mark.parametrize(
    ("word", "signature"),
    [("MD5", Signature.MD5), ("sha1", Signature.SHA1), ("SHA-256", Signature.SHA256), ("SHA512", Signature.SHA512), ("XXHASH64", Signature.XXH64), ("XXH3_128", Signature.XXH3_128)],
)  # fmt: skip
def test_signatures_have_the_directors_names(word, signature):
    assert options(f"Signature = {word}").signature is signature


def test_every_switch_can_be_turned():
    text = (
        "exclude=yes; onefs=no; recurse=no; hardlinks=no; ignorecase=yes; sparse=yes; readfifo=yes; portable=yes\n"
        "hfsplussupport=yes; mtimeonly=yes; keepatime=yes; noatime=yes; enhancedwild=yes; aclsupport=yes\n"
        "xattrsupport=yes; checkfilechanges=yes; honornodumpflag=yes; replace = never; strippath = 2\n"
        "verify = pins5; accurate = mcs; basejob = pinug"
    )
    read = options(text)
    assert read == Options(
        exclude=True, onefs=False, recurse=False, hardlinks=False, ignore_case=True, sparse=True, readfifo=True,
        portable=True, hfsplus=True, mtimeonly=True, keepatime=True, noatime=True, enhanced_wild=True, aclsupport=True,
        xattrsupport=True, checkfilechanges=True, honor_nodump=True, replace=Replace.NEVER, strip_path=2,
        verify="pins5", accurate="mcs", basejob="pinug",
    )  # fmt: skip


def test_lists_and_commands_lose_the_backslash_for_the_client():
    read = fileset('Include { File = "</list"; File = "\\\\<list"; File = "\\\\|sh -c \'ls\'"; File = "|x" }')
    assert read.includes[0].files == (b"</list", b"<list", b"|sh -c 'ls'", b"|x")


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("/tmp/", b"/tmp"),
        ("/", b"/"),
        ("cache", b"*/cache"),
        ("a/b/", b"*/a/b"),
        ("**/x/", b"*/x"),
        ("*.o", b"*.o"),
        ("/home/**/x", b"/home/*/x"),
    ],
)
def test_an_exclude_is_taken_as_people_type_it(typed: str, taken: bytes):
    assert fileset(f'Include {{ File = / }}\nExclude {{ File = "{typed}" }}').excludes == (taken,)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", 'f:1:1: FileSet "T" has no Include'),
        ("Include { }", 'neither a "File" nor a "Plugin" line'),
        ("Include { File = /a, /b }", 'f:3:20: "File" takes one item'),
        ("Include { File = /a b }", "put it in double quotes"),
        ('Include { File = "" }', '"File" takes one item'),
        ("Include { File = a/b }", '"a/b" is not a full path'),
        ("Include { Options { Compression = BZIP2 }\n File = / }", 'Compression "BZIP2" is not one of: GZIP'),
        ("Include { Options { Signature = x }\n File = / }", 'Signature "x" is not one of: md5'),
        ("Include { Options { Accurate = mzq }\n File = / }", '"Accurate" has letters nobody knows: qz'),
        ("Include { Options { WildDirs = x }\n File = / }", 'did you mean "Wild Dir"?'),
        ('Include { Options { Regex = "(a" }\n File = / }', 'regex "(a" cannot be used'),
        ("Include { File = / }\nExclude { Options { } }", "an Exclude block has no Options"),
        ("Include { File = / }\nInclud { }", 'did you mean "Include"?'),
    ],
)
def test_what_is_wrong_is_told_with_its_place(body, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        fileset(body)


def test_the_manuals_example_is_a_good_conf():
    manual = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    (example,) = [block for block in re.findall(r"```\n(.*?)```", manual, re.DOTALL) if "Archive Device" in block]
    read = standalone_conf(parse(example))
    assert read.warnings == ()
    warnings: list[str] = []
    fileset = read_fileset(read.fileset(read.job("Nightly").fileset), warnings)
    assert (warnings, fileset.includes[0].options[1].compression) == ([], Compression(ZSTD, 3))


def test_an_option_plugin_is_refused_where_it_stands() -> None:
    with pytest.raises(ConfigError, match=r'f:1:.*Plugin = "crypt: x" within Options is not served'):
        options('Plugin = "crypt: x"')
