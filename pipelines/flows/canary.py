"""``quant data canary``: one tiny known question to each endpoint of each vendor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from quant.core.errors import UsageError
from quant.core.time import to_datetime, utc_now
from quant.pipelines.flows.sync import SEVERITY
from quant.pipelines.sources import data_specs
from quant.warehouse.lake import Lake
from quant.warehouse.sources.registry import provider

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.sources.canary import CanaryAnswer
    from quant.warehouse.sources.settings import SourceSettings


@dataclass(frozen=True, slots=True)
class CanaryOutcome:
    """Every answer; the exit code is that of the worst change."""

    answers: tuple[CanaryAnswer, ...]

    @property
    def exit_code(self) -> int:
        codes = {a.error.exit_code for a in self.answers if a.error is not None}
        return next((code for code in SEVERITY if code in codes), max(codes, default=0))

    def as_dict(self) -> dict[str, Any]:
        return {
            "ok": not self.exit_code,
            "answers": [
                {
                    "source": a.source,
                    "dataset": a.dataset,
                    "endpoint": a.endpoint,
                    "day": str(a.day),
                    "rows": a.rows,
                    "verdict": a.verdict,
                    "note": a.note,
                    "error": a.error.fault.as_dict() if a.error is not None else None,
                }
                for a in self.answers
            ],
        }


def canary(desk: Workspace, names: tuple[str, ...]) -> CanaryOutcome:
    """Ask the named vendors, or all of the profile. Raises UsageError for a name that is no vendor's."""
    from quant.warehouse.sources.canary import listen
    from quant.warehouse.sources.world import world_of

    chosen = _vendors(desk, names)
    lake = Lake(desk.lake)
    answers: list[CanaryAnswer] = []
    with lake.lock.hold("quant data canary"):
        for settings in chosen:
            today = to_datetime(utc_now()).astimezone(ZoneInfo(settings.timezone)).date()
            answers += listen(settings, world_of(settings, lake), lake.store, today)
    return CanaryOutcome(tuple(answers))


def _vendors(desk: Workspace, names: tuple[str, ...]) -> list[SourceSettings]:
    sources = data_specs(desk).sources
    vendors = {name: s for name, s in sources.items() if provider(s).vendor}
    for name in names:
        if name not in vendors:
            raise UsageError(
                "canary.source",
                f"{name} is no vendor of this profile",
                expected=", ".join(sorted(vendors)) or "a profile with a vendor among its sources",
                found=name,
            )
    return [s for name, s in vendors.items() if not names or name in names]
