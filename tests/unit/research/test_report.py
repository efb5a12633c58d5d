"""The report is made from the run folder alone, opens offline, escapes everything and shows metrics.json."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from synthetic_run import HOSTILE, INITIAL, make_run

from quant.core.errors import UsageError
from quant.research.reports import render, run_metrics, summary_table
from quant.research.reports.words import _WORDS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_run(tmp_path_factory.mktemp("runs") / "run")
    (path / "metrics.json").write_text(json.dumps(run_metrics(path), allow_nan=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pages(folder: Path) -> dict[str, str]:
    return {lang: render(folder, lang=lang).read_text(encoding="utf-8") for lang in ("en", "zh")}


class Outline(HTMLParser):
    """Collects tags, attributes and visible text; checks that elements close in order."""

    VOID = frozenset({"meta", "input", "br", "line", "circle", "rect", "path"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data.strip())


@pytest.fixture(scope="module")
def outlines(pages: dict[str, str]) -> dict[str, Outline]:
    return {lang: Outline(page) for lang, page in pages.items()}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_page_is_self_contained_and_small(
    pages: dict[str, str], outlines: dict[str, Outline], lang: str
) -> None:
    assert len(pages[lang].encode()) < 3_000_000
    for tag, attributes in outlines[lang].tags:
        assert tag not in ("link", "img", "iframe", "object", "base")
        assert not {"src", "href", "action"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert "http://" not in pages[lang].replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in pages[lang] and "@import" not in pages[lang] and "url(" not in pages[lang]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_hostile_names_stay_text(pages: dict[str, str], outlines: dict[str, Outline], lang: str) -> None:
    assert "<script>alert" not in pages[lang]
    assert HOSTILE in "".join(outlines[lang].text)  # shown as written
    assert sum(tag == "script" for tag, _ in outlines[lang].tags) == 2
    embedded = page_data(pages[lang])
    assert any(HOSTILE in row for row in embedded["tables"]["trades"])


def page_data(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_every_section_is_there(outlines: dict[str, Outline]) -> None:
    english, chinese = (set(outlines[lang].text) for lang in ("en", "zh"))
    for key in (
        "equity",
        "drawdown",
        "monthly",
        "yearly",
        "all_metrics",
        "rolling_sharpe",
        "exposure",
        "turnover",
        "cost",
        "blocked",
        "trades",
        "last_positions",
        "assumptions",
        "spec",
        "receipt",
    ):
        assert _WORDS[key][0] in english, key
        assert _WORDS[key][1] in chinese, key


def test_chinese_page_has_no_english_words_left(outlines: dict[str, Outline], folder: Path) -> None:
    """Everything but what the run itself says (names, codes, specs, receipt) is Chinese."""
    text = " ".join(outlines["zh"].text)
    leftovers = [
        pair[0]
        for pair in _WORDS.values()
        if len(pair[0]) > 6 and re.search(rf"\b{re.escape(pair[0])}\b", text)
    ]
    assert leftovers == []


def test_every_word_has_both_languages() -> None:
    for key, (english, chinese) in _WORDS.items():
        assert english and chinese, key
        assert re.search(r"[\u4e00-\u9fff]", chinese), key
        assert not re.search(r"[\u4e00-\u9fff]", english), key


def test_numbers_are_those_of_metrics_json(folder: Path, outlines: dict[str, Outline]) -> None:
    figures = json.loads((folder / "metrics.json").read_text())
    text = outlines["en"].text
    assert f"{figures['total_return'] * 100:+.2f}%" in text
    assert f"{figures['sharpe']:.2f}" in text
    assert f"{figures['max_drawdown'] * 100:+.2f}%".replace("-", "−") in text
    for _, value in summary_table(figures):
        assert value in text, value


def test_a_changed_metrics_json_is_what_the_page_shows(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", sessions=80, trades=10)
    figures = run_metrics(path) | {"sharpe": 123.45}
    (path / "metrics.json").write_text(json.dumps(figures), encoding="utf-8")
    assert "123.45" in render(path).read_text(encoding="utf-8")


def test_blocked_orders_tell_the_reason(outlines: dict[str, Outline], folder: Path) -> None:
    assert {"at limit-up, no buying", "suspended", "cut to the cash at hand", "something new"} <= set(
        outlines["en"].text
    )
    assert {"涨停，无法买入", "停牌", "按可用资金削减"} <= set(outlines["zh"].text)
    orders = pl.read_parquet(folder / "orders.parquet")
    assert run_metrics(folder)["orders_blocked"] == len(orders.filter(pl.col("reason") != "none"))


def test_assumptions_specs_and_fingerprints_are_shown(outlines: dict[str, Outline]) -> None:
    text = " ".join(outlines["en"].text)
    assert "ST history is absent" in text and "kind: backtest" in text and "0123456789abcdef" * 4 in text
    assert "缺少 ST 历史" in " ".join(outlines["zh"].text)


@pytest.mark.parametrize("up", ["red", "green"])
def test_colour_of_gains_can_be_chosen(tmp_path: Path, up: str) -> None:
    path = make_run(tmp_path / "run", sessions=80, trades=10)
    assert f'data-up="{up}"' in render(path, up=up).read_text(encoding="utf-8")


def test_names_of_the_files(folder: Path) -> None:
    assert render(folder).name == "report.html"
    assert render(folder, lang="zh").name == "report.zh.html"


def test_same_folder_gives_the_same_bytes(folder: Path) -> None:
    assert render(folder).read_bytes() == render(folder).read_bytes()


def test_trades_are_capped_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quant.research.reports.tables.TRADES_CAP", 100)
    page = render(make_run(tmp_path / "run", sessions=200, trades=150)).read_text(encoding="utf-8")
    assert len(page_data(page)["tables"]["trades"]) == 100
    assert "100 of 150" in page and "fills.parquet" in page


def test_twenty_years_stay_under_the_size_limit(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", sessions=4900, trades=20_000)
    assert render(path).stat().st_size < 3_000_000


@pytest.mark.parametrize("sessions", [1, 2, 5])
def test_short_runs_render(tmp_path: Path, sessions: int) -> None:
    path = make_run(tmp_path / "run", sessions=sessions + 60, trades=10)
    pl.read_parquet(path / "nav.parquet").head(sessions).write_parquet(path / "nav.parquet")
    for lang in ("en", "zh"):
        page = render(path, lang=lang).read_text(encoding="utf-8")
        Outline(page)
        assert "<svg" in page


def test_run_without_benchmark_trades_or_optional_files_renders(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", sessions=120, benchmark=False, trades=0)
    for name in ("orders", "positions", "names", "ledger"):
        (path / f"{name}.parquet").unlink()
    (path / "receipt.json").unlink()
    figures = run_metrics(path)
    assert "beta" not in figures and figures["fills"] == 0 and figures["names_hit_rate"] is None
    page = render(path).read_text(encoding="utf-8")
    text = Outline(page).text
    assert "The run made no trades." in text and "Every order was filled whole." in text
    assert "no benchmark" in page and "Against the benchmark" not in text


def test_flat_run_has_no_ratios_and_renders(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", sessions=80, trades=0)
    frame = pl.read_parquet(path / "nav.parquet")
    frame.with_columns(pl.lit(INITIAL).alias("nav"), pl.lit(0.0).alias("turnover")).write_parquet(
        path / "nav.parquet"
    )
    figures = run_metrics(path)
    assert figures["sharpe"] is None and figures["calmar"] is None and figures["max_drawdown"] == 0.0
    assert ("Sharpe ratio", "—") in summary_table(figures)
    Outline(render(path).read_text(encoding="utf-8"))


def test_long_list_of_positions_is_paged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "positions" not in page_data(render(folder).read_text(encoding="utf-8"))["tables"]
    monkeypatch.setattr("quant.research.reports.tables.WHOLE", 10)
    page = render(folder).read_text(encoding="utf-8")
    assert len(page_data(page)["tables"]["positions"]) == 25
    Outline(page)


def test_run_of_less_than_a_year_says_so(tmp_path: Path, outlines: dict[str, Outline]) -> None:
    path = make_run(tmp_path / "run", sessions=60, trades=10)
    text = " ".join(Outline(render(path).read_text(encoding="utf-8")).text)
    assert "less than a year" in text and "fewer than 63 sessions" in text
    assert "less than a year" not in " ".join(outlines["en"].text)


def test_summary_needs_neither_polars_nor_the_core() -> None:
    code = (
        "import sys, quant.research.reports.summary; "
        "print([m for m in ('polars', 'numpy', 'quant.native') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip() == "[]"


def test_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a run folder"):
        render(tmp_path)


@pytest.mark.parametrize(("lang", "up"), [("fr", "red"), ("en", "blue")])
def test_unknown_language_or_colour_is_refused(folder: Path, lang: str, up: str) -> None:
    with pytest.raises(UsageError) as caught:
        render(folder, lang=lang, up=up)
    assert caught.value.fault.expected


def test_metrics_equal_a_plain_computation(folder: Path) -> None:
    nav = pl.read_parquet(folder / "nav.parquet")
    values = np.concatenate([[INITIAL], nav["nav"].to_numpy()])
    returns = values[1:] / values[:-1] - 1
    market = nav["benchmark"].to_numpy()
    base = np.concatenate([[0.0], market[1:] / market[:-1] - 1])
    figures = run_metrics(folder)
    assert figures["total_return"] == pytest.approx(values[-1] / INITIAL - 1)
    assert figures["sharpe"] == pytest.approx(returns.mean() / returns.std(ddof=1) * np.sqrt(252))
    assert figures["benchmark_total_return"] == pytest.approx(market[-1] - 1)
    assert figures["excess_arithmetic"] == pytest.approx(
        (values[-1] / INITIAL) ** (252 / 900) - market[-1] ** (252 / 900)
    )
    assert figures["beta"] == pytest.approx(np.cov(returns, base)[0, 1] / base.var(ddof=1))
    assert figures["turnover_annual"] == pytest.approx(nav["turnover"].mean() * 252)
    fills = pl.read_parquet(folder / "fills.parquet")
    paid = sum(fills[name].sum() for name in ("commission", "stamp", "transfer"))
    assert figures["cost_total"] == pytest.approx(paid)
    peak = np.maximum.accumulate(values)
    trough = int((values / peak - 1).argmin())
    assert figures["max_drawdown"] == pytest.approx((values / peak - 1).min())
    assert figures["drawdown_trough_date"] == str(nav["session"][trough - 1])


def test_monthly_and_yearly_tables_compound_to_the_total(folder: Path) -> None:
    figures = run_metrics(folder)
    for name in ("monthly", "yearly"):
        grown = np.prod([1 + row["return"] for row in figures[name]])
        assert grown - 1 == pytest.approx(figures["total_return"])
    assert figures["monthly"][0]["period"] == "2021-01"
    first = figures["yearly"][0]
    assert first["excess"] == pytest.approx((1 + first["return"]) / (1 + first["benchmark"]) - 1)


def test_metrics_are_plain_json(folder: Path) -> None:
    text = json.dumps(run_metrics(folder), allow_nan=False)
    assert json.loads(text)["sessions"] == 900


def test_summary_knows_every_metric_in_both_languages(folder: Path) -> None:
    figures = run_metrics(folder)
    for lang in ("en", "zh"):
        rows = summary_table(figures, lang=lang)
        assert len(rows) >= 18 and all(value != "—" for _, value in rows)
    assert dict(summary_table(figures, lang="zh"))["夏普比率"] == f"{figures['sharpe']:.2f}"
