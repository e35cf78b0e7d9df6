"""`Allowed` and `Excluded Backup Directories`: the same FileSets as bacula-fd 15 has them, and what gets past its comparison of letters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.bacula import Bacula
from tests.live.daemons import BOTH
from tests.live.jobs import files_of, status_of
from tests.live.releases import BACULA_15
from tests.live.reports import run

pytestmark = pytest.mark.live

LINES = {"Inside": "ok", "Above": "", "Outside": "other", "Below": "ok/no", "Two": "ok other"}
EVASIVE = {"Dots": "ok/../other", "Link": "ok/link/", "Alike": "okay"}


@pytest.mark.parametrize("directive", ["Allowed Backup Directories", "Excluded Backup Directories"])
def test_a_director_gets_only_what_the_conf_of_this_machine_gives(tmp_path: Path, directive: str) -> None:
    tree = tmp_path / "tree"
    for name in ("ok/no", "okay", "other"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").write_text(name)
    (tree / "ok/link").symlink_to(tree / "other")
    named = "ok" if directive.startswith("Allowed") else "ok/no"
    sets = "".join(
        f"FileSet {{\n Name = {name}\n Include {{\n Options {{ signature = MD5 }}\n"
        + "".join(f'File = "{tree}/{line}"\n' for line in (lines.split() or [""]))
        + "}\n}\n"
        for name, lines in (LINES | EVASIVE).items()
    ).replace(f'"{tree}/"', f'"{tree}"')
    jobs = "".join(f"Job {{\n Name = {name}\n JobDefs = Common\n FileSet = {name}\n}}\n" for name in LINES | EVASIVE)
    found = []
    with Bacula(tmp_path, release=BACULA_15) as bacula:
        bacula.write_confs(file_sets=sets, jobs=jobs)
        bacula.write_fd("", f'{directive} = "{tree}/{named}"')
        bacula.make_catalog()
        bacula.start("sd", "dir")
        for daemon in BOTH:
            with daemon(bacula):
                ids = run(bacula, *(f"{name} level=Full" for name in LINES | EVASIVE))
            assert {status_of(bacula, job) for job in ids} == {"T"}
            names = [{str(name).removeprefix(f"{tree}/") for name, _, _ in files_of(bacula, job)} for job in ids]
            found.append(dict(zip(LINES | EVASIVE, names, strict=True)))
    ours, theirs = found
    assert ours["Outside"] == (set() if named == "ok" else {"other/", "other/file"})
    for name in ("Inside", "Outside", "Below", "Two"):
        assert ours[name] == theirs[name], name
    if named == "ok":
        assert ours["Above"] == ours["Inside"], (
            "and not the directories above it, whose other content it says nothing of"
        )
        assert not any(ours[name] for name in EVASIVE)
        assert all(theirs[name] for name in EVASIVE), "if not, docs/configuration.md is to be changed"
    else:
        assert ours["Above"] == theirs["Above"]
        assert not {name for name in ours["Above"] if name.startswith("ok/no")}
