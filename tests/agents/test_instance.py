from __future__ import annotations

import os
from pathlib import Path

import pytest

from filed.agents import (
    Agent,
    Begin,
    Kind,
    Level,
    Library,
    Outcome,
    Settings,
    Severity,
    StateWhy,
    StatusPage,
    check_options,
    load,
)
from filed.agents.abi import Status
from filed.errors import AgentError, ConfigError, JobCanceled, LocalProtocolError
from tests.agents.flows import Recorder, in_child, take_all
from tests.agents.refuse import compile_refused

FULL = Begin(Kind.BACKUP, Level.FULL, job="job.1")


def test_an_instance_is_configured_in_order_and_destroyed(good: Library) -> None:
    settings = check_options(good.descriptor, [("files", "3"), ("big", "64k"), ("page", "100")])
    services = Recorder()
    with Agent(good, services, StatusPage(), settings) as agent:
        assert agent.label == "good 1.0"
        with agent.begin(FULL) as job:
            saved = take_all(job)
            job.commit()
            job.end(Outcome.DONE)
    assert len(saved.entries) == 3 + 4
    assert services.states == [(b"3", 1)]


def test_an_option_the_agent_does_not_like_fails_before_anything(good: Library) -> None:
    with (
        pytest.raises(AgentError, match=r"agent good 1.0: option: unknown option x \(BP_E_INVAL\)"),
        Agent(good, Recorder(), StatusPage(), Settings((("x", "1"),))),
    ):
        pass
    with (
        pytest.raises(AgentError, match="ready: page is 0"),
        Agent(good, Recorder(), StatusPage(), Settings((("page", "0"),))),
    ):
        pass


def test_an_agent_that_takes_no_options_says_so(tmp_path: Path) -> None:
    compile_refused("", tmp_path)
    library = load("refuse", [tmp_path])
    with pytest.raises(AgentError, match="it takes no options, given: x"):
        Agent(library, Recorder(), StatusPage(), Settings((("x", "1"),))).__enter__()


def test_create_may_still_refuse_this_host(tmp_path: Path) -> None:
    compile_refused("CREATE_VERSION", tmp_path)
    library = load("refuse", [tmp_path])
    with pytest.raises(AgentError, match=r"create: needs the host of next year \(BP_E_VERSION\)") as error:
        Agent(library, Recorder(), StatusPage()).__enter__()
    assert error.value.code == Status.E_VERSION


def test_a_state_comes_back_and_an_unusable_base_is_said(good: Library) -> None:
    settings = check_options(good.descriptor, [("files", "5"), ("truncated", "2")])
    with Agent(good, Recorder(), StatusPage(), settings) as agent:
        why = Begin(Kind.BACKUP, Level.INCREMENTAL, StateWhy.FOUND, state=b"3", state_format=1, base_job="job.0")
        with agent.begin(why) as job:
            assert set(take_all(job).entries) == {b"/@GOOD/small/0004", b"/@GOOD/small/0005"}
            job.end(Outcome.DONE)
        with pytest.raises(AgentError, match="nothing is known after sequence 1") as error:
            agent.begin(Begin(Kind.BACKUP, Level.INCREMENTAL, StateWhy.FOUND, state=b"1", state_format=1))
        assert error.value.code == Status.E_BASE
        with agent.begin(Begin(Kind.BACKUP, Level.INCREMENTAL, StateWhy.GAP)) as job:
            assert len(take_all(job).entries) == 9
            job.end(Outcome.DONE)


def test_confirmed_reaches_the_agent(good: Library) -> None:
    services = Recorder()
    with Agent(good, services, StatusPage()) as agent:
        agent.confirmed("job.7", b"42", 3)
    assert services.messages == [(Severity.INFO, "confirmed job.7: state 42, format 3")]


