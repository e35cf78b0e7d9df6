"""Every check there is, in order. A check whose `needs` did not pass is left out: it would say the same again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from filed.conformance import ending, faults, loading, manners, phases, restoring, saving, states
from filed.conformance.room import Room
from filed.conformance.witness import CALLBACKS, NO_VERDICT


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to try, in a process of its own. title: what is tried, for people."""

    name: str
    title: str
    run: Callable[[Room], None]
    needs: tuple[str, ...] = ("backup",)


_FAULTS = tuple(
    Check(f"fault-{name}", f"the host's {name} fails", partial(faults.faulty, callback=name)) for name in CALLBACKS
)
CHECKS = (
    Check("load", "the library: descriptor, versions, symbol", loading.load, ()),
    Check("instance", "create, options, ready, destroy", loading.instance, ("load",)),
    Check("backup", "a Full, read to its end", saving.backup, ("instance",)),
    Check("verify", "the same, read for a comparison", saving.verify),
    Check("estimate", "only what there is; nothing kept", saving.estimate),
    Check("incremental", "an Incremental on its own state", states.incremental),
    Check("failed-entry", "an entry that fails, and comes again", states.failed_entry, ("incremental",)),
    Check("lost-state", "an Incremental without a state", states.without_state, ("incremental",)),
    Check("foreign-state", "a state that it did not write", states.foreign_state, ("incremental",)),
    Check("pages", "pages of other sizes", saving.pages),
    Check("buffers", "buffers of other sizes", saving.buffers),
    Check("filtered", "entries dropped, streams closed early", saving.filtered),
    Check("reread", "entries opened again, and at an offset", saving.reread),
    Check("parallel", "several streams at once", saving.parallel),
    Check("access-times", "access times kept, as the FileSet asks", saving.access_times),
    Check("phases", "prepared, begun, released; released by another", phases.phases),
    Check("browse", "one directory alone", saving.browse),
    Check("needed", "what of its log is still needed", saving.needed),
    Check("later-host", "a host of a later version", saving.later_host),
    Check("older-host", "a host of the first version", saving.older_host),
    Check("given-up", "Jobs ended at each point", ending.given_up),
    Check("cancel", "a cancel while listing and reading", ending.canceled),
    *_FAULTS,
    Check("no-verdict", "match that gives no verdict", partial(faults.faulty, callback=NO_VERDICT)),
    Check("guest", "descriptors, threads, processes", manners.guest),
    Check("memory", "listing keeps nothing", saving.memory),
    Check("plan", "a restore that is only planned", restoring.plan),
    Check("restore", "a restore, compared", restoring.restore),
    Check("replaced", "what gives way to what is restored", restoring.replaced, ("restore",)),
    Check("order", "directories before and without their content", restoring.order, ("restore",)),
    Check("gaps", "content with gaps", restoring.gaps, ("restore",)),
    Check("corrupt", "data that its digest denies", restoring.corrupt, ("restore",)),
    Check("given-up-restore", "restores ended in the middle", restoring.given_up, ("restore",)),
    Check("links", "symbolic links on the way", restoring.links, ("restore",)),
    Check("leaks", "equal Jobs, again and again", manners.leaks, ("guest",)),
    Check("leaks-restore", "equal restores, again and again", manners.leaks_of_restores, ("restore",)),
)
