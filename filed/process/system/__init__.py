"""What differs between operating systems: starting, watching and ending processes, waiting, files, names.

Everything else in `filed` that needs one of these asks here. Both modules have the same functions, but for the start of a child:
POSIX has a copy of us run it (`start`), Windows a new interpreter (`spawn`).
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from filed.process.system.windows import *  # noqa: F403
else:
    from filed.process.system.posix import *  # noqa: F403
