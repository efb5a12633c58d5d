"""Hold the names whose short average stands furthest above their long one. Copy and change it."""

import numpy as np


class MovingAverages:
    """Decides once a month. What it keeps between sessions are plain attributes: they survive a restart."""

    def __init__(self, fast: int = 10, slow: int = 60, names: int = 30) -> None:
        self.fast, self.slow, self.names = fast, slow, names
        self.month = ""

    def decide(self, view) -> None:
        """Called at every decision; ``view`` knows nothing that was known later."""
        month = f"{view.session:%Y-%m}"
        if month == self.month:
            return
        self.month = month
        close = view.history("close", self.slow)  # [sessions, instruments], adjusted, NaN = unknown
        score = close[-self.fast :].mean(axis=0) / close.mean(axis=0) - 1
        score[~view.tradable() | np.isnan(score)] = -np.inf
        best = [i for i in np.argsort(-score, kind="stable")[: self.names] if score[i] > 0]
        chosen = {view.codes[i] for i in best}
        for code in view.positions:
            if code not in chosen:
                view.target_weight(code, 0)
        for code in sorted(chosen):
            view.target_weight(code, 0.98 / self.names)
