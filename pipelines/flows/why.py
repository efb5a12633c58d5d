"""``quant data why``: where a golden cell comes from, down to the bytes a vendor sent."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from quant.core.errors import CheckFailed, QuantError, UsageError
from quant.core.ids import parse_code
from quant.core.market.calendar import calendar
from quant.core.market.sessions import calendar_name
from quant.pipelines.sources import data_specs

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.contracts.tables import TableContract
    from quant.warehouse.lake import Lake
    from quant.warehouse.sources.settings import TableSettings


@dataclass(frozen=True, slots=True)
class Vote:
    """What one source says. ``there`` is False when it has no such row; ``version`` is its table's."""

    source: str
    there: bool
    value: str | None
    known_at: str | None
    recorded_at: str | None
    payload: str | None
    payload_file: str | None
    request: dict[str, Any] | None
    version: int | None
    wins: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One golden cell: its value, the rule that gave it, and every vote."""

    table: str
    code: str
    date: str
    field: str
    there: bool
    value: str | None
    source: str | None
    known_at: str | None
    recorded_at: str | None
    version: int | None
    rule: str
    decision: str | None
    winner: str | None
    losers: tuple[str, ...]
    votes: tuple[Vote, ...]
    set_aside: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def why(desk: Workspace, table: str, code: str, day: date, field: str) -> Cell:
    """Why a golden cell says what it says.

    Raises UsageError for a table, code or column that does not exist, and where nobody has such a row.
    """
    from quant.warehouse.contracts.tables import contract
    from quant.warehouse.lake import Lake

    lake, specs = Lake(desk.lake), data_specs(desk)
    (settings,) = specs.pick((table,))
    target = contract(settings.dataset)
    _refuse_field(target, field)
    instrument, shown = _instrument(lake, code)
    golden = _row(lake, target, None, instrument, day)
    votes = [_vote(lake, target, name, instrument, day, field, golden) for name in settings.sources]
    if golden is None and not any(vote.there for vote in votes):
        aside = _set_aside(lake, settings, shown, day)
        before = _session_before(shown, day) if target.time is not None else None
        again = f"quant data sync {table} --start {day} --end {day}"
        raise UsageError(
            "why.absent",
            f"nobody has a row of {table} for {shown} on {day}",
            expected="a session on which the instrument was listed, inside what was synchronised",
            found="; ".join(aside) or ("the exchange was closed" if before else "no row"),
            hint=f"{before} is the session before" if before else again,
        )
    decided = _decision(lake, target, instrument, day, field)
    return Cell(
        table=table,
        code=shown,
        date=day.isoformat(),
        field=field,
        there=golden is not None,
        value=_text(golden[field]) if golden else None,
        source=golden["source"] if golden else None,
        known_at=_text(golden["known_at"]) if golden else None,
        recorded_at=_text(golden["recorded_at"]) if golden else None,
        version=lake.version(target.name),
        rule=_rule(settings, field),
        decision=decided["rule"] if decided else None,
        winner=decided["winner"] if decided else None,
        losers=tuple(decided["losers"].split(", ")) if decided and decided["losers"] else (),
        votes=tuple(votes),
        set_aside=tuple(_set_aside(lake, settings, shown, day)),
    )


def payload_of(desk: Workspace, cell: Cell, source: str) -> bytes:
    """The bytes that a source's vote was read from. Raises UsageError when it has no vote."""
    from quant.warehouse.lake import Lake
    from quant.warehouse.payloads import PayloadStore

    vote = next((vote for vote in cell.votes if vote.source == source), None)
    if vote is None or vote.payload is None:
        raise UsageError(
            "why.payload",
            f"{source} has no vote on this cell",
            expected=", ".join(vote.source for vote in cell.votes if vote.payload),
            found=source,
        )
    return PayloadStore(Lake(desk.lake).store).get(source, vote.payload).content


def _refuse_field(target: TableContract, field: str) -> None:
    if field not in target.names:
        raise UsageError(
            "column.unknown",
            f"{target.name} has no column {field}",
            expected=", ".join(target.names),
            found=field,
        )
    if "instrument_id" not in target.names:
        raise UsageError(
            "why.table",
            f"rows of {target.name} are not about an instrument",
            expected="a table with a row an instrument, as bars_1d",
            found=target.name,
        )


