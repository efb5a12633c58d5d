"""Judging stored tables: rules over rows, and what broke them."""

from __future__ import annotations

from quant.warehouse.audit.table_checks import CheckResult, Listing, TableRule, applies, combined, run_check

__all__ = ["CheckResult", "Listing", "TableRule", "applies", "combined", "run_check"]
