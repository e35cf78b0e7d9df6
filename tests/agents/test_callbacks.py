"""The host's functions, called as C calls them: through the pointers of the table."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from typing import Any

import cffi
import pytest

from filed.agents.abi import (
    ENTRY,
    MAX_STATE_BYTES,
    BpHostApi,
    Entry,
    EntryType,
    OsDomain,
    Severity,
    Status,
    Verdict,
    version,
)
from filed.agents.callbacks import MAX_KEPT_MESSAGES, MAX_TEXT_BYTES, Callbacks, Detail, UnraisableHook
from filed.agents.secret import Secret
from filed.process.status_page import Cancel, StatusPage
from tests.agents.flows import Recorder

JUNK = 0x7F7F_7F7F


class Host:
    """A table and short names for its functions."""

    def __init__(self, services: Any = None, *, in_job: bool = True, **secrets: str) -> None:
        self.services = services or Recorder(secrets={"password": b"geheim"})
        self.status_page = StatusPage()
        self.callbacks = Callbacks(
            "test 1.0",
            version(1, 0),
            self.status_page,
            self.services,
            secrets={key: Secret(text) for key, text in secrets.items()},
            in_job=in_job,
        )
        self.callbacks.state_allowed = in_job
        self.table = BpHostApi.from_address(self.callbacks.address)

    def message(self, text: bytes, severity: int = Severity.INFO) -> int:
        return int(self.table.message(self.table.ctx, severity, text, len(text)))

    def match(self, path: bytes = b"/a", ctx: int | None = None) -> tuple[int, int]:
        verdict = ctypes.c_uint32(JUNK)
        entry = ENTRY.pack(*Entry(type=EntryType.DIRECTORY, dev=7, fs_type=0xEF53))
        context = self.table.ctx if ctx is None else ctx
        status = self.table.match(context, path, len(path), entry, ctypes.addressof(verdict))
        return int(status), verdict.value

    def put_state(self, state: bytes, state_format: int = 1) -> int:
        return int(self.table.put_state(self.table.ctx, state, len(state), state_format))

    def secret(self, name: bytes = b"password", cap: int = 16) -> tuple[int, bytes, int]:
        buffer, length = ctypes.create_string_buffer(b"\x55" * 16, 16), ctypes.c_uint32(JUNK)
        status = self.table.secret(self.table.ctx, name, buffer, cap, ctypes.addressof(length))
        return int(status), buffer.raw, length.value

    def defer(self, seconds: int = 5) -> int:
        return int(self.table.defer(self.table.ctx, seconds))

    def extension(self) -> tuple[int, int | None]:
        out = ctypes.c_void_p(JUNK)
        return int(self.table.extension(self.table.ctx, b"bp.x/1", ctypes.addressof(out))), out.value

    def fail(self, status: int, domain: int, number: int, text: bytes) -> int:
        return int(self.table.fail(self.table.ctx, status, domain, number, text, len(text)))


def on_thread(work: Callable[[], object]) -> object:
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(work()))
    thread.start()
    thread.join()
    return answers[0]


def test_the_table_says_what_it_is() -> None:
    host = Host()
    assert host.table.struct_size == ctypes.sizeof(BpHostApi)
    assert host.table.version == version(1, 0)
    host.status_page.ask_cancel()
    assert ctypes.c_uint32.from_address(host.table.cancel).value == 1
    ctypes.c_uint64.from_address(host.table.heartbeat).value = 9
    assert host.status_page.progress.heartbeat == 9


def test_a_message_arrives_as_one_safe_line() -> None:
    host = Host()
    assert host.message(b"all is well \xff\n", Severity.WARNING) == 0
    assert host.message(b"a\nb") == 0
    assert host.services.messages == [(Severity.WARNING, "all is well \\xff"), (Severity.INFO, "a\\nb")]


def test_a_message_that_is_too_long_is_cut_and_an_unknown_severity_warns() -> None:
    host = Host()
    host.message(b"x" * (MAX_TEXT_BYTES + 1))
    assert host.services.texts[0] == "x" * MAX_TEXT_BYTES + " ..."
    assert host.message(b"odd", 99) == Status.E_INVAL
    assert host.services.messages[1] == (Severity.WARNING, "odd")


def test_text_that_is_nowhere_is_refused() -> None:
    host = Host()
    assert host.table.message(host.table.ctx, 2, None, 5) == Status.E_INVAL
    assert host.table.message(host.table.ctx, 2, None, 0) == Status.OK
    assert host.table.fail(host.table.ctx, -20, 0, 0, None, 5) == Status.E_INVAL


def test_match_gives_the_verdict_for_a_directory() -> None:
    host = Host(Recorder(verdicts={b"/skip": Verdict.SKIP}))
    assert host.match(b"/skip") == (0, Verdict.SKIP)
    assert host.match(b"/a") == (0, Verdict.TAKE)
    path, entry = host.services.asked[1]
    assert (path, entry.dev, entry.fs_type, entry.type) == (b"/a", 7, 0xEF53, EntryType.DIRECTORY)


def test_match_of_a_name_that_is_none_is_a_violation() -> None:
    host = Host()
    assert host.match(b"/a/../b") == (Status.E_INVAL, JUNK)
    assert "match(/a/../b): a name has a part . or .." in host.callbacks.violation


def test_a_state_is_copied_and_limited() -> None:
    host = Host()
    assert host.put_state(b"lsn 1", 3) == 0
    assert host.put_state(b"") == 0
    assert host.services.states == [(b"lsn 1", 3), (b"", 1)]
    assert host.put_state(bytes(MAX_STATE_BYTES)) == 0
    assert host.put_state(bytes(MAX_STATE_BYTES + 1)) == Status.E_TOO_BIG
    assert host.table.put_state(host.table.ctx, None, 1 << 40, 1) == Status.E_TOO_BIG
    assert host.table.put_state(host.table.ctx, None, 4, 1) == Status.E_INVAL


def test_a_state_after_the_end_is_out_of_order() -> None:
    host = Host()
    host.callbacks.state_allowed = False
    assert host.put_state(b"late") == Status.E_SEQUENCE
    assert host.services.states == []


def test_a_secret_fits_or_says_what_it_takes() -> None:
    host = Host()
    assert host.secret() == (0, b"geheim" + b"\x55" * 10, 6)
    assert host.secret(cap=5) == (Status.E_TOO_BIG, b"\x55" * 16, 6)
    assert host.secret(b"other") == (Status.E_NOTFOUND, b"\x55" * 16, JUNK)
    assert host.secret(b"x" * 2000)[0] == Status.E_INVAL


def test_the_instance_s_own_secrets_come_first() -> None:
    assert Host(password="own").secret()[1].startswith(b"own")


def test_defer_reaches_the_parent_and_an_extension_is_null() -> None:
    host = Host()
    assert host.defer(2**32 - 1) == 0
    assert host.status_page.deferred == (1, 24 * 3600)
    assert host.extension() == (Status.E_UNSUPPORTED, None)
    assert host.table.extension(host.table.ctx, b"x", None) == Status.E_INVAL


def test_outside_of_a_job_only_its_functions_are_refused() -> None:
    host = Host(in_job=False)
    assert host.match() == (Status.E_SEQUENCE, JUNK)
    assert host.put_state(b"x") == Status.E_SEQUENCE
    assert host.secret()[0] == host.message(b"x") == host.defer() == 0


def test_another_thread_may_only_talk() -> None:
    host = Host()
    assert on_thread(lambda: host.message(b"from a thread")) == 0
    assert on_thread(host.defer) == 0
    assert on_thread(lambda: host.fail(-20, 0, 0, b"why")) == 0
    assert on_thread(host.match) == (Status.E_SEQUENCE, JUNK)
    assert host.callbacks.violation == "match was called from a thread of the agent's own"
    assert on_thread(lambda: host.put_state(b"x")) == Status.E_SEQUENCE
    assert on_thread(host.secret)[0] == Status.E_SEQUENCE  # type: ignore[index]
    assert on_thread(host.extension)[0] == Status.E_SEQUENCE  # type: ignore[index]


def test_what_a_thread_says_is_delivered_by_the_job_thread() -> None:
    host = Host()
    on_thread(lambda: [host.message(b"%d" % number) for number in range(MAX_KEPT_MESSAGES + 7)])
    assert host.services.messages == []
    assert host.callbacks.trouble
    host.callbacks.drain()
    assert host.services.texts[0] == "0"
    assert len(host.services.texts) == MAX_KEPT_MESSAGES + 1
    assert host.services.texts[-1] == "test 1.0: 7 messages of its threads were dropped"


def test_another_table_s_ctx_is_a_violation() -> None:
    host = Host()
    assert host.match(ctx=Host().table.ctx) == (Status.E_INVAL, JUNK)
    assert "ctx that is not this table's" in host.callbacks.violation


def test_a_table_ends_with_its_job() -> None:
    host = Host()
    host.callbacks.close()
    assert host.message(b"ghost") == Status.E_SEQUENCE
    assert host.services.messages == []
    assert "table of a Job that has ended" in host.callbacks.violation


class Broken:
    """Services that all raise."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def message(self, severity: Severity, text: str) -> None:
        raise self.error

    def match(self, path: bytes, entry: Entry) -> int:
        raise self.error

    def put_state(self, state: bytes, state_format: int) -> bool:
        raise self.error

    def watermark(self, position: int) -> None:
        raise self.error

    def expect(self, entries: int, size: int) -> None:
        raise self.error

    def hold(self, token: bytes) -> None:
        raise self.error

    def secret(self, name: str) -> bytes | None:
        raise self.error


