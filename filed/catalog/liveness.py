"""Is the process that runs a Job still there?

A pid alone is given out again. With the time its process started, the boot and the pid namespace it names one process
for good. Where /proc is missing, the pid is all there is.
"""

from __future__ import annotations

from dataclasses import dataclass

from filed.process.system import exists, start_of, this_machine


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """pid, its start in clock ticks since boot (0: unknown), and `<boot id> <pid namespace>`."""

    pid: int
    start: int
    machine: str

    @classmethod
    def of(cls, pid: int) -> ProcessMark:
        """The mark of a living process, usually `os.getpid()`."""
        return cls(pid, start_of(pid) or 0, this_machine())

    def alive(self) -> bool:
        """False only when it is certain. In another container nobody can tell: then it counts as alive."""
        boot, _, namespace = self.machine.partition(" ")
        here_boot, _, here_namespace = this_machine().partition(" ")
        if boot != here_boot:
            return False
        if namespace != here_namespace:
            return True
        if not self.start:
            return exists(self.pid)
        return start_of(self.pid) == self.start
