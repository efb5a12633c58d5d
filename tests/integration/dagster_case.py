"""Small workspaces for the Dagster tests: a simulated market, and files with rows that break the contract."""

from __future__ import annotations

from pathlib import Path

from quant.core.market.calendar import calendar
from quant.core.time import parse_date
from quant.pipelines.workspace import Workspace

PROJECT = """apiVersion = "quant/v1"
kind = "project"
name = "case"
format = 1

[defaults]
profile = "small"

[profiles.small]
sources = [{sources}]
from = "{start}"
to = "{end}"
"""
SIMULATED = """apiVersion: quant/v1
kind: source
name: mini
description: A few instruments.
provider: simulated
license: synthetic
params: {instruments: 12}
schedule: {cron: "0 18 * * 1-5"}
"""
FILES = """apiVersion: quant/v1
kind: source
name: shop
description: Files of which one is broken.
provider: files
license: test
root: files
datasets:
  instruments:
    files: names.csv
    fields: {code: {as: code, style: tushare}, name: {as: name}, listed: {as: list_date}}
  bars_1d:
    files: bars.csv
    fields:
      code: {as: code, style: tushare}
      day: {as: session}
      open: {as: open, unit: yuan}
      high: {as: high, unit: yuan}
      low: {as: low, unit: yuan}
      close: {as: close, unit: yuan}
      before: {as: pre_close, unit: yuan}
      volume: {as: volume, unit: shares}
      amount: {as: amount, unit: yuan}
  adjustment_factors:
    files: bars.csv
    fields: {code: {as: code, style: tushare}, day: {as: session}, factor: {as: factor}}
"""
CODES = ("600519.SH", "000001.SZ")


def simulated_desk(root: Path, start: str = "2023-11-01", end: str = "2024-02-29") -> Workspace:
    """A workspace on a simulated market of twelve instruments; the range spans two years."""
    return _desk(root, "mini", SIMULATED, start, end)


def broken_desk(root: Path, *, broken: bool = True) -> Workspace:
    """A workspace on files; with ``broken`` the prices of every fourth bar are out of order."""
    folder = root / "files"
    folder.mkdir(parents=True)
    days = calendar("XSHG").sessions(parse_date("2024-01-02"), parse_date("2024-01-31"))
    names = "".join(f"{code},name,2020-01-02\n" for code in CODES)
    (folder / "names.csv").write_text(f"code,name,listed\n{names}", encoding="utf-8")
    lines = ["code,day,open,high,low,close,before,volume,amount,factor"]
    for code in CODES:
        for i, day in enumerate(days):
            low = "10.50" if broken and i % 4 == 0 else "10.00"
            lines.append(f"{code},{day},10.00,10.20,{low},10.10,10.00,1000,10100,1.0")
    (folder / "bars.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return _desk(root, "shop", FILES, "2024-01-02", "2024-01-31")


def _desk(root: Path, source: str, text: str, start: str, end: str) -> Workspace:
    (root / "specs").mkdir(parents=True, exist_ok=True)
    (root / "quant.toml").write_text(
        PROJECT.format(sources=f'"{source}"', start=start, end=end), encoding="utf-8"
    )
    (root / "specs" / "data.yaml").write_text(text, encoding="utf-8")
    return Workspace.find(root)
