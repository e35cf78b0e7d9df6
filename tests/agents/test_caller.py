from __future__ import annotations

import pytest

from filed.agents.abi import OsDomain, Severity, Status, version
from filed.agents.callbacks import Callbacks, Detail
from filed.agents.caller import Caller
from filed.agents.load import Library
from filed.errors import AgentError, CatalogError, ItemError, JobCanceled
from filed.process.status_page import Call, Cancel, StatusPage
from tests.agents.flows import Recorder, in_child


class Agentlike:
    """A caller of functions that are Python's; its label is the good agent's."""

    def __init__(self, library: Library) -> None:
        self.status_page, self.services = StatusPage(), Recorder()
        self.callbacks = Callbacks("good 1.0", version(1, 0), self.status_page, self.services, secrets={}, in_job=True)
        self.caller = Caller(library, self.status_page, self.callbacks)

    def returns(self, status: int, call: Call = Call.read) -> int:
        return self.caller.call(call, lambda: status)


@pytest.fixture
def agent(good: Library) -> Agentlike:
    return Agentlike(good)


def test_a_call_is_marked_while_it_lasts(agent: Agentlike) -> None:
    agent.caller.entry = b"/x"
    seen = []
    agent.caller.call(Call.read, lambda: seen.append(str(agent.status_page.current())) or 0)
    assert seen == ["read, entry /x"]
    assert agent.status_page.current() is None
    assert agent.status_page.progress.progress == 1


def test_only_next_entries_may_say_end(agent: Agentlike) -> None:
    assert agent.returns(0) == Status.OK
    assert agent.returns(1, Call.next_entries) == Status.END
    with pytest.raises(AgentError, match="broke the contract: it returned 1"):
        agent.returns(1)


@pytest.mark.parametrize("status", [2, 77, 2**31 - 1])
def test_a_positive_status_is_a_violation(agent: Agentlike, status: int) -> None:
    with pytest.raises(AgentError) as error:
        agent.returns(status, Call.next_entries)
    assert error.value.code == Status.E_VIOLATION
    assert agent.status_page.backtrace == str(error.value)


def test_a_status_about_an_entry_skips_it(agent: Agentlike) -> None:
    agent.caller.entry = b"/x"
    agent.callbacks.detail = Detail(-3, OsDomain.ERRNO, 13, "open /x")
    with pytest.raises(ItemError) as error:
        agent.returns(-3)
    assert (error.value.path, error.value.errno) == (b"/x", 13)
    assert str(error.value) == "/x: agent good 1.0: read: open /x: Permission denied"
    with pytest.raises(ItemError, match="access is denied"):
        agent.returns(-3)


def test_the_same_status_of_a_call_about_many_entries_fails_the_job(agent: Agentlike) -> None:
    with pytest.raises(AgentError, match="BP_E_IO"):
        agent.returns(-5, Call.fetch)


def test_a_detail_about_another_status_is_shown_with_it(agent: Agentlike) -> None:
    agent.callbacks.detail = Detail(-5, OsDomain.ERRNO, 5, "read /x")
    with pytest.raises(AgentError) as error:
        agent.returns(-20)
    words = "it failed without saying why; before that it reported BP_E_IO: read /x: Input/output error (BP_E_FAIL)"
    assert error.value.text == words
    assert agent.callbacks.detail is None


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [
        (-20, "it failed without saying why (BP_E_FAIL)", Status.E_FAIL),
        (-40, "it cannot continue from this base (BP_E_BASE)", Status.E_BASE),
        (-999, "it failed without saying why (status -999, unknown to this host)", Status.E_FAIL),
        (-1001, "it failed without saying why (its own error -1001)", Status.E_FAIL),
    ],
)
def test_a_status_has_a_name_and_a_meaning(agent: Agentlike, status: int, text: str, code: Status) -> None:
    with pytest.raises(AgentError) as error:
        agent.returns(status, Call.begin)
    assert error.value.text == text
    assert error.value.code == code


@pytest.mark.parametrize("status", [0, 1, -5, -20, 99])
def test_whatever_a_call_returns_after_a_cancel_it_is_canceled(agent: Agentlike, status: int) -> None:
    agent.status_page.ask_cancel()
    with pytest.raises(JobCanceled):
        agent.returns(status)
    assert agent.caller.last_status == status


def test_what_has_to_be_done_is_done_in_a_canceled_job(agent: Agentlike) -> None:
    agent.status_page.ask_cancel()
    agent.caller.call_to_the_end(Call.end, lambda: 0)
    with pytest.raises(AgentError):
        agent.caller.call_to_the_end(Call.end, lambda: -20)


def test_a_fault_of_the_host_counts_most_and_is_told_once(agent: Agentlike) -> None:
    fault = ValueError("our bug")
    agent.callbacks.record_fault("match", fault)
    with pytest.raises(AgentError, match=r"own callback match failed: ValueError: our bug") as error:
        agent.returns(-60)
    assert error.value.__cause__ is fault
    assert error.value.code == Status.E_HOST
    assert agent.status_page.cancel == Cancel.FAULT
    agent.caller.call_to_the_end(Call.end, lambda: 0)


def test_a_fault_elsewhere_fails_the_job_and_does_not_cancel_it(agent: Agentlike) -> None:
    agent.status_page.ask_cancel(Cancel.FAULT)
    with pytest.raises(AgentError, match="a callback of the host failed in another agent"):
        agent.returns(0)


def test_an_error_that_the_job_raised_in_a_callback_stays_what_it_is(agent: Agentlike) -> None:
    fault = CatalogError("the disk is full")
    agent.callbacks.record_fault("put_state", fault)
    with pytest.raises(CatalogError) as error:
        agent.returns(0)
    assert error.value is fault


def test_messages_of_threads_come_before_the_error(agent: Agentlike) -> None:
    agent.callbacks._kept.append((Severity.INFO, "almost there"))
    agent.callbacks.trouble = True
    with pytest.raises(AgentError):
        agent.returns(-20)
    assert agent.services.texts == ["almost there"]


def test_a_copy_of_the_process_that_comes_back_leaves_at_once(good: Library) -> None:
    import os

    def work(_status_page: StatusPage) -> int:
        agent = Agentlike(good)
        child = 0

        def fork() -> int:
            nonlocal child
            child = os.fork()
            return 0

        agent.caller.call(Call.read, fork)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert in_child(work) == "ok: 71"
