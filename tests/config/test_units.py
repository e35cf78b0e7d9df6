import pytest
from hypothesis import given
from hypothesis import strategies as st

from filed.config import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("90d", 7_776_000), ("1 h 30 min", 5400), ("1 hour 30 minutes", 5400), ("1hour30min", 5400),
        ("2 m", 5_184_000), ("1 n", 60), ("1 mo", 2_592_000), ("1 mi", 60), ("1.5 h", 5400), ("1 q", 7_862_400),
        ("1 week 2 days 3 hours 10 min", 789_000), ("3 years", 94_608_000), ("0", 0), (" 5 S ", 5),
    ],
)  # fmt: skip
def test_a_duration_is_what_bacula_fd_makes_of_it(text, seconds):
    assert units.duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "3 foo", "1 h x", "-1", "1 secondss"])
def test_a_bad_duration_is_a_sentence(text):
    with pytest.raises(ValueError, match=r"time|unit"):
        units.duration_s(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("5", 5), ("64k", 65_536), ("64 KB", 64_000), ("1.5m", 1_572_864), ("2mb", 2_000_000), ("1g", 1 << 30), ("50 GB", 50 * 10**9), ("1t", 1 << 40)],
)  # fmt: skip
def test_a_size_counts_by_1024_or_with_a_b_by_1000(text, size):
    assert units.size_bytes(text) == size


@pytest.mark.parametrize(("text", "speed"), [("5mb/s", 5_000_000), ("5 mb/s", 5_000_000), ("5k/s", 5120), ("5", 5), ("5Kb/s", 5000), ("1.5mb/s", 1_500_000), ("5m", 5_242_880)])  # fmt: skip
def test_a_speed_is_a_size_a_second(text, speed):
    assert units.speed_bytes_s(text) == speed


@pytest.mark.parametrize("text", ["", "x", "5q", "5g/s", "-5", "5 5", "5/h"])
def test_a_bad_speed_is_a_sentence(text):
    with pytest.raises(ValueError, match="speed"):
        units.speed_bytes_s(text)


def test_yes_and_no_have_two_names_each():
    assert units.yes_or_no(" YES ")
    assert units.yes_or_no("true")
    assert not units.yes_or_no("No")
    assert not units.yes_or_no("false")
    with pytest.raises(ValueError, match='"on" is neither yes nor no'):
        units.yes_or_no("on")


def test_a_whole_number_has_digits_only():
    assert units.whole_number(" -12 ") == -12
    for text in ("", "0x10", "1.5", "٣"):
        with pytest.raises(ValueError, match="whole number"):
            units.whole_number(text)


@given(st.integers(0, 10**6), st.sampled_from([*units.DURATIONS]))
def test_every_beginning_of_a_unit_but_m_means_it(number, unit):
    for length in range(2, len(unit) + 1):
        assert units.duration_s(f"{number}{unit[:length]}") == number * units.DURATIONS[unit]


@given(st.text(max_size=10))
def test_any_text_is_a_value_or_a_value_error(text):
    for read in (units.duration_s, units.size_bytes, units.speed_bytes_s, units.whole_number, units.yes_or_no):
        try:
            read(text)
        except ValueError as error:
            assert str(error)  # noqa: PT017
