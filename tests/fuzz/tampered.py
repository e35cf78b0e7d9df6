"""What somebody who can write a Volume does to it, by chance: records dropped, exchanged, renamed, replayed, expanded, forged.

`changed` takes the sessions of a Volume apart, changes a few things, and `write` puts them together with right checksums.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import sqlite3
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from filed.errors import FiledError
from filed.volume import BlockWriter, Session, open_volume
from filed.wire.attributes import FileType, decode_stat, encode_stat, pack_attributes, parse_attributes
from filed.wire.plugin_name import pack_plugin_end, pack_plugin_start
from filed.wire.stream import ATTRIBUTE_STREAMS, DATA_STREAMS, DIGEST_STREAMS, Stream, StreamFlag, stream_type

BOMB = zlib.compress(bytes(40 << 20), 9)
ACL = b"user::rwx\ngroup::rwx\nother::rwx\n\0"
XATTR = b"\x00\x5c\x58\x84\x00\x00\x00\x06user.a\x00\x00\x00\x01x"
EVIL = b"what the attacker wants\n" * 3

Kept = tuple[int, int, bytes]
"""(FileIndex, Stream word, data) of a record."""


@dataclass
class Run:
    """What a Volume holds of one Job: its labels, and the records of each entry."""

    session: Session
    first: Kept
    last: Kept
    entries: list[list[Kept]] = field(default_factory=list)


def sessions(volume: Path) -> list[Run]:
    with open_volume(volume) as reader:
        records = [record for record in reader.records() if record.file_index >= 0 or record.file_index < -3]
    found = []
    for session, together in groupby(records, lambda record: record.session):
        kept = [(record.file_index, record.stream, bytes(record.data)) for record in together]
        run = Run(session, kept[0], kept[-1])
        for _, entry in groupby(kept[1:-1], lambda record: record[0]):
            run.entries.append(list(entry))
        found.append(run)
    return found


def write(volume: Path, runs: list[Run]) -> list[tuple[Session, int, int]]:
    """In place of what the Volume held behind its label. Returns where each session lies: its first byte and its last."""
    with open_volume(volume) as reader:
        label = reader.walk.block(0).stop
    out = bytearray(volume.read_bytes()[:label])
    places = []
    for number, run in enumerate(runs):
        begin = len(out)
        writer = BlockWriter(out.extend, run.session, 0 if number else 1)
        writer.write_whole(*run.first)
        for entry in run.entries:
            for file_index, stream, data in entry:
                writer.write(file_index & 0x7FFF_FFFF, stream, data)
        writer.write_whole(*run.last)
        writer.flush()
        places.append((run.session, begin, len(out) - 1))
    volume.write_bytes(out)
    return places


def tell_where(catalog: Path, places: list[tuple[Session, int, int]]) -> None:
    """The attacker keeps each session where the catalog has it: here, the catalog learns where it is."""
    connection = sqlite3.connect(catalog)
    for session, first, last in places:
        connection.execute(
            "UPDATE job_media SET start_address = ?, end_address = ?"
            " WHERE job_id = (SELECT job_id FROM job WHERE vol_session_id = ? AND vol_session_time = ?)",
            (first, last, *session),
        )
    connection.commit()
    connection.close()


def changed(runs: list[Run], rng: random.Random, outside: bytes) -> list[str]:
    """Change them in a few ways. outside: a directory that no restore may touch. Returns the names of what was done."""
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        change = rng.choice(CHANGES)
        run = rng.choice(runs)
        with contextlib.suppress(FiledError):  # of a record that an earlier change has broken
            if run.entries and all(run.entries):
                change(_Hand(runs, run, rng, outside))
                done.append(change.__name__)
    return done


class _Hand:
    """One change: where, and by which chance."""

    def __init__(self, runs: list[Run], run: Run, rng: random.Random, outside: bytes) -> None:
        self.runs, self.run, self.rng, self.outside = runs, run, rng, outside

    @property
    def place(self) -> int:
        return self.rng.randrange(len(self.run.entries))

    @property
    def entry(self) -> list[Kept]:
        return self.run.entries[self.place]

    @property
    def any_entry(self) -> list[Kept]:
        """Of this Job or another."""
        return self.rng.choice([entry for run in self.runs for entry in run.entries] or [[]])

    def attributes(self, entry: list[Kept], **new: object) -> None:
        """Give the attributes record other fields."""
        for at, (file_index, stream, data) in enumerate(entry):
            if stream_type(stream) in ATTRIBUTE_STREAMS:
                found = parse_attributes(data)._replace(**new)
                entry[at] = file_index, stream, pack_attributes(*found)

    def stat(self, entry: list[Kept], **new: int) -> None:
        for _, stream, data in tuple(entry):
            if stream_type(stream) in ATTRIBUTE_STREAMS:
                self.attributes(entry, lstat=encode_stat(decode_stat(parse_attributes(data).lstat)._replace(**new)))


def entry_dropped(hand: _Hand) -> None:
    del hand.run.entries[hand.place]


def entry_again(hand: _Hand) -> None:
    hand.run.entries.insert(hand.place, list(hand.entry))


def entries_exchanged(hand: _Hand) -> None:
    entries, one, other = hand.run.entries, hand.place, hand.place
    entries[one], entries[other] = entries[other], entries[one]


def contents_exchanged(hand: _Hand) -> None:
    """All but the attributes, each under the FileIndex of where it comes to."""
    one, other = hand.entry, hand.any_entry
    if one is other or not one or not other:
        return
    heads = [[record for record in entry if stream_type(record[1]) in ATTRIBUTE_STREAMS] for entry in (one, other)]
    rests = [[record for record in entry if stream_type(record[1]) not in ATTRIBUTE_STREAMS] for entry in (one, other)]
    for entry, head, rest in ((one, heads[0], rests[1]), (other, heads[1], rests[0])):
        number = entry[0][0]
        entry[:] = head + [(number, stream, data) for _, stream, data in rest]


def replayed(hand: _Hand) -> None:
    """The content of another version or file, and what proves it, in place of this one's."""
    one, other = hand.entry, hand.any_entry
    if not one or not other:
        return
    head = [record for record in one if stream_type(record[1]) in ATTRIBUTE_STREAMS]
    rest = [(one[0][0], stream, data) for _, stream, data in other if stream_type(stream) not in ATTRIBUTE_STREAMS]
    one[:] = head + rest


