"""States of agents from Job to Job, and the order in which an agent is called, as an agent writes it down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from filed.catalog import Catalog, Level
from filed.process.outcome import JobStatus, Severity
from tests.system_agents.jobs import Place, Ran, line
from tests.system_agents.plan import ROOT, Item, write_plan

INCREMENTAL, DIFFERENTIAL = Level.INCREMENTAL, Level.DIFFERENTIAL


class Service:
    """The tracing agent with a state, and its Jobs."""

    def __init__(self, place: Place, directory: Path) -> None:
        self.place = place
        self.plan = directory / "plan"
        self.lists(Item("/@TRACE/a", "A"), ROOT)

    def lists(self, *items: Item) -> None:
        write_plan(self.plan, *items)

    def backup(
        self, level: Level = Level.FULL, state: str = "", files: tuple[bytes, ...] = (b"/@TRACE",), **more
    ) -> Ran:
        options = {"trace": str(self.place.trace), "plan": str(self.plan), **more}
        if state:
            options["state"] = state
        return self.place.backup(line("trace", **options), files=files, level=level)

    def begins(self) -> list[str]:
        return [call for call in self.place.calls() if call.startswith(("begin", "confirmed"))]


@pytest.fixture
def service(place: Place, tmp_path: Path) -> Service:
    return Service(place, tmp_path)


def told(begin: str, what: str) -> str:
    found = re.search(rf" {what}=(\S*)", begin)
    assert found is not None
    return found[1]


def test_a_backup_is_called_in_the_order_of_the_contract(service: Service) -> None:
    ran = service.backup(state="one", streams="yes")
    assert ran.outcome.status is JobStatus.OK
    calls = [call.split(" kind=")[0] for call in service.place.calls()]
    assert calls == [
        "ready",
        "begin",
        "next_entries",
        "open_stream /@TRACE/a stream=0",
        "read",
        "close_stream 0",
        "commit",
        "end done",
        "destroy",
    ]


def test_commit_comes_only_when_the_state_is_sealed_and_every_instance_has_ended_its_list(
    service: Service, place: Place, tmp_path: Path
) -> None:
    """The agent's commit runs a moment later than the seal; that it is there already, the catalog of a killed Job shows."""
    ran = service.backup(state="one", die="commit")
    assert ran.outcome.status is JobStatus.WARNINGS
    with Catalog.read(place.volumes) as catalog:
        assert ran.job is not None
        found = catalog.find_state(ran.job.job, "trace", "", ran.job.fileset_digest)
    assert found.state is not None
    assert found.state.blob == b"one"
    place.calls()
    trace = line("trace", trace=str(place.trace), plan=str(service.plan))
    ran = place.backup(trace, plugins=["trace: label = first", "trace: label = second"])
    assert ran.outcome.status.good  # both list the same names, which is a warning
    calls = [call.split(" kind=")[0] for call in place.calls()]
    assert calls == [
        "first ready",
        "second ready",
        "first begin",
        "first next_entries",
        "second begin",
        "second next_entries",
        "first commit",
        "first end done",
        "second commit",
        "second end done",
        "second destroy",
        "first destroy",
    ]


def test_a_state_is_found_by_the_next_incremental_and_confirmed_once_before_begin(service: Service) -> None:
    full = service.backup(state="one")
    assert full.job is not None
    (begin,) = service.begins()
    assert (told(begin, "level"), told(begin, "why"), told(begin, "state")) == ("full", "none", "")
    first = service.backup(INCREMENTAL, state="two")
    assert first.job is not None
    confirmed, begin = service.begins()
    assert confirmed == f"confirmed {full.job.job} state=one format=3"
    assert (told(begin, "level"), told(begin, "why"), told(begin, "state")) == ("incremental", "found", "one")
    assert (told(begin, "base"), told(begin, "format")) == (full.job.job, "3")
    service.backup(DIFFERENTIAL)
    (begin,) = service.begins()  # the Full is its base again; that it counts was said before
    assert (told(begin, "why"), told(begin, "state"), told(begin, "base")) == ("found", "one", full.job.job)


CHOSEN = Item("/@TRACE/b", "B", flags="S")


def told_by_the_next(service: Service) -> tuple[str, str]:
    service.place.calls()
    service.backup(INCREMENTAL)
    begin = next(call for call in service.begins() if call.startswith("begin"))
    return told(begin, "why"), told(begin, "state")


@pytest.mark.parametrize("how", [{"fail": "open_stream:-2"}, {"fail": "read:-5"}])
def test_a_state_does_not_run_ahead_of_an_entry_that_could_not_be_read(service: Service, how: dict[str, str]) -> None:
    service.backup(state="one")
    service.lists(CHOSEN)
    ran = service.backup(INCREMENTAL, state="two", streams="yes", complete="no", **how)
    assert ran.outcome.status is JobStatus.WARNINGS
    (warning,) = ran.texts(Severity.WARNING)
    assert "agent trace 3.1: /@TRACE/b could not be saved; the state of its previous backup is kept" in warning
    assert told_by_the_next(service) == ("found", "one")


