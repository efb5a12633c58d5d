"""Text of a factor, signal or filter to its flat program."""

from __future__ import annotations

from collections.abc import Mapping

from quant.core.errors import Location, SpecError
from quant.specs.expr.fields import PRICES
from quant.specs.expr.infer import Names, infer
from quant.specs.expr.lexer import Source
from quant.specs.expr.lower import lower
from quant.specs.expr.parser import parse
from quant.specs.expr.passes.fold import fold_constants
from quant.specs.expr.passes.share import drop_unused, share_equal
from quant.specs.expr.program import Program
from quant.specs.expr.types import DECIDE


def compile_expression(
    text: str,
    *,
    origin: Location,
    price: str = "adj_post",
    available: Mapping[str, str] | None = None,
    decide: str = "after_close",
    params: Mapping[str, float] | None = None,
) -> Program:
    """Parse, type, simplify and lower one expression.

    ``origin`` is the place of the text's first character. ``price`` says whether ``$close`` and its kin
    are post-adjusted (``adj_post``) or as traded (``raw``). ``available`` maps further columns, or columns
    known at another instant than usual, to ``preopen``, ``open``, ``close``, ``close+2h`` or
    ``announcement``. ``decide`` is when the result is used: look-ahead against it is refused. ``params`` are
    named numbers.
    Raises SpecError with the place, what was expected and what was found.
    """
    if price not in PRICES:
        raise SpecError(
            "expr.price",
            f"unknown price convention {price!r}",
            where=origin,
            expected=" or ".join(PRICES),
            found=price,
        )
    if decide not in DECIDE:
        raise SpecError(
            "expr.decide",
            f"unknown decision time {decide!r}",
            where=origin,
            expected=" or ".join(DECIDE),
            found=decide,
        )
    source = Source(text, origin)
    graph = infer(parse(source), source, Names(price, available or {}, params or {}), decide)
    return lower(drop_unused(share_equal(fold_constants(graph))), source)
