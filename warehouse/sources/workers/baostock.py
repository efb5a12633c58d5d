"""Baostock's SDK, mended where it would hang or lose rows without a word.

The SDK reads for ever from a socket that was closed, prints its errors instead of raising them, and ends a
list of pages silently when one of them fails. Here every failure of the line is remembered and raised.
"""

from __future__ import annotations

import socket
import time
import zlib
from typing import Any, Final

from quant.warehouse.sources.vendor import Answer, Trouble, VendorFault
from quant.warehouse.sources.workers.loop import JSON, Params, as_json, serve

_END: Final = b"<![CDATA[]]>\n"
_HEADER: Final = 21
_LOGIN_LOST: Final = "10001001"
_REFUSED: Final = frozenset({
    "10001002", "10001003", "10001004", "10001006", "10001007", "10001008", "10001009", "10001011",
    "10001012",
})  # fmt: skip
_QUOTA: Final = frozenset({"10001005", "10004016"})
_TRANSIENT: Final = frozenset({_LOGIN_LOST, "10001010", "10004001", "10004002", "10004003", "10005001"})
_OF_ALL_CODES: Final = {
    "query_history_k_data_plus": "query_daily_history_k_AStock",
    "query_adjust_factor": "query_daily_adjust_factor",
}
"""What is asked when a date is given instead of a code."""


class LineBroken(OSError):
    """The connection ended, timed out or delivered damaged bytes."""


