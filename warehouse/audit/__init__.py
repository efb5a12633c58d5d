"""Judging stored tables: rules over rows, and what broke them."""

from __future__ import annotations

from quant.warehouse.audit.absence import absences
from quant.warehouse.audit.judging import Listing
from quant.warehouse.audit.table_checks import CheckResult, TableRule, applies, combined, run_check

__all__ = ["CheckResult", "Listing", "TableRule", "absences", "applies", "combined", "run_check"]
