"""The operator tables: what the virtual machine can do, and what an author can write."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MAX_TEXT = 10_000  # characters of one expression
MAX_DEPTH = 64  # nesting of parentheses, calls and operators
MAX_NODES = 512  # instructions of one program
MAX_WINDOW = 2_000  # sessions of one window or reference
MAX_LOOKBACK = 10_000  # sessions of a whole program
MAX_WORK = 20_000  # sum of all windows of a program: cells read per cell computed


class Parameter(Enum):
    """What an opcode's single parameter means."""

    NONE = "none"
    COLUMN = "column"
    VALUE = "value"
    LAG = "lag"
    WINDOW = "window"


class Shape(Enum):
    """Which cells a result reads: its own; earlier rows of its instrument; its row across instruments."""

    CELL = "cell"
    TIME = "time"
    CROSS = "cross"


@dataclass(frozen=True, slots=True)
class Opcode:
    name: str
    arity: int
    parameter: Parameter = Parameter.NONE
    shape: Shape = Shape.CELL
    least: int = 1
    most: int = MAX_WINDOW

    @property
    def windowed(self) -> bool:
        return self.parameter is Parameter.WINDOW

    def reach(self, params: tuple[float, ...]) -> int:
        """Sessions before its own row that the operation itself reads."""
        if self.parameter is Parameter.LAG:
            return int(params[0])
        return int(params[0]) - 1 if self.windowed else 0


def _table() -> dict[str, Opcode]:
    cell = [Opcode("load", 0, Parameter.COLUMN), Opcode("const", 0, Parameter.VALUE)]
    cell += [Opcode(n, 1) for n in ("neg", "abs", "log", "sign", "sqrt", "not")]
    cell += [Opcode(n, 2) for n in ("add", "sub", "mul", "div", "power", "max2", "min2")]
    cell += [Opcode(n, 2) for n in ("gt", "ge", "lt", "le", "eq", "ne", "and", "or")]
    cell += [Opcode("where", 3)]
    time = [Opcode(n, 1, Parameter.LAG, Shape.TIME) for n in ("ref", "delta")]
    time += [Opcode(n, 1, Parameter.WINDOW, Shape.TIME) for n in ("mean", "sum", "min", "max", "rank")]
    time += [
        Opcode("std", 1, Parameter.WINDOW, Shape.TIME, least=2),
        Opcode("corr", 2, Parameter.WINDOW, Shape.TIME, least=2),
    ]
    cross = [Opcode(n, 1, shape=Shape.CROSS) for n in ("cs_rank", "cs_zscore")]
    return {o.name: o for o in (*cell, *time, *cross)}


OPCODES: dict[str, Opcode] = _table()


@dataclass(frozen=True, slots=True)
class Operator:
    """A function of the language. ``example`` is evaluated on the panel printed in docs/operators.md."""

    name: str
    op: str
    signature: tuple[str, ...]
    summary: str
    example: str
    aliases: tuple[str, ...] = ()
    symbol: str = ""

    @property
    def opcode(self) -> Opcode:
        return OPCODES[self.op]

    def show(self) -> str:
        return f"{self.name}({', '.join(self.signature)})"


_X, _XY, _XN, _XYN = ("x",), ("x", "y"), ("x", "n"), ("x", "y", "n")

