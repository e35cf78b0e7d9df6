from __future__ import annotations

import os
import resource

import pytest

from filed.process.system import readable

HIGH = 1500  # select ends at 1023


def test_a_descriptor_of_any_number_rings_and_ends() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= HIGH:
        pytest.skip("this user may not have so many descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, HIGH + 1), hard))
    cancel_pipe, ring = os.pipe()
    try:
        os.dup2(cancel_pipe, HIGH)
        assert readable(cancel_pipe, HIGH, timeout_s=0) == set()
        os.write(ring, b"c")
        assert readable(HIGH) == {HIGH}
        os.read(HIGH, 1)
        os.close(ring)
        assert readable(HIGH, cancel_pipe) == {HIGH, cancel_pipe}
    finally:
        os.close(cancel_pipe)
        os.close(HIGH)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
