"""A ClickHouse server for tests: our door over chdb in another process, or the one of CLICKHOUSE_URL."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from quant.warehouse.engines.server import ServerSettings, connection

FRONT = Path(__file__).with_name("clickhouse_front.py")
PASSWORD = "front-5ecret"


@contextlib.contextmanager
def front(folder: Path) -> Iterator[str]:
    """The address of a door over a store in ``folder``, as ``clickhouse://desk@host:port``."""
    command = [sys.executable, str(FRONT), "--path", str(folder), "--user", "desk", "--password", PASSWORD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip().replace("http://", "clickhouse://desk@")
        finally:
            process.kill()


@contextlib.contextmanager
def database(folder: Path, name: str = "") -> Iterator[ServerSettings]:
    """An empty database: on the server of CLICKHOUSE_URL (its password in CLICKHOUSE_PASSWORD), else behind
    our own door.
    """
    name = name or f"quant_test_{uuid.uuid4().hex[:8]}"
    given = os.environ.get("CLICKHOUSE_URL")
    if given:
        reference = "env://CLICKHOUSE_PASSWORD" if os.environ.get("CLICKHOUSE_PASSWORD") else None
        settings = ServerSettings(f"{given.rstrip('/')}/{name}", reference)
        yield settings
        with connection(settings, database=False) as client:
            client.command(f"drop database if exists `{name}`")
        return
    os.environ["QUANT_TEST_FRONT_PASSWORD"] = PASSWORD
    with front(folder) as url:
        yield ServerSettings(f"{url}/{name}", "env://QUANT_TEST_FRONT_PASSWORD")
