"""A small S3 that keeps what it is sent, and fails when it is told to."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from obstore.store import S3Store

NAMES = {
    ("POST", "uploads"): "create",
    ("PUT", "partNumber"): "part",
    ("POST", "uploadId"): "complete",
    ("DELETE", "uploadId"): "abort",
    ("PUT", ""): "put",
    ("HEAD", ""): "head",
    ("GET", ""): "get",
    ("DELETE", ""): "delete",
    ("GET", "list-type"): "list",
    ("POST", "delete"): "delete",
}
"""What the calls are called, by the method and a parameter."""

Fault = Callable[["Call"], bool]
"""Answers a call in place of the store, and returns True; or lets the store do it after all."""


class S3:
    """The objects of one bucket.

    Attributes:
        objects: The bytes by name.
        headers: What was sent with them.
        uploads: The parts of uploads that were neither completed nor aborted.
        calls: The names of all calls, in their order.
        fault: Answers some of them.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.calls: list[str] = []
        self.fault: Fault = lambda call: False
        self.lock = threading.Lock()


class Call(BaseHTTPRequestHandler):
    """One call."""

    protocol_version = "HTTP/1.1"
    server: Server

    def handle_one_request(self) -> None:
        with suppress(OSError):
            super().handle_one_request()

    def _answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        self.query = {name: one for name, (one, *_) in parse_qs(url.query, True).items()}
        self.key = unquote(url.path.removeprefix("/exports").lstrip("/"))
        known = ("partNumber", "uploads", "uploadId", "list-type", "delete")
        self.name = NAMES[self.command, next((one for one in known if one in self.query), "")]
        if self.name == "put" and "x-amz-copy-source" in self.headers:
            self.name = "copy"
        with self.server.s3.lock:
            self.server.s3.calls.append(self.name)
        if not self.server.s3.fault(self):
            with self.server.s3.lock:
                getattr(self, f"_{self.name}")()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815 - http.server's names

    def say(self, status: int, body: str = "", **headers: str) -> None:
        """Answer."""
        data = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def fail(self, status: int, code: str = "InternalError") -> bool:
        """Answer with an error."""
        self.say(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>")
        return True

    def hang_up(self) -> bool:
        """Break the connection."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        return True

    def _store(self, data: bytes) -> None:
        s3 = self.server.s3
        if self.headers.get("If-None-Match") == "*" and self.key in s3.objects:
            self.fail(412, "PreconditionFailed")
            return
        s3.objects[self.key] = data
        if self.name == "put":
            self._keep_headers()
        self.say(
            200,
            "<CompleteMultipartUploadResult><Location>l</Location><Bucket>b</Bucket>"
            f"<Key>k</Key><ETag>{etag(data)}</ETag></CompleteMultipartUploadResult>"
            if self.name == "complete"
            else "",
            ETag=etag(data),
        )

    def _keep_headers(self) -> None:
        kept = ("content-type", "content-disposition", "cache-control")
        self.server.s3.headers[self.key] = {
            name.lower(): value
            for name, value in self.headers.items()
            if name.lower() in kept or name.lower().startswith("x-amz-meta-")
        }

    def _put(self) -> None:
        self._store(self.body)

    def _copy(self) -> None:
        source = self._source()
        self.server.s3.objects[self.key] = data = self.server.s3.objects[source]
        self.server.s3.headers[self.key] = self.server.s3.headers[source]
        self.say(200, f"<CopyObjectResult><ETag>{etag(data)}</ETag></CopyObjectResult>")

    def _source(self) -> str:
        return unquote(self.headers["x-amz-copy-source"]).lstrip("/").removeprefix("exports/")

    def _create(self) -> None:
        uploads = self.server.s3.uploads
        number = f"u{len(self.server.s3.calls)}"
        uploads[number] = {}
        self._keep_headers()
        self.say(
            200,
            "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>"
            f"<UploadId>{number}</UploadId></InitiateMultipartUploadResult>",
        )

    def _part(self) -> None:
        source = "x-amz-copy-source" in self.headers
        data = self.server.s3.objects[self._source()] if source else self.body
        self.server.s3.uploads[self.query["uploadId"]][int(self.query["partNumber"])] = data
        body = f"<CopyPartResult><ETag>{etag(data)}</ETag></CopyPartResult>" if source else ""
        self.say(200, body, ETag=etag(data))

    def _complete(self) -> None:
        parts = self.server.s3.uploads[self.query["uploadId"]]
        numbers = map(int, re.findall(r"<PartNumber>(\d+)<", self.body.decode()))
        data = b"".join(parts[number] for number in numbers)
        self._store(data)
        if self.server.s3.objects.get(self.key) == data:
            del self.server.s3.uploads[self.query["uploadId"]]

    def _abort(self) -> None:
        self.server.s3.uploads.pop(self.query["uploadId"], None)
        self.say(204)

    def _head(self) -> None:
        data = self.server.s3.objects.get(self.key)
        if data is None:
            self.say(404)
            return
        self.say(
            200,
            Content_Length=str(len(data)),
            ETag=etag(data),
            Last_Modified=self.date_time_string(),
        )

    def _delete(self) -> None:
        gone = re.findall(r"<Key>([^<]*)<", self.body.decode()) or [self.key]
        for key in gone:
            self.server.s3.objects.pop(key, None)
        self.say(200, "<DeleteResult></DeleteResult>")

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Serves one bucket; its threads end with it."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Call)
        self.s3 = S3()
        self._connections: list[socket.socket] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        self._connections.append(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        """Break all connections."""
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients break connections."""


@contextmanager
def serving() -> Iterator[tuple[S3, S3Store]]:
    """Yield a bucket, and a store of obstore for it that gives up soon."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    store = S3Store(
        "exports",
        endpoint=f"http://127.0.0.1:{server.server_port}",
        region="us-east-1",
        access_key_id="a",
        secret_access_key="b",
        client_options={"allow_http": True, "timeout": "5s", "pool_max_idle_per_host": "0"},
        retry_config={
            "max_retries": 2,
            "backoff": {
                "init_backoff": timedelta(milliseconds=1),
                "max_backoff": timedelta(milliseconds=2),
                "base": 2,
            },
        },
    )
    try:
        yield server.s3, store
    finally:
        server.shutdown()
        thread.join()
        server.hang_up()
        server.server_close()


def etag(data: bytes) -> str:
    """The entity tag of an object."""
    return f'"{md5(data).hexdigest()}"'


def slow(call: Call) -> bool:
    """Take a while, and then do it."""
    time.sleep(0.05)
    return False
