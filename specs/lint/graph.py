"""What must hold between the documents of one run."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from quant.core.errors import SpecError
from quant.core.hashing import decimal_text
from quant.specs.compile.compiler import decision_instant, signal_program
from quant.specs.compile.programs import where_programs
from quant.specs.resolution import ResolvedSpec


def check_graph(spec: ResolvedSpec) -> list[SpecError]:
    """Look-ahead, fills before decisions, and limits that the strategy cannot keep."""
    errors = [*_fill(spec), *_weights(spec)]
    decide = decision_instant(spec)
    try:
        signal_program(spec, decide)
    except SpecError as error:
        errors.append(error)
    try:
        where_programs(spec.universe, spec.marks["universe"], decide)
    except SpecError as error:
        errors.append(error)
    return errors


_LATEST_FILLS = {"before_close": ("14:57", ("close",)), "after_open": ("09:30", ("vwap", "close"))}


def _fill(spec: ResolvedSpec) -> list[SpecError]:
    at, code = spec.run.fill.at, spec.strategy.code
    decide = code.instant if code is not None else decision_instant(spec)
    clock, allowed = _LATEST_FILLS.get(decide, ("", (at,)))
    if at not in allowed:
        return [
            SpecError(
                "spec.lookahead",
                f"a decision at {clock} cannot fill at the session's {at}",
                where=spec.where(spec.kind, "fill", "at"),
                expected=f"fill.at: {' or '.join(allowed)}",
                found=at,
                hint=f"set fill.at to {allowed[-1]}, or decide "
                + ("before_open" if decide == "after_open" else "after_close"),
            )
        ]
    return []


def _weights(spec: ResolvedSpec) -> list[SpecError]:
    how, limits = spec.strategy.construct_, spec.risk.limits
    if how is None or how.method == "fixed":
        return []
    errors = []
    invested = 1 - how.cash_buffer
    where = spec.where("strategy", "construct")
    if how.method == "equal" and how.top and limits.single_name is not None:
        weight = min(invested / how.top, how.max_weight or Decimal(1))
        if weight > limits.single_name:
            errors.append(
                SpecError(
                    "spec.contradiction",
                    f"the strategy wants {_percent(weight)} a name, the risk limits allow "
                    f"{_percent(limits.single_name)}",
                    where=spec.where("strategy", "construct", "top"),
                    expected=f"at most {_percent(limits.single_name)} a name (risk {spec.risk.name!r})",
                    found=f"top {how.top}",
                    hint=f"set construct.max_weight to {_percent(limits.single_name)}, or hold at least "
                    f"{(invested / limits.single_name).to_integral_value(ROUND_CEILING)} names",
                )
            )
    if limits.cash_min is not None and limits.cash_min > how.cash_buffer:
        errors.append(
            SpecError(
                "spec.contradiction",
                f"the strategy keeps {_percent(how.cash_buffer)} cash, the risk limits ask for "
                f"{_percent(limits.cash_min)}",
                where=where,
                expected=f"cash_buffer of at least {_percent(limits.cash_min)}",
                found=_percent(how.cash_buffer),
                hint="raise construct.cash_buffer",
            )
        )
    if limits.gross is not None and limits.gross < invested:
        errors.append(
            SpecError(
                "spec.contradiction",
                f"the strategy invests {_percent(invested)}, the risk limits allow {_percent(limits.gross)}",
                where=where,
                expected=f"at most {_percent(limits.gross)} invested",
                found=_percent(invested),
                hint="raise construct.cash_buffer",
            )
        )
    return errors


def _percent(share: Decimal) -> str:
    return f"{decimal_text((share * 100).quantize(Decimal('0.01')))}%"
