"""A ClickHouse HTTP door over chdb, for tests of what goes over a socket. One process, one store.

It answers what clickhouse-connect asks: pings, queries in the URL or the body, settings and parameters in the
URL, compressed and chunked inserts, Basic or header credentials, error codes in headers. It is a stand-in: a
real server may differ. ``python clickhouse_front.py --path DIR`` prints its URL and serves until killed.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import re
import tempfile
import threading
import uuid
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

INSERT = re.compile(rb"(?is)^\s*(insert\s+into\s+.+?)\s+format\s+(\w+)\s*?(?:\n|$)")
FORMAT = re.compile(r"(?i)\bformat\s+(\w+)\s*$")
ANSWERS = re.compile(r"(?i)^[\s(]*(select|with|show|describe|desc|exists|explain)\b")
ABOUT_THE_CALL = {
    "query", "database", "user", "password", "role", "query_id", "session_id", "session_timeout",
    "session_check", "quota_key", "compress", "decompress", "enable_http_compression", "wait_end_of_query",
    "buffer_size", "default_format", "client_protocol_version", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip


class Door(ThreadingHTTPServer):
    """The listening socket and the one store behind it."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, path: str, user: str, password: str) -> None:
        import chdb

        super().__init__(("127.0.0.1", 0), Caller)
        self.path, self.user, self.password = path, user, password
        self.spool = tempfile.mkdtemp(prefix="front-")
        self.turn = threading.Lock()
        self.kept = chdb.connect(path)  # the store stays open between calls

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Caller(BaseHTTPRequestHandler):
    """One connection of a client."""

    server: Door
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.serve()

    def do_POST(self) -> None:
        self.serve()

    def serve(self) -> None:
        address = urlsplit(self.path)
        given, body = dict(parse_qsl(address.query, keep_blank_values=True)), self.body()
        if address.path == "/ping":
            return self.reply(200, b"Ok.\n", {})
        given, body = self.form(given, body)
        if not self.known(given):
            text = b"Code: 516. DB::Exception: default: Authentication failed. (AUTHENTICATION_FAILED)\n"
            return self.reply(403, text, {"X-ClickHouse-Exception-Code": "516"})
        try:
            with self.server.turn:
                content, headers = self.run(given, body)
        except Exception as error:
            text = str(error)
            text = text[max(text.find("Code: "), 0) :]
            code = found[1] if (found := re.match(r"Code: (\d+)", text)) else "1002"
            status = 404 if code in ("60", "81") else 500
            return self.reply(status, f"{text}\n".encode(), {"X-ClickHouse-Exception-Code": code})
        return self.reply(200, content, headers)

    def run(self, given: dict[str, str], body: bytes) -> tuple[bytes, dict[str, str]]:
        import chdb

        connection = chdb.connect(self.server.path)
        try:
            if database := given.get("database"):
                connection.query(f"use `{database}`")
            for name, value in given.items():
                if name not in ABOUT_THE_CALL and not name.startswith("param_"):
                    connection.query(f"set {name} = {quoted(value)}")
            head = given.get("query", "").encode()
            found = INSERT.match(head + b"\n") if head else INSERT.match(body)
            if found:
                self.insert(connection, found, body if head else body[found.end() :])
                return b"", {"X-ClickHouse-Query-Id": given.get("query_id") or str(uuid.uuid4())}
            return self.ask(connection, given, head, body)
        finally:
            connection.close()

    def insert(self, connection: Any, found: re.Match[bytes], rows: bytes) -> None:
        spooled = Path(self.server.spool, uuid.uuid4().hex)
        spooled.write_bytes(rows)
        try:
            into, form = found[1].decode(), found[2].decode()
            connection.query(f"{into} from infile {quoted(str(spooled))} format {form}")
        finally:
            spooled.unlink()

    def ask(
        self, connection: Any, given: dict[str, str], head: bytes, body: bytes
    ) -> tuple[bytes, dict[str, str]]:
        sql = b"\n".join(part for part in (head, body) if part).decode().strip().rstrip(";")
        named = FORMAT.search(sql)
        form = named[1] if named else given.get("default_format", "TabSeparated")
        values = {name[6:]: value for name, value in given.items() if name.startswith("param_")}
        content = connection.query(sql, form, params=values).bytes() or b""
        headers = {
            "X-ClickHouse-Query-Id": given.get("query_id") or str(uuid.uuid4()),
            "X-ClickHouse-Timezone": "UTC",
            "X-ClickHouse-Server-Display-Name": "front",
        }
        if content or ANSWERS.match(sql):
            headers["X-ClickHouse-Format"] = form
        return content, headers

    def known(self, given: dict[str, str]) -> bool:
        user, password = given.get("user"), given.get("password", "")
        if key := self.headers.get("X-ClickHouse-User"):
            user, password = key, self.headers.get("X-ClickHouse-Key", "")
        basic = self.headers.get("Authorization", "")
        if basic.startswith("Basic "):
            user, _, password = base64.b64decode(basic[6:]).decode().partition(":")
        return (user or "default") == self.server.user and password == self.server.password

    def body(self) -> bytes:
        raw = b"".join(self.chunks()) if self.chunked() else self.rfile.read(self.announced())
        return unpacked(raw, self.headers.get("Content-Encoding", ""))

    def chunked(self) -> bool:
        return "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    def announced(self) -> int:
        return int(self.headers.get("Content-Length") or 0)

    def chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def form(self, given: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
        """Parameters that came as a form."""
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("multipart/form-data"):
            return given, body
        from email.parser import BytesParser

        parts: Any = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).get_payload()
        fields = {
            str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True).decode()
            for part in parts
        }
        return {**given, **fields}, b""

    def reply(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()


def unpacked(raw: bytes, encoding: str) -> bytes:
    """The body; clients compress it as several frames after one another."""
    if not raw or encoding in ("", "identity"):
        return raw
    if encoding == "gzip":
        return gzip.decompress(raw)
    if encoding == "deflate":
        return zlib.decompress(raw)
    out = bytearray()
    while raw:
        frame = _frame(encoding)
        out += frame.decompress(raw)
        raw = frame.unused_data or b""
    return bytes(out)


def _frame(encoding: str) -> Any:
    if encoding == "lz4":
        import lz4.frame

        return lz4.frame.LZ4FrameDecompressor()
    if encoding == "zstd":
        from backports import zstd

        return zstd.ZstdDecompressor()
    raise ValueError(f"unknown Content-Encoding {encoding}")


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--path", default=":memory:")
    options.add_argument("--user", default="default")
    options.add_argument("--password", default="")
    asked = options.parse_args()
    door = Door(asked.path, asked.user, asked.password)
    print(door.url, flush=True)
    door.serve_forever()
