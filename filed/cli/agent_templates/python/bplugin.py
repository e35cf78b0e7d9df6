"""The contract of bplugin.h in Python: what an agent is to write stands in `Agent` and `Job`; the rest is plumbing.

Whatever an agent raises becomes a status of the contract, and its traceback goes into the Job's messages: FileNotFoundError,
PermissionError and other OSErrors are about the entry at hand, in the calls that are about one; all else ends the Job.
"""

import collections
import contextlib
import traceback


class Failed(Exception):
    """A status of the contract, and what a person is to be told: Failed(lib.BP_E_BUSY, "one backup at a time")."""

    def __init__(self, status, text=""):
        super().__init__(text)
        self.status = status


class BaseGone(Failed):
    """The base cannot be continued from: the host begins again without a state, and warns."""

    def __init__(self, text):
        super().__init__(lib.BP_E_BASE, text)


Option = collections.namedtuple("Option", "key help type flags", defaults=(None, 0))


class Entry:
    """One thing that exists. content: bytes of a small file; None: `Job.read` gives them. selected: not compared with the base."""

    def __init__(self, name, content=None, size=None, *, mtime=None, mode=0o644, selected=False, about=None):
        self.name = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name
        self.content, self.size, self.mtime, self.mode = content, size, mtime, mode
        self.selected, self.about = selected, about


class Agent:
    """One configured instance. claims: how the File lines begin that it takes; options: of the conf.

    parallel: how many entries may be read at once, each on a thread of its own; 0: one after the other.
    """

    id, version, vendor, license = "", "0.1", "unknown", "unknown"
    claims = ()
    options = ()
    parallel = 0

    def __init__(self):
        self.settings = collections.defaultdict(list)  # of each option, what the conf says

    def ready(self):
        """All settings are there: look at them together."""

    def begin(self, why):
        """A Job. why: kind, level, job, base_job, state (bytes, or None: save everything), state_format, where."""
        raise NotImplementedError

    def confirmed(self, job, state):
        """The director has this Job of before: what waited for that may be released."""

    # To be several agents' moment, define both: see bp_phases.
    prepare = None
    release = None


class Job:
    """One Job, from `begin` to `end`. host: message, fail, cancelled, hold, expect, watermark, as in bplugin.h."""

    host = None
    format = 1  # of the state
    complete = False  # after the last entry: every name there is was listed, so what only the base has is deleted
    gap = False  # something may have been missed: no state is kept

    def entries(self):
        """Each thing there is, as Entry; directories behind what is in them."""
        raise NotImplementedError

    def read(self, entry):
        """The content of an entry that came without, piece by piece."""
        raise NotImplementedError

    def failed(self, entry):
        """It could not be saved. What `state` says is not to count it."""

    def state(self):
        """After the last entry was read: bytes that the next Job gets, if this one is its base. None: there is no state."""

    def restore(self, entry, dest):
        """A binary file, open for writing; or None: it is an ordinary file, and the host makes it."""

    def restored(self, entry, dest, whole):
        """The file is closed. whole: it is what was saved."""

    def commit(self):
        """Backup: all is stored. Restore: the last entry has come."""

    def cancel(self):
        """On another thread: make a call that blocks return."""

    def end(self, done):
        """done: the Job is good."""

    # What can be said before a restore, see bp_plan: define it.
    plan = None


class Host:
    """What the host does for an agent or a Job."""

    def __init__(self, table):
        self.table = table

    @property
    def cancelled(self):
        return self.table.cancel[0] != 0

    def beat(self):
        self.table.heartbeat[0] += 1

    def message(self, text, severity=None):
        words = text.encode("utf-8", "backslashreplace")
        self._called("message", lib.BP_MSG_INFO if severity is None else severity, words, len(words))

    def put_state(self, state, number):
        self._called("put_state", state, len(state), number)

    def expect(self, entries, size=0):
        self._called("expect", entries, size)

    def watermark(self, position):
        self._called("watermark", position)

    def hold(self, token):
        self._called("hold", token, len(token))

    def _called(self, name, *arguments):
        function = getattr(self.table, name) if self.table.struct_size > ffi.offsetof("bp_host_api", name) else None
        if not function:
            return  # a host of 1.0 has none
        status = function(self.table.ctx, *arguments)
        if status != lib.BP_OK:
            raise Failed(status, f"{name} of the host")

    def fail(self, status, error, report):
        """report: a bp_error of the call, or None."""
        number = error.errno or 0 if isinstance(error, OSError) else 0
        domain = lib.BP_OS_ERRNO if number else lib.BP_OS_NONE
        what = error.filename if isinstance(error, OSError) and error.filename else error
        words = str(what if number or isinstance(error, Failed) else f"{type(error).__name__}: {error}").encode(
            "utf-8", "replace"
        )[:2000]
        if report:
            report.os_domain, report.os_error, report.len = domain, number, min(len(words), report.cap)
            ffi.memmove(report.text, words, report.len)
        elif self.table.fail:
            self.table.fail(self.table.ctx, status, domain, number, words, len(words))


