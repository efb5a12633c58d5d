"""Screens of ``quant rules``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant.pipelines.flows import rules as flow
from quant.qcli.screen import note, print_json, print_lines, print_table

if TYPE_CHECKING:
    from quant.core.market.governing import Governing
    from quant.native.rules.cases import Outcome


def show_tables(*, as_json: bool) -> None:
    tables = flow.list_tables()
    if as_json:
        print_json({"rulebook_hash": flow.rulebook_hash(), "tables": tables})
        return
    heads = ("table", "key", "rows", "from", "sure", "likely", "unverified")
    print_table(
        heads,
        [[", ".join(each[h]) if h == "key" else each[h] for h in heads] for each in tables],
    )
    note(f"rulebook {flow.rulebook_hash()}")


def show_table(name: str, on: date | None = None, *, as_json: bool) -> None:
    table, rows = flow.rows_of(name, on)
    if as_json:
        print_json({"table": name, "file": table.file, "rows": [flow.row_dict(row) for row in rows]})
        return
    print_table(
        (*table.key_names, "from", "to", "value", "source", "confidence"),
        [
            (*row.key, row.start, row.end, flow.said(row.values), ", ".join(row.source), row.confidence)
            for row in rows
        ],
    )


def show_rules(code: str, on: date, *, as_json: bool) -> None:
    """The rules of an instrument, or the rows of a table that hold on the date."""
    if flow.is_table(code):
        show_table(code, on, as_json=as_json)
        return
    found = flow.rules_on(code, on)
    if as_json:
        print_json(_as_dict(code, on, found))
        return
    print_table(
        ("rule", "value", "from", "to", "confidence"),
        [
            (each.question, flow.said(each.row.values), each.row.start, each.row.end, each.row.confidence)
            for each in found
            if each.row is not None
        ],
    )
    absent = [each.question for each in found if each.row is None]
    if absent:
        note(f"no rule on {on}: {', '.join(absent)}")
    _warn(code, on)


def explain_rules(code: str, on: date, *, as_json: bool) -> None:
    found = flow.rules_on(code, on)
    if as_json:
        print_json(_as_dict(code, on, found))
        return
    lines: list[str] = []
    for each in found:
        lines += _explained(each, on)
    print_lines(lines)
    _warn(code, on)


def show_problems(*, as_json: bool) -> bool:
    """Prints the faults of the tables; whether there are none."""
    found = flow.problems()
    if as_json:
        print_json({"problems": [each.as_dict() for each in found]})
    elif found:
        print_table(
            ("problem", "table", "key", "where"),
            [(each.kind, each.table, " ".join(each.key), each.said) for each in found],
        )
    note(f"{len(found)} problems in {len(flow.list_tables())} tables")
    return not found


def show_verification(file: Path, *, as_json: bool) -> bool:
    """Prints every case that comes out otherwise, with the rows that decided; whether there is none."""
    done = flow.verify_file(file)
    if as_json:
        print_json(done.as_dict())
        return not done.mismatches
    lines: list[str] = []
    for each in done.mismatches:
        lines += [
            f"{each.where}: {each.id} ({each.func})",
            f"  expected  {_shown(each.expected)}",
            f"  got       {_shown(each.got)}{_spelling(each)}",
            *(f"  row       {_row(row)}" for row in each.rows),
        ]
    if lines:
        print_lines(lines)
    note(f"{len(done.outcomes) - len(done.mismatches)} of {len(done.outcomes)} cases hold")
    return not done.mismatches


def _warn(code: str, on: date) -> None:
    said = flow.caution(code, on)
    if said:
        note(f"note: {said}")


def _explained(each: Governing, on: date) -> list[str]:
    if each.row is None:
        spans = "; ".join(row.span() for row in each.table.rows.get(each.key, ())) or "never"
        return [f"{each.question}: no rule on {on} ({each.table.name}: {spans})"]
    row = flow.row_dict(each.row)
    lines = [f"{each.question}: {flow.said(each.row.values)}", f"  row     {_row(each.row)}"]
    lines += [f"  source  {s['key']}: {s['title']}{_linked(s['url'])}" for s in row["sources"]]
    if each.row.note:
        lines.append(f"  note    {each.row.note}")
    return lines


def _linked(url: str | None) -> str:
    return f" <{url}>" if url else ""


def _row(row: Any) -> str:
    key = " ".join(row.key)
    return f"{row.table}{f' {key}' if key else ''}, {row.span()}, {row.confidence}: {flow.said(row.values)}"


def _spelling(each: Outcome) -> str:
    """A mismatch that reads alike: the file has a number where the answer is a text."""
    got = each.got
    if isinstance(each.expected, dict) and isinstance(got, Mapping):
        got = {name: got.get(name) for name in each.expected}
    alike = _shown(each.expected) == _shown(got)
    return " (a text: write what is expected in quotes)" if alike else ""


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return str(value)


def _as_dict(code: str, on: date, found: list[Governing]) -> dict[str, Any]:
    return {
        "code": code,
        "date": on.isoformat(),
        "rules": [
            {
                "question": each.question,
                "table": each.table.name,
                "row": flow.row_dict(each.row) if each.row else None,
            }
            for each in found
        ],
    }
