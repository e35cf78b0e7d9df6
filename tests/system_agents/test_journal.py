"""What agents list beside plain entries: changes of a journal, choices of their own, failures, restore objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from filed.catalog import Catalog, Level
from filed.fileset import Options, Signature
from filed.process.outcome import JobStatus
from filed.wire.attributes import FileType
from tests.agents.compile import compile_agent
from tests.system_agents.jobs import Place, Ran, line
from tests.system_agents.plan import ROOT, Item, write_plan

INCREMENTAL = Level.INCREMENTAL
OLD, NEW = "1700000000", "1800000000"
A, B = Item("/@TRACE/a", "A"), Item("/@TRACE/b", "B")


class Journal:
    """Jobs of the tracing agent, each with a plan."""

    def __init__(self, place: Place, directory: Path) -> None:
        self.place, self.directory = place, directory

    def save(self, *items: Item, level: Level = INCREMENTAL, **more: str) -> Ran:
        plan = write_plan(self.directory / "plan", *items)
        ran = self.place.backup(line("trace", plan=plan, **more), files=[b"/@TRACE"], level=level)
        assert ran.outcome.status.good, ran.outcome.text
        return ran

    def full(self, *items: Item) -> Ran:
        return self.save(*items, level=Level.FULL)

    def names(self, ran: Ran) -> list[str]:
        """The tree at a Job, without the root."""
        return [path.decode() for path in sorted(self.place.tree(ran.outcome.jobid)) if path != b"/@TRACE/"]

    def sent(self, ran: Ran) -> dict[str, int]:
        """What one Job alone has: path -> FileType."""
        with Catalog.read(self.place.volumes) as catalog:
            rows = list(catalog.database.all("SELECT path, type FROM file WHERE job_id = ?", (ran.outcome.jobid,)))
        return {bytes(path).decode(): number for path, number in rows}

    def restored(self, ran: Ran) -> list[str]:
        self.place.calls()
        done = self.place.restore(ran.outcome.jobid, self.directory / "r", line("trace", trace=str(self.place.trace)))
        assert done.outcome.status is JobStatus.OK, done.outcome
        return self.place.calls()


@pytest.fixture
def journal(place: Place, tmp_path: Path) -> Journal:
    return Journal(place, tmp_path)


def test_unchanged_entries_are_not_sent_again_even_without_a_ctime(journal: Journal) -> None:
    journal.full(A, B, ROOT)
    ran = journal.save(A, Item("/@TRACE/b", "B2", times=NEW), ROOT)
    assert journal.sent(ran) == {"/@TRACE/b": FileType.REGULAR}
    assert journal.names(ran) == ["/@TRACE/a", "/@TRACE/b"]


def test_a_ctime_that_moved_is_a_change(journal: Journal) -> None:
    journal.full(Item("/@TRACE/a", "A", times=f"{OLD},{OLD}"), ROOT)
    ran = journal.save(Item("/@TRACE/a", "A", times=f"{OLD},{NEW}"), ROOT)
    assert journal.sent(ran) == {"/@TRACE/a": FileType.REGULAR}


def test_of_an_agent_that_knows_no_mtime_everything_is_sent(journal: Journal) -> None:
    journal.full(Item("/@TRACE/a", "A", times="-"), ROOT)
    ran = journal.save(Item("/@TRACE/a", "B", times="-"), ROOT)
    assert journal.sent(ran) == {"/@TRACE/a": FileType.REGULAR}


def test_what_an_agent_selected_is_not_filtered_by_time(journal: Journal) -> None:
    journal.full(A, B, ROOT)
    ran = journal.save(Item("/@TRACE/a", "X", flags="S"), B, ROOT)
    assert journal.sent(ran) == {"/@TRACE/a": FileType.REGULAR}
    assert "write 0+1 last X" in journal.restored(ran)


def test_a_complete_list_deletes_what_it_lacks(journal: Journal) -> None:
    journal.full(A, B, ROOT)
    ran = journal.save(A, ROOT)
    assert ran.outcome.totals.deleted == 1
    assert journal.sent(ran) == {"/@TRACE/b": FileType.DELETED}
    assert journal.names(ran) == ["/@TRACE/a"]


def test_an_incomplete_list_deletes_nothing_by_silence(journal: Journal) -> None:
    journal.full(A, B, ROOT)
    ran = journal.save(complete="no")
    assert ran.outcome.totals.deleted == 0
    assert journal.names(ran) == ["/@TRACE/a", "/@TRACE/b"]


@pytest.mark.parametrize("kind", ["f", "-"])
def test_a_journal_deletes_by_name(journal: Journal, kind: str) -> None:
    journal.full(A, B, ROOT)
    ran = journal.save(Item("/@TRACE/b", kind=kind, change="D"), complete="no")
    assert ran.outcome.totals.deleted == 1
    assert journal.names(ran) == ["/@TRACE/a"]
    assert not any("/@TRACE/b" in call for call in journal.restored(ran))


@pytest.mark.parametrize("kind", ["d", "-"])
def test_a_deleted_directory_is_found_whether_its_kind_is_known_or_not(journal: Journal, kind: str) -> None:
    journal.full(A, Item("/@TRACE/dir", kind="d"), ROOT)
    ran = journal.save(Item("/@TRACE/dir", kind=kind, change="D"), complete="no")
    assert ran.outcome.totals.deleted == 1
    assert journal.names(ran) == ["/@TRACE/a"]


DIR = (
    Item("/@TRACE/dir/sub/x", "X"),
    Item("/@TRACE/dir/sub", kind="d"),
    Item("/@TRACE/dir/y", "Y"),
    Item("/@TRACE/dir", kind="d"),
    Item("/@TRACE/dir.old", "O"),
    Item("/@TRACE/dir0", "0"),
)


@pytest.mark.parametrize("kind", ["d", "-"])
def test_a_deleted_directory_takes_all_that_is_below_it(journal: Journal, kind: str) -> None:
    journal.full(A, *DIR, ROOT)
    ran = journal.save(Item("/@TRACE/dir", kind=kind, change="D"), complete="no")
    assert ran.outcome.totals.deleted == 4
    assert journal.names(ran) == ["/@TRACE/a", "/@TRACE/dir.old", "/@TRACE/dir0"]


def test_a_deleted_file_takes_nothing_with_it(journal: Journal) -> None:
    journal.full(A, *DIR, ROOT)
    ran = journal.save(Item("/@TRACE/dir", kind="f", change="D"), complete="no")
    assert journal.names(ran) == [
        "/@TRACE/a",
        "/@TRACE/dir.old",
        "/@TRACE/dir/",
        "/@TRACE/dir/sub/",
        "/@TRACE/dir/sub/x",
        "/@TRACE/dir/y",
        "/@TRACE/dir0",
    ]


def test_a_renamed_directory_takes_what_was_below_its_old_name_but_for_what_is_there_anew(journal: Journal) -> None:
    journal.full(A, *DIR, ROOT)
    ran = journal.save(
        Item("/@TRACE/new/sub/x", "X", flags="S"),
        Item("/@TRACE/new/sub", kind="d", flags="S"),
        Item("/@TRACE/new", kind="d", change="R", extra="/@TRACE/dir", flags="S"),
        Item("/@TRACE/dir/y", "Y2", flags="S"),
        Item("/@TRACE/dir", kind="d", flags="S"),
        complete="no",
    )
    assert ran.outcome.totals.deleted == 3  # with /@TRACE/dir itself, which is there anew
    assert journal.names(ran) == [
        "/@TRACE/a", "/@TRACE/dir.old", "/@TRACE/dir/", "/@TRACE/dir/y", "/@TRACE/dir0",
        "/@TRACE/new/", "/@TRACE/new/sub/", "/@TRACE/new/sub/x",
    ]  # fmt: skip
    assert "write 0+2 last Y2" in journal.restored(ran)


def test_a_deletion_of_what_the_base_never_had_is_no_news(journal: Journal) -> None:
    journal.full(A, ROOT)
    ran = journal.save(Item("/@TRACE/ghost", change="D"), complete="no")
    assert ran.outcome.totals.deleted == 0
    assert journal.sent(ran) == {}


def test_a_renamed_entry_is_deleted_under_its_old_name_and_sent_under_the_new(journal: Journal) -> None:
    journal.full(A, B, ROOT)
    ran = journal.save(Item("/@TRACE/c", "B", change="R", extra="/@TRACE/b"), complete="no")
    assert journal.sent(ran) == {"/@TRACE/b": FileType.DELETED, "/@TRACE/c": FileType.REGULAR}
    assert journal.names(ran) == ["/@TRACE/a", "/@TRACE/c"]
    assert "write 0+1 last B" in journal.restored(ran)


def test_a_rename_over_another_name_keeps_the_new_content(journal: Journal) -> None:
    journal.full(A, B, ROOT)
    ran = journal.save(Item("/@TRACE/a", "B", change="R", extra="/@TRACE/b", flags="S"), complete="no")
    assert journal.names(ran) == ["/@TRACE/a"]
    calls = journal.restored(ran)
    assert "write 0+1 last B" in calls
    assert "write 0+1 last A" not in calls


def test_a_failed_entry_and_everything_below_it_are_still_there(journal: Journal) -> None:
    inside = Item("/@TRACE/dir/inside", "I")
    beside = Item("/@TRACE/dir2/beside", "S")
    journal.full(inside, Item("/@TRACE/dir", kind="d"), beside, Item("/@TRACE/dir2", kind="d"), ROOT)
    ran = journal.save(Item("/@TRACE/dir", kind="d", flags="F"), ROOT)
    assert ran.outcome.status is JobStatus.WARNINGS
    assert ran.outcome.totals.errors == 1
    assert journal.names(ran) == ["/@TRACE/dir/", "/@TRACE/dir/inside"]
    assert ran.outcome.totals.deleted == 2


def test_a_failed_file_keeps_its_last_version(journal: Journal) -> None:
    journal.full(A, B, ROOT)
    ran = journal.save(Item("/@TRACE/a", flags="F"), B, ROOT)
    assert journal.names(ran) == ["/@TRACE/a", "/@TRACE/b"]
    assert "write 0+1 last A" in journal.restored(ran)


@pytest.mark.parametrize("call", ["open_stream", "read"])
def test_an_entry_that_cannot_be_read_keeps_or_repeats_itself(journal: Journal, call: str) -> None:
    """What cannot be opened stays as it was; what broke in the middle is sent again by the next Job."""
    journal.full(A, ROOT)
    changed = Item("/@TRACE/a", "A2", times=NEW)
    broken = journal.save(changed, ROOT, streams="yes", fail=f"{call}:-5")
    assert broken.outcome.status is JobStatus.WARNINGS
    ran = journal.save(changed, ROOT)
    assert journal.sent(ran) == {"/@TRACE/a": FileType.REGULAR}
    assert "write 0+2 last A2" in journal.restored(ran)


def test_an_instance_that_lists_changes_only_is_not_emptied_by_one_that_lists_all(place: Place, tmp_path: Path) -> None:
    """Both may have names below the agent's claims: the silence of one says nothing about the names of the other."""
    whole, part = tmp_path / "whole", tmp_path / "part"
    write_plan(whole, A)
    write_plan(part, B)
    plugins = [f"trace: plan = {whole}", f"trace: plan = {part}"]
    lines = [line("trace")]
    place.backup(*lines, plugins=plugins)
    write_plan(part)
    plugins_then = [f"trace: plan = {whole}", f"trace: plan = {part}"]
    assert plugins == plugins_then
    # complete=no comes from the conf here: both instances get it, so each is tried alone, too.
    ran = place.backup(line("trace", complete="no"), plugins=plugins, level=INCREMENTAL)
    assert ran.outcome.totals.deleted == 0
    ran = place.backup(line("trace"), plugins=plugins, level=INCREMENTAL)
    assert ran.outcome.totals.deleted == 1  # now both say that this was all


