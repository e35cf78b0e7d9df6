# SPDX-License-Identifier: MIT
"""The mailbox of careless.c once more, in Python, by cffi: what runs inside of the library. One mistake at a time, by `flaw`."""

import os
import sys

from careless_py import ffi, lib

SIZES = [0, 1, 100, 1000, 65536, 65537, 70000, 200000, 400, 400, 600, 700]
STATE = {"flaw": "", "next": 0, "message": 0, "position": 0, "fd": -1, "kept": None}
KEEP = []
VERSION_1_0 = 1 << 16


def flaw(name):
    return STATE["flaw"] == name


def content(message):
    return bytes((31 * message + i) % 251 for i in range(SIZES[message]))


def text(words):
    KEEP.append(ffi.new("char[]", words))
    return KEEP[-1]


@ffi.def_extern()
def agent_create(host, out):
    out[0] = ffi.cast("bp_agent *", 1)
    return 0


@ffi.def_extern()
def agent_option(agent, key, value):
    STATE["flaw"] = ffi.string(value).decode()
    return 0


@ffi.def_extern()
def agent_begin(agent, host, why, out):
    STATE.update(next=0, host=host)
    out[0] = ffi.cast("bp_job *", 1)
    if flaw("chdir") and why.kind == lib.BP_KIND_BACKUP:
        os.chdir("/")
    return 0


@ffi.def_extern()
def agent_next_entries(job, batch):
    if flaw("raises-in-a-list") and STATE["next"] == 0:
        raise KeyError("subject")
    if STATE["next"] == len(SIZES):
        batch.heap_low = batch.cap
        batch.flags = lib.BP_BATCH_COMPLETE
        return lib.BP_END
    buf, heap = ffi.cast("char *", batch.buf), batch.cap
    for message, size in enumerate(SIZES):
        name = b"/@CARE/in/%02d" % message
        heap -= len(name)
        ffi.memmove(buf + heap, name, len(name))
        entry = ffi.cast("bp_entry *", buf + message * batch.stride)
        entry.name_off, entry.name_len, entry.cookie, entry.type = heap, len(name), message, lib.BP_TYPE_REGULAR
        entry.mode, entry.size, entry.mtime.sec = 0o640, size, 1700000000 + (8 if message == 9 else message)
        entry.valid, entry.streams = lib.BP_HAS_MODE | lib.BP_HAS_SIZE | lib.BP_HAS_MTIME, 1
    batch.count = STATE["next"] = len(SIZES)
    batch.heap_low = heap
    return 0


@ffi.def_extern()
def agent_open_stream(job, cookie, stream, offset, size):
    STATE.update(message=cookie, position=0)
    size[0] = SIZES[cookie]
    return 0


@ffi.def_extern()
def agent_read(job, buf, cap, chunk):
    message = STATE["message"]
    if message == 7 and flaw("raises-in-read"):
        raise OSError(5, "the mail store does not answer")
    if message == 7 and flaw("exits"):
        sys.exit("a setting is missing")
    data = content(message)[STATE["position"] :][:cap]
    ffi.memmove(buf, data, len(data))
    chunk.offset, chunk.len = STATE["position"], len(data)
    STATE["position"] += len(data)
    chunk.flags = lib.BP_CHUNK_LAST if STATE["position"] == SIZES[message] else 0
    if message == 7:
        STATE["kept"] = ffi.buffer(buf, cap)
    return None if message == 7 and flaw("returns-nothing") else 0


@ffi.def_extern()
def agent_close_stream(job, how):
    if flaw("raises-in-close") and STATE["message"] == 7:
        raise RuntimeError("message 7 was cut")
    if flaw("keeps-the-buffer") and STATE["message"] == 7:
        STATE["kept"][0:4] = b"late"
    return 0


@ffi.def_extern()
def agent_restore_entry(job, entry, base, dest, replace, action):
    path = ffi.string(dest)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    STATE.update(fd=os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640), time=entry.mtime.sec)
    action[0] = lib.BP_ACTION_WANT
    return 0


@ffi.def_extern()
def agent_restore_stream(job, stream, size):
    return 0


@ffi.def_extern()
def agent_write(job, buf, chunk):
    if flaw("raises-in-write") and chunk.len > 100:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    os.pwrite(STATE["fd"], ffi.buffer(buf, chunk.len), chunk.offset)
    return 0


@ffi.def_extern()
def agent_restore_done(job, how):
    os.utime(STATE["fd"], (STATE["time"], STATE["time"]))
    os.close(STATE["fd"])
    return 0


@ffi.def_extern()
def agent_commit(job):
    if flaw("raises-in-commit"):
        raise ConnectionResetError("the mail store went away")
    return 0


@ffi.def_extern()
def agent_end(job, outcome):
    return 0


@ffi.def_extern()
def agent_destroy(agent):
    pass


def descriptor():
    api = ffi.new("bp_agent_api *")
    api.struct_size = ffi.sizeof("bp_agent_api")
    for name in dir(lib):
        if name.startswith("agent_"):
            setattr(api, name.removeprefix("agent_"), getattr(lib, name))
    options = ffi.new("bp_option[1]")
    options[0].key, options[0].help, options[0].initial = text(b"flaw"), text(b"what it does wrong"), text(b"")
    options[0].type = lib.BP_OPTION_STRING
    claims = ffi.new("char *[2]", [text(b"/@CARE"), ffi.NULL])
    made = ffi.new("bp_descriptor *")
    ffi.memmove(ffi.addressof(made, "magic"), b"BPLUGIN\0", 8)
    made.struct_size, made.header = ffi.sizeof("bp_descriptor"), VERSION_1_0
    made.min_version = made.max_version = VERSION_1_0
    made.option_size, made.id, made.version = ffi.sizeof("bp_option"), text(b"careless-py"), text(b"0.1")
    made.vendor, made.license = text(b"filed tests"), text(b"MIT")
    made.claims, made.options, made.n_options, made.api = claims, options, 1, api
    KEEP.extend((api, options, claims, made))
    return made


DESCRIPTOR = descriptor()


@ffi.def_extern()
def bplugin_query_v1(host_min, host_max):
    return DESCRIPTOR
