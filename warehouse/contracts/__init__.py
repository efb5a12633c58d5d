"""Data contracts: what every canonical table promises, checked before a row is stored."""

from __future__ import annotations

from quant.warehouse.contracts.docs import contract_docs
from quant.warehouse.contracts.tables import CONTRACTS, TableContract, contract, datasets

__all__ = ["CONTRACTS", "TableContract", "contract", "contract_docs", "datasets"]
