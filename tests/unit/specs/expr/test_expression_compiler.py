"""Names, windows, look-ahead, units, passes and the program that comes out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from quant.core.errors import Location, SpecError
from quant.specs.expr import FIELDS, OPCODES, OPERATORS, Instruction, Program, compile_expression, validate
from quant.specs.expr.ops import FUNCTIONS

ORIGIN = Location("factor.yaml", 3, 7)


def compiled(text: str, **options: object) -> Program:
    return compile_expression(text, origin=ORIGIN, **options)  # type: ignore[arg-type]


def refused(text: str, **options: object) -> SpecError:
    with pytest.raises(SpecError) as caught:
        compiled(text, **options)
    return caught.value


def listing(program: Program) -> str:
    def line(i: Instruction) -> str:
        return " ".join([i.op, *(f"%{a}" for a in i.args), *(f"{p:g}" for p in i.params)])

    return " | ".join(line(i) for i in program.instructions)


def test_momentum_is_seven_instructions_on_unadjusted_columns() -> None:
    program = compiled("$close / Ref($close, 20) - 1")
    assert program.columns == ("close", "adj_factor")
    assert listing(program) == "load 0 | load 1 | mul %0 %1 | ref %2 20 | div %2 %3 | const 1 | sub %4 %5"
    assert (program.output, program.lookback) == (6, 20)


def test_raw_prices_need_no_factor() -> None:
    assert listing(compiled("$close", price="raw")) == "load 0"
    assert compiled("$raw_close").columns == ("close",)
    assert listing(compiled("$volume")) == "load 0 | load 1 | div %0 %1"
    assert listing(compiled("$volume", price="raw")) == "load 0"


@pytest.mark.parametrize(
    ("text", "lookback"),
    [
        ("$close", 0),
        ("Ref($close, 3)", 3),
        ("Mean($close, 3)", 2),
        ("Mean(Ref(Sum($close, 5), 2), 10)", 4 + 2 + 9),
        ("Corr(Delta($close, 4), $volume, 6)", 9),
        ("CSRank(Std($close, 20)) + Ref($open, 30)", 30),
    ],
)
def test_lookback_is_known_before_any_data(text: str, lookback: int) -> None:
    assert compiled(text).lookback == lookback


def test_equal_parts_are_computed_once_and_unused_ones_not_at_all() -> None:
    program = compiled("u = Std($volume, 9)\na = $close * 2\nb = 2 * $close\na / b", price="raw")
    assert listing(program) == "load 0 | const 2 | mul %0 %1 | div %2 %2"


def test_constants_are_folded_where_the_result_is_exact() -> None:
    assert listing(compiled("n = 2 * 5\nRef($close, n + 1) * (1 - 0.5)", price="raw")).endswith(
        "const 0.5 | mul %1 %2"
    )
    assert listing(compiled("1 / 0")) == "const 1 | const 0 | div %0 %1"
    assert "log" in listing(compiled("Log(2)"))
    assert listing(compiled("Ref($close, 0)", price="raw")) == "load 0"


def test_named_parameters_are_numbers() -> None:
    assert compiled("Mean($close, n)", params={"n": 12}).lookback == 11
    assert refused("Mean($close, n)").fault.code == "expr.name"


def test_bare_field_names_do_for_filters() -> None:
    assert compiled("list_days >= 60 and not is_st").columns == ("list_days", "is_st")


@pytest.mark.parametrize("text", ["delay($close, 1)", "Ref($close, 1)", "ref($close, 1)"])
def test_aliases_mean_the_same(text: str) -> None:
    assert listing(compiled(text, price="raw")) == "load 0 | ref %0 1"


def test_rank_is_across_instruments_and_ts_rank_over_time() -> None:
    assert listing(compiled("rank(ts_rank($close, 5))", price="raw")) == "load 0 | rank %0 5 | cs_rank %1"


@pytest.mark.parametrize(
    ("text", "code", "column", "hint"),
    [
        ("$clsoe", "expr.name", 7, "did you mean $close?"),
        ("maen($close, 5)", "expr.name", 7, "did you mean Mean?"),
        ("close = $close; clse", "expr.name", 23, "did you mean close?"),
        ("Mean", "expr.name", 7, None),
        ("max($close, $open)", "expr.name", 7, None),
        ("a = 1; a = 2; a", "expr.name", 14, "give the second one its own name"),
        ("r = 1; $r", "expr.name", 14, None),
        ("Mean($close)", "expr.arity", 7, None),
        ("Mean($close, 0)", "expr.window", 20, None),
        ("Mean($close, 2001)", "expr.window", 20, None),
        ("Mean($close, 2.5)", "expr.window", 20, None),
        ("Std($close, 1)", "expr.window", 19, None),
        ("Mean($close, $open)", "expr.window", 20, None),
        ("Ref($close, -1)", "expr.lookahead", 19, "Ref(x, 1) is yesterday's value"),
        ("Delta($close, -5)", "expr.lookahead", 21, "Delta(x, 1) is yesterday's value"),
        ("$close > $limit_up", "expr.unit", 14, None),
        ("Mean($close, 5) / $pre_close", "expr.unit", 23, None),
        ("If(1, $close, $raw_close)", "expr.unit", 7, None),
        ("Mean(" * 6 + "$close" + ", 2000)" * 6, "expr.limit", 7, None),
    ],
)
def test_faults_say_where_and_how_to_mend(text: str, code: str, column: int, hint: str | None) -> None:
    fault = refused(text).fault
    assert (fault.code, fault.where) == (code, Location("factor.yaml", 3, column))
    if hint:
        assert fault.hint == hint
    assert fault.expected or fault.hint


def test_many_long_windows_are_too_much_together() -> None:
    assert refused(" + ".join(f"Mean($close, {1900 + n})" for n in range(12))).fault.code == "expr.limit"


def test_prices_of_one_scale_mix() -> None:
    assert set(compiled("$raw_close >= $limit_up").columns) == {"close", "limit_up"}
    assert set(compiled("$close >= $limit_up", price="raw").columns) == {"close", "limit_up"}
    assert compiled("$close / Ref($close, 1) - $raw_close / $pre_close").lookback == 1


@pytest.mark.parametrize(
    "text", ["$open / Ref($close, 1) - 1", "Ref(Mean($volume, 5), 1)", "$list_days", "$limit_up"]
)
def test_what_is_known_at_the_open_may_decide_before_the_close(text: str) -> None:
    assert compiled(text, decide="before_close").source == text


@pytest.mark.parametrize("name", ["close", "high", "low", "vwap", "volume", "amount", "raw_close"])
def test_fields_of_the_close_may_not_decide_before_it(name: str) -> None:
    fault = refused(f"1 + Mean(${name}, 5)", decide="before_close").fault
    assert fault.code == "expr.lookahead"
    assert fault.where == Location("factor.yaml", 3, 16)
    assert fault.hint == f"use Ref(${name}, 1), the previous session's value"


def test_columns_of_other_tables_bring_their_own_instants() -> None:
    late = {"pe": "close+2h", "fair": "open", "close": "close+2h"}
    assert compiled("Ref($pe, 1)", available=late).columns == ("pe",)
    assert refused("Mean($pe, 3)", available=late).fault.code == "expr.lookahead"
    compiled("$fair", available=late, decide="before_close")
    assert refused("$close", available=late).fault.code == "expr.lookahead"


def test_wrong_conventions_are_refused() -> None:
    assert refused("1", price="pre").fault.code == "expr.price"
    assert refused("1", decide="sometimes").fault.code == "expr.decide"


def test_programs_survive_json() -> None:
    for text in (
        "$close / Ref($close, 20) - 1",
        "Corr($close, $volume, 9) + 0.1",
        "If(1 < $open < 3, 1e300, -1)",
    ):
        program = compiled(text)
        assert Program.from_json(program.to_json()) == program
        validate(program)


@pytest.mark.parametrize(
    "change",
    [
        {"instructions": []},
        {"instructions": [{"op": "eval", "args": [], "params": []}]},
        {"instructions": [{"op": "load", "args": [], "params": [9]}]},
        {"instructions": [{"op": "load", "args": [], "params": [0.5]}]},
        {"instructions": [{"op": "load", "args": [0], "params": [0]}]},
        {"instructions": [{"op": "load"}]},
        {
            "instructions": [
                {"op": "load", "args": [], "params": [0]},
                {"op": "mean", "args": [0], "params": [1e9]},
            ]
        },
        {
            "instructions": [
                {"op": "load", "args": [], "params": [0]},
                {"op": "ref", "args": [0], "params": [-1]},
            ]
        },
        {"instructions": [{"op": "neg", "args": [0], "params": []}]},
        {"instructions": "load"},
        {"instructions": [7]},
        {"instructions": [{"op": "load", "args": [], "params": [10**400]}]},
        {
            "instructions": [
                {"op": "load", "args": [], "params": [0]},
                {"op": "neg", "args": [0.5], "params": []},
            ]
        },
        {"columns": ["close", 1]},
        {"output": 5},
        {"output": "0"},
        {"lookback": 3},
        {"columns": 1},
    ],
)
def test_unsound_programs_are_refused(change: dict[str, object]) -> None:
    data = {**compiled("$close", price="raw").to_dict(), **change}
    with pytest.raises(SpecError) as caught:
        Program.from_dict(data)
    assert caught.value.fault.code == "expr.program"


def test_text_that_is_not_json_is_refused() -> None:
    for text in ("", "[" * 100_000, "[1]", "{}", "null", '{"columns": NaN}'):
        with pytest.raises(SpecError):
            Program.from_json(text)


def test_every_function_is_an_operation_with_as_many_slots() -> None:
    for operator in OPERATORS:
        opcode = OPCODES[operator.op]
        window = operator.signature[-1] == "n"
        assert len(operator.signature) == opcode.arity + window
        assert window == (opcode.parameter.value in ("lag", "window"))
    names = [n for o in OPERATORS for n in (o.name, *o.aliases)]
    assert len(names) == len(set(names)) == len(FUNCTIONS)
    assert not set(names) & set(FIELDS)


def test_the_compiler_needs_no_numeric_library() -> None:
    code = (
        "import sys, quant.specs.expr; "
        "sys.exit(len({'numpy', 'polars', 'lark', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
