"""The examples of docs/operators.md give what the page says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quant.core.errors import Location
from quant.native.factor import evaluate
from quant.specs.expr import OPERATORS, Operator, compile_expression
from quant.specs.expr.reference import EXAMPLE_PANEL, EXAMPLE_VALUES, render_reference


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda o: o.name)
def test_the_example_gives_what_the_page_says(operator: Operator) -> None:
    columns = {name: np.array(rows) for name, rows in EXAMPLE_PANEL.items()}
    columns["adj_factor"] = np.ones((4, 3))
    values = evaluate(compile_expression(operator.example, origin=Location("docs")), columns)[-1]
    np.testing.assert_allclose(values, EXAMPLE_VALUES[operator.name], rtol=1e-13)


def test_the_page_is_up_to_date(repository: Path) -> None:
    page = repository / "docs" / "operators.md"
    assert page.read_text(encoding="utf-8") == render_reference(), "run: make docs"
