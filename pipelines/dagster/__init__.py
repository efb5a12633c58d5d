"""The Dagster code location, and syncs as runs of it. The only place beside ``assets`` that imports dagster.

Import what is needed from here: the first line keeps Dagster's notices off the user's terminal.
"""

from quant.pipelines.dagster import notices  # isort: skip  # must come before dagster is imported

notices.silence()

from quant.pipelines.dagster.instance import fail_orphans, open_instance  # noqa: E402
from quant.pipelines.dagster.location import build_definitions  # noqa: E402
from quant.pipelines.dagster.materialize import materialize_plan  # noqa: E402

__all__ = ["build_definitions", "fail_orphans", "materialize_plan", "open_instance"]
