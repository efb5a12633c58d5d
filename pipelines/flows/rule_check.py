"""``quant rules check``: real bars against the limits of their day, and the cause of every print outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from quant.core.errors import CheckFailed, QuantError, UsageError
from quant.core.ids import parse_code

if TYPE_CHECKING:
    import polars as pl

    from quant.pipelines.workspace import Workspace
    from quant.warehouse.lake import Lake
    from quant.warehouse.rulecheck import Known, Side, SideCheck

BARS: Final = "bars_1d"
_BEFORE: Final = timedelta(days=730)
"""How far bars are read before the first session, for the close and the halt before it."""
_COLUMNS: Final = (
    "instrument_id", "session", "open", "high", "low", "close", "pre_close", "volume", "suspended", "st",
    "delisting",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """Which bars are judged; empty ``tables`` and ``codes`` mean all of them."""

    tables: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What was found side by side, by the rulebook of ``rulebook_hash``."""

    rulebook_hash: str
    sides: tuple[SideCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether bars were judged and every print outside has a cause."""
        judged = any(side.judged for side in self.sides)
        return judged and all(side.unexplained.height == 0 for side in self.sides)

    def as_dict(self, limit: int | None = None) -> dict[str, Any]:
        """``limit``: how many prints and faults a side are listed, None for all."""
        from quant.warehouse.rulecheck import CAUSES

        named = [{"name": c.name, "about": c.about, "shown_by": c.shown} for c in CAUSES.values()]
        return {
            "rulebook_hash": self.rulebook_hash,
            "passed": self.passed,
            "sides": [
                {**side.as_dict(), "prints": _listed(side.prints, limit),
                 "fault_rows": _listed(side.faults, limit)}
                for side in self.sides
            ],
            "causes": named,
        }  # fmt: skip


def check_files(
    paths: Sequence[str],
    request: CheckRequest,
    *,
    specs: Sequence[str] = (),
    said: Callable[[str], None] = lambda _: None,
) -> CheckOutcome:
    """Files, folders or source specs; each is judged with the others as witnesses. Needs no workspace."""
    from quant.pipelines.rule_inputs import read_inputs

    inputs = read_inputs(paths, specs, request.end, said)
    return _checked(inputs.sides, inputs.known, request, said)


def check_workspace(
    desk: Workspace, request: CheckRequest, said: Callable[[str], None] = lambda _: None
) -> CheckOutcome:
    """The stored bars of a workspace, with what each of its sources stored as witnesses."""
    from quant.warehouse.lake import Lake

    wrong = next((name for name in request.tables if name != BARS), None)
    if wrong is not None:
        raise UsageError(
            "rules.table", f"{wrong} is no table of daily bars", expected=BARS, found=wrong,
            hint="quant rules check --files PATH for files without a workspace",
        )  # fmt: skip
    lake = Lake(desk.lake)
    if not lake.exists(BARS):
        raise UsageError(
            "rules.no_bars",
            "the workspace has no bars",
            expected=f"a stored table {BARS}",
            found=str(desk.root),
            hint=f"quant data sync {BARS}; or quant rules check --files PATH for files without a workspace",
        )
    said(f"reading {BARS}")
    golden, known = _stored(lake, request)
    witnesses = _vendors(lake, request)
    return _checked([golden, *witnesses], known, request, said, judged=1)


def failure(outcome: CheckOutcome) -> QuantError | None:
    """What to say when a print stays unexplained, or nothing could be judged."""
    if not any(side.judged for side in outcome.sides):
        found = {why: n for side in outcome.sides for why, n in side.left_out.items()}
        return CheckFailed(
            "rules.nothing_judged",
            "no bar could be judged",
            expected="daily bars of A-shares since 1996-12-16, with references or in a row",
            found="; ".join(f"{count:,}: {why}" for why, count in found.items()),
        )
    left = [(side, side.unexplained) for side in outcome.sides if side.unexplained.height]
    if not left:
        return None
    side, prints = left[0]
    row = prints.row(0, named=True)
    count = sum(each.height for _, each in left)
    return CheckFailed(
        "rules.unexplained",
        f"{count} prints outside the limits have no known cause; the first in {side.name}: "
        f"{row['code']} on {row['session']}",
        expected=f"{row['down']:g} to {row['up']:g} ({row['board']}, {row['status']}, "
        f"around {row['reference']:g})",
        found=f"{row['print']} {row['price']:g}; {row['evidence']}",
        hint="give a second source of the same bars, or one with distributions and listing dates; then a bar "
        "that stays is wrong, or the rulebook is: quant rules explain CODE DATE",
    )


def _checked(
    sides: Sequence[Side],
    known: Known,
    request: CheckRequest,
    said: Callable[[str], None],
    judged: int | None = None,
) -> CheckOutcome:
    from dataclasses import replace

    from quant.core.market.rules import rulebook
    from quant.warehouse.rulecheck import check_sides

    wanted = [str(parse_code(code)) for code in request.codes]
    chosen = [replace(side, frame=_narrowed(side.frame, wanted, request.end)) for side in sides]
    for side in chosen[:judged]:
        if not side.frame.height:
            raise UsageError(
                "rules.empty",
                f"{side.name} has no bars of what was asked for",
                expected="bars of these codes and dates",
                found=", ".join(wanted) or f"{request.start} to {request.end}",
            )
    done = []
    for each in check_sides(chosen, known, since=request.start, judged=judged):
        said(f"{each.name}: {each.judged:,} of {each.bars:,} bars judged")
        done.append(each)
    return CheckOutcome(rulebook().fingerprint, tuple(done))


def _narrowed(frame: pl.DataFrame, codes: Sequence[str], end: date | None) -> pl.DataFrame:
    import polars as pl

    if codes:
        frame = frame.filter(pl.col("code").is_in(list(codes)))
    return frame.filter(pl.col("session") <= end) if end else frame


def _stored(lake: Lake, request: CheckRequest) -> tuple[Side, Known]:
    """The golden bars with the golden factors, and what the workspace knows of its instruments."""
    import polars as pl

    from quant.pipelines.rule_inputs import events_of
    from quant.warehouse.rulecheck import Known, Side

    start = request.start - _BEFORE if request.start else None
    bars = lake.read(BARS, start=start, end=request.end, columns=list(_COLUMNS))
    named = lake.read("instruments", columns=["instrument_id", "code", "list_date"])
    factors = lake.read(
        "adjustment_factors", start=start, end=request.end, columns=["instrument_id", "session", "factor"]
    )
    coded = _coded(bars.join(factors, on=["instrument_id", "session"], how="left"), named)
    events = _coded(lake.read("corporate_actions", end=request.end), named)
    spells = _coded(lake.read("instrument_attributes"), named)
    spells = spells.filter((pl.col("attribute").is_in(["st", "delisting"])) & (pl.col("value") == "true"))
    known = Known(
        events_of([events]),
        named.select("code", "list_date").drop_nulls(),
        spells.select("code", "attribute", "from_session", "to_session"),
    )
    return Side(BARS, coded, "none"), known


def _vendors(lake: Lake, request: CheckRequest) -> list[Side]:
    """The bars of each source that stored any."""
    from quant.warehouse.lake import VENDOR
    from quant.warehouse.rulecheck import Side

    named = lake.read("instruments", columns=["instrument_id", "code", "list_date"])
    sides = []
    stored = [ref.source for ref in lake.refs() if ref.table == BARS and ref.layer == VENDOR]
    for name in sorted(filter(None, stored)):
        rows = lake.read(
            BARS, layer=VENDOR, source=name, start=request.start, end=request.end, columns=list(_COLUMNS)
        )
        sides.append(Side(name, _coded(rows, named), "none"))
    return [side for side in sides if side.frame.height]


def _coded(rows: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    return rows.join(named.select("instrument_id", "code"), on="instrument_id", how="inner")


def _listed(rows: pl.DataFrame, limit: int | None) -> list[dict[str, Any]]:
    return (rows if limit is None else rows.head(limit)).to_dicts()
