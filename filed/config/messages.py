"""A Messages resource: which kinds of messages go where.

`all` is every kind but `debug` and `saved`, which have to be named (tried with bacula-fd 9.6.7).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from filed.config.resources import Block, Warnings, nearest
from filed.config.syntax import Kind, Piece, Statement, fold


class MessageType(StrEnum):
    DEBUG = "debug"
    ABORT = "abort"
    FATAL = "fatal"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    SAVED = "saved"
    NOTSAVED = "notsaved"
    SKIPPED = "skipped"
    MOUNT = "mount"
    TERMINATE = "terminate"
    RESTORED = "restored"
    VERIFIED = "verified"
    SECURITY = "security"
    ALERT = "alert"
    VOLMGMT = "volmgmt"
    EVENTS = "events"


NOT_IN_ALL = frozenset({MessageType.DEBUG, MessageType.SAVED})


class Target(StrEnum):
    DIRECTOR = "Director"
    FILE = "File"
    APPEND = "Append"
    SYSLOG = "Syslog"
    MAIL = "Mail"
    MAIL_ON_ERROR = "Mail On Error"
    MAIL_ON_SUCCESS = "Mail On Success"
    OPERATOR = "Operator"
    CONSOLE = "Console"
    STDOUT = "Stdout"
    STDERR = "Stderr"
    CATALOG = "Catalog"


WITHOUT_ADDRESS = frozenset({Target.SYSLOG, Target.CONSOLE, Target.STDOUT, Target.STDERR, Target.CATALOG})
UNSERVED = {
    Target.CONSOLE: "no console connects to a File Daemon",
    Target.CATALOG: "the catalog is the Director's, which enters what it is sent",
}
BY_COMMAND = {
    Target.MAIL: "Mail Command",
    Target.MAIL_ON_ERROR: "Mail Command",
    Target.MAIL_ON_SUCCESS: "Mail Command",
    Target.OPERATOR: "Operator Command",
}


@dataclass(frozen=True, slots=True)
class Destination:
    """where: names, paths or addresses, () for targets that have none.  command: the mail command in force there."""

    target: Target
    types: frozenset[MessageType]
    where: tuple[str, ...] = ()
    command: str = ""


@dataclass(frozen=True, slots=True)
class Messages:
    name: str
    destinations: tuple[Destination, ...] = ()
    description: str = ""


def read_messages(statement: Statement, warnings: Warnings) -> Messages:
    """Raises ConfigError for a kind of message, or a destination, that does not exist."""
    block = Block(statement, "Messages", warnings)
    name, description = block.name(), block.string("Description")
    given = {directive: block.string(directive) for directive in dict.fromkeys(BY_COMMAND.values())}
    commands = {target: given[directive] for target, directive in BY_COMMAND.items()}
    destinations: list[Destination] = []
    for target in Target:
        for line in block.each(target.value):
            destination = replace(_destination(line, target), command=commands.get(target, ""))
            destinations.append(destination)
            if why := UNSERVED.get(target):
                warnings.add(line.place, f'"{target.value}" messages are not delivered: {why}')
            if target in BY_COMMAND and not destination.command:
                text = f'"{target.value}" messages are not delivered: there is no "{BY_COMMAND[target]}" line'
                warnings.add(line.place, text)
    block.finish()
    return Messages(name, tuple(destinations), description)


def _destination(line: Statement, target: Target) -> Destination:
    pieces = line.value or ()
    equals = next((at for at, piece in enumerate(pieces) if piece.kind is Kind.EQUALS), None)
    where: tuple[str, ...] = ()
    if equals is None and target not in WITHOUT_ADDRESS:
        raise line.place.error(f'"{target.value}" is written as: {target.value} = address = all, !skipped')
    if equals is not None:
        where = tuple(piece.text for group in _groups(pieces[:equals]) for piece in group[:1])
        pieces = pieces[equals + 1 :]
    return Destination(target, _types(line, pieces), where)


def _types(line: Statement, pieces: tuple[Piece, ...]) -> frozenset[MessageType]:
    chosen: set[MessageType] = set()
    known = {member.value: member for member in MessageType} | {"terminated": MessageType.TERMINATE}
    for group in _groups(pieces):
        text = fold("".join(piece.text for piece in group))
        word = text.removeprefix("!")
        if word == "all":
            types = set(MessageType) - NOT_IN_ALL
        elif word in known:
            types = {known[word]}
        else:
            hint = nearest(Statement(word, line.place), [*known, "all"])
            raise group[0].place.error(f'"{word}" is not a kind of message{hint}')
        chosen = chosen - types if text.startswith("!") else chosen | types
    if not pieces:
        raise line.place.error(f'"{line.name}" names no kind of message; write for example: all, !skipped')
    return frozenset(chosen)


def _groups(pieces: tuple[Piece, ...]) -> Iterator[list[Piece]]:
    """The pieces between commas."""
    group: list[Piece] = []
    for piece in pieces:
        if piece.kind is Kind.COMMA:
            if group:
                yield group
            group = []
        elif piece.kind is not Kind.EQUALS:
            group.append(piece)
    if group:
        yield group
