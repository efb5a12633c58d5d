"""Every fault of a set of specs at once, and what is allowed but looks wrong."""

from quant.specs.lint.documents import check
from quant.specs.lint.graph import check_graph
from quant.specs.lint.report import LintReport, LintWarning, lint

__all__ = ["LintReport", "LintWarning", "check", "check_graph", "lint"]
