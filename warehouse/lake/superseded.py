"""Rows that a write replaced: from the files that it removed into the table's history.

A commit that changes or removes rows says so: the interval it replaced, when, and which commit did so before
it. Nothing else is written then. The rows themselves still lie in the files that it removed, which stay on
disk until ``gc``; ``settle`` compares removed and added files and appends to the history what ceased to hold,
in one commit that says up to which version of the table it has come. Readers do the same in memory for what
is not settled yet. So history and table cannot disagree, whenever a program was killed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from quant.core.errors import QuantError, StateConflict
from quant.warehouse.contracts.columns import INSTANT, PROVENANCE
from quant.warehouse.contracts.tables import TableContract
from quant.warehouse.lake import delta, log, upkeep
from quant.warehouse.lake.layout import TableRef, history_ref

if TYPE_CHECKING:
    from quant.warehouse.lake.lake import Lake

PENDING: Final = 64
"""Commits at which a write settles those before it, so that readers need not look through too many."""
MANY: Final = 65_536
"""Replaced rows that are settled at once: readers should not compare so many again and again."""
CROWD: Final = 32
"""Files in one partition of a history at which settling joins them."""
_ROWS: Final = 1_048_576
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


# -- while writing


@dataclass(frozen=True, slots=True)
class Change:
    """What a write does to the rows it replaces: ``rows`` to write, sorted by key; whether they say the same
    as before, are the ``first``, or take anything away; when the newest of the given rows was recorded.
    """

    rows: pl.DataFrame
    same: bool
    first: bool
    supersedes: bool
    recorded: datetime | None


def change(table: TableContract, before: pl.DataFrame, rows: pl.DataFrame) -> Change:
    """Compare rows with those they replace. Rows that say the same as before keep their provenance:
    ``recorded_at`` is when we first recorded what a row says.
    """
    key, said = list(table.key), said_columns(table)
    before, rows = delta.ordered(before, key), delta.ordered(rows.select(table.names), key)
    aligned, first = _aligned(before, rows, key), not before.height
    if aligned and before.select(said).equals(rows.select(said)):
        return Change(rows, same=True, first=first, supersedes=False, recorded=None)
    if table.system or first:
        return Change(rows, same=False, first=first, supersedes=False, recorded=None)
    newest = rows["recorded_at"].max() if "recorded_at" in table.names else None
    assert newest is None or isinstance(newest, datetime)
    kept = [name for name in PROVENANCE if name in table.names and name not in (*key, *said)]
    if aligned:  # a day that is written again: the same keys, nothing to look up
        same = _same_cells(before, rows, said)
        old = before.select(kept)
    else:
        others = [name for name in said if name not in key]
        old = before.select(*key, *(pl.col(n).alias(f"{n}__old") for n in (*others, *kept)), _there=True)
        found = rows.join(old, on=key, how="left", nulls_equal=True, maintain_order="left")
        alike = (pl.col(n).eq_missing(pl.col(f"{n}__old")) for n in others)
        same = found.select(pl.all_horizontal(pl.col("_there").is_not_null(), *alike).alias("_"))["_"]
        old = found.select(pl.col(f"{n}__old").alias(n) for n in kept)
    if same.any():
        rows = rows.with_columns(old[name].zip_with(same, rows[name]) for name in kept)
    return Change(rows, same=False, first=False, supersedes=same.sum() < before.height, recorded=newest)


def said_columns(table: TableContract) -> list[str]:
    """The columns that make up what a row says: its content and who said it."""
    return [*dict.fromkeys([*table.content, *(["source"] if "source" in table.names else [])])]


def _aligned(before: pl.DataFrame, rows: pl.DataFrame, key: list[str]) -> bool:
    return before.height == rows.height and before.select(key).equals(rows.select(key))


def _same_cells(before: pl.DataFrame, rows: pl.DataFrame, names: list[str]) -> pl.Series:
    same = pl.repeat(value=True, n=before.height, eager=True, dtype=pl.Boolean())
    for name in names:
        same &= before[name].eq_missing(rows[name])
    return same


def note(
    base: delta.Snapshot,
    made: Change,
    start: date | None,
    end: date | None,
    more: Mapping[str, str] | None,
) -> dict[str, Any]:
    """What the commit after ``base`` says of itself: ``more``, and what it supersedes of an interval (None =
    any).
    """
    if not made.supersedes:
        return dict(more or {})
    last = base.info.get("superseded") or {}
    return {
        **(more or {}),
        "superseded": {
            "version": base.version + 1,
            "before": last.get("version"),
            "count": int(last.get("count", 0)) + 1,
            "recorded": None if made.recorded is None else (made.recorded - _EPOCH) // _MICROSECOND,
            "start": None if start is None else start.isoformat(),
            "end": None if end is None else end.isoformat(),
        },
    }


def settle_often(lake: Lake, ref: TableRef, made: delta.Snapshot, replaced: int) -> None:
    """``settle`` after a commit that superseded many rows, and after every PENDING-th that superseded any;
    what fails is left for a later one.
    """
    last = made.info.get("superseded") or {}
    if last.get("version") == made.version and (replaced >= MANY or int(last["count"]) % PENDING == 0):
        with contextlib.suppress(QuantError, OSError):
            settle(lake, ref)


# -- afterwards


@dataclass(frozen=True, slots=True)
class Pending:
    """A commit whose superseded rows are not in the history yet."""

    version: int
    recorded: int | None
    start: str | None
    end: str | None

    def bounds(self, start: date | None, end: date | None) -> tuple[date | None, date | None] | None:
        """The days of ``[start, end]`` that it may have changed, None = no day."""
        first = max((d for d in (start, _date(self.start)) if d is not None), default=None)
        last = min((d for d in (end, _date(self.end)) if d is not None), default=None)
        return None if first is not None and last is not None and first > last else (first, last)


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def pending(lake: Lake, ref: TableRef, found: delta.Snapshot) -> list[Pending]:
    """The commits up to ``found``, oldest first, whose superseded rows are not in the history. The history
    is opened after the table: what is settled meanwhile is then not told twice.
    """
    past = delta.open_table(lake.path(history_ref(ref)))
    settled = _settled(past, found)
    told, folder = [], lake.path(ref)
    said = found.info.get("superseded")
    while said and said["version"] > settled:
        told.append(Pending(said["version"], said["recorded"], said["start"], said["end"]))
        if said["before"] is None or said["before"] <= settled:
            break
        said = log.read_commit(folder, said["before"]).info.get("superseded")
    return told[::-1]


def _settled(past: delta.Snapshot | None, found: delta.Snapshot) -> int:
    said = (past.info.get("settled") if past is not None else None) or {}
    return int(said["version"]) if said.get("table") == found.table_id else -1


def past(lake: Lake, ref: TableRef, start: date | None, end: date | None) -> pl.LazyFrame:
    """What the table of a history ``ref`` held before, settled or not."""
    table = TableRef(ref.table, ref.layer, ref.source)
    found = delta.open_table(lake.path(table))
    waiting = pending(lake, table, found) if found is not None else []
    settled = lake.scan_files(ref, None, start, end)
    frames = [rows for each in waiting for rows in superseded_rows(lake, table, each, start, end)]
    return pl.concat([settled, *(rows.lazy() for rows in frames)]) if frames else settled


def superseded_rows(
    lake: Lake, ref: TableRef, commit: Pending, start: date | None = None, end: date | None = None
) -> Iterator[pl.DataFrame]:
    """The rows that ceased to hold with a commit, partition by partition, as rows of the history."""
    table, folder = ref.contract, lake.path(ref)
    bounds = commit.bounds(start, end)
    if bounds is None:
        return
    inside = delta.between(table.time, *bounds) if table.time else None
    did = log.read_commit(folder, commit.version)
    stamp = _superseded_at(commit, int(did.info["timestamp"]))
    apart = table.time is not None and table.time in table.key
    for partition in sorted({file.partition for file in did.removed}) if apart else [None]:
        rows = []
        for files in (did.removed, did.added):
            chosen = [file for file in files if partition is None or file.partition == partition]
            scanned = delta.scan(folder, chosen, table)
            rows.append(scanned if inside is None else scanned.filter(inside))
        try:
            before, after = (frame.collect() for frame in rows)
        except FileNotFoundError as error:
            raise StateConflict(
                "history.lost",
                f"what version {commit.version} of {ref} replaced was deleted before it was in the history",
                expected="files that only quant data gc removes",
                found=str(error),
                hint="restore the table's folder from a backup",
            ) from error
        gone = _gone(table, before, after)
        if gone.height:
            version = pl.lit(commit.version - 1, pl.Int64)
            gone = gone.with_columns(stamp.alias("superseded_at"), version.alias("last_version"))
            yield gone.select(history_ref(ref).contract.names)


def _gone(table: TableContract, before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``before`` that are not in ``after``, ``removed`` where no row took their place."""
    key, said = list(table.key), said_columns(table)
    before, after = delta.ordered(before, key), delta.ordered(after, key)
    if _aligned(before, after, key):
        return before.filter(~_same_cells(before, after, said)).with_columns(removed=pl.lit(value=False))
    gone = before.join(after, on=[*dict.fromkeys([*key, *said])], how="anti", nulls_equal=True)
    taken = after.select(key).with_columns(removed=pl.lit(value=False))
    joined = gone.join(taken, on=key, how="left", nulls_equal=True)
    return joined.with_columns(pl.col("removed").fill_null(value=True))