# ---- from here on: plumbing ------------------------------------------------------------------------------------------

_written = set()  # functions of tables
_alive = {}  # handle -> what it stands for
_kept = []  # what the host has pointers to


def _handle(kind, what):
    kept = ffi.new_handle(what)
    handle = ffi.cast(f"{kind} *", kept)
    _alive[handle] = what, kept
    return handle


class _Instance:
    def __init__(self, table):
        self.host, self.agent = Host(table), _made()
        self.agent.host = self.host


class _Running:
    """A Job at work. page: entries of the last page, by cookie."""

    def __init__(self, host, job, why):
        self.host, self.job, self.kind = host, job, why.kind
        job.host = host
        self.entries, self.waiting, self.listed = None, None, False
        self.page, self.stream, self.restoring = {}, None, None


class _Reading:
    """One open stream. next: what is read ahead, so that it is known which piece is the last."""

    def __init__(self, running, entry):
        self.running, self.entry, self.host, self.at = running, entry, running.host, 0
        content = entry.content if entry.content is not None else running.job.read(entry)
        self.pieces = iter([content] if isinstance(content, (bytes, bytearray)) else content)
        self.next = self._piece()

    def _piece(self):
        return next((memoryview(piece) for piece in self.pieces if len(piece)), None)

    def fill(self, buf, cap, chunk):
        done = 0
        while self.next is not None and done < cap:
            if self.host.cancelled:
                raise Failed(lib.BP_E_CANCELLED)
            part = self.next[: cap - done]
            ffi.memmove(ffi.cast("char *", buf) + done, part, len(part))
            done += len(part)
            self.next = self.next[len(part) :] if len(part) < len(self.next) else self._piece()
        chunk.offset, chunk.len = self.at, done
        chunk.flags = lib.BP_CHUNK_LAST if self.next is None else 0
        self.at += done

    def close(self, how):
        if how != lib.BP_OK:
            self.running.job.failed(self.entry)
        if hasattr(self.pieces, "close"):
            self.pieces.close()


_OF_ENTRY = {
    "open_stream",
    "read",
    "close_stream",
    "restore_entry",
    "restore_stream",
    "write",
    "restore_done",
    "open",
    "close",
}


def _status_of(error, call):
    if isinstance(error, Failed):
        return error.status
    if isinstance(error, MemoryError):
        return lib.BP_E_NOMEM
    if isinstance(error, OSError) and call in _OF_ENTRY:
        kinds = ((FileNotFoundError, lib.BP_E_NOTFOUND), (PermissionError, lib.BP_E_ACCESS))
        return next((status for kind, status in kinds if isinstance(error, kind)), lib.BP_E_IO)
    return lib.BP_E_FAIL


def _slot(table, call):
    """Gives a function to a slot of a table: what it raises becomes a status, with its traceback in the Job's messages."""

    def taken(function):
        def called(first, *arguments):
            error = arguments[-1] if table == "bp_streams" else None
            host = None
            try:
                if call == "create":
                    host = Host(first)
                    function(first, *arguments)
                    return lib.BP_OK
                host = _alive[first][0].host
                status = function(_alive[first][0], *arguments)
                return lib.BP_OK if status is None else status
            except BaseException as raised:
                status = _status_of(raised, call)
                with contextlib.suppress(BaseException):
                    host.fail(status, raised, error)
                    if not isinstance(raised, (Failed, OSError)):
                        for line in traceback.format_exception(raised):
                            for part in line.rstrip().splitlines():
                                host.message(part, lib.BP_MSG_INFO)
                return status

        def ended(first):
            with contextlib.suppress(BaseException):
                function(_alive.pop(first)[0])

        _written.add(f"{table}_{call}")
        ffi.def_extern(name=f"{table}_{call}", onerror=lambda *_: None)(ended if call == "destroy" else called)
        return function

    return taken


@_slot("bp_agent_api", "create")
def _create(table, out):
    out[0] = _handle("bp_agent", _Instance(table))


@_slot("bp_agent_api", "option")
def _option(instance, key, value):
    instance.agent.settings[ffi.string(key).decode()].append(ffi.string(value).decode("utf-8", "surrogateescape"))


@_slot("bp_agent_api", "ready")
def _ready(instance):
    instance.agent.ready()


@_slot("bp_agent_api", "extension")
def _extension(instance, name, out):
    out[0] = _tables.get(ffi.string(name), ffi.NULL)
    return lib.BP_OK if out[0] else lib.BP_E_UNSUPPORTED


