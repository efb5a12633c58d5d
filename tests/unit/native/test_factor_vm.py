"""What the factor virtual machine promises about bits, rows, threads and the future."""

from __future__ import annotations

import os
import threading

import numpy as np
import polars as pl
import pytest
from factor_cases import OPERATIONS, instruction_of, panel, panels, program_of, programs, universe
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quant.core.errors import Location, UsageError
from quant.native import factor
from quant.native.extension import native
from quant.native.factor import evaluate
from quant.specs.expr import OPCODES, Instruction, Program, compile_expression
from quant.specs.expr.ops import Parameter

Size = tuple[int, int, int]
EVERYTHING = """
r = $close / Ref($close, 1) - 1
s = CSRank(Std(r, 20)) + CSZScore(Mean($volume, 5)) - Corr(r, CSRank($volume), 12)
If(Rank(s, 9) > 0.5 and not Delta(s, 3) < 0, Min(s, 40) + Max(r, 7), Log(Abs(s)) * Sum(r, 33))
"""


def compiled(text: str, price: str = "raw") -> Program:
    return compile_expression(text, origin=Location("factor"), price=price)


def market(sessions: int = 150, instruments: int = 1100, seed: int = 3) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    shape = (sessions, instruments)
    close = 10 * np.exp(np.cumsum(rng.normal(0, 0.02, shape), axis=0))
    close[rng.random(shape) < 0.05] = np.nan
    return {"close": close, "volume": np.round(rng.lognormal(3, 1, shape))}


def bits(values: NDArray[np.float64]) -> bytes:
    return values.tobytes()


def test_the_two_operation_tables_agree() -> None:
    expected = [(o.name, o.arity, o.parameter is not Parameter.NONE) for o in OPCODES.values()]
    assert sorted(native.factor_ops()) == sorted(expected)


@pytest.mark.parametrize("isa", ["base", "avx2", "avx512"])
@pytest.mark.parametrize("op", OPERATIONS)
def test_every_variant_gives_the_same_bytes(op: str, isa: str) -> None:
    if isa not in factor.instruction_sets():
        pytest.skip(f"this CPU has no {isa}")
    columns, mask = panel(5, 70, 101), universe(5, 70, 101)
    loads = [Instruction("load", (), (float(i),)) for i in range(3)]
    program = program_of([*loads, instruction_of(op, tuple(range(OPCODES[op].arity)), 9)])
    assert bits(evaluate(program, columns, mask=mask, isa=isa)) == bits(
        evaluate(program, columns, mask=mask, isa="base")
    )


def test_the_environment_chooses_the_variant_and_the_argument_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANT_ISA", "base")
    assert native.chosen_instruction_set("") == "base"
    best = factor.instruction_sets()[-1]
    assert native.chosen_instruction_set(best) == best
    monkeypatch.setenv("QUANT_ISA", "mmx")
    with pytest.raises(UsageError, match="mmx"):
        evaluate(compiled("$close"), market(2, 2))


@given(program=programs(), size=panels, threads=st.sampled_from([2, 3]))
def test_threads_and_variants_give_the_same_bytes(program: Program, size: Size, threads: int) -> None:
    columns, mask = panel(*size), universe(*size)
    alone = bits(evaluate(program, columns, mask=mask, isa="base"))
    assert bits(evaluate(program, columns, mask=mask, threads=threads)) == alone


def test_threads_give_the_same_bytes_over_many_tiles() -> None:
    columns = market()
    for text in (EVERYTHING, "Std($close / Ref($close, 3), 50)"):
        alone = bits(evaluate(compiled(text), columns))
        assert bits(evaluate(compiled(text), columns, threads=2)) == alone


@given(program=programs(), size=panels, data=st.data())
def test_chosen_rows_equal_the_dense_result(program: Program, size: Size, data: st.DataObject) -> None:
    columns, mask = panel(*size), universe(*size)
    rows = np.array(data.draw(st.lists(st.integers(0, size[1] - 1), max_size=12)), dtype=np.int32)
    dense = evaluate(program, columns, mask=mask)
    assert bits(evaluate(program, columns, mask=mask, rows=rows)) == bits(dense[rows])


@given(program=programs(), size=panels, data=st.data())
def test_garbage_after_a_row_changes_nothing_up_to_it(
    program: Program, size: Size, data: st.DataObject
) -> None:
    last = data.draw(st.integers(0, size[1] - 1))
    columns, mask = panel(*size), universe(*size)
    before = evaluate(program, columns, mask=mask)[: last + 1]
    rng = np.random.default_rng(size[0])
    for values in columns.values():
        values[last + 1 :] = rng.choice(
            [np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0], values[last + 1 :].shape
        )
    mask[last + 1 :] = rng.random(mask[last + 1 :].shape) < 0.5
    assert bits(evaluate(program, columns, mask=mask)[: last + 1]) == bits(before)


@given(program=programs(), size=panels, data=st.data())
def test_bits_do_not_depend_on_the_first_row_beyond_the_lookback(
    program: Program, size: Size, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, size[1] - 1))
    columns, mask = panel(*size), universe(*size)
    later = {name: values[start:] for name, values in columns.items()}
    whole = evaluate(program, columns, mask=mask)[start + program.lookback :]
    assert bits(evaluate(program, later, mask=mask[start:])[program.lookback :]) == bits(whole)


