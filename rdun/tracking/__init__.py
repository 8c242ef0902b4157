"""Studies and searches in MLflow: a view of the trial directories, which stay the truth and from which it can be rebuilt.

The only package that imports mlflow, and it does so when the first copy is made, not when it is imported. The way of the data:
files (one reading of a trial directory) -> view (names, metrics, descriptions) -> trials, study, search (which run gets what) ->
client (requests).
"""

from rdun.tracking.client import TrackerError, tracking_uri, without_password
from rdun.tracking.mirror import Mirror, sync

__all__ = ["Mirror", "TrackerError", "sync", "tracking_uri", "without_password"]
