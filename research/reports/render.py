"""``report.html``: one self-contained page made from the run folder alone."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from quant.core.errors import UsageError
from quant.research.reports import tables
from quant.research.reports.cards import cards, groups, heat_map, yearly
from quant.research.reports.charts import draw, hover_data
from quant.research.reports.figures import charts
from quant.research.reports.folder import RunFolder
from quant.research.reports.metrics import ROLLING_WINDOW, compute_metrics
from quant.research.reports.words import LANGUAGES, vocabulary, word

_FINGERPRINTS = ("spec_fingerprint", "plan_fingerprint", "state_hash", "rulebook_hash", "kernel_hash")


def render(run_folder: Path, *, lang: str = "en", up: str = "red") -> Path:
    """Write ``report.html`` (or ``report.zh.html``) into the run folder and return its path.

    ``up`` is the colour of gains: "red" as on Chinese screens, or "green". The figures are those of
    metrics.json; they are computed again only where the folder has none. Raises UsageError for an unknown
    language or colour, or where the folder is not a run.
    """
    if lang not in LANGUAGES:
        raise UsageError("report.lang", "no such report language", expected="en or zh", found=lang)
    if up not in ("red", "green"):
        raise UsageError("report.up", "no such colour of gains", expected="red or green", found=up)
    run = RunFolder.read(run_folder)
    page = _environment().get_template("report.html.j2").render(view(run, lang, up))
    target = run_folder / ("report.html" if lang == "en" else f"report.{lang}.html")
    target.write_text(page, encoding="utf-8")
    return target


def view(run: RunFolder, lang: str, up: str) -> dict[str, Any]:
    """Everything the template shows."""
    figures = run.metrics or compute_metrics(run)
    drawn = charts(run, figures, lang)
    positions = tables.last_positions(run, lang)
    searchable = [tables.blocked(run, lang), tables.trades(run, lang)]
    if positions.total > tables.WHOLE:
        searchable.append(positions)
    best, worst = tables.names(run, lang)
    return {
        "lang": lang,
        "up": up,
        "w": vocabulary(lang),
        "head": _head(run, figures, lang),
        "cards": cards(figures, lang),
        "groups": groups(figures, lang),
        "charts": {chart.key: {"svg": draw(chart), "legend": _legend(chart)} for chart in drawn},
        "heat": heat_map(figures),
        "yearly": yearly(figures, lang),
        "rolling_known": figures["sessions"] >= ROLLING_WINDOW,
        "part_year": figures["sessions"] < figures["periods"],
        "has_benchmark": run.benchmark is not None,
        "best": best,
        "worst": worst,
        "reasons": tables.blocked_reasons(run, lang),
        "tables": {table.key: table for table in searchable},
        "positions": positions,
        "assumptions": _assumptions(run, lang),
        "specs": run.specs,
        "receipt": _receipt(run),
        "data": _script_data(
            {
                "charts": {chart.key: hover_data(chart) for chart in drawn},
                "tables": {table.key: table.rows for table in searchable},
                "rows": word("rows", lang),
            }
        ),
    }


def _head(run: RunFolder, figures: dict[str, Any], lang: str) -> dict[str, Any]:
    receipt, plan = run.receipt, run.plan
    kind = (plan.get("benchmark") or {}).get("kind", "none")
    return {
        "name": receipt.get("name") or plan.get("name") or run.path.name,
        "mode": word(receipt.get("mode") or "backtest", lang),
        "run": receipt.get("run_id") or run.path.name,
        "created": str(receipt.get("created") or "")[:19].replace("T", " "),
        "start": figures["start"],
        "end": figures["end"],
        "sessions": figures["sessions"],
        "benchmark": word("no_benchmark" if run.benchmark is None else kind, lang),
        "fingerprints": [(word(key, lang), str(receipt[key])) for key in _FINGERPRINTS if receipt.get(key)],
    }


def _legend(chart: Any) -> list[tuple[str, str]]:
    return [(trace.css, trace.label) for trace in chart.traces] if len(chart.traces) > 1 else []


def _assumptions(run: RunFolder, lang: str) -> list[tuple[str, str]]:
    found = run.receipt.get("assumptions") or []
    return [(str(a.get("code", "")), str(a.get(f"text_{lang}") or a.get("text_en") or "")) for a in found]


def _receipt(run: RunFolder) -> dict[str, Any]:
    receipt = run.receipt
    return {
        "tables": receipt.get("tables") or [],
        "overrides": [str(o) for o in receipt.get("overrides") or []],
        "environment": _pairs(receipt.get("environment")),
        "actor": _pairs(receipt.get("actor")),
    }


def _pairs(found: Any) -> list[tuple[str, str]]:
    return [(str(key), str(value)) for key, value in found.items()] if isinstance(found, dict) else []


def _script_data(content: dict[str, Any]) -> Markup:
    """JSON that cannot leave its script element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(name: str) -> str:
    return (files("quant.research.reports") / "templates" / name).read_text(encoding="utf-8")
