"""The shipped library, the demo and the template are sound, complete and quick to lint."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from spec_workspaces import BACKTEST, FullCatalog, load

from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.specs import json_schema, load_workspace, read_workspace, reference_markdown, resolve
from quant.specs.compile import compile_backtest, compile_session
from quant.specs.kinds import KINDS
from quant.specs.lint import lint
from quant.specs.lint.documents import check_document
from quant.specs.schema import models

VENDORS = ("tushare", "joinquant", "baostock", "akshare", "binance", "okx", "bybit")
HEAVY = ("dagster", "polars", "chdb", "pandas", "pyarrow", "duckdb", "numpy", "hydra", "omegaconf")


def test_every_document_of_the_library_is_sound(tmp_path: Path) -> None:
    registry, errors = read_workspace(tmp_path)
    assert not errors
    assert [e for d in registry for e in check_document(registry, d)] == []
    assert len(registry.names("factor")) == 5
    assert registry.names("strategy") == ["double_ma", "mean_reversion", "momentum_topn"]
    assert {"default", "strict"} <= set(registry.names("risk"))
    assert {"sim", "sim_b", "tushare_files", "baostock_files", *VENDORS} <= set(registry.names("source"))


@pytest.mark.parametrize("strategy", ["double_ma", "mean_reversion", "momentum_topn"])
@pytest.mark.parametrize("universe", ["all_listed", "main_boards", "liquid"])
@pytest.mark.parametrize("risk", ["default", "strict"])
def test_every_strategy_runs_on_every_universe_under_every_risk(
    tmp_path: Path, strategy: str, universe: str, risk: str
) -> None:
    run = BACKTEST.replace(
        "strategy: top, universe: all_listed", f"strategy: {strategy}, universe: {universe}, risk: {risk}"
    )
    spec = resolve(load(tmp_path, run=run), "backtest", "run")
    assert compile_backtest(spec, FullCatalog(), rulebook_hash="r", kernel_hash="k").signal is not None


@pytest.mark.parametrize(
    "factor", ["momentum_20", "reversal_5", "volatility_20", "turnover_20", "price_volume_10"]
)
def test_every_factor_can_rank(tmp_path: Path, factor: str) -> None:
    run = BACKTEST.replace("strategy: top", "strategy: momentum_topn")
    spec = resolve(load(tmp_path, run=run), "backtest", "run", [f"strategy.signal={factor}"])
    assert list(spec.factors) == [factor]


def test_the_demo_of_the_clone_compiles(repository: Path) -> None:
    registry = load_workspace(repository)
    document = registry.find(str(repository / "specs/demo/momentum.yaml"), ["backtest"])
    spec = resolve(registry, "backtest", document.name, ["n=50"])
    assert compile_backtest(spec, FullCatalog(), rulebook_hash="r", kernel_hash="k").construct.top == 50  # type: ignore[union-attr]
    session = resolve(registry, "deployment", "momentum_paper")
    assert compile_session(session, FullCatalog(), rulebook_hash="r", kernel_hash="k").mode == "paper"


def test_the_template_is_a_sound_workspace(repository: Path, tmp_path: Path) -> None:
    shutil.copytree(repository / "specs/templates/ashare", tmp_path / "desk")
    report = lint(tmp_path / "desk")
    assert report.errors == ()
    assert report.warnings == ()
    registry = load_workspace(tmp_path / "desk")
    for name in registry.names("backtest"):
        assert resolve(registry, "backtest", name, profile="real").profile == "real"


def test_the_crypto_template_asks_three_exchanges(repository: Path, tmp_path: Path) -> None:
    shutil.copytree(repository / "specs/templates/crypto", tmp_path / "desk")
    report = lint(tmp_path / "desk")
    assert report.errors == () and report.warnings == ()
    specs = data_specs(Workspace.find(tmp_path / "desk"))
    asked = {t.name: t.sources for t in specs.tables if specs.is_offered(t)}
    every = ("binance", "okx", "bybit")
    names = ("instruments", "bars_1m", "bars_5m", "bars_1h", "funding_rates")
    assert asked == {**dict.fromkeys(names, every), "ticks": ("binance", "okx")}
    assert all(t.agreed for t in specs.tables if t.name in asked)
    assert specs.calendars == ("24x7",)


def test_linting_the_demo_imports_nothing_heavy(repository: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from quant.specs.lint import lint\n"
        f"report = lint(Path({str(repository)!r}))\n"
        "assert not report.errors, report.errors\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lint_collects_errors_and_warnings(tmp_path: Path) -> None:
    cost = "apiVersion: quant/v1\nkind: cost\nname: cn_stock\ncommission: {rate: 0.5%}\n"
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/cost.yaml").write_text(cost)
    report = lint(tmp_path)
    assert [w.code for w in report.warnings] == ["lint.shadowed", "lint.commission"]
    assert report.as_dict()["errors"] == []
    (tmp_path / "specs/bad.yaml").write_text("kind: cost\n")
    codes = [e.fault.code for e in lint(tmp_path).errors]
    assert codes == ["spec.missing_key", "spec.name"]


def test_a_file_may_hold_one_of_several_kinds(tmp_path: Path) -> None:
    registry = load(
        tmp_path,
        run=BACKTEST.replace("strategy: top", "strategy: double_ma"),
        more=BACKTEST.replace("strategy: top", "strategy: double_ma").replace("name: run", "name: b")
        + "---\n"
        + BACKTEST.replace("strategy: top", "strategy: double_ma").replace("name: run", "name: c"),
    )
    assert registry.find("run", ["backtest"]).name == "run"
    assert registry.find("backtest/run", ["backtest"]).name == "run"
    assert registry.find(str(tmp_path / "specs/run.yaml"), ["backtest"]).name == "run"
    assert registry.find("specs/more.yaml#c", ["backtest"]).name == "c"
    with pytest.raises(Exception, match="several documents") as caught:
        registry.find("specs/more.yaml", ["backtest"])
    assert caught.value.fault.hint == "name it: specs/more.yaml#b"  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="no backtest named 'runn'"):
        registry.find("runn", ["backtest"])


def test_the_schema_for_editors_covers_every_kind() -> None:
    schema = json_schema()
    branches = [b["if"]["properties"]["kind"]["const"] for b in schema["allOf"]]
    assert sorted(set(branches)) == sorted(KINDS)
    assert branches.count("source") == len(models()["source"])
    limits = schema["$defs"]["Limits"]
    assert limits["additionalProperties"] is False
    assert "industry" not in limits["properties"]
    assert limits["properties"]["single_name"]["description"]
    cost = json_schema("cost")["$defs"]["CostSpec"]
    assert (cost["required"], cost["then"]) == (["apiVersion", "kind", "name"], {"required": ["commission"]})


def test_the_reference_names_every_kind_and_what_is_not_enforced() -> None:
    page = reference_markdown()
    assert all(f"\n## {kind}\n" in page for kind in KINDS)
    assert "| `construct.top` | whole number |" in page
    assert "`industry`" in page
    assert "`profiles.NAME.sources`" in page
    assert "`datasets.NAME.fields.NAME.unit`" in page
