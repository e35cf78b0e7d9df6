"""A child process on Windows: `python -m filed.process.spawned WORDS PAGE TREE PARENT` serves the ends that it is given.

Handles are inherited, by the numbers of its arguments; sockets come over its standard input, since only Winsock can hand them over.
Where processes can be copied, `system.start` is the way.
"""

from __future__ import annotations

import socket
import sys

from filed.process import system
from filed.process.backtrace import Backtrace
from filed.process.capture import Capture
from filed.process.child import Ends, serve
from filed.process.status_page import PAGE_BYTES, StatusPage
from filed.process.system import SharedMemory

assert sys.platform == "win32"


def start(ends: Ends) -> system.Process:
    """In the parent."""
    words = system.handle_of(ends.backtrace.descriptor)
    sockets = [ends.sock.fileno(), ends.cancel_pipe]
    return system.spawn(
        "filed.process.spawned", (words, ends.status_page.memory.name), [words], sockets, ends.capture.descriptors[1]
    )


def main() -> None:
    """In the child."""
    words, page, tree, parent = sys.argv[1:]
    system.join(int(tree), int(parent))
    sock, bell = system.handed_sockets()
    ends = Ends(
        socket.socket(fileno=sock),
        bell,
        Capture(),
        Backtrace(system.descriptor_of(int(words))),
        StatusPage(SharedMemory(PAGE_BYTES, page)),
    )
    serve(ends)


if __name__ == "__main__":
    main()