@_slot("bp_agent_api", "begin")
def _begin(instance, table, why, out):
    told = Why(why)
    running = _Running(Host(table), instance.agent.begin(told), told)
    out[0] = _handle("bp_job", running)


class Why:
    """bp_begin, copied."""

    def __init__(self, raw):
        self.kind, self.level, self.state_why, self.flags = raw.kind, raw.level, raw.state_why, raw.flags
        self.job, self.base_job = ffi.string(raw.job).decode(), ffi.string(raw.base_job).decode()
        self.state = ffi.buffer(raw.state, raw.state_len)[:] if raw.state_why == lib.BP_STATE_FOUND else None
        self.state_format, self.since = raw.state_format, raw.since.sec
        self.fileset, self.where = ffi.string(raw.fileset), ffi.string(raw.where)
        later = raw.struct_size > ffi.offsetof("bp_begin", "reserved")
        self.keep_from = raw.keep_from if later else 0
        self.saved_job = ffi.string(raw.saved_job).decode() if later else ""

    @property
    def backup(self):
        return self.kind == lib.BP_KIND_BACKUP

    @property
    def restore(self):
        return self.kind == lib.BP_KIND_RESTORE


@_slot("bp_agent_api", "next_entries")
def _next_entries(running, batch):
    running.page = {}
    running.entries = running.entries if running.entries is not None else iter(running.job.entries())
    base, heap, count = ffi.cast("char *", batch.buf), batch.cap, 0
    while count < batch.max_entries:
        entry = running.waiting if running.waiting is not None else next(running.entries, None)
        running.waiting = entry
        if entry is None:
            break
        if running.host.cancelled:
            raise Failed(lib.BP_E_CANCELLED)
        running.host.beat()
        low = heap - len(entry.name)
        if low < (count + 1) * batch.stride + 1:
            if not count:
                raise Failed(lib.BP_E_TOO_BIG, f"a name of {len(entry.name)} bytes")
            break
        heap, running.waiting = low, None
        ffi.memmove(base + heap, entry.name, len(entry.name))
        record = ffi.cast("bp_entry *", base + count * batch.stride)
        count += 1
        record.name_off, record.name_len, record.cookie = heap, len(entry.name), count
        record.type, record.streams = lib.BP_TYPE_REGULAR, 1 << lib.BP_STREAM_DATA
        record.mode, record.valid = entry.mode, lib.BP_HAS_MODE
        record.flags = lib.BP_ENTRY_SELECTED if entry.selected else 0
        size = entry.size if entry.content is None else len(entry.content)
        if size is not None:
            record.size, record.valid = size, record.valid | lib.BP_HAS_SIZE
        if entry.mtime is not None:
            record.mtime.sec, record.valid = int(entry.mtime), record.valid | lib.BP_HAS_MTIME
        running.page[count] = entry
    batch.count, batch.heap_low, batch.flags = count, heap, 0
    if count:
        return lib.BP_OK  # asked again when these are read: only then it is known what was saved
    later = running.host.table.version > (1 << 16)
    if running.kind == lib.BP_KIND_BACKUP and not running.job.gap:
        state = running.job.state()
        if state is not None:
            running.host.put_state(state, running.job.format)
    if running.job.gap and later:
        batch.flags = lib.BP_BATCH_GAP
    elif running.job.complete and not running.job.gap:
        batch.flags = lib.BP_BATCH_COMPLETE
    return lib.BP_END


def _opened(running, cookie, stream, size):
    entry = running.page.get(cookie)
    if entry is None or stream != lib.BP_STREAM_DATA:
        raise Failed(lib.BP_E_INVAL, "no such stream")
    try:
        reading = _Reading(running, entry)
    except BaseException:
        running.job.failed(entry)
        raise
    known = entry.size if entry.content is None else len(entry.content)
    if known is not None:
        size[0] = known
    return reading


@_slot("bp_agent_api", "open_stream")
def _open_stream(running, cookie, stream, offset, size):
    if offset:
        raise Failed(lib.BP_E_INVAL, "no stream can be opened in its middle")
    running.stream = _opened(running, cookie, stream, size)


@_slot("bp_agent_api", "read")
def _read(running, buf, cap, chunk):
    running.stream.fill(buf, cap, chunk)


@_slot("bp_agent_api", "close_stream")
def _close_stream(running, how):
    stream, running.stream = running.stream, None
    stream.close(how)


@_slot("bp_streams", "open")
def _streams_open(running, cookie, stream, size, out, error):
    out[0] = _handle("bp_stream", _opened(running, cookie, stream, size))


@_slot("bp_streams", "read")
def _streams_read(reading, buf, cap, chunk, error):
    reading.fill(buf, cap, chunk)


@_slot("bp_streams", "close")
def _streams_close(reading, how, error):
    del _alive[next(handle for handle, (what, _) in _alive.items() if what is reading)]
    reading.close(how)


