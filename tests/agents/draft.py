"""A version 1.2 as it might come: a slot in each table, a field of an entry, a feature bit; made from what is there today.

`header` is bplugin.h with them, `host` a copy of filed that speaks 1.2. What breaks here would break the promise of
docs/abi.md. Each change is anchored at a line that must be there once.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from abi import layout

Change = tuple[str, str]
LATER = "#if BP_TARGET_VERSION >= BP_VERSION(1, 2)\n{}\n#endif\n"

HEADER: tuple[Change, ...] = (
    ("#define BP_HEADER_VERSION BP_VERSION(1, 1)", "#define BP_HEADER_VERSION BP_VERSION(1, 2)"),
    ("#define BP_FEATURE_VERBATIM ", "#define BP_FEATURE_HINTS (1ull << 8)\n#define BP_FEATURE_VERBATIM "),
    ("} bp_entry;\n", LATER.format("  uint64_t weight;") + "} bp_entry;\n"),
    (
        "} bp_host_api;\n",
        LATER.format("  BP_FN(bp_status, hint)(bp_ctx *, uint64_t entries);") + "} bp_host_api;\n",
    ),
    ("} bp_agent_api;\n", LATER.format("  BP_FN(bp_status, warm_up)(bp_agent *);") + "} bp_agent_api;\n"),
)
HOST: dict[str, tuple[Change, ...]] = {
    "filed/agents/abi.py": (("HOST_FEATURES = 0 ", "HOST_FEATURES = 1 << 8 "),),
    "filed/agents/callbacks.py": (
        (
            '            HoldFn(self.trampoline("hold", self._hold, job_thread=True)),\n',
            (
                '            HoldFn(self.trampoline("hold", self._hold, job_thread=True)),\n'
                "            ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_uint64)(\n"
                '                self.trampoline("hint", self._hint)\n            ),\n'
            ),
        ),
        (
            "    def _defer(self",
            (
                "    def _hint(self, entries: int) -> Status:\n"
                '        self._services.message(Severity.INFO, f"a hint: {entries} entries")\n'
                "        return Status.OK\n\n    def _defer(self"
            ),
        ),
    ),
    "filed/agents/instance.py": (
        (
            '            self.check_process_state("ready")\n',
            (
                "            if api.warm_up:\n"
                "                call(Call.ready, api.warm_up, self._address)\n"
                '            self.check_process_state("ready")\n'
            ),
        ),
    ),
}


def changed(text: str, changes: tuple[Change, ...]) -> str:
    for was, becomes in changes:
        assert text.count(was) == 1, f"{was!r} is there {text.count(was)} times: the draft has lost its place"
        text = text.replace(was, becomes)
    return text


def header(today: Path, directory: Path) -> Path:
    """A directory with bplugin.h 1.2 and the SDK of today."""
    directory.mkdir()
    (directory / "bplugin.h").write_text(changed((today / "bplugin.h").read_text(), HEADER))
    shutil.copyfile(today / "bplugin_sdk.h", directory / "bplugin_sdk.h")
    return directory


def host(root: Path, directory: Path) -> Path:
    """A copy of filed below `directory` that speaks 1.2; for PYTHONPATH. All that the header decides is made from it."""
    shutil.copytree(root / "filed", directory / "filed", ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "native_host" / "restore_loop").mkdir(parents=True)
    layout.bind(header(root / "abi", directory / "abi") / "bplugin.h", directory)
    for name, changes in HOST.items():
        file = directory / name
        file.write_text(changed(file.read_text(), changes))
    return directory
