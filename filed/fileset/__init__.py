"""What to take: a FileSet as values, read from a Director's lines or from a conf, and its rules."""

from filed.fileset.conf import read_fileset
from filed.fileset.expand import expanded
from filed.fileset.lines import agent_text, as_text, wire_lines
from filed.fileset.match import Matcher, Verdict
from filed.fileset.model import Compression, CompressionKind, FileSet, Include, Options, Signature
from filed.fileset.parse import Parsed, parse_lines, parse_text

__all__ = [
    "Compression",
    "CompressionKind",
    "FileSet",
    "Include",
    "Matcher",
    "Options",
    "Parsed",
    "Signature",
    "Verdict",
    "agent_text",
    "as_text",
    "expanded",
    "parse_lines",
    "parse_text",
    "read_fileset",
    "wire_lines",
]
