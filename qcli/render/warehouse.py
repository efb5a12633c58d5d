"""Screens of ``quant data``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant.qcli.screen import is_wide, note, print_fault, print_table

if TYPE_CHECKING:
    from quant.pipelines.flows.preview import SyncPreview
    from quant.pipelines.flows.quarantine import Decided, Listing
    from quant.pipelines.flows.query import Answer
    from quant.pipelines.flows.rewrite import Restated
    from quant.pipelines.flows.status import Status
    from quant.pipelines.flows.sync import SyncOutcome
    from quant.pipelines.flows.why import Cell


def print_sync_plan(plan: SyncPreview) -> None:
    """What a sync would fetch."""
    if not plan.items:
        note("nothing is missing")
        return
    print_table(
        ("source", "dataset", "from", "to", "sessions", "calls", "rows", "minutes"),
        [
            (i.source, i.dataset, i.start, i.end, i.sessions, i.calls, _or(i.rows), _or(i.minutes))
            for i in plan.items
        ],
    )
    total = plan.as_dict()
    known = [i.rows for i in plan.items if i.rows is not None]
    word = "about" if len(known) == len(plan.items) else "at least"
    rows = f"{word} {sum(known):,} rows" if known else "rows unknown"
    note(f"{total['calls']:,} calls, {rows}, {total['minutes']} minutes of quota")
    if any(i.minutes is None for i in plan.items):
        note("? cannot be told before the instruments are stored: quant data sync instruments")


def _or(value: object) -> object:
    return "?" if value is None else value


def print_sync(result: SyncOutcome) -> None:
    """What a sync did, a line a table, and the checks that failed."""
    for failure in result.failures:
        print_fault(failure.fault)
    if not result.tables and not result.failures:
        note("nothing was missing: the lake is up to date")
    elif result.tables:
        print_table(
            ("table", "source", "from", "to", "rows", "quarantined", "disagreements", "version"),
            [
                (t.table, t.source, t.start, t.end, t.rows, t.quarantined, t.disagreements, t.version)
                for t in result.tables
            ],
        )
    for check in result.failed_checks:
        word = "check failed" if check.severity == "error" else "warning"
        note(f"{word}: {check.table}.{check.name}: {check.detail}")
    note(f"checks: {result.checks_passed} passed, {len(result.failed_checks)} failed")
    if result.left:
        note(f"{result.left} intervals are left for later: the calls are used up; run the command again")


def print_frame(answer: Answer, limit: int) -> None:
    """Rows of a query."""
    print_table(answer.columns, answer.rows[:limit])
    if len(answer.rows) > limit:
        note(f"{len(answer.rows):,} rows, {limit:,} shown; --limit shows more, --json all")
    pinned = ", ".join(f"{name}@{version}" for name, version in sorted(answer.versions.items()))
    note(f"{len(answer.rows):,} rows in {answer.seconds:.3f} s on {answer.engine}; {pinned}")
    for name, version in sorted(answer.behind.items()):
        note(f"the server is behind: the lake has {name}@{version} (quant warehouse load {name})")


def print_restated(found: Restated, limit: int) -> None:
    """What a restatement changed, and what it puts in doubt."""
    print_sync(found.outcome)
    changes = found.changes
    if changes.height:
        columns = ("code", "day", "field", "before", "after")
        print_table(columns, changes.select(columns).head(limit).rows())
    note(f"{changes.height:,} cells changed" + (f", {limit:,} shown" if changes.height > limit else ""))
    if found.affected:
        names = tuple(found.affected[0])
        print_table(names, [[each.get(name) for name in names] for each in found.affected])
        note(f"{len(found.affected)} past decisions would have been others")


def print_status(found: Status) -> None:
    """Tables, how far they reach, and what was spent."""
    print_table(
        ("table", "layer", "version", "rows", "from", "to", "content"),
        [(t.table, t.layer, t.version, t.rows, t.start, t.end, t.content_hash[:12]) for t in found.tables],
    )
    note("")
    columns = ["table", "source", "rows", "from", "to", "newest", "missing", "behind", "aside", "synced"]
    columns.append("schedule")
    lines = [
        dict(
            zip(
                columns,
                (
                    r.table,
                    f"golden ({r.source})" if r.golden else r.source,
                    r.rows,
                    r.first,
                    r.last,
                    r.newest,
                    r.missing,
                    r.behind,
                    r.aside,
                    (r.synced_at or "never")[:16].replace("T", " ") + _unless_ok(r.status),
                    r.schedule,
                ),
                strict=True,
            )
        )
        for r in found.reach
    ]
    shown = columns if is_wide() else [c for c in columns if c not in ("from", "to", "schedule")]
    print_table(shown, [[line[name] for name in shown] for line in lines])
    if found.quota:
        note("")
        print_table(
            ("source", "provider", "calls this minute", "calls today"),
            [(q.source, q.provider, _of(q.minute, q.per_minute), _of(q.day, q.per_day)) for q in found.quota],
        )


def _unless_ok(status: str | None) -> str:
    return "" if status in (None, "ok") else f" {status}"


def _of(spent: int | None, limit: int | None) -> str:
    return f"{_or(spent)} of {limit}" if limit is not None else str(_or(spent))


def print_cell(cell: Cell) -> None:
    """A golden cell with its votes."""
    print_table(
        ("source", "value", "wins", "recorded", "known", "version", "payload"),
        [
            (
                v.source,
                v.value if v.there else "(no row)",
                "yes" if v.wins else "",
                (v.recorded_at or "")[:19],
                (v.known_at or "")[:19],
                v.version,
                (v.payload or "")[:16],
            )
            for v in cell.votes
        ],
        title=f"{cell.table}.{cell.field} of {cell.code} on {cell.date}",
    )
    value = cell.value if cell.there else "no row"
    note(f"golden  {value} from {cell.source or 'nobody'}, table version {cell.version}")
    note(f"rule    {cell.rule}")
    if cell.decision:
        losers = f"; not followed: {', '.join(cell.losers)}" if cell.losers else ""
        note(f"decided {cell.decision}; {cell.winner or 'nobody'} won{losers}")
    else:
        note("decided nobody disagrees")
    for line in cell.set_aside:
        note(f"aside   {line}")
    for vote in cell.votes:
        if vote.payload_file:
            note(f"payload {vote.source}: {vote.payload_file} of the lake; --payload {vote.source} prints it")


def print_quarantine(found: Listing) -> None:
    """Rows set aside."""
    names = ["id", "table", "source", "code", "session", "rule", "reason", "decision", "row"]
    if not any(r["decision"] for r in found.rows):
        names.remove("decision")
    shown = names if is_wide() else names[:-1]
    lines = [[r["row_json" if name == "row" else name] for name in shown] for r in found.rows]
    print_table(shown, lines)
    if found.total > len(found.rows):
        note(f"{found.total:,} rows, {len(found.rows):,} shown; --limit shows more")


def print_set_aside(row: dict[str, object]) -> None:
    """One row set aside, a line a fact."""
    names = (
        *("id", "table", "source", "code", "session", "rule", "reason", "payload", "payload_file"),
        *("interval_start", "interval_end", "recorded_at", "decision", "because", "decided_at"),
    )
    given = row["row"]
    values = [(name, row[name]) for name in names if row.get(name) is not None]
    values += [(f"row.{k}", v) for k, v in given.items()] if isinstance(given, dict) else []
    print_table(("what", "is"), values)


def print_decided(done: Decided) -> None:
    """What was decided on how many rows."""
    word = "released" if done.decision == "release" else "dropped"
    again = len(done.rows) - done.fresh
    note(f"{len(done.rows)} rows {word}" + (f", {again} of them were before" if again else ""))
    if done.stored:
        note(f"{done.stored} are in their table now")
    if done.waiting:
        note(
            f"{done.waiting} enter their table when their interval is fetched again: "
            "quant data restate TABLE --from DATE --to DATE"
        )