OPERATORS: tuple[Operator, ...] = (
    Operator(
        "Ref",
        "ref",
        _XN,
        "the value n sessions ago; NaN in the first n rows. n >= 0: the future cannot be read",
        "Ref($close, 1)",
        ("ref", "delay", "lag"),
    ),
    Operator("Delta", "delta", _XN, "x minus its value n sessions ago", "Delta($close, 1)", ("delta",)),
    Operator(
        "Mean",
        "mean",
        _XN,
        "arithmetic mean of the valid values among the last n rows",
        "Mean($close, 3)",
        ("mean", "ts_mean"),
    ),
    Operator(
        "Std",
        "std",
        _XN,
        "sample standard deviation (ddof 1) of the last n rows; at least 2 valid",
        "Std($close, 3)",
        ("std", "stddev", "ts_std", "ts_stddev"),
    ),
    Operator(
        "Sum",
        "sum",
        _XN,
        "sum of the valid values among the last n rows",
        "Sum($close, 3)",
        ("sum", "ts_sum"),
    ),
    Operator("Min", "min", _XN, "smallest valid value among the last n rows", "Min($close, 3)", ("ts_min",)),
    Operator("Max", "max", _XN, "largest valid value among the last n rows", "Max($close, 3)", ("ts_max",)),
    Operator(
        "Rank",
        "rank",
        _XN,
        "percentile of the present value among the valid ones of the last n rows, "
        "ties averaged, in (0, 1]; NaN where the present value is NaN",
        "Rank($close, 3)",
        ("ts_rank",),
    ),
    Operator(
        "Corr",
        "corr",
        _XYN,
        "Pearson correlation over the last n rows in which both are valid; NaN where either does not vary",
        "Corr($close, $volume, 3)",
        ("corr", "correlation", "ts_corr"),
    ),
    Operator(
        "CSRank",
        "cs_rank",
        _X,
        "percentile rank across the universe of the session, ties averaged, in (0, 1]",
        "CSRank($close)",
        ("rank", "cs_rank"),
    ),
    Operator(
        "CSZScore",
        "cs_zscore",
        _X,
        "(x - mean) / sample standard deviation across the universe of the "
        "session; NaN where it does not vary",
        "CSZScore($close)",
        ("zscore", "cs_zscore"),
    ),
    Operator("Abs", "abs", _X, "absolute value", "Abs(Delta($close, 1))", ("abs",)),
    Operator("Sign", "sign", _X, "-1, 0 or 1", "Sign(Delta($close, 1))", ("sign",)),
    Operator("Log", "log", _X, "natural logarithm; NaN for x <= 0", "Log($close)", ("log", "ln")),
    Operator("Sqrt", "sqrt", _X, "square root; NaN for x < 0", "Sqrt($close)", ("sqrt",)),
    Operator(
        "Power",
        "power",
        _XY,
        "x to the power y; NaN where it is not a real number",
        "Power($close, 2)",
        ("power", "pow"),
        "**",
    ),
    Operator(
        "If",
        "where",
        ("condition", "x", "y"),
        "x where the condition holds, y where it does not, NaN where it is unknown",
        "If($close > 11, 1, -1)",
        ("iff", "where"),
    ),
    Operator("Greater", "max2", _XY, "the larger of two values; NaN if either is", "Greater($close, 11)"),
    Operator("Less", "min2", _XY, "the smaller of two values; NaN if either is", "Less($close, 11)"),
    Operator("Add", "add", _XY, "sum", "$close + 1", (), "+"),
    Operator("Sub", "sub", _XY, "difference", "$close - 1", (), "-"),
    Operator("Mul", "mul", _XY, "product", "$close * 2", (), "*"),
    Operator("Div", "div", _XY, "quotient; NaN where the divisor is 0", "$close / 2", (), "/"),
    Operator("Neg", "neg", _X, "opposite sign", "-$close", (), "-"),
    Operator("Gt", "gt", _XY, "1 where x > y, else 0; NaN if either is", "$close > 11", (), ">"),
    Operator("Ge", "ge", _XY, "1 where x >= y, else 0; NaN if either is", "$close >= 11", (), ">="),
    Operator("Lt", "lt", _XY, "1 where x < y, else 0; NaN if either is", "$close < 11", (), "<"),
    Operator("Le", "le", _XY, "1 where x <= y, else 0; NaN if either is", "$close <= 11", (), "<="),
    Operator("Eq", "eq", _XY, "1 where equal, else 0; NaN if either is", "$close == 11", (), "=="),
    Operator("Ne", "ne", _XY, "1 where different, else 0; NaN if either is", "$close != 11", (), "!="),
    Operator(
        "And",
        "and",
        _XY,
        "both hold (not 0); a false side decides even where the other is unknown",
        "$close > 10 and $close < 12",
        (),
        "and",
    ),
    Operator(
        "Or",
        "or",
        _XY,
        "either holds; a true side decides even where the other is unknown",
        "$close < 11 or $close > 11",
        (),
        "or",
    ),
    Operator(
        "Not", "not", _X, "1 where x is 0, 0 where it is not; NaN stays NaN", "not $close > 11", (), "not"
    ),
)

FUNCTIONS: dict[str, Operator] = {n: o for o in OPERATORS for n in (o.name, *o.aliases)}