@_slot("bp_phases", "prepare")
def _prepare(instance):
    instance.agent.prepare()


@_slot("bp_phases", "release")
def _release(instance, when, token, length):
    instance.agent.release(when, ffi.buffer(token, length)[:] if length else b"")


@_slot("bp_plan", "plan")
def _plan(running):
    if running.job.plan is not None:
        running.job.plan()


@_slot("bp_agent_api", "restore_entry")
def _restore_entry(running, record, base, dest, replace, action):
    name = ffi.buffer(ffi.cast("char *", base) + record.name_off, record.name_len)[:]
    entry = Entry(name, size=record.size, mtime=record.mtime.sec, mode=record.mode)
    path = ffi.string(dest)
    file = running.job.restore(entry, path)
    running.restoring = (entry, path, file)
    action[0] = lib.BP_ACTION_HOST if file is None else lib.BP_ACTION_WANT


@_slot("bp_agent_api", "restore_stream")
def _restore_stream(running, stream, size):
    return lib.BP_OK if stream == lib.BP_STREAM_DATA else lib.BP_E_UNSUPPORTED


@_slot("bp_agent_api", "write")
def _write(running, buf, chunk):
    file = running.restoring[2]
    file.seek(chunk.offset)
    if chunk.len:
        file.write(ffi.buffer(buf, chunk.len)[:])
    elif chunk.flags & lib.BP_CHUNK_LAST:
        file.truncate(chunk.offset)


@_slot("bp_agent_api", "restore_done")
def _restore_done(running, how):
    (entry, path, file), running.restoring = running.restoring, None
    file.close()
    running.job.restored(entry, path, how == lib.BP_OK)


@_slot("bp_agent_api", "commit")
def _commit(running):
    running.job.commit()


@_slot("bp_agent_api", "cancel")
def _cancel(running):
    running.job.cancel()


@_slot("bp_agent_api", "end")
def _end(running, outcome):
    del _alive[next(handle for handle, (what, _) in _alive.items() if what is running)]
    running.job.end(outcome == lib.BP_OUTCOME_DONE)


@_slot("bp_agent_api", "confirmed")
def _confirmed(instance, job, state, length, number):
    instance.agent.confirmed(ffi.string(job).decode(), ffi.buffer(state, length)[:] if length else b"")


@_slot("bp_agent_api", "destroy")
def _destroy(instance):
    pass


_tables = {}
_made = None


def _text(words):
    _kept.append(ffi.new("char[]", words if isinstance(words, bytes) else words.encode()))
    return _kept[-1]


def _table(name):
    """A table whose slots are the functions above."""
    made = ffi.new(f"{name} *")
    made.struct_size = ffi.sizeof(name)
    for slot, _ in ffi.typeof(name).fields:
        if f"{name}_{slot}" in _written:
            setattr(made, slot, getattr(lib, f"{name}_{slot}"))
    _kept.append(made)
    return made


def offer(source):
    """The one agent of a module: its class that is an Agent."""
    global _made
    (_made,) = [
        one for one in vars(source).values() if isinstance(one, type) and issubclass(one, Agent) and one is not Agent
    ]
    if _made.parallel:
        _tables[b"bp.streams/1"] = _table("bp_streams")
        _tables[b"bp.streams/1"].most = _made.parallel
    if _made.prepare is not None:
        _tables[b"bp.phases/1"] = _table("bp_phases")
    if any(isinstance(one, type) and issubclass(one, Job) and one.plan is not None for one in vars(source).values()):
        _tables[b"bp.plan/1"] = _table("bp_plan")
    options = ffi.new("bp_option[]", len(_made.options) or 1)
    for place, one in zip(options, _made.options):
        place.key, place.help, place.flags = _text(one.key), _text(one.help), one.flags
        place.type = lib.BP_OPTION_STRING if one.type is None else one.type
    claims = ffi.new("char *[]", [*map(_text, _made.claims), ffi.NULL])
    about = ffi.new("bp_descriptor *")
    ffi.memmove(ffi.addressof(about, "magic"), b"BPLUGIN\0", 8)
    about.struct_size, about.header = ffi.sizeof("bp_descriptor"), lib.BP_HEADER_VERSION
    about.min_version, about.max_version = 1 << 16, lib.BP_HEADER_VERSION
    about.option_size, about.format, about.api = ffi.sizeof("bp_option"), 1, _table("bp_agent_api")
    about.id, about.version, about.vendor = _text(_made.id), _text(_made.version), _text(_made.vendor)
    about.license, about.options, about.n_options = _text(_made.license), options, len(_made.options)
    about.claims = claims if _made.claims else ffi.NULL
    _kept.extend((options, claims, about))

    @ffi.def_extern()
    def bplugin_query_v1(host_min, host_max):
        return about if about.max_version >= host_min and about.min_version <= host_max else ffi.NULL
