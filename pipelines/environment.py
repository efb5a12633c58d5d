"""The environment a run was made in, for its receipt: versions, not paths."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("quant-toolkit", "numpy", "polars", "pyarrow", "deltalake", "hydra-core", "pydantic")


def environment() -> dict[str, str]:
    """Python, machine and the packages that could touch a result."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found
