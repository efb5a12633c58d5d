"""The Python API over the same flows as the command line.

>>> import quant
>>> desk = quant.open("my-desk")                                  # doctest: +SKIP
>>> bars = desk.table("bars_1d", start="2024-01-02")              # doctest: +SKIP
>>> run = desk.backtest("momentum", n=50)                         # doctest: +SKIP
>>> run.metrics["sharpe"]                                         # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant.core.time import parse_date, parse_instant
from quant.pipelines.workspace import Workspace

if TYPE_CHECKING:
    import polars as pl

    from quant.pipelines.flows.runs import RunSummary


def open(path: str | Path | None = None, *, profile: str | None = None) -> Desk:
    """The workspace at ``path`` (default: the nearest quant.toml). Raises UsageError when there is none."""
    return Desk(Workspace.find(Path(path) if path is not None else None, profile=profile))


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run, read from its folder."""

    summary: RunSummary

    @property
    def id(self) -> str:
        return self.summary.run_id

    @property
    def folder(self) -> Path:
        return self.summary.folder

    @property
    def metrics(self) -> dict[str, Any]:
        """Performance figures by name; fractions, not percent."""
        return self.summary.metrics

    @property
    def state_hash(self) -> str:
        return self.summary.state_hash

    def report(self, lang: str | None = None) -> Path:
        """Path of the HTML report, rendered again in ``lang`` when given."""
        if lang is None:
            return self.summary.report
        from quant.research.reports import render

        return render(self.folder, lang=lang)

    def table(self, name: str) -> pl.DataFrame:
        """A table of the run folder: nav, fills, orders, positions, names or ledger."""
        import polars as pl

        return pl.read_parquet(self.folder / f"{name}.parquet")


@dataclass(frozen=True, slots=True)
class Desk:
    """A workspace as an object."""

    workspace: Workspace

    def table(
        self,
        name: str,
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        version: int | None = None,
        columns: list[str] | None = None,
        as_of: str | datetime | None = None,
    ) -> pl.DataFrame:
        """Rows of a golden table with ``start <= session <= end``, at its newest or the given version; with
        ``as_of`` as they were known at that instant.
        """
        from quant.warehouse.lake import Lake

        return Lake(self.workspace.lake).read(
            name,
            version=version,
            start=_date(start),
            end=_date(end),
            columns=columns,
            as_of=_instant(as_of),
        )

    def sql(
        self, query: str, *, engine: str = "clickhouse", as_of: str | datetime | None = None
    ) -> pl.DataFrame:
        """One SELECT over the lake, or over what was known ``as_of`` an instant."""
        import polars as pl

        from quant.pipelines.flows.query import run_query

        answer = run_query(self.workspace, query, engine=engine, as_of=_instant(as_of))
        return pl.DataFrame(answer.rows, schema=list(answer.columns), orient="row", infer_schema_length=None)

    def factor(
        self, name: str, *, start: str | date | None = None, end: str | date | None = None
    ) -> pl.DataFrame:
        """Values of a factor as rows (session, code, value); unknown values are left out."""
        from quant.pipelines.flows.factor import factor_values

        return factor_values(self.workspace, name, start=_date(start), end=_date(end))

    def sync(self, *tables: str, start: str | None = None, end: str | None = None) -> Any:
        """Fetch what is missing, as ``quant data sync`` does."""
        from quant.pipelines.flows.sync import SyncRequest, sync

        return sync(self.workspace, SyncRequest(tables=tables, start=start, end=end))

    def backtest(self, spec: str, **overrides: object) -> Run:
        """Run a backtest; a double underscore in a keyword is a dot: ``strategy__construct__top=50``."""
        from quant.pipelines.flows.backtest import backtest

        texts = [f"{key.replace('__', '.')}={value}" for key, value in overrides.items()]
        return Run(backtest(self.workspace, spec, texts))

    def runs(self, limit: int = 20) -> list[str]:
        """Ids of registered runs, newest first."""
        from quant.pipelines.flows.runs import list_runs

        return [r.run_id for r in list_runs(self.workspace, limit)]

    def run(self, run_id: str = "last") -> Run:
        """A finished run by id, unique beginning, or ``last``."""
        from quant.pipelines.flows.runs import load_run

        return Run(load_run(self.workspace, run_id))


def _instant(value: str | datetime | None) -> datetime | None:
    return None if value is None else parse_instant(value)


def _date(value: str | date | None) -> date | None:
    return None if value is None else parse_date(value)
