"""Where a FileSet's options take effect: what is asked of the agent for the files of one Options block, and the way of their bytes.

Derived once per Options object; the FileSet's matcher gives the same object for each file of a block.
"""

from __future__ import annotations

from filed.agents.abi import AgentStream, Entry, EntryFlag, EntryType, WantOption
from filed.errors import JobError
from filed.fileset import FileSet, Options
from filed.pipeline import Codec, Compression, Digest, Encoder, PkiKeys, Plan, RecordQueue, Workers

DATA_BIT = 1 << AgentStream.DATA
ACL_BITS = 1 << AgentStream.ACL_ACCESS | 1 << AgentStream.ACL_DEFAULT
XATTR_BIT = 1 << AgentStream.XATTR
OBJECT_BIT = 1 << AgentStream.OBJECT


class OptionsPlan:
    """What holds for every file of one Options block."""

    def __init__(self, options: Options, keys: PkiKeys | None, workers: Workers, queue: RecordQueue) -> None:
        self.options = options
        self.digested = options.signature is not None
        plan = _plan(options, keys)
        self.data_stream = plan.data_stream
        self.plain_stream = plan.plain_stream
        self.encoder = Encoder(plan, workers, queue)
        self.want_options = _want_options(options)
        self._meta_bits = (ACL_BITS if options.aclsupport else 0) | (XATTR_BIT if options.xattrsupport else 0)

    def streams(self, entry: Entry) -> int:
        """The mask of streams wanted of an entry."""
        kind = entry.type
        if kind == EntryType.REGULAR:
            return self._meta_bits | DATA_BIT
        if kind == EntryType.OBJECT:
            return OBJECT_BIT
        if kind == EntryType.FIFO and self.options.readfifo:
            return self._meta_bits | DATA_BIT
        if kind == EntryType.BLOCKDEV and entry.flags & EntryFlag.TOP:
            return self._meta_bits | DATA_BIT
        return self._meta_bits


class OptionsPlans:
    """The plan of each Options object of a Job."""

    def __init__(self, keys: PkiKeys | None, workers: Workers, queue: RecordQueue) -> None:
        self.workers, self.encrypting = workers, keys is not None
        self._keys, self._queue = keys, queue
        self._made: dict[int, OptionsPlan] = {}

    def of(self, options: Options) -> OptionsPlan:
        """Options objects live as long as their matcher, so their identity is a key; each plan holds its own."""
        found = self._made.get(id(options))
        if found is None:
            found = self._made[id(options)] = OptionsPlan(options, self._keys, self.workers, self._queue)
        return found


def digests_of(fileset: FileSet, keys: PkiKeys | None) -> set[Digest]:
    """All that may stand behind the content of a file, those that are signed too."""
    names = {one.signature.name for include in fileset.includes for one in include.options if one.signature is not None}
    digests = {Digest[name] for name in names if name in Digest.__members__}
    return digests | {keys.digest.digest} if keys is not None else digests


def _plan(options: Options, keys: PkiKeys | None) -> Plan:
    digest = None
    if options.signature is not None:
        if options.signature.name not in Digest.__members__:
            known = ", ".join(Digest.__members__)
            raise JobError(f"signature {options.signature.name} cannot be made; use one of {known}")
        digest = Digest[options.signature.name]
    compression = None
    if options.compression is not None:
        codec, level = Codec[options.compression.kind.name], options.compression.level
        if (codec, level) != (Codec.GZIP, 0):  # GZIP0 is "not compressed", spelled as a level
            compression = Compression(codec, level)
    return Plan(digest=digest, compression=compression, sparse=options.sparse, crypto=keys)


def plan_of_digest(stream: int, *, sparse: bool) -> Plan:
    """Of content that is read for its digest alone. stream: that of the digest's record."""
    return Plan(digest=Digest(stream), sparse=sparse)


def _want_options(options: Options) -> int:
    asked = (
        (options.noatime, WantOption.NOATIME),
        (options.keepatime, WantOption.KEEPATIME),
        (options.readfifo, WantOption.READFIFO),
        (options.checkfilechanges, WantOption.CHECK_CHANGES),
        (options.sparse, WantOption.SPARSE),
    )
    mask = 0
    for on, bit in asked:
        if on:
            mask |= bit
    return mask
