from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, Flag, StrEnum
from pathlib import Path
from typing import NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.errors import RemoteProtocolError
from filed.process.codec import decode, encode

Number = NewType("Number", int)


class Letter(StrEnum):
    A = "a"
    B = "b"


class Kind(Enum):
    ONE = 1


class Bits(Flag):
    LOW = 1
    HIGH = 2


@dataclass(frozen=True, slots=True)
class Inner:
    name: bytes
    pairs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Other:
    key: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True)
class Value:
    path: Path
    letter: Letter
    flag: bool
    number: Number
    seconds: float | None
    kind: Kind
    bits: Bits
    both: tuple[int, bytes]
    each: tuple[Inner, ...]
    one: Inner | Other
    maybe: Inner | None = None
    place: Path | None = None


text = st.text(st.characters(codec=None), max_size=20)
inner = st.builds(Inner, name=st.binary(), pairs=st.lists(st.tuples(text, text)).map(tuple))
paths = (
    st.binary(min_size=1, max_size=20)
    .filter(lambda raw: 0 not in raw)
    .map(lambda raw: Path(raw.decode("utf-8", "surrogateescape")))
)
values = st.builds(
    Value,
    path=paths,
    letter=st.sampled_from(Letter),
    flag=st.booleans(),
    number=st.integers(),
    seconds=st.none() | st.floats(allow_nan=False),
    kind=st.just(Kind.ONE),
    bits=st.sampled_from([Bits.LOW, Bits.LOW | Bits.HIGH, Bits(0)]),
    both=st.tuples(st.integers(), st.binary()),
    each=st.lists(inner).map(tuple),
    one=inner | st.builds(Other, key=text),
    maybe=st.none() | inner,
    place=st.none() | paths,
)


@given(values)
def test_what_comes_back_is_what_was_sent(value: Value) -> None:
    back = decode(Value, encode(Value, value))
    assert back == value
    assert type(back.letter) is Letter
    assert type(back.one) is type(value.one)


@given(st.binary(max_size=60))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(Value, data)


@given(values, st.data())
def test_a_message_that_was_cut_is_refused(value: Value, data: st.DataObject) -> None:
    whole = encode(Value, value)
    with pytest.raises(RemoteProtocolError):
        decode(Value, whole[: data.draw(st.integers(0, len(whole) - 1))])


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        (Other, b"{}"),
        (Other, b'{"key":"k","more":1}'),
        (Other, b'{"key":null}'),
        (Other, b'{"key":1}'),
        (Inner, b'{"name":1,"pairs":[]}'),
        (Inner, b'{"name":-1,"pairs":[]}'),
        (Inner, b'{"name":0,"pairs":[["a"]]}'),
        (Inner | Other, b'["Value",{}]'),
        (Inner | Other, b'["Other"]'),
        (Letter, b'"c"'),
        (Kind, b"true"),
        (float, b'"1"'),
        (bool, b"1"),
        (int, b"1.0"),
        (str, b"[" * 100_000),
    ],
)
def test_what_the_hints_do_not_say_is_refused(kind: object, sent: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(kind, len(sent).to_bytes(4, "big") + sent)


@pytest.mark.parametrize(
    ("kind", "value"), [(int, True), (str, Letter.A), (Inner, Other()), (Other, Other(7)), (tuple[int, ...], [1])]
)  # type: ignore[arg-type]
def test_a_value_of_another_type_is_not_sent(kind: object, value: object) -> None:
    with pytest.raises(TypeError):
        encode(kind, value)


def test_a_number_of_seconds_may_be_whole() -> None:
    assert decode(float, encode(float, 60)) == 60


def test_a_kind_that_cannot_be_sent_is_named() -> None:
    with pytest.raises(TypeError, match="a dict cannot be sent"):
        encode(dict, {})


def test_no_error_shows_a_value() -> None:
    with pytest.raises(TypeError) as raised:
        encode(Inner | Other, "a secret")
    assert "secret" not in str(raised.value)
    sent = encode(str, "a secret")
    with pytest.raises(RemoteProtocolError) as refused:
        decode(int, sent)
    assert "secret" not in str(refused.value)