class Line:
    """A socket as the SDK uses it: sends everything, and raises where the SDK would wait for ever."""

    def __init__(self, host: str, port: int, deadline: float) -> None:
        self.deadline = deadline
        self.trouble: str | None = None
        self._received = bytearray()
        try:
            left = max(deadline - time.monotonic(), 0.001)
            self._socket = socket.create_connection((host, port), timeout=left)
        except OSError as error:
            raise LineBroken(f"no connection to {host}:{port}: {error}") from error

    def send(self, message: bytes) -> int:
        self._received.clear()
        self._limit()
        try:
            self._socket.sendall(message)
        except OSError as error:
            raise self._broken(f"sending failed: {error}") from error
        return len(message)

    def recv(self, size: int) -> bytes:
        self._limit()
        try:
            part = self._socket.recv(size)
        except OSError as error:
            raise self._broken(f"receiving failed: {error}") from error
        if not part:
            raise self._broken("the server closed the connection")
        self._received += part
        if self._received.endswith(_END):
            self._verify(bytes(self._received))
        return part

    def close(self) -> None:
        self._socket.close()

    def _limit(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise self._broken("no answer in time")
        self._socket.settimeout(left)

    def _verify(self, message: bytes) -> None:
        """The checksum, which the SDK does not look at. That of compressed bodies is in their stream."""
        core, _, stated = message[: -len(_END)].rpartition(b"\1")
        packed = message[_HEADER : _HEADER + 1] == b"x"
        if not packed and stated.strip().isdigit() and zlib.crc32(core) != int(stated):
            raise self._broken("the checksum of an answer is wrong")

    def _broken(self, trouble: str) -> LineBroken:
        self.trouble = trouble
        return LineBroken(trouble)


class BaostockProgram:
    """One login, kept over many questions, renewed when it is lost."""

    def open(self, options: Params) -> None:
        """Nothing is connected before the first question."""
        import baostock
        import baostock.common.contants as constants
        import baostock.common.context as context
        import baostock.util.socketutil as sockets

        self._sdk, self._context = baostock, context
        self._host = str(options.get("host") or constants.BAOSTOCK_SERVER_IP)
        if options.get("secret") and not options.get("host"):
            self._host = str(constants.BAOSTOCK_VIP_SERVER_IP)
        self._port = int(options.get("port") or constants.BAOSTOCK_SERVER_PORT)
        self._key = str(options.get("secret") or "")
        self._page = int(constants.BAOSTOCK_PER_PAGE_COUNT)
        self._line: Line | None = None
        self._deadline = 0.0
        sockets.SocketUtil.connect = lambda _self, _key: setattr(context, "default_socket", self._connect())

    def ask(self, endpoint: str, params: Params, timeout: float) -> Answer:
        """All pages of one query; once more on a new line when the old one turned out to be dead."""
        self._deadline = time.monotonic() + timeout
        kept = self._line is not None
        try:
            return self._put(endpoint, params)
        except VendorFault as fault:
            self._hang_up()
            if not kept or fault.trouble != "transient" or time.monotonic() >= self._deadline:
                raise
            return self._put(endpoint, params)

    def close(self) -> None:
        """Log out, so that the server does not count this login any more."""
        if self._line is not None and self._line.trouble is None:
            self._line.deadline = time.monotonic() + 1.0
            self._sdk.logout()
        self._hang_up()

    def _put(self, endpoint: str, params: Params) -> Answer:
        line = self._logged_in()
        line.deadline = self._deadline
        try:
            fields, rows = self._pages(line, endpoint, params)
        except (ValueError, LookupError, TypeError) as error:  # what the SDK says to bytes it cannot read
            raise VendorFault("transient", f"{endpoint}: unreadable answer: {error}") from error
        if any(len(row) != len(fields) for row in rows):
            raise VendorFault("invalid", f"{endpoint}: rows of other lengths than the {len(fields)} columns")
        if endpoint.endswith("_stocks"):  # lists do not say which day was asked for
            fields, rows = [*fields, "date"], [[*row, str(params["date"])] for row in rows]
        content = as_json({"fields": fields, "record": rows})
        return Answer(
            content, JSON, len(rows), empty_is_known=not ("date" in params and "history" in endpoint)
        )

    def _pages(self, line: Line, endpoint: str, params: Params) -> tuple[list[str], list[list[str]]]:
        function = _OF_ALL_CODES.get(endpoint, endpoint) if "date" in params else endpoint
        found = getattr(self._sdk, function)(**params)
        self._check(line, found, endpoint)
        fields, rows = list(found.fields), list(found.data)
        while self._more(found):
            found.cur_row_num = len(found.data)
            if not found.next():
                break
            rows += found.data
        self._check(line, found, endpoint)
        return fields, rows

    def _more(self, found: Any) -> bool:
        """Whether a further page may follow. A server that cuts pages elsewhere than asked is refused,
        because the SDK would stop after the first of them.
        """
        said = str(found.per_page_count)
        if said.isdigit() and int(said) < self._page and len(found.data) >= int(said) > 0:
            raise VendorFault("invalid", f"the server cuts pages at {said} rows, {self._page} were asked for")
        return len(found.data) == self._page

    def _check(self, line: Line, found: Any, asked: str) -> None:
        if line.trouble is not None:
            raise VendorFault("transient", line.trouble)
        if found is None:
            raise VendorFault("invalid", f"{asked}: the client refused the parameters")
        if found.error_code != "0":
            raise VendorFault(trouble_of(found.error_code), f"{found.error_msg} ({found.error_code})")

    def _logged_in(self) -> Line:
        if self._line is not None:
            return self._line
        if self._key:
            self._sdk.set_API_key(self._key)
        try:
            found = self._sdk.login()
        except LineBroken as error:
            raise VendorFault("transient", str(error)) from error
        line: Line = self._context.default_socket
        try:
            self._check(line, found, "login")
        except VendorFault:
            line.close()
            raise
        self._line = line
        return line

    def _connect(self) -> Line:
        return Line(self._host, self._port, self._deadline)

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


def trouble_of(code: str) -> Trouble:
    """What an error code of the server asks of us."""
    if code in _QUOTA:
        return "quota"
    if code in _REFUSED:
        return "refused"
    return "transient" if code in _TRANSIENT or code.startswith("10002") else "invalid"


if __name__ == "__main__":
    serve(BaostockProgram())
