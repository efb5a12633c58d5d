"""What the grammar accepts, and where it says that something is wrong."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import Location, SpecError
from quant.specs.expr import compile_expression
from quant.specs.expr.lexer import Source
from quant.specs.expr.nodes import Apply, Call, Comparison, Expression, FieldName, Literal, Name
from quant.specs.expr.parser import parse

ORIGIN = Location("factor.yaml", 10, 5)


def shown(node: Expression) -> str:
    match node:
        case Literal(value=value):
            return f"{value:g}"
        case FieldName(name=name):
            return f"${name}"
        case Name(name=name):
            return name
        case Call(function=function, args=args):
            return f"{function}({' '.join(shown(a) for a in args)})"
        case Comparison(ops=ops, args=args):
            return f"[{' '.join(ops)}: {' '.join(shown(a) for a in args)}]"
        case Apply(op=op, args=args):
            return f"({op} {' '.join(shown(a) for a in args)})"


def parsed(text: str) -> str:
    return shown(parse(Source(text, ORIGIN)).result)


def fault_of(text: str) -> tuple[str, str]:
    with pytest.raises(SpecError) as caught:
        compile_expression(text, origin=ORIGIN)
    return caught.value.fault.code, str(caught.value.fault.where)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("1 + 2 * 3", "(add 1 (mul 2 3))"),
        ("(1 + 2) * 3", "(mul (add 1 2) 3)"),
        ("1 - 2 - 3", "(sub (sub 1 2) 3)"),
        ("8 / 4 / 2", "(div (div 8 4) 2)"),
        ("-2 ** 2", "(neg (power 2 2))"),
        ("2 ** -1", "(power 2 (neg 1))"),
        ("2 ** 3 ** 2", "(power 2 (power 3 2))"),
        ("+ -$a", "(neg $a)"),
        ("not a and b or c", "(or (and (not a) b) c)"),
        ("not a == b", "(not [eq: a b])"),
        ("1 < x <= 3", "[lt le: 1 x 3]"),
        ("a < 1 and b > 2", "(and [lt: a 1] [gt: b 2])"),
        ("Mean($close, 5)", "Mean($close 5)"),
        ("f()", "f()"),
        ("1_000.5e-3", "1.0005"),
        (".5", "0.5"),
        ("# first\n  1 +\n  # between\n  2", "(add 1 2)"),
        ("Mean(\n  $close,\n  5\n)", "Mean($close 5)"),
        ("a = 1; b = 2\n\n a + b;", "(add a b)"),
    ],
)
def test_precedence_and_layout(text: str, tree: str) -> None:
    assert parsed(text) == tree


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("", "expr.syntax", "10:5"),
        ("# nothing", "expr.syntax", "10:14"),
        ("$close +", "expr.syntax", "10:13"),
        ("$close $open", "expr.syntax", "10:12"),
        ("($close", "expr.syntax", "10:12"),
        ("$close)", "expr.syntax", "10:11"),
        ("Mean($close 5)", "expr.syntax", "10:17"),
        ("$close & 1", "expr.syntax", "10:12"),
        ("$close，5", "expr.syntax", "10:11"),
        ("$", "expr.syntax", "10:5"),
        ("a = 1\nb = 2", "expr.syntax", "11:10"),
        ("a = 1\n$close\n$open", "expr.syntax", "12:5"),
        ("$close = 1", "expr.syntax", "10:12"),
        ("and = 1\n1", "expr.syntax", "10:5"),
        ("1e999", "expr.syntax", "10:5"),
        ("r = $close\nr +* 2", "expr.syntax", "11:8"),
        ("x.close", "expr.syntax", "10:6"),
        ("__import__('os')", "expr.syntax", "10:16"),
        ("lambda: 1", "expr.syntax", "10:11"),
        ("[1]", "expr.syntax", "10:5"),
        ("(" * 65 + "1" + ")" * 65, "expr.limit", "10:69"),
        ("-" * 100 + "1", "expr.limit", "10:69"),
        ("1+" * 6000 + "1", "expr.limit", "10:5"),
        ("$close+" * 600 + "$open", "expr.limit", "10:4204"),
    ],
)
def test_faults_have_a_place(text: str, code: str, where: str) -> None:
    assert fault_of(text) == (code, f"factor.yaml:{where}")


def test_messages_say_expected_found_and_hint() -> None:
    with pytest.raises(SpecError) as caught:
        compile_expression("Mean($close, 5", origin=ORIGIN)
    fault = caught.value.fault
    assert fault.expected == "',' or ')' for the '(' of 10:9"
    assert fault.found == "end of expression"
    with pytest.raises(SpecError) as caught:
        compile_expression("$a & $b", origin=ORIGIN)
    assert caught.value.fault.hint == "write: and"


def test_long_sums_are_deep_trees_but_no_recursion() -> None:
    terms = " + ".join(f"Ref($close, {n})" for n in range(1, 200))
    program = compile_expression(terms, origin=ORIGIN)
    assert program.lookback == 199


@pytest.mark.parametrize(
    "text",
    [
        "0<(" * 63 + "1" + ")<1" * 63,
        "a=$close\n" + "".join(f"{c}=a+a\n" for c in "bcdefgh") + "h",
        "".join(f"v{i} = v{i - 1} + v{i - 1}\n" if i else "v0 = $close\n" for i in range(400)) + "v399",
        "Mean(" * 60 + "$close" + ",2000)" * 60,
        "x" * 9999,
        "$" * 9999,
        "1\n" * 4000,
        "a=1;" * 2000,
        "9" * 9999,
        "not " * 2400 + "1",
    ],
)
def test_hostile_texts_end_quickly(text: str) -> None:
    begin = time.perf_counter()
    try:
        compile_expression(text, origin=ORIGIN)
    except SpecError as error:
        assert error.fault.where is not None
    assert time.perf_counter() - begin < 2.0


WORDS = "$close $open x Mean Ref CSRank If ( ) , + - * / ** < == = and or not 1 2.5 -1 ; # 5"


@given(
    st.one_of(
        st.text(max_size=60), st.lists(st.sampled_from([*WORDS.split(), "\n"]), max_size=30).map(" ".join)
    )
)
def test_any_text_compiles_or_is_refused_with_a_place(text: str) -> None:
    try:
        program = compile_expression(text, origin=ORIGIN)
    except SpecError as error:
        assert error.fault.where is not None and error.fault.where.line >= 10
        assert error.fault.code.startswith("expr.")
    else:
        assert 0 <= program.output < len(program.instructions)
