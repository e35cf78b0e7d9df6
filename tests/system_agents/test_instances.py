"""Which line of a FileSet goes to which agent, with which options, and which agent restores what stands on a Volume."""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.catalog import Catalog, Level
from filed.process.outcome import JobStatus
from filed.storage import VolumeDirectory
from filed.volume import Session
from filed.wire.plugin_name import parse_plugin_name
from filed.wire.stream import Stream, stream_type
from tests.agents.compile import compile_agent
from tests.system_agents.jobs import Place, line
from tests.system_agents.plan import ROOT, Item, write_plan

A, B = Item("/@TRACE/a", "A"), Item("/@TRACE/b", "B")


@pytest.fixture
def plans(tmp_path: Path) -> tuple[str, str]:
    return write_plan(tmp_path / "plan-a", A), write_plan(tmp_path / "plan-b", B)


def plugin_names(place: Place, jobid: int) -> list[tuple[int, int, bytes]]:
    """The plugin-name records of a Job as (FileIndex, start?, command), between them FileIndexes of attributes as (n, -1, b"")."""
    with Catalog.read(place.volumes) as catalog:
        job, media = catalog.job(jobid), catalog.media(jobid)
    found = []
    session = Session(job.vol_session_id, job.vol_session_time)
    for record in VolumeDirectory.open(place.volumes).read(media, session).records():
        kind = stream_type(record.stream)
        if kind == Stream.PLUGIN_NAME:
            name = parse_plugin_name(record.data)
            found.append((name.file_index, int(name.start), name.command))
        elif kind == Stream.UNIX_ATTRIBUTES:
            found.append((record.file_index, -1, b""))
    return found


def test_file_lines_and_a_plugin_line_of_one_agent_are_two_instances(place: Place, plans: tuple[str, str]) -> None:
    trace = line("trace", plan=plans[0], trace=str(place.trace), label="files")
    ran = place.backup(trace, files=[b"/@TRACE"], plugins=[f"trace: label = lines, plan = {plans[1]}"])
    assert ran.outcome.status is JobStatus.OK
    assert sorted(place.tree(ran.outcome.jobid)) == [b"/@TRACE/a", b"/@TRACE/b"]
    begins = {call.split()[0]: call.rpartition("fileset=")[2] for call in place.calls() if " begin " in call}
    assert "F /@TRACE|" in begins["files"]
    assert "P " not in begins["files"]
    assert "P trace: label = lines" in begins["lines"]
    assert "F /@TRACE" not in begins["lines"]


def test_entries_stand_between_plugin_names_with_agent_format_and_options(place: Place, plans: tuple[str, str]) -> None:
    given = f" label = lines, plan = {plans[1]}"
    ran = place.backup(line("trace", plan=plans[0]), files=[b"/@TRACE"], plugins=[f"trace:{given}"])
    assert plugin_names(place, ran.outcome.jobid) == [
        (1, 1, b"trace:2:"),
        (1, -1, b""),
        (1, 0, b""),
        (2, 1, b"trace:2:" + given.encode()),
        (2, -1, b""),
        (2, 0, b""),
    ]


def test_an_entry_that_cannot_be_opened_leaves_no_plugin_name(place: Place, plans: tuple[str, str]) -> None:
    ran = place.backup(line("trace", plan=plans[0], streams="yes", fail="open_stream:-3"), files=[b"/@TRACE"])
    assert ran.outcome.status is JobStatus.WARNINGS
    assert plugin_names(place, ran.outcome.jobid) == []


def test_each_entry_is_restored_by_an_instance_with_the_options_it_was_saved_by(
    place: Place, plans: tuple[str, str], tmp_path: Path
) -> None:
    plugins = [f"trace: label = one, plan = {plans[0]}", f"trace: label = two, plan = {plans[1]}"]
    saved = place.backup(line("trace"), plugins=plugins)
    ran = place.restore(saved.outcome.jobid, tmp_path / "r", line("trace", trace=str(place.trace)))
    assert ran.outcome.status is JobStatus.OK
    calls = place.calls()
    assert "one write 0+1 last A" in calls
    assert "two write 0+1 last B" in calls
    assert [call for call in calls if "commit" in call] == ["one commit", "two commit"]
    assert all(" fileset=" in call and call.endswith("fileset=") for call in calls if " begin " in call)


