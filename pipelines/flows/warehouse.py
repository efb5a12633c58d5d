"""``quant warehouse``: copies of the lake on a ClickHouse server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from quant.core.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.engines.projections import CopyStatus, LoadResult
    from quant.warehouse.engines.server import ServerSettings
    from quant.warehouse.engines.verification import PartitionCheck

Progress = Callable[[str, int, int], None]


def server_settings(desk: Workspace) -> ServerSettings:
    """The server of a profile. Raises UsageError where there is none."""
    from quant.warehouse.engines.server import ServerSettings

    url, password = desk.get("clickhouse.url"), desk.get("clickhouse.password")
    if not url:
        raise UsageError(
            "server.missing",
            f"profile {desk.profile} names no ClickHouse server",
            expected="clickhouse.url",
            found="none",
            hint=f"add to quant.toml under [profiles.{desk.profile}.clickhouse]: "
            'url = "clickhouse://user@host:8123/quant"',
        )
    return ServerSettings(str(url), str(password) if password else None)


def init_server(desk: Workspace, tables: Sequence[str], *, everything: bool) -> dict[str, Any]:
    """Create the database and empty copies of the lake's tables."""
    from quant.warehouse.engines.projections import init
    from quant.warehouse.lake import Lake

    settings = server_settings(desk)
    made = init(Lake(desk.lake), settings, tables, everything=everything)
    return {"database": settings.database, "tables": made}


def server_definitions(desk: Workspace, tables: Sequence[str], *, everything: bool) -> list[str]:
    """The CREATE TABLE of each copy; nothing is asked of a server."""
    from quant.warehouse.engines.projections import chosen, definition, partitioned_by, server_name
    from quant.warehouse.lake import Lake

    lake = Lake(desk.lake)
    refs = chosen(lake, tables, everything=everything)
    return [definition(ref, server_name(ref), partitioned_by(lake, ref)) for ref in refs]


def load_server(
    desk: Workspace, tables: Sequence[str], *, everything: bool, again: bool, progress: Progress
) -> list[LoadResult]:
    """Bring the copies to the lake's latest versions; ``again`` loads what has not changed too."""
    from quant.warehouse.engines.projections import load
    from quant.warehouse.lake import Lake

    lake = Lake(desk.lake)
    settings = server_settings(desk)
    return list(load(lake, settings, tables, everything=everything, again=again, progress=progress))


def server_status(desk: Workspace, tables: Sequence[str]) -> list[CopyStatus]:
    """How far the copies are behind the lake."""
    from quant.warehouse.engines.projections import status
    from quant.warehouse.lake import Lake

    return status(Lake(desk.lake), server_settings(desk), tables)


@dataclass(frozen=True, slots=True)
class Verification:
    """Every partition that was compared."""

    checks: list[PartitionCheck]

    @property
    def wrong(self) -> list[PartitionCheck]:
        return [check for check in self.checks if not check.equal]

    def as_dict(self) -> dict[str, Any]:
        return {"equal": not self.wrong, "partitions": [asdict(check) for check in self.checks]}

    def failure(self) -> CheckFailed | None:
        """The error that names what differs."""
        if not self.wrong:
            return None
        named = [_place(check) for check in self.wrong]
        more = f" and {len(named) - 5} more" if len(named) > 5 else ""
        first = self.wrong[0]
        return CheckFailed(
            "server.differs",
            f"the server's copy differs from the lake in {', '.join(named[:5])}{more}",
            expected=f"{first.lake_rows} rows with the checksum of version {first.version}",
            found=f"{first.server_rows} rows"
            + ("" if first.server_rows != first.lake_rows else " with another checksum"),
            hint=f"quant warehouse load --again {first.table}",
        )


def _place(check: PartitionCheck) -> str:
    return f"{check.table} {check.partition}" if check.partition != "0" else check.table


def verify_server(desk: Workspace, tables: Sequence[str], *, progress: Progress) -> Verification:
    """Compare rows and checksums of the copies with the lake. Raises UsageError when nothing is loaded."""
    from quant.warehouse.engines.verification import verify
    from quant.warehouse.lake import Lake

    return Verification(verify(Lake(desk.lake), server_settings(desk), tables, progress=progress))
