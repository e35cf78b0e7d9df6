"""Every error `filed` raises on purpose, ordered by how much it takes down.

Catch only where something is decided: one entry of a Job, one Job, one session, the process.
"""

from __future__ import annotations


class FiledError(Exception):
    """The root; `str()` of it is a sentence for a person: what is wrong, where, what to do."""


class ConfigError(FiledError):
    """The configuration cannot be used; nothing starts."""

    def __init__(self, text: str, file: str = "", line: int = 0, column: int = 0) -> None:
        where = f"{file}:{line}:{column}: " if line else f"{file}: " if file else ""
        super().__init__(where + text)
        self.text, self.file, self.line, self.column = text, file, line, column


class ConnectionLost(FiledError):
    """A peer went away; its session ends."""

    def __init__(self, peer: str, phase: str, why: str) -> None:
        super().__init__(f"connection to {peer} lost during {phase}: {why}")
        self.peer, self.phase = peer, phase


class ProtocolError(FiledError):
    """The conversation with a peer broke its rules."""


class LocalProtocolError(ProtocolError):
    """We tried to say something illegal: our bug."""


class RemoteProtocolError(ProtocolError):
    """The peer said something illegal; `sample` holds the offending bytes, shortened."""

    SAMPLE_BYTES = 80

    def __init__(self, text: str, sample: bytes = b"") -> None:
        self.sample = sample[: self.SAMPLE_BYTES]
        super().__init__(f"{text}: {self.sample!r}" if sample else text)


class AuthenticationError(FiledError):
    """A peer could not prove who it is. Never carries the secret."""


class AgentError(FiledError):
    """An agent's call failed, or broke the contract.

    code: the bp_status it returned (negative), or BP_E_VIOLATION when a rule was broken.
    """

    def __init__(self, agent: str, call: str, code: int, text: str, entry: bytes = b"") -> None:
        at = f", entry {printable(entry)}" if entry else ""
        super().__init__(f"agent {agent}: {call}: {text}{at}")
        self.agent, self.call, self.code, self.text, self.entry = agent, call, code, text, entry


class AgentLoadError(AgentError):
    """An agent's library was not loaded: missing, not trusted, wrong version, missing call."""


class VolumeError(FiledError):
    """A Volume, or the directory of Volumes, cannot be read or written."""


class CatalogError(FiledError):
    """The catalog cannot be read, written or trusted."""


class CatalogDamagedError(CatalogError):
    """What the file holds is no database, or one whose parts do not fit together."""


class StreamError(FiledError):
    """Stored data is not what it claims to be."""

    def __init__(self, text: str, stream: int = 0, file_index: int = 0) -> None:
        at = f" (stream {stream}, FileIndex {file_index})" if stream else ""
        super().__init__(text + at)
        self.stream, self.file_index = stream, file_index


class KeysError(StreamError):
    """The keys at hand do not open it, or do not prove who saved it: the same for each file that these keys are not for."""


class ItemError(FiledError):
    """One file is skipped and counted; the Job goes on."""

    def __init__(self, path: bytes, text: str, errno: int = 0) -> None:
        super().__init__(f"{printable(path)}: {text}")
        self.path, self.text, self.errno = path, text, errno


class JobError(FiledError):
    """The Job ends in error; the session lives."""


class JobCanceled(FiledError):
    """The Job ends canceled."""


def printable(name: bytes) -> str:
    """A file name as one line a person can read: UTF-8 where valid, else and for controls `\\xNN`.

    Never raises; a newline or an escape sequence in a name cannot forge a line of a log.
    """
    text = name.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