def test_complete_and_incomplete_instances_side_by_side_delete_nothing_they_might_share(
    place: Place, tmp_path: Path
) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    write_plan(whole, A)
    write_plan(part, B)
    plugins = [f"trace: plan = {whole}", f"trace: plan = {part}, complete = no"]
    assert place.backup(line("trace"), plugins=plugins).outcome.status is JobStatus.OK
    write_plan(part)  # nothing new in its journal
    ran = place.backup(line("trace"), plugins=plugins, level=INCREMENTAL)
    assert ran.outcome.totals.deleted == 0
    assert sorted(place.tree(ran.outcome.jobid)) == [b"/@TRACE/a", b"/@TRACE/b"]


def test_an_instance_that_lists_all_deletes_its_own_beside_one_of_every_path(
    place: Place, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`File = /` of an agent that lists news only says nothing about what another agent lists to its end."""
    directory = tmp_path_factory.mktemp("everything")
    compile_agent("trace.c", directory, "everything", ['ID="everything"', 'CLAIM="/"'])
    place.agents += (directory,)
    news, mine = tmp_path / "news", tmp_path / "mine"
    write_plan(news, Item("/srv/x", "X"))
    write_plan(mine, A, B, ROOT)
    lines = [line("trace", plan=str(mine)), line("everything", plan=str(news), complete="no")]
    place.backup(*lines, files=[b"/@TRACE", b"/"])
    write_plan(news)
    write_plan(mine, A, ROOT)
    ran = place.backup(*lines, files=[b"/@TRACE", b"/"], level=INCREMENTAL)
    assert ran.outcome.totals.deleted == 1
    assert sorted(place.tree(ran.outcome.jobid)) == [b"/@TRACE/", b"/@TRACE/a", b"/srv/x"]


def test_of_two_lines_of_an_agent_each_deletes_its_own(place: Place, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    write_plan(whole, A, Item("/@TRACE/c", "C"))
    write_plan(part, B)
    plugins = [f"trace: plan = {whole}", f"trace: plan = {part}, complete = no"]
    place.backup(line("trace"), plugins=plugins)
    write_plan(whole, A)
    write_plan(part)
    ran = place.backup(line("trace"), plugins=plugins, level=INCREMENTAL)
    assert sorted(place.tree(ran.outcome.jobid)) == [b"/@TRACE/a", b"/@TRACE/b"]


@pytest.mark.parametrize("streams", ["no", "yes"])
def test_a_restore_object_goes_to_its_agent_before_the_files(journal: Journal, streams: str) -> None:
    ran = journal.save(A, Item("/@TRACE/config", "[settings]", kind="o"), ROOT, level=Level.FULL, streams=streams)
    assert ran.outcome.totals.files == 2  # an object is no file
    assert journal.names(ran) == ["/@TRACE/a"]
    calls = journal.restored(ran)
    where = f"{journal.directory}/r"
    assert calls[2:6] == [
        f"restore_entry type=8 name=/@TRACE/config dest={where}/@TRACE/config replace=1",
        "restore_stream 4 size=10",
        "write 0+10 last [settings]",
        "restore_done 0",
    ]
    assert calls[6].startswith("restore_entry type=1 name=/@TRACE/a")
    assert journal.place.verify(ran.outcome.jobid).outcome.status is JobStatus.OK


def test_objects_of_the_whole_chain_come_back_oldest_first(journal: Journal) -> None:
    journal.full(A, Item("/@TRACE/config", "one", kind="o"), ROOT)
    ran = journal.save(B, Item("/@TRACE/config", "two", kind="o"), complete="no")
    writes = [call for call in journal.restored(ran) if call.startswith("write")]
    assert writes == [
        "write 0+3 last one",
        "write 0+1 last A",
        "write 0+3 last two",
        "write 0+1 last B",
    ]


def test_an_object_whose_content_is_not_taken_is_an_error(journal: Journal) -> None:
    ran = journal.save(A, Item("/@TRACE/config", "one", kind="o"), ROOT, level=Level.FULL)
    done = journal.place.restore(ran.outcome.jobid, journal.directory / "r", line("trace", answer="2"))
    assert done.outcome.status is JobStatus.ERROR
    assert any("/@TRACE/config: agent trace" in text and "did not take the content" in text for text in done.texts())


def test_an_object_cannot_be_left_to_the_host(journal: Journal) -> None:
    ran = journal.save(A, Item("/@TRACE/config", "one", kind="o"), ROOT, level=Level.FULL)
    done = journal.place.restore(ran.outcome.jobid, journal.directory / "r", line("trace", answer="4"))
    assert done.outcome.status is JobStatus.FATAL
    assert "restore_entry: broke the contract: a restore object is left to the host" in done.outcome.text


def test_a_restore_of_one_path_brings_the_objects_of_its_agent(journal: Journal) -> None:
    ran = journal.full(A, B, Item("/@TRACE/config", "one", kind="o"), ROOT)
    where = journal.directory / "r"
    done = journal.place.restore(
        ran.outcome.jobid, where, line("trace", trace=str(journal.place.trace)), paths=[b"/@TRACE/b"]
    )
    assert done.outcome.status is JobStatus.OK
    writes = [call for call in journal.place.calls() if call.startswith("write")]
    assert writes == ["write 0+3 last one", "write 0+1 last B"]


def test_objects_of_an_agent_that_is_not_here_are_left_out_with_a_warning(place: Place, tmp_path: Path) -> None:
    only_object = write_plan(tmp_path / "plan", Item("/@TRACE/config", "one", kind="o"))
    ran = place.backup(line("trace", plan=only_object), line("good"), files=[b"/@TRACE", b"/@GOOD"])
    done = place.restore(ran.outcome.jobid, tmp_path / "r", line("good"))
    assert done.outcome.status is JobStatus.WARNINGS
    assert any("restore objects of trace:2: are left out" in text for text in done.texts())


def test_an_object_too_large_for_a_restore_object_is_an_error_of_that_entry(place: Place, tmp_path: Path) -> None:
    plan = write_plan(tmp_path / "plan", Item("/@TRACE/huge", "x" * 600_000, kind="o"), A, ROOT)
    ran = place.backup(line("trace", plan=plan, streams="yes"), files=[b"/@TRACE"])
    assert ran.outcome.status is JobStatus.WARNINGS
    assert any("/@TRACE/huge: a restore object of more than 524,288 bytes" in text for text in ran.texts())
    assert b"/@TRACE/a" in place.tree(ran.outcome.jobid)


def test_no_pattern_of_the_fileset_is_about_restore_objects(place: Place, tmp_path: Path) -> None:
    plan = write_plan(tmp_path / "plan", Item("/@TRACE/config", "one", kind="o"), A, B, ROOT)
    options = Options(signature=Signature.MD5, exclude=True, wildfile=(b"*/config", b"*/a"))
    ran = place.backup(line("trace", plan=plan), files=[b"/@TRACE"], options=options)
    assert ran.outcome.status is JobStatus.OK
    with Catalog.read(place.volumes) as catalog:
        names = [item.name for item in catalog.restore_objects(ran.outcome.jobid)]
    assert b"/@TRACE/config" in names
    assert b"/@TRACE/a" not in place.tree(ran.outcome.jobid)
