"""What goes to the terminal: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final

from quant.core.errors import Fault, QuantError, SpecErrors
from quant.core.versions import JSON_SCHEMA_VERSION

if TYPE_CHECKING:
    from rich.console import Console

WIDE: Final = 110
_DATE: Final = re.compile(r"\d{4}-\d\d")


def console(*, stderr: bool = False) -> Console:
    """A rich console that respects NO_COLOR and stays plain without a terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else int(os.environ.get("COLUMNS", "120"))
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def _plain(value: object) -> str:
    """Instants in the ISO form, anything else as its text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def is_wide() -> bool:
    """Whether columns that can be done without are shown."""
    return console().width >= WIDE


def note(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr)


def print_json(payload: Mapping[str, Any]) -> None:
    """One object on stdout with its ``schema_version``."""
    body = {"schema_version": JSON_SCHEMA_VERSION, **payload}
    sys.stdout.write(json.dumps(body, ensure_ascii=False, default=_plain, indent=2, allow_nan=False) + "\n")


def print_lines(lines: Iterable[str]) -> None:
    """Plain lines on stdout, never broken to the width of the terminal."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
) -> None:
    """A table on stdout; numbers are right-aligned."""
    from rich.table import Table
    from rich.text import Text

    data = [list(row) for row in rows]
    target = console()
    numeric = [bool(data) and all(_is_number(row[i]) for row in data) for i in range(len(columns))]
    texts = [["" if cell is None else str(cell) for cell in row] for row in data]
    widths = _widths(columns, texts, target.width)
    table = Table(title=title, title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    for name, right, width in zip(columns, numeric, widths, strict=True):
        table.add_column(name, justify="right" if right else "left", overflow="fold", width=width)
    for row in texts:
        table.add_row(*(Text(cell) for cell in row))
    target.print(table)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[int | None]:
    """Widths with which numbers and dates stay whole and words are broken instead; None: as they come."""
    from rich.cells import cell_len

    heads = [cell_len(name) for name in columns]
    natural = [max([head, *(cell_len(row[i]) for row in rows)]) for i, head in enumerate(heads)]
    left = room - 3 * (len(columns) - 1)
    if not columns or sum(natural) <= left:
        return [None] * len(columns)
    for limit in (10, 8, 7, 6, 5):
        parts = ([_part(row[i], limit) for row in rows] for i in range(len(columns)))
        widths = [max([min(head, limit), *cells]) for head, cells in zip(heads, parts, strict=True)]
        if sum(widths) <= left:
            break
    else:
        return [None] * len(columns)
    while sum(widths) < left and widths != natural:
        short = min((i for i in range(len(columns)) if widths[i] < natural[i]), key=lambda i: widths[i])
        widths[short] += 1
    return [*widths]


def _part(text: str, limit: int) -> int:
    """The room that a cell needs: a number and a date in full, words up to a limit."""
    from rich.cells import cell_len

    words = text.split(" ")
    return max(
        cell_len(word) if _is_number(word or None) or _DATE.match(word) else min(cell_len(word), limit)
        for word in words
    )


def _is_number(cell: object) -> bool:
    if cell is None or isinstance(cell, int | float):
        return True
    text = str(cell).rstrip("%").replace(",", "").replace("−", "-")
    try:
        float(text)
    except ValueError:
        return False
    return True


def print_failure(error: QuantError, *, as_json: bool) -> None:
    """An expected failure: what, where, why, and the fix."""
    faults = [e.fault for e in error.errors] if isinstance(error, SpecErrors) else [error.fault]
    if as_json:
        body: dict[str, Any] = {"error": error.fault.as_dict(), "partial": []}
        if len(faults) > 1:
            body["errors"] = [f.as_dict() for f in faults]
        print_json(body)
    for fault in faults:
        _print_fault(fault, sys.stderr)
    if len(faults) > 1:
        note(f"{len(faults)} errors")


def print_fault(fault: Fault) -> None:
    """One fault on stderr, for a flow that went on after it."""
    _print_fault(fault, sys.stderr)


def _print_fault(fault: Fault, stream: IO[str]) -> None:
    colour = stream.isatty() and not os.environ.get("NO_COLOR")
    red, bold, dim, end = ("\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[0m") if colour else ("", "", "", "")
    place = f"{bold}{fault.where}{end}: " if fault.where else ""
    print(f"{place}{red}error{end}: {fault.message} {dim}[{fault.code}]{end}", file=stream)
    if fault.expected:
        print(f"  expected: {fault.expected}", file=stream)
    if fault.found:
        print(f"  found:    {fault.found}", file=stream)
    if fault.hint:
        print(f"  fix:      {fault.hint}", file=stream)


def print_internal(error: BaseException, *, as_json: bool) -> None:
    """A bug of ours: one line, and how to see more."""
    message = f"{type(error).__name__}: {error}".strip().splitlines()[0][:500]
    fault = Fault(
        "internal", f"unexpected {message}", hint="run again with --debug for the traceback and report it"
    )
    if as_json:
        print_json({"error": fault.as_dict(), "partial": []})
    _print_fault(fault, sys.stderr)
