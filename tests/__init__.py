"""The environment of all tests, before any library reads it."""

import os

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", RAY_USAGE_STATS_ENABLED="0")
os.environ["RDUN_BROWSER"] = ""  # no report is printed as PDF but where a test asks for it
if "PYTEST_XDIST_WORKER" in os.environ:
    # several processes at once: threads that wait for each other cost many times that
    os.environ.setdefault("OMP_NUM_THREADS", "1")
