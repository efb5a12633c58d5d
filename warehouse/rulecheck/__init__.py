"""Real bars against the rulebook: which prints lie outside the limits of their day, and why."""

from quant.warehouse.rulecheck.causes import CAUSES, Cause
from quant.warehouse.rulecheck.report import SideCheck
from quant.warehouse.rulecheck.run import Known, Side, check_sides

__all__ = ["CAUSES", "Cause", "Known", "Side", "SideCheck", "check_sides"]