def test_every_unknown_has_the_same_bits() -> None:
    columns = panel(1, 40, 40)
    quiet = np.array([np.nan]).view(np.uint64)[0]
    for op in OPERATIONS:
        program = program_of(
            [Instruction("load", (), (float(i),)) for i in range(3)]
            + [instruction_of(op, tuple(range(OPCODES[op].arity)), 2)]
        )
        values = evaluate(program, columns)
        assert set(values[np.isnan(values)].view(np.uint64)) <= {quiet}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$close / $volume", [np.nan, 4.0, np.nan, 5.0]),
        ("Log($close - 4)", [np.nan, np.nan, np.nan, np.log(6.0)]),
        ("Sqrt($close - 4)", [np.nan, 0.0, np.nan, np.sqrt(6.0)]),
        ("$close > 4", [0.0, 0.0, np.nan, 1.0]),
        ("$close > 4 and $volume == 0", [0.0, 0.0, np.nan, 0.0]),
        ("$close > 4 or $volume != 0", [0.0, 1.0, np.nan, 1.0]),
        ("Ref($close, 1)", [np.nan, 2.0, 4.0, np.nan]),
        ("Mean($close, 3)", [np.nan, 3.0, 3.0, 7.0]),
        ("Mean($close, 2)", [2.0, 3.0, 4.0, 10.0]),
        ("Std($close, 2)", [np.nan, np.sqrt(2.0), np.nan, np.nan]),
        ("Rank($close, 3)", [np.nan, 1.0, np.nan, 1.0]),
        ("$close ** -1", [0.5, 0.25, np.nan, 0.1]),
        ("$volume ** -1", [np.nan, 1.0, np.nan, 0.5]),
    ],
)
def test_unknown_values_and_short_windows(text: str, expected: list[float]) -> None:
    columns = {
        "close": np.array([[2.0], [4.0], [np.nan], [10.0]]),
        "volume": np.array([[0.0], [1.0], [0.0], [2.0]]),
    }
    np.testing.assert_allclose(evaluate(compiled(text), columns)[:, 0], expected, rtol=1e-15)


def test_a_window_that_does_not_vary_has_no_spread_at_all() -> None:
    columns = {"close": np.full((10, 40), 0.1)}
    assert (evaluate(compiled("Std($close, 3)"), columns)[2:] == 0.0).all()
    assert np.isnan(evaluate(compiled("CSZScore($close)"), columns)).all()


def test_the_universe_decides_who_is_ranked() -> None:
    columns = {"close": np.array([[3.0, 1.0, 2.0, np.nan, 2.0]])}
    mask = np.array([[True, False, True, True, True]])
    ranked = evaluate(compiled("CSRank($close)"), columns, mask=mask)
    np.testing.assert_array_equal(ranked, [[1.0, np.nan, 0.5, np.nan, 0.5]])


@pytest.mark.parametrize("count", [399, 400, 5000])
def test_ranks_of_many_instruments_average_ties(count: int) -> None:
    rng = np.random.default_rng(count)
    values = np.concatenate(
        [rng.normal(0, 1, count - 9), [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-320, -1e-320, 7, 7]]
    )
    ranked = evaluate(compiled("CSRank($close)"), {"close": values[None, :]})[0]
    places = pl.Series(values).fill_nan(None).rank("average").fill_null(np.nan).to_numpy()
    np.testing.assert_array_equal(ranked, places / (count - 1))


def test_logarithms_are_within_two_units_in_the_last_place() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [np.exp(rng.uniform(-700, 700, 20_000)), rng.uniform(0.5, 2, 20_000), [1.0, 5e-324, 1e308]]
    )
    actual = evaluate(compiled("Log($close)"), {"close": x[:, None]})[:, 0]
    exact = np.log(x.astype(np.longdouble))
    assert (np.abs(actual - exact) <= 2 * np.spacing(np.abs(exact.astype(float)))).all()


def test_the_interpreter_runs_on_while_a_factor_is_computed() -> None:
    columns = market(400, 1500)
    done = threading.Event()

    def work() -> None:
        for _ in range(3):
            evaluate(compiled(EVERYTHING), columns)
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    turns = 0
    while not done.wait(0.001):
        turns += 1
    worker.join()
    assert turns > 20