def renamed(hand: _Hand) -> None:
    paths = [
        parse_attributes(data).path
        for run in hand.runs
        for entry in run.entries
        for _, stream, data in entry
        if stream_type(stream) in ATTRIBUTE_STREAMS
    ]
    up = b"/.." * hand.rng.randint(1, 12) + hand.outside
    path = hand.rng.choice([*paths, up + b"/new", hand.outside + b"/file", b"/", b"x", b"//", paths[0] + b"/below"])
    hand.attributes(hand.entry, path=path)


def linked(hand: _Hand) -> None:
    hand.attributes(
        hand.entry, link=hand.rng.choice((hand.outside, hand.outside + b"/file", b"..", b"/etc/passwd", b""))
    )


def of_another_type(hand: _Hand) -> None:
    hand.attributes(hand.entry, type=int(hand.rng.choice(list(FileType))))


def other_numbers(hand: _Hand) -> None:
    name = hand.rng.choice(("mode", "size", "nlink", "uid", "mtime", "link_fi", "data_stream"))
    value = hand.rng.choice((0, 1, 2, 3, 6, 0o104755, 0o120777, 1 << 33, -1, hand.rng.randrange(50)))
    hand.stat(hand.entry, **{name: value})


def other_times(hand: _Hand) -> None:
    hand.attributes(
        hand.entry, extended=hand.rng.choice((b"", b"ns:1,2,3", b"ns:1,2,3;ax", b"incomplete", b"metadata only"))
    )


def other_number_inside(hand: _Hand) -> None:
    hand.attributes(hand.entry, file_index=hand.rng.randrange(1, 60))


def of_another_index(hand: _Hand) -> None:
    """All records of an entry, or one of them."""
    entry, number = hand.entry, hand.any_entry[0][0]
    at = hand.rng.randrange(len(entry))
    whole = hand.rng.random() < 0.5
    entry[:] = [(number if whole or n == at else i, stream, data) for n, (i, stream, data) in enumerate(entry)]


def record_dropped(hand: _Hand) -> None:
    entry = hand.entry
    if len(entry) > 1:
        del entry[hand.rng.randrange(len(entry))]


def record_again(hand: _Hand) -> None:
    entry = hand.entry
    entry.insert(hand.rng.randrange(len(entry) + 1), hand.rng.choice(entry))


def records_exchanged(hand: _Hand) -> None:
    entry = hand.entry
    hand.rng.shuffle(entry)


def of_another_stream(hand: _Hand) -> None:
    entry = hand.entry
    at = hand.rng.randrange(len(entry))
    file_index, stream, data = entry[at]
    new = int(hand.rng.choice(list(Stream)))
    if hand.rng.random() < 0.2:
        new = stream | int(
            hand.rng.choice((StreamFlag.OFFSETS, StreamFlag.DELTA, StreamFlag.PLUGIN, StreamFlag.PORTABLE))
        )
    entry[at] = file_index, new, data


