"""Whether the long suites run whole: ``make soak``."""

import os
from typing import Final

SOAK: Final = os.environ.get("QUANT_SOAK") == "1"
