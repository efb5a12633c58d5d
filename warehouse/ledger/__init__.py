"""The ledger database: what was run, by whom, and every mutating verb."""

from __future__ import annotations

from quant.warehouse.ledger.ledger import Ledger
from quant.warehouse.ledger.records import AuditEntry, RunRecord, SessionRecord

__all__ = ["AuditEntry", "Ledger", "RunRecord", "SessionRecord"]
