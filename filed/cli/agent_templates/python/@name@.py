"""@name@: saves each line of a text file as an entry of its own. A stand-in for your source: a queue, a log, a table, anything
that has items in an order and can say "all after this one".

What to change is marked with CHANGE; what may be overridden stands in bplugin.py, at `Agent` and `Job`.
"""

import os

from bplugin import Agent, BaseGone, Entry, Job, Option, lib

TOP = "/@@NAME@/"  # all names begin so


class Lines(Agent):
    """One configured instance."""

    id, version, vendor, license = "@name@", "0.1", "CHANGE", "CHANGE"
    claims = (TOP,)  # the File lines it takes
    options = (Option("source", "the text file whose lines are saved", lib.BP_OPTION_PATH, lib.BP_OPTION_REQUIRED),)
    parallel = 0  # CHANGE: how many items may be read at once, for a source that is slow one by one

    def begin(self, why):
        if why.restore:
            return Job()  # each entry is an ordinary file: the host brings it back
        if why.state is not None and why.state_format != LinesJob.format:
            raise BaseGone("the state is of another version of this agent")
        return LinesJob(self.settings["source"][0], why.state)


class LinesJob(Job):
    """One Job. state: where the base ended, "<lines> <bytes>"; None: everything is listed."""

    def __init__(self, path, state):
        self.file = open(path, "rb")
        self.number = self.offset = 0
        self.anything_failed = False
        self.complete = state is None  # after a list of news what else there is would be deleted
        if state is not None:
            self.continue_from(state)
        self.base = self.number, self.offset

    def continue_from(self, state):
        """What does not fit the source any more cannot be continued from."""
        try:
            self.number, self.offset = map(int, state.split())
        except ValueError:
            self.file.close()
            raise BaseGone("the state is not of this agent") from None
        if os.fstat(self.file.fileno()).st_size < self.offset or self.number < 0 or self.offset < 0:
            self.file.close()
            raise BaseGone("the source is shorter than it was")

    def entries(self):
        """CHANGE: the items after `offset`. Selected: chosen by our own numbers, the host compares no times."""
        while True:
            self.file.seek(self.offset)
            line = self.file.readline()
            if not line.endswith(b"\n"):
                return  # there is none, or it is still being written
            at, self.offset, self.number = self.offset, self.offset + len(line), self.number + 1
            yield Entry(f"{TOP}{self.number:010}", size=len(line), selected=True, about=at)

    def read(self, entry):
        """CHANGE: the content of an item, piece by piece; on a thread of its own. What it raises is reported with its traceback."""
        left = entry.size
        while left:
            piece = os.pread(self.file.fileno(), min(left, 1 << 18), entry.about + entry.size - left)
            if not piece:
                raise OSError(5, "the source was cut while it was read")
            left -= len(piece)
            yield piece

    def failed(self, entry):
        self.anything_failed = True

    def state(self):
        """Up to here all is saved. What failed, and all after it, comes again."""
        number, offset = self.base if self.anything_failed else (self.number, self.offset)
        return b"%d %d" % (number, offset)

    def end(self, done):
        self.file.close()