@pytest.mark.parametrize("error", [ValueError("our bug"), SystemExit(1), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("callback", ["message", "match", "put_state", "secret"])
def test_a_host_that_raises_answers_e_host_and_keeps_the_first_fault(callback: str, error: BaseException) -> None:
    host = Host(Broken(error))
    calls = {
        "message": lambda: (host.message(b"x"), JUNK),
        "match": host.match,
        "put_state": lambda: (host.put_state(b"x"), JUNK),
        "secret": lambda: host.secret()[::2],
    }
    assert calls[callback]() == (Status.E_HOST, JUNK)
    assert host.callbacks.fault == (callback, error)
    assert host.callbacks.trouble
    assert host.status_page.cancel == Cancel.FAULT
    calls["match"]()
    assert host.callbacks.fault == (callback, error)


@pytest.mark.parametrize("answer", [None, "TAKE", 99, 2**40])
def test_a_verdict_that_is_none_is_a_fault_and_no_answer(answer: object) -> None:
    class Odd(Recorder):
        def match(self, path: bytes, entry: Entry) -> int:
            return answer  # type: ignore[return-value]

    host = Host(Odd())
    assert host.match() == (Status.E_HOST, JUNK)
    assert host.callbacks.fault is not None


@pytest.mark.parametrize("answer", ["text", 5])
def test_a_secret_of_the_wrong_type_is_a_fault(answer: object) -> None:
    class Odd(Recorder):
        def secret(self, name: str) -> bytes | None:
            return answer  # type: ignore[return-value]

    host = Host(Odd())
    assert host.secret()[0] == Status.E_HOST
    assert host.secret()[2] == JUNK


def test_what_python_could_only_print_is_reported() -> None:
    faults: list[tuple[str, BaseException]] = []
    of_agents: list[BaseException] = []
    before = sys.unraisablehook, sys.excepthook
    with UnraisableHook(lambda where, fault: faults.append((where, fault)), of_agents.append):
        # A result that ctypes cannot convert is raised outside of any body.
        ctypes.CFUNCTYPE(ctypes.c_int32)(lambda: "no number")()  # type: ignore[arg-type,return-value]
        assert len(faults) == 1
        sys.excepthook(ValueError, ValueError("printed"), None)
        cffi.FFI().callback("int(int)", lambda _number: "no number")(1)
    assert [type(one) for one in of_agents] == [TypeError]
    assert isinstance(faults[0][1], TypeError)
    assert str(faults[1][1]) == "printed"
    assert (sys.unraisablehook, sys.excepthook) == before


@pytest.mark.parametrize(
    ("domain", "number", "text"),
    [
        (OsDomain.NONE, 5, "why"),
        (OsDomain.ERRNO, 13, "why: Permission denied"),
        (OsDomain.ERRNO, -1, "why"),
        (OsDomain.ERRNO, 2**62, "why"),
        (OsDomain.WIN32, 5, "why (Windows error 5)"),
        (OsDomain.HRESULT, -2147024891, "why (HRESULT 0x80070005)"),
        (OsDomain.AGENT, 17, "why (error 17)"),
        (77, 5, "why"),
    ],
)
def test_a_detail_reads_as_its_domain_means_it(domain: int, number: int, text: str) -> None:
    host = Host()
    assert host.fail(-5, domain, number, b"why") == 0
    detail = host.callbacks.detail
    assert detail == Detail(-5, domain, number, "why")
    assert str(detail) == text
    assert detail is not None
    assert detail.errno == (number if domain == OsDomain.ERRNO else 0)
