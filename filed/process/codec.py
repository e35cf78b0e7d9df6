"""A value as one message between processes: JSON, with the bytes behind it.

    u32 length, JSON, then each `bytes` of the value in order; in the JSON stands its length

Type hints say how, in both directions; what is not as they say is refused. They may name frozen dataclasses and unions of them,
enums, tuples, Path, NewType, None, bool, int, float, str and bytes. Text may hold surrogates. No error shows a value: it may be a secret.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NewType, Protocol, Union, get_args, get_origin, get_type_hints

from filed.errors import RemoteProtocolError

_LENGTH = struct.Struct(">I")


def prepare(kind: Any) -> None:
    """For a parent of many children: what the first value of a kind would cost, 2 ms for a Job's."""
    _form(kind)


def encode(kind: Any, value: object) -> bytes:
    """kind: a type, or a union. Raises TypeError for a value of another."""
    blobs: list[bytes] = []
    text = json.dumps(_form(kind).write(value, blobs), separators=(",", ":")).encode()
    return b"".join((_LENGTH.pack(len(text)), text, *blobs))


def decode(kind: Any, data: bytes) -> Any:
    """The value that `encode` was given with the same kind. Raises RemoteProtocolError for anything else."""
    try:
        (length,) = _LENGTH.unpack_from(data)
        end = _LENGTH.size + length
        blobs = _Blobs(data, end)
        value = _form(kind).read(json.loads(data[_LENGTH.size : end]), blobs)
        blobs.finish()
    except (ValueError, TypeError, KeyError, RecursionError, struct.error) as broken:
        raise RemoteProtocolError(f"a message between processes is not a {_name(kind)}: {broken}") from broken
    return value


class _Blobs:
    """The bytes behind the JSON, taken in order."""

    def __init__(self, data: bytes, begin: int) -> None:
        self._data, self._at = data, begin

    def take(self, length: int) -> bytes:
        if not 0 <= length <= len(self._data) - self._at:
            raise ValueError(f"{length} bytes are not there")
        self._at += length
        return self._data[self._at - length : self._at]

    def finish(self) -> None:
        if self._at != len(self._data):
            raise ValueError(f"{len(self._data) - self._at} bytes are left over")


class _Form(Protocol):
    """How values of one kind are written and read."""

    def write(self, value: Any, blobs: list[bytes]) -> Any: ...

    def read(self, said: Any, blobs: _Blobs) -> Any: ...


class _Simple:
    """What JSON has itself, or what becomes that. kinds, said: the types of the one and the other."""

    def __init__(
        self, kinds: tuple[type, ...], said: tuple[type, ...], write: Callable[[Any], Any], read: Callable[[Any], Any]
    ) -> None:
        self._kinds, self._said, self._write, self._read = kinds, said, write, read

    def write(self, value: Any, _blobs: list[bytes]) -> Any:
        return self._write(_checked(value, *self._kinds))

    def read(self, said: Any, _blobs: _Blobs) -> Any:
        return self._read(_checked(said, *self._said))


class _Bytes:
    def write(self, value: Any, blobs: list[bytes]) -> int:
        blobs.append(_checked(value, bytes))
        return len(value)

    def read(self, said: Any, blobs: _Blobs) -> bytes:
        return blobs.take(_checked(said, int))


class _Tuple:
    """tuple[X, Y], or with `more` tuple[X, ...]."""

    def __init__(self, forms: list[_Form], *, more: bool) -> None:
        self._forms, self._more = forms, more

    def write(self, value: Any, blobs: list[bytes]) -> list[Any]:
        return [form.write(one, blobs) for form, one in self._pairs(_checked(value, tuple))]

    def read(self, said: Any, blobs: _Blobs) -> tuple[Any, ...]:
        return tuple(form.read(one, blobs) for form, one in self._pairs(_checked(said, list)))

    def _pairs(self, values: Any) -> Any:
        return zip(self._forms * len(values) if self._more else self._forms, values, strict=True)


class _Dataclass:
    """By the names of its fields: all of them, and no others."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        hints = get_type_hints(kind)
        self._forms = {field.name: _form(hints[field.name]) for field in fields(kind)}

    def write(self, value: Any, blobs: list[bytes]) -> dict[str, Any]:
        _checked(value, self._kind)
        return {name: form.write(getattr(value, name), blobs) for name, form in self._forms.items()}

    def read(self, said: Any, blobs: _Blobs) -> Any:
        if _checked(said, dict).keys() != self._forms.keys():
            raise ValueError(f"not the fields of {self._kind.__name__}")
        return self._kind(**{name: form.read(said[name], blobs) for name, form in self._forms.items()})


class _Optional:
    """X | None"""

    def __init__(self, form: _Form) -> None:
        self._form = form

    def write(self, value: Any, blobs: list[bytes]) -> Any:
        return None if value is None else self._form.write(value, blobs)

    def read(self, said: Any, blobs: _Blobs) -> Any:
        return None if said is None else self._form.read(said, blobs)


class _Union:
    """X | Y: the name of the dataclass, and its value."""

    def __init__(self, kinds: list[type]) -> None:
        self._kinds = kinds
        self._forms = {kind.__name__: _Dataclass(kind) for kind in kinds}

    def write(self, value: Any, blobs: list[bytes]) -> list[Any]:
        name = type(_checked(value, *self._kinds)).__name__
        return [name, self._forms[name].write(value, blobs)]

    def read(self, said: Any, blobs: _Blobs) -> Any:
        name, value = _checked(said, list)
        return self._forms[name].read(value, blobs)


@cache
def _form(kind: Any) -> _Form:
    """Raises TypeError for a kind that is not served."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        more = arguments[1:] == (...,)
        return _Tuple([_form(each) for each in arguments if each is not ...], more=more)
    if origin in (Union, UnionType):
        some = [each for each in arguments if each is not NoneType]
        form = _form(some[0]) if len(some) == 1 else _Union(some)
        return form if len(some) == len(arguments) else _Optional(form)
    if isinstance(kind, NewType):
        return _form(kind.__supertype__)
    if kind is bytes:
        return _Bytes()
    if kind in (bool, int, str):
        return _Simple((kind,), (kind,), kind, kind)
    if kind is float:
        return _Simple((float, int), (float,), float, float)
    if kind is Path:
        return _Simple((type(Path()),), (str,), str, Path)
    if is_dataclass(kind):
        return _Dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _Simple((kind,), (str, int), lambda member: member.value, kind)
    raise TypeError(f"a {_name(kind)} cannot be sent between processes")


def _checked(value: Any, *kinds: type) -> Any:
    """The value, which is of one of these types; True is no int here, and an enum no str."""
    if type(value) not in kinds:
        raise TypeError(f"a {type(value).__name__} where {' or '.join(kind.__name__ for kind in kinds)} belongs")
    return value


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))