def test_an_agent_under_a_new_name_restores_what_its_old_name_saved(
    place: Place, plans: tuple[str, str], tmp_path: Path
) -> None:
    saved = place.backup(line("trace", plan=plans[0]), files=[b"/@TRACE"])
    ran = place.restore(saved.outcome.jobid, tmp_path / "r", line("newname", trace=str(place.trace)))
    assert ran.outcome.status is JobStatus.OK
    assert "write 0+1 last A" in place.calls()


def test_a_restore_without_the_agent_that_saved_says_which_line_is_missing(
    place: Place, plans: tuple[str, str], tmp_path: Path
) -> None:
    saved = place.backup(line("trace", plan=plans[0]), files=[b"/@TRACE"])
    ran = place.restore(saved.outcome.jobid, tmp_path / "r", line("good"))
    assert ran.outcome.status is JobStatus.FATAL
    assert (
        "agent trace: load: entries of this agent cannot be restored: the conf has no plugin line" in ran.outcome.text
    )


def test_entries_of_a_newer_format_are_refused(
    place: Place, plans: tuple[str, str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    saved = place.backup(line("trace", plan=plans[0]), files=[b"/@TRACE"])
    older = tmp_path_factory.mktemp("older")
    compile_agent("trace.c", older, "trace", ["FORMAT=1"])
    ran = Place(place.volumes, (older,)).restore(saved.outcome.jobid, tmp_path / "r", line("trace"))
    assert ran.outcome.status is JobStatus.FATAL
    assert "saved in format 2, this one reads up to 1: install a newer one" in ran.outcome.text


def test_an_option_that_is_no_more_is_left_out_of_a_restore_with_a_warning(
    place: Place, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    saved = place.backup(line("good", big="0"), plugins=["good: files = 2"])
    later = tmp_path_factory.mktemp("later")
    compile_agent("trace.c", later, "later", ['ID="later"', 'ALIAS="good"', 'CLAIM="/@L"'])
    ran = Place(place.volumes, (later,)).restore(saved.outcome.jobid, tmp_path / "r", line("later"))
    assert ran.outcome.status is JobStatus.WARNINGS
    assert "agent later 3.1 takes no option files any more; it restores without" in ran.texts()


def test_a_verbatim_agent_gets_its_line_whole_and_it_stands_so_on_the_volume(place: Place, tmp_path: Path) -> None:
    plan = write_plan(tmp_path / "plan", Item("/@VERB/x", "X"))
    verbatim = line("verbatim", plan=plan, trace=str(place.trace))
    command = 'verbatim:/@VERB/x:cat "a, b" \\ c:writer = %where'
    ran = place.backup(verbatim, plugins=[command])
    assert ran.outcome.status is JobStatus.OK, ran.outcome.text
    (begin,) = [call for call in place.calls() if call.startswith("begin")]
    assert "P " + command.replace("\\", "\\\\") in begin
    assert plugin_names(place, ran.outcome.jobid)[0] == (1, 1, command.encode())
    done = place.restore(ran.outcome.jobid, tmp_path / "r", line("verbatim", trace=str(place.trace)))
    assert done.outcome.status is JobStatus.OK, done.outcome.text
    calls = place.calls()
    assert "P " + command.replace("\\", "\\\\") in next(call for call in calls if call.startswith("begin"))
    assert "write 0+1 last X" in calls


def test_a_plugin_line_of_an_unknown_agent_fails_the_job_with_the_list(place: Place, plans: tuple[str, str]) -> None:
    ran = place.backup(line("trace", plan=plans[0]), line("good"), files=[b"/@TRACE"], plugins=["oracle: sid = X"])
    assert ran.outcome.status is JobStatus.FATAL
    assert (
        ran.outcome.text
        == "no agent 'oracle' here; the conf names: trace, good (or fine). Add its plugin line; `filed agent list` says what there is"
    )
    assert ran.job is not None
    assert ran.job.status == "f"


def test_a_file_line_that_nobody_claims_fails_the_job(place: Place) -> None:
    ran = place.backup(line("good"), line("trace"), files=[b"/@GOOD", b"/elsewhere"])
    assert ran.outcome.status is JobStatus.FATAL
    assert ran.outcome.text == "File = /elsewhere: no agent takes it; the conf names: good, trace"


def test_a_line_of_the_conf_whose_library_is_missing_fails_the_job(place: Place) -> None:
    ran = place.backup(line("good"), line("missing"), files=[b"/@GOOD"])
    assert ran.outcome.status is JobStatus.FATAL
    assert "agent missing: load: there is no missing.so" in ran.outcome.text


def test_file_lines_go_to_the_first_agent_that_claims_them(place: Place, plans: tuple[str, str]) -> None:
    trace = line("trace", plan=plans[0], trace=str(place.trace))
    ran = place.backup(line("good", files="1", big="0"), trace, files=[b"/@TRACE", b"/@GOOD"])
    assert ran.outcome.status is JobStatus.OK
    names = sorted(place.tree(ran.outcome.jobid))
    assert b"/@TRACE/a" in names
    assert b"/@GOOD/small/0001" in names
    commands = [command for _, start, command in plugin_names(place, ran.outcome.jobid) if start == 1]
    assert {command.partition(b":")[0] for command in commands} == {b"good", b"trace"}


@pytest.mark.parametrize(
    ("plugin", "says"),
    [
        ("good: truncated = 3", "option truncated may only be set in this machine's conf, not by a Director"),
        ("good: nonsense = 3", "there is no option 'nonsense'; it knows: "),
        ("good: files = many", "option files = 'many': give a whole number"),
        ("good: files", "'files' is no `key = value`"),
        ('good: files = "1', "is no `key = value`"),
    ],
)
def test_a_directors_option_is_checked(place: Place, plugin: str, says: str) -> None:
    ran = place.backup(line("good"), plugins=[plugin])
    assert ran.outcome.status is JobStatus.FATAL
    assert says in ran.outcome.text
    assert ran.job is not None
    assert ran.job.status == "f"


def test_options_of_the_conf_reach_every_instance_and_a_directors_replaces_them(place: Place) -> None:
    ran = place.backup(line("good", files="2", big="0"), plugins=['good: files = "3"'])
    assert ran.outcome.status is JobStatus.OK
    names = place.tree(ran.outcome.jobid)
    assert {b"/@GOOD/small/0003"} == {name for name in names if name.endswith(b"3")}
    assert b"/@GOOD/small/0004" not in names


def test_an_incremental_of_a_good_agent_lists_by_its_sequence(place: Place) -> None:
    place.backup(line("good", files="3"), files=[b"/@GOOD"])
    ran = place.backup(line("good", files="5"), files=[b"/@GOOD"], level=Level.INCREMENTAL)
    assert ran.outcome.status is JobStatus.OK
    assert ran.outcome.totals.files == 2
    assert ran.outcome.totals.deleted == 0
    assert len([name for name in place.tree(ran.outcome.jobid) if b"/small/0" in name]) == 5


@pytest.mark.parametrize("contents", ["inline", "fetch", "stream"])
def test_the_good_agent_comes_back_byte_for_byte_by_each_route(place: Place, tmp_path: Path, contents: str) -> None:
    saved = place.backup(line("good", contents=contents, files="60", page="7"), files=[b"/@GOOD"])
    assert saved.outcome.status is JobStatus.OK
    where = tmp_path / "r"
    ran = place.restore(saved.outcome.jobid, where, line("good", restore="disk"))
    assert ran.outcome.status is JobStatus.OK, ran.messages
    for k in (1, 49, 50, 60):
        assert (where / f"@GOOD/small/{k:04d}").read_text() == f"{k:04d}\n" * (k % 50)
    big = (where / "@GOOD/big").read_bytes()
    quarter = (1 << 20) // 4
    wanted = bytes((i ^ i >> 8 ^ i >> 16) & 0xFF for i in range(1 << 20))
    holes = bytes(quarter)
    assert big == wanted[:quarter] + holes + wanted[2 * quarter : 3 * quarter] + holes
    assert (where / "@GOOD/link").readlink() == Path("big")


def test_a_write_and_its_restore_done_that_both_fail_cost_one_entry(
    place: Place, plans: tuple[str, str], tmp_path: Path
) -> None:
    plan = write_plan(tmp_path / "plan", A, B, ROOT)
    saved = place.backup(line("trace", plan=plan), files=[b"/@TRACE"])
    failing = line("trace", trace=str(place.trace), fail=["write:-5", "restore_done:-5"])
    ran = place.restore(saved.outcome.jobid, tmp_path / "r", failing)
    assert ran.outcome.status is JobStatus.ERROR
    calls = place.calls()
    assert sum(call.startswith("restore_entry") for call in calls) == 3
    assert calls[-3:] == ["commit", "end done", "destroy"]
