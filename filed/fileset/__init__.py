"""What to take: a FileSet as values, and its rules.

The reader of a conf's FileSet is `filed.fileset.conf`, left out of the door: it brings the whole grammar, 40 ms of start-up.
"""

from filed.fileset.expand import expanded
from filed.fileset.lines import agent_text, as_text, wire_lines
from filed.fileset.match import Matcher, Verdict, unused
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
    "unused",
    "wire_lines",
]