def test_an_agent_without_a_slot_is_not_called_for_it(tmp_path: Path) -> None:
    compile_refused("", tmp_path)
    with Agent(load("refuse", [tmp_path]), Recorder(), StatusPage()) as agent:
        agent.confirmed("job.7", b"", 0)
        with pytest.raises(AgentError, match="begin: it cannot do a restore"):
            agent.begin(Begin(Kind.RESTORE))
        with agent.begin(FULL) as job:
            assert job.next_page() is None
            assert not job.fetches
            job.cancel()
            job.commit()
            job.end(Outcome.DONE)


def test_one_job_at_a_time(good: Library) -> None:
    with (
        Agent(good, Recorder(), StatusPage()) as agent,
        agent.begin(FULL),
        pytest.raises(LocalProtocolError, match="has not ended"),
    ):
        agent.begin(FULL)


def test_a_job_that_begins_while_a_cancel_is_asked_for_is_ended(good: Library) -> None:
    services, status_page = Recorder(), StatusPage()
    with Agent(good, services, status_page) as agent:
        status_page.ask_cancel()
        with pytest.raises(JobCanceled):
            agent.begin(FULL)
    assert (Severity.DEBUG, f"end {Outcome.CANCELLED.value}") in services.messages


def test_secrets_do_not_pass_through_option(bad: Library) -> None:
    def work(status_page: StatusPage) -> list[str]:
        from filed.agents.secret import Secret

        services = Recorder()
        settings = Settings((("sin", "calls-ready"),), {"password": Secret("own")})
        with Agent(bad, services, status_page, settings):
            pass
        return [text for text in services.texts if text.startswith("secret")]

    assert in_child(work) == "ok: ['secret in ready: status 0']"


def test_two_instances_of_one_agent_do_not_meet(good: Library) -> None:
    services, status_page = (Recorder(), Recorder()), StatusPage()
    one = check_options(good.descriptor, [("files", "1")])
    two = check_options(good.descriptor, [("files", "2")])
    with (
        Agent(good, services[0], status_page, one) as first,
        Agent(good, services[1], status_page, two) as second,
        first.begin(FULL) as job_one,
        second.begin(FULL) as job_two,
    ):
        assert len(take_all(job_one).entries) == 5
        assert len(take_all(job_two).entries) == 6
    assert [service.states for service in services] == [[(b"1", 1)], [(b"2", 1)]]


def test_a_doorbell_that_was_closed_is_noticed(good: Library) -> None:
    reader, writer = os.pipe()
    with Agent(good, Recorder(), StatusPage(), cancel_pipe=reader) as agent:
        agent.check_process_state("ready")
        os.close(reader)
        with pytest.raises(AgentError, match="it changed descriptors of the process"):
            agent.check_process_state("begin")
    os.close(writer)


def test_what_goes_wrong_at_destroy_does_not_hide_what_went_wrong_first(bad: Library) -> None:
    def fail(status_page: StatusPage) -> None:
        settings = Settings((("sin", "thread-after-end"),))
        with Agent(bad, Recorder(), status_page, settings) as agent, agent.begin(FULL):
            raise ValueError("ours")

    def work(status_page: StatusPage) -> str:
        with pytest.raises(ValueError, match="ours") as error:
            fail(status_page)
        return f"{error.value} {error.value.__notes__}"

    report = in_child(work)
    assert report.startswith("ok: ours ['agent bad 6.6: destroy: broke the contract: ")


def test_an_option_of_any_bytes_reaches_the_agent_as_it_stood(good: Library) -> None:
    settings = Settings((("\udcff", "x"),))
    with pytest.raises(AgentError, match=r"unknown option \\xff"):
        Agent(good, Recorder(), StatusPage(), settings).__enter__()


def test_a_fileset_that_c_would_cut_short_is_refused(good: Library) -> None:
    with Agent(good, Recorder(), StatusPage()) as agent, pytest.raises(ConfigError, match="NUL"):
        agent.begin(Begin(Kind.BACKUP, Level.FULL, fileset=b"I\nF /a\0b\nN\n"))
