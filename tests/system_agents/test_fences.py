"""The `Fence` of a plugin line, as the agent behind it feels it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from filed.config.limits import AgentLimits
from filed.job.description import AgentLine
from filed.process.outcome import JobStatus, Severity
from tests.agents.compile import compile_agent
from tests.system_agents.jobs import Place, Ran

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change users")
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(scope="module")
def fenced_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fenced")
    compile_agent("fenced.c", directory, "fenced")
    return directory


@pytest.fixture
def fenced(tmp_path: Path, fenced_dir: Path, agents_dir: Path) -> Place:
    return Place(tmp_path / "volumes", (fenced_dir, agents_dir))


def run(place: Place, limits: AgentLimits, **options: str) -> Ran:
    return place.backup(AgentLine("fenced", tuple(options.items()), limits), files=[b"/@FENCED"])


def said(ran: Ran) -> list[str]:
    return [text.removeprefix("fenced: ") for text in ran.texts(Severity.INFO) if text.startswith("fenced: ")]


def test_without_a_fence_an_agent_runs_as_the_daemon_does_but_gains_no_privileges(fenced: Place) -> None:
    ran = run(fenced, AgentLimits())
    assert ran.outcome.status.good, ran.outcome.text
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    assert f"nice {nice}, no new privileges 1" in said(ran)
    assert "FENCED is not set" in said(ran)
    assert said(ran)[0].startswith(f"user {os.getuid()} {os.geteuid()}, group {os.getegid()}, ")


def test_nice_environment_and_privileges_are_set_before_the_agent_runs(fenced: Place) -> None:
    ran = run(fenced, AgentLimits(nice=18, environment=(("FENCED", "a b=c"),), new_privileges=True))
    assert ran.outcome.status.good, ran.outcome.text
    assert {"nice 18, no new privileges 0", "FENCED is a b=c"} <= set(said(ran))
    assert os.getpriority(os.PRIO_PROCESS, 0) < 18
    assert "FENCED" not in os.environ


def test_more_memory_than_allowed_is_refused_and_the_job_says_so(fenced: Place) -> None:
    assert run(fenced, AgentLimits(memory_bytes=64 << 20), allocate=str(48 << 20)).outcome.status.good
    refused = run(fenced, AgentLimits(memory_bytes=64 << 20), allocate=str(512 << 20))
    assert refused.outcome.status is JobStatus.FATAL
    assert refused.outcome.text == "agent fenced 1.0: ready: no memory: Cannot allocate memory (BP_E_NOMEM)"
    assert run(fenced, AgentLimits(), allocate=str(512 << 20)).outcome.status.good


def test_an_agents_own_timeout_holds_for_it_alone(fenced: Place) -> None:
    slow = AgentLine("bad", (("sin", "hang-next_entries"),), AgentLimits(timeout_s=1.0))
    ran = fenced.backup(slow, files=[b"/@BAD"])
    assert ran.outcome.status is JobStatus.FATAL
    assert "agent bad 6.6 made no progress for 1 s in next_entries" in ran.outcome.text


@only_root
def test_an_agent_runs_as_its_user_with_that_users_groups_and_comes_back(fenced: Place) -> None:
    ran = run(fenced, AgentLimits(user="nobody"))
    assert ran.outcome.status.good, ran.outcome.text
    groups = " ".join(map(str, os.getgrouplist("nobody", NOBODY.pw_gid)))
    who = f"user {NOBODY.pw_uid} {NOBODY.pw_uid}, group {NOBODY.pw_gid}, groups {groups}"
    assert [text for text in said(ran) if text.startswith("user ")] == [who, who]
    assert ran.job is not None, "the catalog was written by ourselves"


@only_root
def test_what_its_user_may_not_read_the_agent_does_not_read_and_secrets_still_arrive(
    fenced: Place, tmp_path: Path
) -> None:
    private, secret = tmp_path / "private", tmp_path / "secret"
    for path, text in ((private, "x"), (secret, "hush\n")):
        path.write_text(text)
        path.chmod(0o600)
    ran = run(fenced, AgentLimits(user="nobody"), file=str(private), password=f"file:{secret}")
    assert ran.outcome.status.good, ran.outcome.text
    assert f"{private}: Permission denied" in said(ran)
    assert "the secret has 4 bytes" in said(ran)
    assert f"{private}: open" in said(run(fenced, AgentLimits(), file=str(private)))


@only_root
def test_a_program_that_the_agent_starts_is_the_users_for_good(fenced: Place) -> None:
    ran = run(fenced, AgentLimits(user="nobody"), program="/bin/sh")
    printed = [text.rpartition(": ")[2] for text in ran.texts(Severity.INFO) if text.startswith("printed")]
    groups = " ".join(map(str, dict.fromkeys((NOBODY.pw_gid, *os.getgrouplist("nobody", NOBODY.pw_gid)))))
    assert printed == [str(NOBODY.pw_uid), str(NOBODY.pw_uid), groups]


def test_a_user_that_is_not_there_fails_the_job_before_the_agent_is_loaded(fenced: Place) -> None:
    ran = run(fenced, AgentLimits(user="nobody-of-that-name"))
    assert ran.outcome.status is JobStatus.FATAL
    assert "user nobody-of-that-name" in ran.outcome.text
