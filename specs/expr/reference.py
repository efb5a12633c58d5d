"""The operator reference, generated from the tables the compiler itself uses."""

from __future__ import annotations

from quant.specs.expr.fields import FIELDS
from quant.specs.expr.ops import (
    MAX_DEPTH,
    MAX_LOOKBACK,
    MAX_NODES,
    MAX_TEXT,
    MAX_WINDOW,
    MAX_WORK,
    OPERATORS,
    Operator,
)
from quant.specs.expr.types import Availability

NAN = float("nan")

# Four sessions (rows) of three instruments (columns): the panel every example runs on.
EXAMPLE_PANEL: dict[str, tuple[tuple[float, ...], ...]] = {
    "close": ((10.0, 20.0, 11.0), (11.0, 20.0, NAN), (12.0, 19.0, 12.0), (11.0, 18.0, 11.0)),
    "volume": ((100.0, 300.0, 50.0), (120.0, 280.0, NAN), (90.0, 310.0, 70.0), (95.0, 350.0, 60.0)),
}

# The examples' values on the last session; tests run them and compare.
EXAMPLE_VALUES: dict[str, tuple[float, ...]] = {
    "Ref": (12.0, 19.0, 12.0),
    "Delta": (-1.0, -1.0, -1.0),
    "Mean": (11.333333333333334, 19.0, 11.5),
    "Std": (0.5773502691896257, 1.0, 0.7071067811865476),
    "Sum": (34.0, 57.0, 23.0),
    "Min": (11.0, 18.0, 11.0),
    "Max": (12.0, 20.0, 12.0),
    "Rank": (0.5, 0.3333333333333333, 0.5),
    "Corr": (-0.6286185570937123, -0.9966158955401239, 1.0),
    "CSRank": (0.5, 1.0, 0.5),
    "CSZScore": (-0.5773502691896258, 1.1547005383792517, -0.5773502691896258),
    "Abs": (1.0, 1.0, 1.0),
    "Sign": (-1.0, -1.0, -1.0),
    "Log": (2.3978952727983707, 2.8903717578961645, 2.3978952727983707),
    "Sqrt": (3.3166247903554, 4.242640687119285, 3.3166247903554),
    "Power": (121.0, 324.0, 121.0),
    "If": (-1.0, 1.0, -1.0),
    "Greater": (11.0, 18.0, 11.0),
    "Less": (11.0, 11.0, 11.0),
    "Add": (12.0, 19.0, 12.0),
    "Sub": (10.0, 17.0, 10.0),
    "Mul": (22.0, 36.0, 22.0),
    "Div": (5.5, 9.0, 5.5),
    "Neg": (-11.0, -18.0, -11.0),
    "Gt": (0.0, 1.0, 0.0),
    "Ge": (1.0, 1.0, 1.0),
    "Lt": (0.0, 0.0, 0.0),
    "Le": (1.0, 0.0, 1.0),
    "Eq": (1.0, 0.0, 1.0),
    "Ne": (0.0, 1.0, 0.0),
    "And": (1.0, 0.0, 1.0),
    "Or": (0.0, 1.0, 0.0),
    "Not": (1.0, 0.0, 1.0),
}

_HEAD = f"""# Operators

Generated from the operator tables (`quant.specs.expr.reference`); every example below is run by the tests.

An expression is one or more lines: assignments, then the result. `$name` is a field, `#` starts a comment, a
line may also end with `;`, and it goes on inside parentheses or after an operator.

```
r = $close / Ref($close, 1) - 1          # daily return
CSZScore(-Sum(r, 5) / Std(r, 20))
```

Operators from the loosest to the tightest: `or` · `and` · `not` · `< <= > >= == !=` (may be chained:
`1 < x < 2`) · `+ -` · `* /` · unary `-` · `**`.

Values are float64; NaN means unknown. A row reads its own and earlier rows only. A window of n sessions
includes the present one; unknown values in it are skipped, and the result is unknown where fewer than half
of the n (rounded up; at least 1, at least 2 for Std and Corr) are known. The sums of a window are formed
from its own rows in time order, so a value has the same bits whatever was computed before it. Operations
across instruments see the members of the universe only.

Limits: {MAX_TEXT} characters, {MAX_DEPTH} levels of nesting, {MAX_NODES} operations, windows up to
{MAX_WINDOW} sessions, {MAX_LOOKBACK} sessions of lookback in all,
{MAX_WORK} sessions in all windows together.
"""


def render_reference() -> str:
    """docs/operators.md."""
    parts = [_HEAD, _panel(), "## Functions\n"]
    parts += [_section(o) for o in OPERATORS if not o.symbol or o.name == "Power"]
    parts += ["## Signs and words\n", _signs(), "## Fields\n", _fields()]
    return "\n".join(parts)


def _number(value: float) -> str:
    return "NaN" if value != value else f"{value:.6g}"


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(_number(v) for v in values)


def _panel() -> str:
    rows = [
        f"| ${name} | {' | '.join(_numbers(v) for v in values)} |" for name, values in EXAMPLE_PANEL.items()
    ]
    return "\n".join(
        [
            "## The panel of the examples\n",
            "Three instruments in four sessions, all in the universe, adjustment factor 1; the examples show",
            "the last session.\n",
            "| | session 1 | session 2 | session 3 | session 4 |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _section(operator: Operator) -> str:
    names = f"\n\nAlso written {', '.join(f'`{a}`' for a in operator.aliases)}." if operator.aliases else ""
    return (
        f"### {operator.show()}\n\n{_sentence(operator.summary)}{names}\n\n"
        f"```\n{operator.example}   # {_numbers(EXAMPLE_VALUES[operator.name])}\n```\n"
    )


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _signs() -> str:
    lines = ["| sign | function | meaning | example | session 4 |", "|---|---|---|---|---|"]
    for o in OPERATORS:
        if o.symbol:
            values = _numbers(EXAMPLE_VALUES[o.name])
            lines.append(f"| `{o.symbol}` | `{o.show()}` | {o.summary} | `{o.example}` | {values} |")
    return "\n".join([*lines, ""])


def _fields() -> str:
    intro = (
        "With `price: raw` the adjusted fields are those as traded. Adjusted and unadjusted prices do not\n"
        "mix in one sum, quotient or comparison. A decision before the close may use what is known at the\n"
        "open; everything else through `Ref(x, 1)`.\n"
    )
    lines = ["| field | meaning | known |", "|---|---|---|"]
    for field in FIELDS.values():
        known = {Availability.PREOPEN: "before the open"}.get(field.available, field.available.words)
        lines.append(f"| `${field.name}` | {field.summary} | {known} |")
    return "\n".join([intro, *lines, ""])
