"""A restore that a Director asks for: what agents get before their files, and one round of records after the other."""

from __future__ import annotations

import os
import zlib

from filed.director.connection import OBJECT_PACKETS
from filed.director.conversation import Conversation
from filed.director.daemon_api import Teller
from filed.director.preparation import name_storage
from filed.errors import ConnectionLost, JobCanceled, JobError, RemoteProtocolError, printable
from filed.fileset.confine import real, within
from filed.job.description import NetworkRestore, Replace
from filed.wire import director as said
from filed.wire import reply
from filed.wire.frame import Signal
from filed.wire.restore_object import MAX_OBJECT_BYTES, MAX_OBJECTS_BYTES, RestoreObject

_REPLACES = {"a": Replace.ALWAYS, "w": Replace.IFNEWER, "o": Replace.IFOLDER, "n": Replace.NEVER}


def restore(visit: Conversation, command: said.RestoreCommand) -> bool:
    asked = visit.known
    if asked.storage is None:
        raise JobError("the Director wants a restore without having said where from")
    allowed = tuple(real(os.fsencode(path)) for path in visit.directories.restore)
    where = real(command.where) if command.where.startswith(b"/") and not command.regexwhere else b"/"
    if allowed and not within(where, allowed):
        why = f"{printable(where)}: it is outside of the Allowed Restore Directories of the conf"
        return visit.refuse(why, reply.BAD_RESTORE_PATH)
    visit.note(type="R")
    visit.line.send(reply.OK_RESTORE)
    job = NetworkRestore(
        visit.who,
        visit.facts.setup,
        asked.storage,
        command.where,
        command.regexwhere,
        command.prelinks,
        _REPLACES[command.replace],
        tuple(asked.objects),
        visit.facts.keys,
    )
    visit.do(job, lambda teller: _round_done(visit, teller))
    return False


def _round_done(visit: Conversation, teller: Teller) -> None:
    """All records of a round came: the Director says whether that was all. When it leaves, `wanted` ends the Job."""
    visit.line.send(reply.OK_STORAGE_END)
    try:
        while True:
            event = visit.line.next_event()
            if isinstance(event, said.StorageCommand):
                name_storage(visit, event)
                visit.line.send(reply.OK_STORAGE)
            elif isinstance(event, said.PluginFeaturesCommand):
                visit.line.send(Signal.EOD)
            elif isinstance(event, said.RestoreCommand):
                visit.line.send(reply.OK_RESTORE)
                named = visit.known.storage
                assert named is not None
                teller.tell({"event": "again", "address": named.address, "port": named.port, "key": named.key})
                return
            else:
                teller.tell({"event": "done" if isinstance(event, said.EndRestoreCommand) else "broken off"})
                return
    except (JobCanceled, ConnectionLost):
        return
    except RemoteProtocolError:
        teller.tell({"event": "broken off"})


def restore_file_list(visit: Conversation, _command: said.RestoreFileListCommand) -> bool:
    """Agents hear what will come when it comes. The Director waits for no answer."""
    for _packet in visit.items():
        pass
    return True


def restore_object(visit: Conversation, command: said.RestoreObjectCommand) -> bool:
    if command.end:
        return visit.answer(reply.OK_OBJECT)
    packets = list(visit.items())
    if len(packets) != OBJECT_PACKETS:
        raise RemoteProtocolError("a restore object has a name and a content")
    name, content = packets
    if command.compression:
        try:
            content = _unpacked(content)
        except zlib.error as error:  # the Director's catalog loses some; an agent says itself what it cannot do without
            named = printable(name.rstrip(b"\0"))
            text = f"restore object {named} of plugin {command.plugin} is left out, it cannot be unpacked: {error}"
            visit.say(reply.MessageType.ERROR, f"{text}; files are restored anyway")
            visit.errors_beside += 1
            return True
    if len(content) + sum(len(each.content) for each in visit.known.objects) > MAX_OBJECTS_BYTES:
        raise JobError(f"the restore objects of a Job have more than {MAX_OBJECTS_BYTES:,} bytes together")
    plugin = command.plugin.encode("utf-8", "surrogateescape")
    visit.known.objects.append(
        RestoreObject(command.file_index, command.type, command.index, plugin, name.rstrip(b"\0"), content)
    )
    return True


def _unpacked(stored: bytes) -> bytes:
    """Whole, or zlib.error: an agent would restore by a part of what it saved. A byte behind the end is nobody's."""
    unpacking = zlib.decompressobj()
    content = unpacking.decompress(stored, MAX_OBJECT_BYTES + 1)
    if len(content) > MAX_OBJECT_BYTES:
        raise zlib.error(f"it has more than {MAX_OBJECT_BYTES:,} bytes")
    if not unpacking.eof:
        raise zlib.error("it is cut short in the Director's catalog")
    return content


def component_info(visit: Conversation, _command: said.ComponentInfoCommand) -> bool:
    for _line in visit.items():
        pass  # about volume shadow copies, which are not made here
    return visit.answer(reply.OK_COMPONENT_INFO)
