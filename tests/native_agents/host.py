"""What the hosts of these tests have in common."""

from __future__ import annotations


class OfVersion10:
    """The callbacks that came with version 1.1, which none of our own agents uses."""

    def watermark(self, position: int) -> None:
        raise AssertionError("it has no watermark")

    def expect(self, entries: int, size: int) -> None:
        raise AssertionError("it expects nothing")

    def hold(self, token: bytes) -> None:
        raise AssertionError("it holds nothing")
