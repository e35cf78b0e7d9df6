from __future__ import annotations

import contextlib
import os
import pwd
import threading

import pytest

from filed.errors import ConfigError
from filed.process.identity import Identity, User, identity_of
from filed.process.status_page import StatusPage
from tests.agents.flows import in_child

NOBODY = pwd.getpwnam("nobody")
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change users")


def who() -> tuple[tuple[int, ...], tuple[int, ...], list[int]]:
    return os.getresuid(), os.getresgid(), os.getgroups()


@only_root
def test_it_is_worn_for_a_call_and_taken_off_within_and_after() -> None:
    identity, before = identity_of("nobody"), who()
    with identity.worn():
        assert who() == (
            (NOBODY.pw_uid, NOBODY.pw_uid, 0),
            (NOBODY.pw_gid, NOBODY.pw_gid, 0),
            os.getgrouplist("nobody", NOBODY.pw_gid),
        )
        with identity.taken_off():
            assert who() == before
        assert os.geteuid() == NOBODY.pw_uid
    assert who() == before


@only_root
def test_other_threads_stay_who_they_are() -> None:
    asked, seen = threading.Event(), []

    def look() -> None:
        asked.wait(60)
        seen.append(os.geteuid())

    bystander = threading.Thread(target=look)  # there before: one made by the changed thread would be as that is
    bystander.start()
    with identity_of("nobody").worn():
        asked.set()
        bystander.join()
        assert os.geteuid() == NOBODY.pw_uid
    assert seen == [0]


@only_root
def test_an_error_in_the_call_brings_us_back_too() -> None:
    before = who()
    with pytest.raises(ZeroDivisionError), identity_of("nobody").worn():
        raise ZeroDivisionError
    assert who() == before


def test_nobody_of_that_name() -> None:
    with pytest.raises(ConfigError, match="user nobody-of-that-name"):
        identity_of("nobody-of-that-name")


def test_who_is_not_root_is_told_so() -> None:
    def work(_status_page: StatusPage) -> str:
        if os.geteuid() == 0:
            os.setuid(NOBODY.pw_uid)
        us = User(os.getuid(), os.getgid(), ())
        with contextlib.suppress(PermissionError), Identity(us, us).worn():
            return "worn"
        try:
            identity_of("nobody")
        except ConfigError as error:
            return str(error)
        return "given"

    assert "only root may change users, and this is not root" in in_child(work)
