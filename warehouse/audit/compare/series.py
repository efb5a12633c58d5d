"""Instruments that differ in many rows: what transforms one source's series into the other's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.adjustment import (
    ADDITIVE,
    DECLARED,
    Steps,
    lean_to,
    match_steps,
    name_adjustment,
)
from quant.warehouse.audit.compare.causes import Kind, cause, unit_cause
from quant.warehouse.audit.compare.found import day_text
from quant.warehouse.audit.compare.pairs import Pair, Values, closes_before, stretched
from quant.warehouse.audit.compare.pieces import Fit, Model, fit, loose
from quant.warehouse.audit.compare.relation import OHLC, Floats, Ints
from quant.warehouse.audit.compare.scales import scaled_by
from quant.warehouse.audit.compare.telling import Judged, Settings, Telling

_FAMILY: Final = {"": "none", "adj_": "unknown", "qfq_": "pre", "hfq_": "post"}
_CONSTANT: Final = 0.9
_RATIO: Final[tuple[Model, ...]] = ("ratio",)
_MODELS: Final[Mapping[str, tuple[Model, ...]]] = dict.fromkeys(ADDITIVE, ("additive", "affine"))
_STRANGE: Final = 0.8
_RELATED: Final = 0.97
"""Returns of one instrument correlate by more, and where volumes differ as well, by much more."""
_ABOUT: Final = 0.01
_FEWEST: Final = 5
_OTHER: Final = 0.1
"""How far from 1 a constant ratio of amounts is another unit, as a currency, rather than other trades."""
_BLUR: Final = 1e-5
_CENTS: Final = 4
_STEP: Final = 5e-4
"""What the smallest distribution moves a factor by, relative."""


def judge(pair: Pair, settings: Settings, into: Judged, untrue: Sequence[str] = ()) -> None:
    """Explain one instrument's series as far as possible; what is left goes to ``into.cells``. ``untrue``
    are fields that one side is known to call adjusted in vain: their law needs no further name.
    """
    if pair.both.sum() < 2:
        return
    worker = _Worker(pair, settings, into, untrue)
    for family, said in _FAMILY.items():
        worker.prices(family, said)
    for name in ("volume", "amount", "factor", "pct_chg", "turnover"):
        if name in settings.fields:
            worker.numbers(name)
    worker.leave()


class _Worker(Telling):
    # -- prices

    def prices(self, family: str, said: str) -> None:
        names = [n for n in (family + base for base in OHLC) if n in self.settings.fields]
        if not names or not any(self.bad[n].any() for n in names):
            return None
        rows = self._whole(names)
        if len(rows) < 2:
            return None
        lean = self.settings.lean.get(family)
        prefer = _MODELS.get(lean.cause, _RATIO) if lean else ()
        law = fit(
            self._matrix("a", names, rows), self._matrix("b", names, rows), *self._quanta(names[0]), prefer
        )
        if law.model == "none":
            return self._strangers(names, rows) if not family else None
        if law.model == "same" or _is_flat(law) or self._is_blurred(law, names[0], family):
            return None
        if not family:
            self.scale = stretched(law.slope, rows, len(self.pair.day)) if law.model == "ratio" else None
        known = bool(set(names) & set(self.untrue))
        kind: Kind = "defect" if known else self._name(law, names, rows, family, said)
        self._undo(law, names, rows, family, kind)
        return None

    def _is_blurred(self, law: Fit, name: str, family: str) -> bool:
        """Equal, but by more than the last digit: vendors who disagree by little, which is no law, unless
        both say that these prices are adjusted and may have rounded twice.
        """
        claims = {self.settings.claims_a.adjustment, self.settings.claims_b.adjustment}
        level, offset = law.levels()[:2]
        rough = law.noise.digits > 1 or law.noise.share > _BLUR
        if family or claims <= set(DECLARED) or law.pieces > 1 or not rough:
            return False
        near = _CENTS * max(self._quanta(name))
        return bool(abs(level[0] - 1) < _STEP / 2 and abs(offset[0]) <= near)

    def _whole(self, names: Sequence[str]) -> Ints:
        ok = self.pair.both & ~self.asleep()
        for name in names:
            ok = ok & np.isfinite(self.pair.a[name]) & np.isfinite(self.pair.b[name])
        return np.flatnonzero(ok)

    def _matrix(self, side: str, names: Sequence[str], rows: Ints) -> Floats:
        values = self.pair.a if side == "a" else self.pair.b
        return np.stack([values[name][rows] for name in names])

    def _quanta(self, name: str) -> tuple[float, float]:
        return self.settings.quanta.get(name, (0.0, 0.0))

    def _name(self, law: Fit, names: Sequence[str], rows: Ints, family: str, said: str) -> Kind:
        a, b = self._series(rows, family, "a"), self._series(rows, family, "b")
        slope = law.levels()[0]
        power = float(np.log10(abs(slope[0]))) if law.pieces == 1 and slope[0] else 0.0
        if law.model == "ratio" and abs(power - round(power)) < 1e-6 and round(power) and not family:
            declared = self.settings.claims_a.units and self.settings.claims_b.units
            detail = f"constant ratio {slope[0]:g} over {len(rows)} rows"
            kind: Kind = "defect" if declared else "convention"
            self.add(
                unit_cause("close", round(power), declared=declared),
                names,
                rows,
                detail,
                kind=kind,
                suspect="b" if power > 0 else "a",
            )
            return kind
        claim_a = said if family else self.settings.claims_a.adjustment
        claim_b = said if family else self.settings.claims_b.adjustment
        named = name_adjustment(law, a, b, claim_a, claim_b)  # type: ignore[arg-type]
        named = self.into.named[family] = lean_to(named, law, self.settings.lean.get(family))
        with np.errstate(invalid="ignore", divide="ignore"):
            level = a["close"] / b["close"] if named.adjusted == "a" else b["close"] / a["close"]
        raw = b if named.adjusted == "a" else a
        steps = match_steps(law, raw, named.adjusted != "a", level if law.model == "ratio" else None)
        detail = named.detail + _steps_text(steps)
        self.add(named.cause, names, rows, detail, suspect=named.suspect, kind=named.kind)
        self._steps(steps, rows, names, named.adjusted)
        return named.kind or cause(named.cause).kind

    def _series(self, rows: Ints, family: str, side: str) -> Values:
        values = self.pair.a if side == "a" else self.pair.b
        own = {base: values[family + base][rows] for base in OHLC if family + base in values}
        for name in ("pre_close", "volume", "amount"):
            if name in values and not np.isnan(values[name][rows]).all():
                own[name] = values[name][rows]
        if "close" not in own:
            own["close"] = next(iter(own.values()))
        if family:
            own.pop("pre_close", None)
        elif "close" in values:
            own["before"] = closes_before(self.pair, side)[rows]
        return own

    def _steps(self, steps: Steps, rows: Ints, names: Sequence[str], suspect: str) -> None:
        for kind, moved in (("late_factor", steps.late), ("early_factor", steps.early)):
            for gap, step in moved:
                first, last = sorted((gap, step))
                self.one(
                    kind,
                    names,
                    rows[first],
                    rows[max(first, last - 1)],
                    abs(step - gap),
                    f"ex-date {day_text(self.pair.day[rows[gap]])}, "
                    f"step on {day_text(self.pair.day[rows[step]])}",
                    suspect,
                )
        if steps.on:
            for gap in steps.missed:
                self.one(
                    "missing_factor_step",
                    names,
                    rows[gap],
                    rows[gap],
                    1,
                    f"no step on ex-date {day_text(self.pair.day[rows[gap]])}",
                    suspect,
                )

    def _undo(self, law: Fit, names: Sequence[str], rows: Ints, family: str, kind: Kind) -> None:
        """Express b on a's scale; a cell is bad when it is further off than both sides' digits allow."""
        own = [*names]
        if not family:
            own += [n for n in ("pre_close", "limit_up", "limit_down") if n in self.settings.fields]
        room = 1.25 if law.model != "affine" else 1.6  # a line of two numbers is known less well
        slope = stretched(law.slope, rows, len(self.pair.day))
        offset = stretched(law.offset, rows, len(self.pair.day))
        for name in own:
            quantum_a, quantum_b = self._quanta(name)
            a, b = self.pair.a[name], self.pair.b[name]
            with np.errstate(invalid="ignore", divide="ignore"):
                back = (b - offset) / slope
                bound = (quantum_b / 2 / np.abs(slope) + quantum_a / 2) * room * law.noise.digits
                bound = bound + 1.4 * law.noise.share * np.abs(a) + 1e-9
                if name not in names:
                    bound = bound + 0.006 / np.abs(slope) + 0.006
                off = np.abs(back - a) > bound
            if name not in names:  # a vendor may leave reference prices and limits as traded
                off &= np.abs(b - a) > quantum_a / 2 + quantum_b / 2 + 1e-9
            before = self.bad[name]
            after = self.pair.both & off & ~self.asleep()
            self.into.told.append((name, kind, self.pair.day[before & ~after]))
            self.scaled[name] = np.where(after, back, a)
            self.bad[name] = after
        if not family and "change" in self.settings.fields:
            self.settle("change", np.flatnonzero(self.bad["change"]), kind)

    def _strangers(self, names: Sequence[str], rows: Ints) -> None:
        """Series that no law connects: different instruments when their returns have nothing in common."""
        close = next((n for n in names if n.endswith("close")), names[-1])
        a, b = self.pair.a[close][rows], self.pair.b[close][rows]
        if len(rows) < 20 or (a <= 0).any() or (b <= 0).any():
            return
        x, y = np.diff(np.log(a)), np.diff(np.log(b))
        if x.std() == 0 or y.std() == 0:
            return
        together = _together(x, y)
        other = "volume" in self.bad and self.bad["volume"][rows].mean() > _CONSTANT
        if together < (_RELATED if other else _STRANGE) and self.bad[close][rows].mean() > _CONSTANT:
            detail = f"returns correlate by {together:.2f} over {len(rows)} rows: not the same instrument"
            self.add("identity", names, rows, detail, field="bar")
            for name in self.settings.fields:
                self.into.told.append((name, "defect", self.pair.day[self.bad[name]]))
                self.bad[name][:] = False

    # -- volumes, amounts, factors

    def numbers(self, name: str) -> None:
        bad = self.bad[name]
        rows = np.flatnonzero(
            self.pair.both & np.isfinite(self.pair.a[name]) & np.isfinite(self.pair.b[name])
            & (self.pair.a[name] != 0) & (self.pair.b[name] != 0)
        )  # fmt: skip
        if len(rows) < 3 or bad[rows].sum() < min(5, 0.5 * len(rows)):
            return None
        a, b = self.pair.a[name][rows], self.pair.b[name][rows]
        power = int(np.rint(np.median(np.log10(np.abs(b / a)))))
        if power and name != "factor":
            large, small = (b, a) if power > 0 else (a, b)
            near = scaled_by(name, large, small, 10.0 ** abs(power))
            if near.mean() > _CONSTANT:
                return self._unit(name, rows[near], len(rows), power)
        if name in ("volume", "amount") and self._changes_unit(name, a, b):
            return None  # row by row: the unit changes within the series
        if name in ("volume", "amount", "factor"):
            told = self._pieces(name, rows, a, b)
            if name == "volume" and not told:
                self._with_prices(rows, a, b)
        return None

    def _with_prices(self, rows: Ints, a: Floats, b: Floats) -> None:
        """Volumes divided by what prices were multiplied with, as far as the two sources agree on volumes."""
        if self.scale is None:
            return
        scale = self.scale[rows]
        far = np.abs(scale - 1) > 2 * _ABOUT
        near = np.abs(b * scale - a) <= _ABOUT * np.abs(a)
        if far.sum() < _FEWEST or near[far].mean() < _CONSTANT:
            return
        text = f"volumes x {scale[far].min():.6g} to {scale[far].max():.6g}, as the prices were divided"
        self.add("adjusted_volume", ["volume"], rows[far & near], text)
        whole = np.where(np.abs(self.scale - 1) > 2 * _ABOUT, self.scale, 1.0)
        self.scaled["volume"] = self.pair.b["volume"] * whole
        told = rows[far & ~self.differs("volume", widen=200.0)[rows]]
        self.settle("volume", told, "convention")

    def _changes_unit(self, name: str, a: Floats, b: Floats) -> bool:
        """Whether rows agree as they are or after a power of ten, and some need one."""
        power = np.rint(np.log10(np.abs(b / a)))
        near = np.zeros(len(a), dtype=bool)
        for each in np.unique(power[power != 0]).tolist():
            large, small = (b, a) if each > 0 else (a, b)
            near |= (power == each) & scaled_by(name, large, small, 10.0 ** abs(each))
        return bool(near.sum() >= _FEWEST and (near | (power == 0)).mean() > _CONSTANT)

    def _unit(self, name: str, near: Ints, count: int, power: int) -> None:
        """Scale the coarser side up; what differs then is judged again."""
        declared = self.settings.claims_a.units and self.settings.claims_b.units
        kind: Kind = "defect" if declared else "convention"
        what = f"b = a x 1e{power} on {len(near)} of {count} rows"
        suspect = "b" if power < 0 else "a"
        self.add(unit_cause(name, power, declared=declared), [name], near, what, kind=kind, suspect=suspect)
        if power > 0:
            self.own[name] = self.own[name] * 10.0**power
        else:
            self.scaled[name] = self.scaled[name] * 10.0**-power
        before = self.bad[name]
        self.bad[name] = self.differs(name, widen=10.0 ** abs(power))
        self.into.told.append((name, kind, self.pair.day[before & ~self.bad[name]]))

    def _pieces(self, name: str, rows: Ints, a: Floats, b: Floats) -> bool:
        """Tell a ratio that is constant, or changes a few times; False where there is none."""
        slack = {"volume": 200.0, "amount": 10.0}.get(name, 0.0)
        quanta = self._quanta(name)
        law = fit(a[None, :], b[None, :], max(quanta[0], slack), max(quanta[1], slack))
        few = law.pieces <= 2 + len(rows) / 60
        if name == "volume" and (law.model != "ratio" or not few):
            return self._split_alone(rows, a, b)
        if law.model != "ratio" or not few or (name != "factor" and (np.abs(law.slope - 1) < 0.005).all()):
            return False
        if name == "amount" and (law.pieces > 1 or abs(law.slope[0] - 1) < _OTHER):
            return False
        good = rows[~law.odd]
        if name == "factor" and law.pieces > 1:
            self._factor_steps(law, rows, a, b)
        else:
            slope, _, _ = law.levels()
            why = {"volume": "adjusted_volume", "amount": "unit"}.get(name, "base")
            text = f"ratio {slope[0]:.6g} to {slope[-1]:.6g} in {law.pieces} pieces"
            self.add(why, [name], good, text)
            self.settle(name, good, cause(why).kind)
        slope = stretched(law.slope, rows, len(self.pair.day))
        self.scaled[name] = self.pair.b[name] / slope
        return True

    def _split_alone(self, rows: Ints, a: Floats, b: Floats) -> bool:
        """Volumes in shares of today although the prices are as traded, where vendors disagree on some."""
        law = loose(a[None, :], b[None, :], 0.0, 0.0)
        if law is None:
            return False
        far = law.slope != 1.0
        levels = law.slope[far]
        text = f"ratio {levels[0]:.6g} to {levels[-1]:.6g} before a split that one side has undone"
        self.add("adjusted_volume", ["volume"], rows[far & ~law.odd], text)
        self.scaled["volume"] = self.pair.b["volume"] / stretched(law.slope, rows, len(self.pair.day))
        agree = ~self.differs("volume", widen=200.0)[rows]
        self.settle("volume", rows[far & agree], "convention")
        return True

    def _factor_steps(self, law: Fit, rows: Ints, a: Floats, b: Floats) -> None:
        """Two factors that part on a day: one of them lacks a distribution, or it steps by another ratio."""
        slope, _, first = law.levels()
        ends = [*first[1:].tolist(), len(rows)]
        for number, (start, stop) in enumerate(zip(first.tolist(), ends, strict=True)):
            inside = rows[start:stop][~law.odd[start:stop]]
            if not inside.size:
                continue
            if number == 0:
                self.settle("factor", inside, "convention")
                continue
            steps = [abs(x[start] / x[start - 1] - 1) > _STEP for x in (a, b)]
            why = "adjustment_differs" if steps[0] == steps[1] else "missing_factor_step"
            suspect = "" if steps[0] == steps[1] else "ab"[steps.index(False)]
            text = f"the ratio of the factors goes from {slope[number - 1]:.6g} to {slope[number]:.6g}"
            self.one(why, ["factor"], int(inside[0]), int(inside[-1]), len(inside), text, suspect)
            self.settle("factor", inside, cause(why).kind)


def _is_flat(law: Fit) -> bool:
    """Pieces whose ratios differ by less than any distribution: prices written differently for some time."""
    return law.model == "ratio" and law.pieces > 1 and bool((np.abs(law.slope - 1) < _STEP / 2).all())


def _together(x: Floats, y: Floats) -> float:
    """The correlation of returns by medians: a split that one of two series has, or a few wrong prices, do
    not hide that they go together.
    """
    size = float(np.median(x**2) + np.median(y**2))
    if size == 0:
        return float(np.corrcoef(x, y)[0, 1])
    return 1 - float(np.median((x - y) ** 2)) / size


def _steps_text(steps: Steps) -> str:
    if not steps.known or not steps.total:
        return ""
    text = f"; {steps.on} of {steps.total} steps on ex-dates"
    return text + (f", {len(steps.missed)} ex-dates without a step" if steps.missed else "")