@pytest.mark.parametrize(
    ("code", "columns", "options"),
    [
        ("factor.column", {"open": np.ones((3, 2))}, {}),
        ("factor.shape", {"close": np.ones((3, 2)), "volume": np.ones((2, 3))}, {}),
        ("factor.shape", {"close": np.ones(3), "volume": np.ones(3)}, {}),
        (
            "factor.shape",
            {"close": np.ones((3, 2)), "volume": np.ones((3, 2))},
            {"mask": np.ones((3, 3), bool)},
        ),
        ("factor.rows", {"close": np.ones((3, 2)), "volume": np.ones((3, 2))}, {"rows": np.array([3])}),
        ("factor.rows", {"close": np.ones((3, 2)), "volume": np.ones((3, 2))}, {"rows": np.array([-1])}),
        ("factor.isa", {"close": np.ones((3, 2)), "volume": np.ones((3, 2))}, {"isa": "neon"}),
        ("factor.memory", {"close": np.ones((3, 2)), "volume": np.ones((3, 2))}, {"memory_limit": 16}),
    ],
)
def test_wrong_calls_say_what_is_wrong(
    code: str, columns: dict[str, object], options: dict[str, object]
) -> None:
    with pytest.raises(UsageError) as caught:
        evaluate(compiled("Mean($close, 2) + $volume"), columns, **options)  # type: ignore[arg-type]
    assert caught.value.fault.code == code


def test_hostile_programs_are_refused_by_the_machine_itself() -> None:
    for code, output, columns in [
        ([("load", [], [1.0])], 0, 1),
        ([("load", [], [0.0]), ("add", [0, 1], [])], 1, 1),
        ([("load", [], [0.0]), ("mean", [0], [1e9])], 1, 1),
        ([("load", [], [0.0]), ("mean", [0], [float("nan")])], 1, 1),
        ([("load", [], [0.0])], 7, 1),
        ([("system", [], [])], 0, 0),
    ]:
        with pytest.raises(ValueError):
            native.FactorProgram(code, output, columns)


def test_columns_alone_and_constants_alone_are_programs_too() -> None:
    close = np.array([[1.0, np.nan], [2.0, 3.0]])
    np.testing.assert_array_equal(evaluate(compiled("$close"), {"close": close}), close)
    mask = np.ones((2, 3), bool)
    np.testing.assert_array_equal(evaluate(compiled("1"), {}, mask=mask), np.ones((2, 3)))
    assert evaluate(compiled("$close"), {"close": close}, rows=np.array([], np.int32)).shape == (0, 2)


def test_rows_may_repeat_and_come_in_any_order() -> None:
    columns = market(30, 7)
    dense = evaluate(compiled("Mean($close, 5)"), columns)
    rows = np.array([9, 2, 9], np.int32)
    assert bits(evaluate(compiled("Mean($close, 5)"), columns, rows=rows)) == bits(dense[rows])


def test_a_long_program_stays_inside_its_memory() -> None:
    psutil = pytest.importorskip("psutil")
    columns = {name: np.ones((2430, 1000)) for name in ("close", "volume")}
    process = psutil.Process(os.getpid())
    text = "CSRank(Mean($close, 60)) + CSRank(Std($volume, 60))"
    evaluate(compiled(text), {n: v[:70] for n, v in columns.items()})
    before = process.memory_info().rss
    values = evaluate(compiled(text), columns)
    assert process.memory_info().rss - before < values.nbytes + 40e6


@given(programs(), st.integers(0, 1000), st.sampled_from([1, 2, 7, 31]), st.integers(1, 3))
def test_a_narrow_panel_has_the_bytes_of_a_wide_one(
    program: Program, seed: int, instruments: int, threads: int
) -> None:
    columns, mask = panel(seed, 90, instruments), universe(seed, 90, instruments)
    alone = any(i.op.startswith("cs_") for i in program.instructions)
    narrow = evaluate(program, columns, mask=mask, threads=threads)
    if alone:  # every other row: evaluated row by row
        rows = np.arange(0, 90, 2, dtype=np.int32)
        assert bits(evaluate(program, columns, mask=mask, rows=rows)) == bits(narrow[::2].copy())
        return
    times = 200 // instruments + 1
    wide = {name: np.tile(values, (1, times)) for name, values in columns.items()}
    expected = evaluate(program, wide, mask=np.tile(mask, (1, times)))[:, :instruments].copy()
    assert bits(narrow) == bits(expected)
    part = np.arange(40, 90, dtype=np.int32)
    assert bits(evaluate(program, columns, mask=mask, rows=part)) == bits(narrow[40:].copy())


@pytest.mark.parametrize("isa", ["base", "avx2", "avx512"])
def test_long_narrow_panels_have_the_bytes_of_wide_ones_in_every_block(isa: str) -> None:
    if isa not in factor.instruction_sets():
        pytest.skip(f"this CPU has no {isa}")
    text = "Mean($close, 30) - Sum(Ref($close, 7), 90) * Std($volume, 12) + Corr($close, $volume, 40)"
    program = compiled(text)
    for unknown in (0.0, 0.001):
        narrow = market(sessions=140_000, instruments=1)
        close = np.abs(np.nan_to_num(narrow["close"], nan=9.0)) % 100
        close[np.random.default_rng(1).random(close.shape) < unknown] = np.nan
        narrow["close"] = close
        wide = {name: np.repeat(values[:9000], 130, axis=1) for name, values in narrow.items()}
        expected = evaluate(program, wide, isa="base")[:, :1].copy()
        assert bits(evaluate(program, narrow, isa=isa)[:9000].copy()) == bits(expected)
        assert bits(evaluate(program, narrow, isa=isa, threads=2)) == bits(evaluate(program, narrow, isa=isa))