def _session_before(code: str, day: date) -> date | None:
    """The session before a day on which the exchange is closed; None for a session, and where no calendar
    tells.
    """
    with contextlib.suppress(QuantError):
        dates = calendar(calendar_name(parse_code(code).mic))
        return None if dates.is_session(day) else dates.previous(day)
    return None


def _instrument(lake: Lake, code: str) -> tuple[int, str]:
    shown = str(parse_code(code))
    rows = lake.read("identities")
    found = rows.filter(rows["code"] == shown)
    if not found.height:
        raise UsageError(
            "code.unknown",
            f"no instrument has the code {shown}",
            expected="a code that was synchronised",
            found=code,
            hint="quant data sync instruments",
        )
    return int(found.sort("first_session")["instrument_id"][-1]), shown


def _row(
    lake: Lake, target: TableContract, source: str | None, instrument: int, day: date
) -> dict[str, Any] | None:
    timed = target.time is not None
    rows = lake.read(target.name, source=source, start=day if timed else None, end=day if timed else None)
    mine = rows.filter(rows["instrument_id"] == instrument).sort(target.key)
    if not timed and "from_session" in mine.columns:
        mine = mine.filter(mine["from_session"] <= day)
    return mine.row(-1, named=True) if mine.height else None


def _vote(
    lake: Lake,
    target: TableContract,
    source: str,
    instrument: int,
    day: date,
    field: str,
    golden: dict[str, Any] | None,
) -> Vote:
    row = _row(lake, target, source, instrument, day)
    version = lake.version(target.name, source=source)
    if row is None:
        return Vote(source, False, None, None, None, None, None, None, version, False)
    file, request = _payload(lake, source, row["payload"])
    return Vote(
        source=source,
        there=True,
        value=_text(row[field]),
        known_at=_text(row["known_at"]),
        recorded_at=_text(row["recorded_at"]),
        payload=row["payload"],
        payload_file=file,
        request=request,
        version=version,
        wins=golden is not None and row[field] is not None and row[field] == golden[field],
    )


def _payload(lake: Lake, source: str, digest: str) -> tuple[str | None, dict[str, Any] | None]:
    from quant.warehouse.payloads import PayloadStore

    store = PayloadStore(lake.store)
    try:
        found = store.get(source, digest)
    except (OSError, KeyError, CheckFailed):
        return None, None
    return store.name(source, digest), dict(found.request)


def _decision(
    lake: Lake, target: TableContract, instrument: int, day: date, field: str
) -> dict[str, Any] | None:
    import polars as pl

    rows = lake.read("arbitrations").filter(
        (pl.col("table") == target.name)
        & (pl.col("instrument_id") == instrument)
        & (pl.col("field") == field)
    )
    if target.time is not None:
        rows = rows.filter(pl.col("session") == day)
    return rows.row(0, named=True) if rows.height else None


def _rule(settings: TableSettings, field: str) -> str:
    if settings.arbitrate is None or not settings.agreed:
        return f"priority: the table is {settings.prefer}'s"
    rule = settings.arbitrate.column(field)
    order = [*rule.prefer, *(n for n in settings.sources if n not in rule.prefer)]
    quorum = f", quorum {rule.quorum or 'more than half'}" if rule.rule == "vote" else ""
    margin = f", within {rule.margin}" if rule.margin.abs or rule.margin.rel else ""
    return f"{rule.rule} of {', '.join(order)}{quorum}{margin}, otherwise {rule.otherwise}"


def _set_aside(lake: Lake, settings: TableSettings, code: str, day: date) -> list[str]:
    import polars as pl

    from quant.warehouse.quarantine import ID, listed, short

    rows = listed(lake).filter(
        (pl.col("table") == settings.name) & (pl.col("code") == code) & (pl.col("session") == day)
    )
    said = []
    for row in rows.to_dicts():
        decision = f", {row['decision']}" if row["decision"] else ""
        said.append(f"{row['source']}: {row['rule']} ({short(row[ID])}{decision})")
    return said


def _text(value: object) -> str | None:
    import polars as pl

    from quant.warehouse.arbitrate import as_text

    if value is None:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(as_text(pl.Series([value]))[0])