def metadata_alone(hand: _Hand) -> None:
    entry = hand.entry
    entry[:] = [
        (number, Stream.UNIX_ATTRIBUTE_UPDATE if stream == Stream.UNIX_ATTRIBUTES else stream, data)
        for number, stream, data in entry
    ]


def bytes_changed(hand: _Hand) -> None:
    entry = hand.entry
    at = hand.rng.randrange(len(entry))
    file_index, stream, data = entry[at]
    if data:
        where = hand.rng.randrange(len(data))
        new = hand.rng.choice(
            (
                data[:where],
                data[:where] + bytes((data[where] ^ 1 << hand.rng.randrange(8),)) + data[where + 1 :],
                data + EVIL,
                data[where:],
            )
        )
        entry[at] = file_index, stream, new


def rearranged(hand: _Hand) -> None:
    """The same bytes at other addresses."""
    entry, kind = hand.entry, hand.rng.choice((Stream.SPARSE_DATA, Stream.FILE_DATA | StreamFlag.OFFSETS))
    if hand.rng.random() < 0.5:
        hand.stat(entry, data_stream=int(Stream.SPARSE_DATA))
    new: list[Kept] = []
    for file_index, stream, data in entry:
        if stream_type(stream) in (Stream.FILE_DATA, Stream.SPARSE_DATA):
            content = data[8:] if stream_type(stream) == Stream.SPARSE_DATA else data
            half = len(content) // 2
            for part in (content[:half], content[half:]):
                address = hand.rng.choice((0, 8, half, 1 << 20, 1 << 40))
                new.append((file_index, int(kind), address.to_bytes(8, "big") + part))
        else:
            new.append((file_index, stream, data))
    entry[:] = new


def stripped(hand: _Hand) -> None:
    """The attacker's content, with a digest or without, in place of what was signed."""
    entry, new = hand.entry, list[Kept]()
    number = entry[0][0]
    for record in entry:
        kind = stream_type(record[1])
        if kind not in DATA_STREAMS | DIGEST_STREAMS | {Stream.SIGNED_DIGEST, Stream.ENCRYPTED_SESSION_DATA}:
            new.append(record)
    if hand.rng.random() < 0.8:
        new.append((number, Stream.FILE_DATA, EVIL))
        new.append((number, Stream.SHA256_DIGEST, hashlib.sha256(EVIL).digest()))
    entry[:] = new


def more_content(hand: _Hand) -> None:
    """In front of what was signed, behind it, or behind what proves it."""
    entry = hand.entry
    where = hand.rng.choice((1, len(entry), hand.rng.randrange(len(entry) + 1)))
    stream = hand.rng.choice(
        [stream for _, stream, _ in entry if stream_type(stream) in DATA_STREAMS] or [Stream.FILE_DATA]
    )
    entry.insert(where, (entry[0][0], int(stream), EVIL))


def expanded(hand: _Hand) -> None:
    entry = hand.entry
    for _ in range(hand.rng.randint(1, 4)):
        entry.insert(hand.rng.randrange(1, len(entry) + 1), (entry[0][0], int(Stream.GZIP_DATA), BOMB))


def something_else(hand: _Hand) -> None:
    entry, number = hand.entry, hand.rng.choice((hand.any_entry[0][0], 0))
    record = hand.rng.choice(
        (
            (
                Stream.PLUGIN_NAME,
                pack_plugin_start(number, hand.rng.choice((b"pipe:/x:cat:cat", b"sqlite:/x", b"nobody:"))),
            ),
            (Stream.PLUGIN_NAME, pack_plugin_end(number)),
            (Stream.ACL_LINUX_ACCESS, ACL),
            (Stream.XATTR_LINUX, XATTR),
            (Stream.RESTORE_OBJECT, EVIL),
            (Stream.PROGRAM_DATA, EVIL),
            (1234, EVIL),
        )
    )
    entry.insert(hand.rng.randrange(len(entry) + 1), (number, int(record[0]), record[1]))


def jobs_mixed(hand: _Hand) -> None:
    """An entry of one Job among those of another."""
    entry = list(hand.any_entry)
    hand.run.entries.insert(hand.place, entry)


def cut_short(hand: _Hand) -> None:
    del hand.run.entries[hand.place :]


CHANGES: tuple[Callable[[_Hand], None], ...] = (
    entry_dropped,
    entry_again,
    entries_exchanged,
    contents_exchanged,
    replayed,
    renamed,
    linked,
    of_another_type,
    other_numbers,
    other_times,
    other_number_inside,
    of_another_index,
    record_dropped,
    record_again,
    records_exchanged,
    of_another_stream,
    metadata_alone,
    bytes_changed,
    rearranged,
    stripped,
    more_content,
    expanded,
    something_else,
    jobs_mixed,
    cut_short,
)
