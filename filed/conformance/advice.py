"""What to do about a finding, by what it says."""

from __future__ import annotations

import re

_ABORT = (
    "an assertion, a double free, or a C++ exception that left the agent: bp_guard catches those."
    " Run it with `filed agent run --debug` below gdb"
)
_CRASH = (
    "run the same with `filed agent run --debug` below gdb or valgrind; a write past a buffer crashes here,"
    " since each buffer ends at a page that cannot be touched"
)
_ADVICE = (
    (r"crashed \(SIGABRT\)", _ABORT),
    (r"crashed", _CRASH),
    (r"called exit", "return a status instead: the process is the host's"),
    (r"made no progress", "poll the cancel word, and call bp_beat or bp_defer in long work"),
    (r"only empty pages", "list an entry, or show life with bp_beat while there is none"),
    (r"still busy", "is there an end? If the source is only large, give a smaller one, or --limit"),
    (r"answered BP_E_SEQUENCE", "see the callback in bplugin.h: match and put_state belong to a Job, put_state to a backup until END"),
    (r"answered BP_E_INVAL", "look at the arguments of the callback: a NULL, a length, a number that the header does not have"),
    (r"answered BP_E_TOO_BIG", "a state has at most BP_MAX_STATE bytes: keep the rest where the agent can find it"),
    (r"thread of the agent's own", "match, put_state, secret and extension are [job] calls: make them inside a call of the host"),
    (r"table of a Job that has ended", "end the threads of a Job in `end`; its host table is gone with it"),
    (r"a command that it started, .*, ignores", "set them to SIG_DFL between fork and exec, or a pipeline never ends"),
    (r"is REREAD, and", "flag REREAD only what can be opened again, at any offset"),
    (r"access time", "open with O_NOATIME where it is allowed, or set the time back, as bp_want.options say"),
    (r"another content", "give ino, dev and nlink only to names of one file"),
    (r"lies in the future", "seconds since 1970 in UTC: no milliseconds, no local time, no other epoch"),
    (r"changed .* of the process", "leave them to the host, or put them back before the call returns"),
    (r"outside the page's heap|inside the .* records|behind the page|entries on a page", "fill pages with the SDK's bp_page_*"),
    (r"name has|name does|holds a NUL", "names are absolute, parts joined by one /, none of them . or .. or empty"),
    (r"cookie", "a cookie is the agent's key of an entry: unique in its page"),
    (r"COMPLETE after a list that lacks", "bp_page_end(&page, 0) after a list of news: only a list of all there is may be complete"),
    (r"whose state says that it was", "put the state with the empty page that ends the list, and leave out what failed since the base"),
    (r"PLAIN_FILES and restore calls", "leave one of the two out"),
    (r"another name of its inode", "give ino, dev and nlink only to names of one file, as it is at one moment"),
    (r"a size and no DATA", "offer BP_STREAM_DATA, or leave BP_HAS_SIZE out"),
    (r"skips every entry", "BP_ACTION_SKIP is for what `replace` leaves alone"),
    (r"returned success", "return the status that was given to `fail`, or do not call it"),
    (r"the content is cut", "say BP_E_IO from read, or BP_E_CHANGED from close_stream"),
    (r"with directories (before|without)", "make missing parents in restore_entry; apply a directory's attributes in commit"),
    (r"gap in the offsets", "write at chunk->offset, truncate to the end of the last chunk, and leave the rest to the file system"),
    (r"COMPLETE", "only with BP_END, and only when every name was listed: what else the base has is deleted"),
    (r"chunk|no bytes, and not the last|bytes in a buffer", "fill bp_chunk with bp_chunk_set; offsets ascend, LAST ends the stream"),
    (r"went on after|answered anything but an error", "return what the callback returned (BP_E_HOST), after cleaning up"),
    (r"fewer than without a state|left out", "answer BP_E_BASE from begin when a state cannot be continued from; never guess"),
    (r"returned 1000, which is no status", "BP_PAGE_FULL of the page writer is no status: bp_page_undo, and return BP_OK; the next page begins with that entry"),
    (r"which is no status", "return BP_OK, a negative BP_E_*, or from next_entries BP_END"),
    (r"pages of|listed no more", "fill up to max_entries, and keep what does not fit for the next page: bp_page_add says BP_PAGE_FULL"),
    (r"buffer", "read takes any cap from BP_MIN_READ on; what comes must not depend on it"),
    (r"later host|unknown to this host|has bits that", "go by batch->stride and struct_size, never by sizeof, and set only what the header has"),
    (r"others of its page were dropped|closed early", "open what the cookie says: a host asks for some entries, or for none"),
    (r"directory is listed before", "list a directory after everything in it"),
    (r"mode is|modification time", "apply attributes in restore_done, after the data; a directory's in commit"),
    (r"restored content", "write at chunk->offset, all of it; a gap is a hole; LAST gives the length"),
    (r"others are there, and it is not", "BP_ACTION_CREATED says that no data is wanted; SKIP that it was left alone"),
    (r"replace NEVER", "answer BP_ACTION_SKIP for what exists, as `replace` says"),
    (r"outside of where", "walk from where with openat and O_NOFOLLOW, part by part"),
    (r"though no state is given|just put", "BP_E_BASE is for a base that is gone; without a state, send everything"),
    (r"a cancel during", "look at bp_cancelled at least every second; let `cancel` wake what blocks"),
    (r"memory|descriptor", "release what begin made in end, and what create made in destroy, errors included"),
    (r"and it leaves a file", "answer WANT or CREATED where `replace` lets the entry win, and truncate what is there"),
    (r"are kept: their owner", "close what was written, and leave it: restore_done says BP_E_CORRUPT, the report names the file"),
    (r"is written in Go", "docs/agents.md says in section 8 what to do instead"),
    (r"process|forked", "start commands with fork and exec or posix_spawn, and wait for them before `end` returns"),
    (r"standard (input|output)", "descriptors 0 to 2 are not the agent's: say things with bp_logf"),
    (r"not loaded", "`bplugin_query_v1` and the descriptor decide: see the end of bplugin.h"),
)  # fmt: skip


def advice(call: str, rule: str) -> str:
    """One sentence; what the header says at a call, where nothing better is known."""
    for pattern, words in _ADVICE:
        if re.search(pattern, rule):
            return words
    known = call.split(maxsplit=1)[0] if call else ""
    return f"bplugin.h has the rules, at `{known}`" if known else "bplugin.h has the rules"
