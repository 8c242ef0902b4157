"""A small registered set behind a real HTTP server on this machine that can misbehave."""

from __future__ import annotations

import hashlib
import sys
import threading
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

from PIL import Image

from rdun.data import Entry
from tests.conftest import photograph


def png(seed: int) -> bytes:
    stream = BytesIO()
    Image.fromarray(photograph(seed, (64, 72))).save(stream, format="png")
    return stream.getvalue()


CONTENT = {f"{letter}.png": png(seed) for seed, letter in enumerate("abc")}


@dataclass
class Server:
    """Serves CONTENT.

    Attributes:
        faults: file -> what happens to its next requests: a status, "cut" (half a body), "wrong" (other bytes), "stall" (half a
            body, then nothing until `release`); then it is served well. A fault of "always cut" stays.
        requests: files asked for, in order.
    """

    faults: dict[str, list[int | str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def entry(self) -> Entry:
        return Entry(
            name="tiny-set",
            title="A tiny set",
            source="a test",
            folder="tiny-set",
            files={name: hashlib.sha256(body).hexdigest() for name, body in CONTENT.items()},
            url=f"http://127.0.0.1:{self.port}/{{file}}",
        )

    def program(self, before: str = "") -> list[str]:
        """A command that is `python -m rdun.data` with the tiny set in its registry."""
        code = (
            f"{before}\nfrom rdun.data import Entry, registry\nfrom rdun.data.__main__ import main\n"
            f"registry()['tiny-set'] = Entry(**{asdict(self.entry())!r})\nmain()"
        )
        return [sys.executable, "-c", code]

    def start(self) -> ThreadingHTTPServer:
        state = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                state.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.removeprefix("/").removeprefix("mirror/tiny-set/")
        self.requests.append(name)
        waiting = self.faults.get(name, [])
        fault = waiting[0] if waiting[:1] == ["always cut"] else waiting.pop(0) if waiting else ""
        if isinstance(fault, int):
            handler.send_error(fault)
            return
        body = CONTENT[name][::-1] if fault == "wrong" else CONTENT[name]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body if fault in ("", "wrong") else body[: len(body) // 2])
        if fault == "stall":
            handler.wfile.flush()
            self.release.wait(30)
