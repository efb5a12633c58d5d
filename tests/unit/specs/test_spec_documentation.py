"""What docs/spec-language.md shows is what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from spec_workspaces import FullCatalog, load

from quant.specs import resolve
from quant.specs.compile import compile_backtest


def test_the_example_and_its_overrides_compile(repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs/spec-language.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.S)
    registry = load(tmp_path, example=example)
    commands = re.findall(r"^quant backtest calm (.*?)(?:   .*)?$", page, re.M)
    assert len(commands) == 5
    for overrides in [[], *(text.split() for text in commands)]:
        spec = resolve(registry, "backtest", "calm", overrides)
        assert compile_backtest(spec, FullCatalog(), rulebook_hash="r", kernel_hash="k").signal is not None
    child = resolve(registry, "backtest", "calm_at_vwap")
    assert compile_backtest(child, FullCatalog(), rulebook_hash="r", kernel_hash="k").fill.at == "vwap"
