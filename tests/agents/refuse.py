"""The agents of refuse.c: which must not be loaded, and the words that a host's reason has to hold."""

from __future__ import annotations

from pathlib import Path

from tests.agents.compile import compile_agent

# variant -> words of the reason, any of which will do (case does not count)
REFUSED: dict[str, tuple[str, ...]] = {
    "NO_SYMBOL": ("bplugin_query_v1",),
    "BAD_MAGIC": ("magic",),
    "SHORT_SIZE": ("size",),
    "VERSION_OLD": ("version",),
    "VERSION_NEW": ("needs api", "update filed"),
    "VERSION_REVERSED": ("version", "range"),
    "NEEDS_UNKNOWN": ("needs", "feature"),
    "THREADS_UNKNOWN": ("thread",),
    "NULL_ID": ("id",),
    "NULL_TABLE": ("table", "api"),
    "SHORT_TABLE": ("table", "size"),
    "OPTIONS_NULL": ("option",),
    "NO_CREATE": ("create",),
    "NO_BEGIN": ("begin",),
    "NO_END": ("end",),
    "NO_DESTROY": ("destroy",),
    "NO_GROUP": ("backup", "restore", "next_entries"),
    "NO_READ": ("read",),
    "QUERY_NULL": ("refuse",),
    'ID="Bad_Id"': ("id",),
    'ID="other"': ("id", "name"),
    "SYMBOL_MISSING_IN_LINK": ("symbol",),
}
# These are loaded: an unknown feature is ignored, a wider range meets ours.
ACCEPTED = ("", "FEATURE_UNKNOWN", "VERSION_WIDE")
# Loaded, and then `create` says no.
REFUSED_AT_CREATE = ("CREATE_VERSION",)
# Only a throw-away process survives looking at these.
DEADLY = ("CONSTRUCTOR_CRASH", "CONSTRUCTOR_EXIT", "QUERY_CRASH", "QUERY_HANG", "QUERY_WILD")


def compile_refused(variant: str, out_dir: Path) -> Path:
    """refuse.so of one variant ("" for none) in `out_dir`."""
    # A variant leaves parts out: what they used is unused then.
    return compile_agent("refuse.c", out_dir, "refuse", [variant] if variant else [], flags=["-Wno-unused"])


def compile_dependent(out_dir: Path) -> Path:
    """refuse.so without the symbol, linked with good.so beside it, which has it: dlsym finds that one."""
    compile_agent("good.c", out_dir, "good")
    flags = ["-Wno-unused", "-Wl,--no-as-needed", f"-L{out_dir}", "-l:good.so", "-Wl,-rpath,$ORIGIN"]
    return compile_agent("refuse.c", out_dir, "refuse", ["NO_SYMBOL"], flags=flags)
