"""What to take: a FileSet as values, read from a Director's lines or from a conf, and its rules."""

from filed.fileset.lines import agent_text, wire_lines
from filed.fileset.match import Matcher, Verdict
from filed.fileset.model import Compression, CompressionKind, FileSet, Include, Options, Signature
from filed.fileset.parse import Parsed, parse_lines

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
    "parse_lines",
    "wire_lines",
]
