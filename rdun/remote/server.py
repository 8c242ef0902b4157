"""The job server of a cluster, seen through a tunnel."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

PATIENCE = 30.0
"""Seconds until the server must answer."""
CHATTY = ("dashboard.dashboard_sdk", "dashboard.modules.job.sdk", "_private.runtime_env.packaging")
"""Modules of Ray that log what we tell."""


def connect(address: str) -> Any:
    """The client of a job server.

    Raises:
        ValueError: it does not answer, is another version of Ray, or refuses the token.
    """
    token = Path("~/.ray/auth_token").expanduser()
    if "RAY_AUTH_TOKEN" not in os.environ and not token.is_file():
        raise ValueError(
            f"there is no token in {token}; copy the one that the cluster was started with, or before `ray up` make one with "
            "`ray get-auth-token --generate > /dev/null`"
        )
    os.environ["RAY_AUTH_MODE"] = "token"
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):  # the client would go there instead
        os.environ.pop(name, None)
    import ray
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    for name in CHATTY:
        logging.getLogger(f"ray.{name}").setLevel(logging.WARNING)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            client = JobSubmissionClient(address)
            break
        except AuthenticationError:
            raise ValueError(
                f"the cluster refuses this machine's token; put the one of who started it into {token}"
            ) from None
        except RuntimeError as error:
            line = str(error).strip().splitlines()[0]
            raise ValueError(f"the cluster's job server cannot be used ({line}); pip install -e '.[cluster]'") from None
        except OSError as error:  # the tunnel stands, the server behind it not yet
            if time.monotonic() > end:
                raise ValueError(
                    f"the cluster's job server does not answer ({error}); is Ray running on its head?"
                ) from None
            time.sleep(1)
    version = client._server_ray_version
    if version != ray.__version__:
        raise ValueError(
            f"the cluster has Ray {version}, this machine {ray.__version__}; install the same on both (`ray up` installs the "
            "versions of this checkout's constraints.txt)"
        )
    return client