def test_a_state_does_not_run_ahead_of_an_entry_that_is_listed_as_failed(service: Service) -> None:
    service.backup(state="one")
    service.lists(Item("/@TRACE/b", flags="SF"))
    ran = service.backup(INCREMENTAL, state="two", complete="no")
    assert ran.outcome.status is JobStatus.WARNINGS
    assert told_by_the_next(service) == ("found", "one")


def test_without_a_base_no_state_is_kept_when_an_entry_could_not_be_read(service: Service) -> None:
    service.lists(CHOSEN)
    ran = service.backup(state="one", streams="yes", fail="read:-5")
    assert "no state of it is kept, so that the next backup lists it again" in "".join(ran.texts(Severity.WARNING))
    assert told_by_the_next(service) == ("first", "")


def test_what_the_host_compares_by_itself_holds_no_state_back(service: Service) -> None:
    service.backup(state="one")
    service.lists(Item("/@TRACE/b", "B"))
    ran = service.backup(INCREMENTAL, state="two", streams="yes", complete="no", fail="read:-5")
    assert (ran.outcome.status, ran.texts(Severity.WARNING)) == (JobStatus.WARNINGS, [])
    assert told_by_the_next(service) == ("found", "two")


def test_a_state_that_an_agent_holds_back_by_itself_is_no_news(service: Service) -> None:
    service.backup(state="one")
    service.lists(CHOSEN)
    ran = service.backup(INCREMENTAL, state="one", streams="yes", complete="no", fail="read:-5")
    assert ran.texts(Severity.WARNING) == []
    assert told_by_the_next(service) == ("found", "one")


def test_the_next_incremental_builds_on_the_newest_job(service: Service) -> None:
    service.backup(state="one")
    service.backup(INCREMENTAL, state="two")
    service.place.calls()
    service.backup(INCREMENTAL)
    confirmed, begin = service.begins()
    assert "state=two" in confirmed
    assert told(begin, "state") == "two"


def test_an_agent_that_never_sealed_is_told_first_and_one_whose_base_has_none_lost(service: Service) -> None:
    service.backup()
    service.backup(INCREMENTAL)
    (_, begin) = service.begins()
    assert told(begin, "why") == "first"
    service.backup(state="one")  # a Full with a state ...
    service.backup()  # ... and one without
    service.place.calls()
    service.backup(INCREMENTAL)
    (begin,) = service.begins()
    assert told(begin, "why") == "lost"


def test_an_edited_fileset_makes_a_full(service: Service) -> None:
    service.backup(state="one")
    service.place.calls()
    ran = service.backup(INCREMENTAL, state="two", files=(b"/@TRACE", b"/@TRACE/more"))
    assert ran.outcome.level == "Full"
    (begin,) = service.begins()
    assert (told(begin, "level"), told(begin, "why")) == ("full", "none")


def test_a_restore_makes_what_was_sealed_a_state_of_another_past(
    service: Service, place: Place, tmp_path: Path
) -> None:
    full = service.backup(state="one")
    assert place.restore(full.outcome.jobid, tmp_path / "r", line("trace")).outcome.status is JobStatus.OK
    place.calls()
    service.backup(INCREMENTAL, state="two")
    (begin,) = service.begins()
    assert (told(begin, "why"), told(begin, "state")) == ("restored", "")
    service.backup(INCREMENTAL)
    confirmed, begin = service.begins()
    assert "state=two" in confirmed
    assert told(begin, "why") == "found"


def test_a_restore_that_fails_has_touched_the_service_all_the_same(
    service: Service, place: Place, tmp_path: Path
) -> None:
    full = service.backup(state="one")
    ran = place.restore(full.outcome.jobid, tmp_path / "r", line("trace", die="write"))
    assert ran.outcome.status is JobStatus.FATAL
    place.calls()
    service.backup(INCREMENTAL)
    assert told(service.begins()[0], "why") == "restored"


def test_a_restore_of_other_agents_leaves_a_state_alone(service: Service, place: Place, tmp_path: Path) -> None:
    service.backup(state="one")
    other = place.backup(line("good"), files=[b"/@GOOD"], name="Other")
    assert place.restore(other.outcome.jobid, tmp_path / "r", line("good")).outcome.status is JobStatus.OK
    place.calls()
    service.backup(INCREMENTAL)
    assert told(service.begins()[1], "why") == "found"


@pytest.mark.parametrize("base", ["refuse", "refuse-late"])
def test_a_base_that_is_refused_is_a_gap_with_a_warning_and_everything_is_sent(service: Service, base: str) -> None:
    service.backup(state="one")
    service.place.calls()
    service.lists(Item("/@TRACE/a", "A2", times="1700000001"), Item("/@TRACE/b", "B"), ROOT)
    ran = service.backup(INCREMENTAL, state="two", base=base)
    assert ran.outcome.status is JobStatus.WARNINGS
    assert ran.outcome.level == "Incremental"
    warnings = ran.texts(Severity.WARNING)
    assert len(warnings) == 1
    assert re.match(
        r"agent trace 3.1: (begin|next_entries): the journal .*BP_E_BASE.*falling back to a full backup", warnings[0]
    )
    calls = service.place.calls()
    begins = [call for call in calls if call.startswith("begin")]
    assert [told(begin, "why") for begin in begins] == ["found", "gap"]
    assert told(begins[1], "state") == ""
    ends = [call for call in calls if call.startswith("end")]
    assert ends == (["end done"] if base == "refuse" else ["end failed", "end done"])
    assert sorted(service.place.tree(ran.outcome.jobid)) == [b"/@TRACE/", b"/@TRACE/a", b"/@TRACE/b"]


