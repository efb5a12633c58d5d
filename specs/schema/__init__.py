"""The kinds of documents as pydantic models, and what a value may look like."""

from quant.specs.schema.computed import EventsSource
from quant.specs.schema.data import SimulatedSource, SourceSpec
from quant.specs.schema.files import FilesSource
from quant.specs.schema.model import Spec
from quant.specs.schema.project import ProjectSpec
from quant.specs.schema.research import FactorSpec, StrategySpec, UniverseSpec
from quant.specs.schema.select import FieldInfo, fields_at, model_for, models
from quant.specs.schema.tables import TableSpec
from quant.specs.schema.trading import BacktestSpec, CostSpec, DeploymentSpec, RiskSpec
from quant.specs.schema.vendors import VendorSource

__all__ = [
    "BacktestSpec",
    "CostSpec",
    "DeploymentSpec",
    "EventsSource",
    "FactorSpec",
    "FieldInfo",
    "FilesSource",
    "ProjectSpec",
    "RiskSpec",
    "SimulatedSource",
    "SourceSpec",
    "Spec",
    "StrategySpec",
    "TableSpec",
    "UniverseSpec",
    "VendorSource",
    "fields_at",
    "model_for",
    "models",
]
