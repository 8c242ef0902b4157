"""An S3 server (moto's) on loopback that can be told to misbehave, and counts what it is asked."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import fsspec
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

SLOW_DOWN = (
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


class Bucket:
    """A bucket; `requests` holds (method, query) of each request, `faults` what happens to the next ones."""

    def __init__(self) -> None:
        self.app = DomainDispatcherApplication(create_backend_app)
        self.requests: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self.url = "s3://bucket"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.requests.append((environ["REQUEST_METHOD"], environ["QUERY_STRING"]))
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "slow down":
            start_response(
                "503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(SLOW_DOWN)))]
            )
            return [SLOW_DOWN]
        if fault == "answer lost":  # the request is carried out, then the connection breaks
            list(self.app(environ, lambda *_: None))
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        answer: Iterable[bytes] = self.app(environ, start_response)
        return answer

    def listings(self) -> int:
        """Requests that list a folder; asking for one key at most is how a missing object is told from a folder."""
        return sum("list-type" in query and "max-keys=1&" not in query for _, query in self.requests)


@contextlib.contextmanager
def served() -> Iterator[Bucket]:
    """A server with an empty bucket, which this process and those that it starts find by their environment."""
    bucket = Bucket()
    server = make_server("127.0.0.1", 0, bucket, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3", use_listings_cache=False).mkdir("bucket")
        yield bucket
    server.shutdown()