def test_a_base_refused_after_something_was_sent_fails_the_job(service: Service) -> None:
    service.backup(state="one")
    service.lists(Item("/@TRACE/a", "A2", times="5"), Item("/@TRACE/b", "B"), ROOT)
    ran = service.backup(INCREMENTAL, page="1", fail="next_entries:-40")
    assert ran.outcome.status is JobStatus.FATAL  # here at once, and again with GAP
    assert "BP_E_BASE" in ran.outcome.text


@pytest.mark.parametrize(
    "failing", [{"fail": "next_entries:-20"}, {"die": "next_entries"}, {"fail": "read:-20", "streams": "yes"}]
)
def test_a_job_that_fails_seals_nothing_and_commits_nothing(service: Service, failing: dict[str, str]) -> None:
    service.backup(state="one")
    service.place.calls()
    service.lists(Item("/@TRACE/new", "N"), ROOT)
    assert service.backup(INCREMENTAL, state="two", **failing).outcome.status is JobStatus.FATAL
    calls = service.place.calls()
    assert "commit" not in calls
    assert "end done" not in calls
    if "die" not in failing:
        assert calls[-2:] == ["end failed", "destroy"]
    service.backup(INCREMENTAL)
    begin = service.begins()[-1]
    assert (told(begin, "why"), told(begin, "state")) == ("found", "one")


def test_a_failing_commit_is_counted_and_the_other_agents_commit_all_the_same(service: Service, place: Place) -> None:
    trace = line("trace", trace=str(place.trace), plan=str(service.plan), fail=["commit:-20"], state="one")
    ran = place.backup(trace, plugins=["trace: label = first", "trace: label = second"])
    assert ran.outcome.status is JobStatus.WARNINGS
    assert ran.outcome.totals.errors == 2
    assert all(
        "commit fails by plan" in text and "the data saved is good" in text for text in ran.texts(Severity.ERROR)
    )
    assert [call for call in place.calls() if "commit" in call or "end" in call] == [
        "first commit",
        "first end done",
        "second commit",
        "second end done",
    ]


@pytest.mark.parametrize(("how", "report"), [("die", "crashed"), ("fail", "confirmed fails by plan")])
def test_an_error_in_confirmed_fails_the_job_and_it_is_told_again(service: Service, how: str, report: str) -> None:
    full = service.backup(state="one")
    assert full.job is not None
    option = {"die": "confirmed"} if how == "die" else {"fail": "confirmed:-20"}
    ran = service.backup(INCREMENTAL, **option)
    assert ran.outcome.status is JobStatus.FATAL
    assert report in ran.outcome.text
    assert "confirmed" in ran.outcome.text
    service.place.calls()
    service.backup(INCREMENTAL)
    assert service.begins()[0] == f"confirmed {full.job.job} state=one format=3"


def test_two_instances_have_states_of_their_own(service: Service, place: Place) -> None:
    lines = [line("trace", trace=str(place.trace), plan=str(service.plan))]
    plugins = ["trace: label = x, state = of-x", "trace: label = y, state = of-y"]
    place.backup(*lines, plugins=plugins)
    place.calls()
    place.backup(*lines, plugins=plugins, level=INCREMENTAL)
    begins = {call.split()[0]: told(call, "state") for call in place.calls() if " begin " in call}
    assert begins == {"x": "of-x", "y": "of-y"}


def test_a_rebuilt_catalog_finds_the_states_again(service: Service, place: Place) -> None:
    from filed.job.rebuild import rebuild_catalog

    service.backup(state="one")
    service.place.calls()
    (place.volumes / "catalog.sqlite").unlink()
    problems: list[str] = []
    rebuild_catalog(place.volumes, problems.append)
    assert problems == []
    service.backup(INCREMENTAL)
    begin = service.begins()[-1]
    assert (told(begin, "why"), told(begin, "state")) == ("found", "one")


def test_a_restore_is_called_in_the_order_of_the_contract(service: Service, place: Place, tmp_path: Path) -> None:
    full = service.backup(state="one")
    place.calls()
    where = tmp_path / "r"
    ran = place.restore(full.outcome.jobid, where, line("trace", trace=str(place.trace)))
    assert ran.outcome.status is JobStatus.OK
    assert place.calls() == [
        "ready",
        "begin kind=2 level=none why=none base= state= format=0 fileset=",
        f"restore_entry type=1 name=/@TRACE/a dest={where}/@TRACE/a replace=1",
        "restore_stream 0 size=1",
        "write 0+1 last A",
        "restore_done 0",
        f"restore_entry type=2 name=/@TRACE dest={where}/@TRACE replace=1",
        "restore_done 0",
        "commit",
        "end done",
        "destroy",
    ]
