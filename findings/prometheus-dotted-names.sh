#!/usr/bin/env bash
# prometheus_client lets "disk.used" and "disk_used" into one registry and writes both as disk_used: the page is invalid.
#
# Versions: prometheus_client 0.26.0.
# Expected: "Duplicated timeseries in CollectorRegistry", which the registry raises for two metrics of one name. Prometheus' "Exposition
#   formats": "Only one TYPE line may exist for a given metric name", and each line has a unique name and labels.
# Seen: since names in UTF-8 are allowed, a name with a dot is taken as it is and differs from the other one. Unless the reader asks for
#   escaping=allow-utf-8, dots become "_" while writing, behind that check: two families of one name, and two samples that contradict each
#   other. The same for metrics that differ only in "-", "/" or a blank.
# Output:  # TYPE disk_used gauge / disk_used 1.0 / # TYPE disk_used gauge / disk_used 2.0
# Why it matters: names made of something else (agents, devices, files) used to be refused when they had a dot. Now they work in a trial
#   and one day collide. Put such words into labels.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check prometheus_client==0.26.0
venv/bin/python - <<'PY'
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import choose_encoder
registry = CollectorRegistry()
Gauge("disk.used", "with a dot", registry=registry).set(1)
Gauge("disk_used", "without", registry=registry).set(2)
page = generate_latest(registry).decode()
print(page)
assert page.count("# TYPE disk_used gauge") == 2
assert "disk_used 1.0" in page and "disk_used 2.0" in page
for accept in "text/plain", "application/openmetrics-text; version=1.0.0":
    encoder, _ = choose_encoder(accept)
    assert encoder(registry).decode().count("# TYPE disk_used gauge") == 2
try:
    Gauge("disk_used", "again", registry=registry)
except ValueError as error:
    print(error)
else:
    raise SystemExit("no check at all")
PY
