"""Studies in MLflow: a view of the trial directories, which stay the truth and from which it can be rebuilt at any time.

The only package that imports mlflow, and it does so when the first copy is made, not when it is imported.
"""

from rdun.tracking.client import TrackerError, tracking_uri
from rdun.tracking.mirror import Mirror, sync

__all__ = ["Mirror", "TrackerError", "sync", "tracking_uri"]