def _superseded_at(commit: Pending, committed: int) -> pl.Expr:
    """When the new rows were recorded; when they were written where they are older than what they replace."""
    written = pl.lit(committed * 1000).cast(INSTANT)
    if commit.recorded is None:
        return written
    stamp = pl.lit(commit.recorded).cast(INSTANT)
    return pl.when(stamp > pl.col("recorded_at")).then(stamp).otherwise(written)


def settle(lake: Lake, ref: TableRef) -> None:
    """Append to a table's history what its commits have superseded; nothing where nothing is pending."""
    target = history_ref(ref)
    folder, kept = lake.path(target), target.contract
    while True:
        found = delta.open_table(lake.path(ref))
        waiting = pending(lake, ref, found) if found is not None else []
        if found is None or not waiting:
            return
        base = delta.create_table(folder, kept)
        made: list[delta.DataFile] = []
        try:
            for rows in _batches(rows for each in waiting for rows in superseded_rows(lake, ref, each)):
                made += delta.write_files(folder, base, kept, rows)
            said = {"table": found.table_id, "version": waiting[-1].version}
            done = delta.put(folder, base, kept, made, (), {"quant": "supersede", "settled": said})
        except delta.CommitTaken:
            delta.discard(folder, made)
            continue
        except BaseException:
            delta.discard(folder, made)
            raise
        upkeep.join_small(lake, target, done, CROWD)
        return


def _batches(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Small frames joined, up to _ROWS rows."""
    held: list[pl.DataFrame] = []
    for frame in frames:
        if held and sum(each.height for each in held) + frame.height > _ROWS:
            yield pl.concat(held)
            held = []
        held.append(frame)
    if held:
        yield pl.concat(held)


def partitions(lake: Lake, ref: TableRef) -> set[str]:
    """The partitions of which a commit that is not settled has superseded rows."""
    found = delta.open_table(lake.path(ref))
    waiting = pending(lake, ref, found) if found is not None else []
    return {f.partition for each in waiting for f in log.read_commit(lake.path(ref), each.version).removed}


def needed(lake: Lake, ref: TableRef, found: delta.Snapshot) -> set[str]:
    """Files that hold superseded rows which are not in the history yet."""
    folder = lake.path(ref)
    commits = (log.read_commit(folder, each.version) for each in pending(lake, ref, found))
    return {file.path for did in commits for file in (*did.removed, *did.added)}


def has_past(snapshot: delta.Snapshot) -> bool:
    """Whether any row of a table was ever superseded."""
    return "superseded" in snapshot.info
