#!/usr/bin/env bash
# structlog's "iso" time stamp in local time has no offset: an hour each autumn is ambiguous, and JSON readers take it for UTC.
#
# Versions: structlog 26.1.0.
# Expected: 2026-10-25T02:30:00+01:00. TimeStamper's docstring: fmt is "iso" for ISO 8601, utc "whether timestamp should be in UTC or local
#   time". RFC 3339, the profile that log collectors read, wants an offset always.
# Seen: with utc=True there is a "Z"; with utc=False nothing follows the fraction. MaybeTimeStamper is the same. fmt="%z" in a format of
#   one's own does work for local time.
# Output:  utc=True ...Z; utc=False ...(no offset); "%Y-%m-%dT%H:%M:%S%z" ...+0530
# Why it matters: logs of machines in different zones are merged by these stamps. Log in UTC, or with a format that has %z.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check structlog==26.1.0
TZ=Asia/Kolkata venv/bin/python - <<'PY'
import re
from structlog.processors import TimeStamper
stamps = [TimeStamper(fmt=fmt, utc=utc)(None, "info", {})["timestamp"]
          for fmt, utc in (("iso", True), ("iso", False), ("%Y-%m-%dT%H:%M:%S%z", False))]
print(*stamps, sep="\n")
assert re.fullmatch(r".*\.\d+Z", stamps[0])
assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+", stamps[1])
assert stamps[2].endswith("+0530")
PY
