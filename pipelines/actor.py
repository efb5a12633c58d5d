"""Who did it: recorded with every mutating verb."""

from __future__ import annotations

import getpass
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Actor:
    """User, host, the command as typed, and the git commit of the workspace (None outside git)."""

    user: str
    host: str
    command: str
    commit: str | None

    def as_dict(self) -> dict[str, str | None]:
        return asdict(self)


def current_actor(root: Path) -> Actor:
    """The actor of this process in the workspace ``root``."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # no such user in the password database, as in some containers
        user = "unknown"
    command = " ".join(["quant", *sys.argv[1:]]) if sys.argv else "python"
    return Actor(
        user=user, host=platform.node() or "unknown", command=command[:1000], commit=git_commit(root)
    )


@lru_cache(maxsize=8)
def git_commit(root: Path) -> str | None:
    """HEAD of the repository that holds ``root``, with ``+`` when files are changed; None without git."""
    try:
        head = _git(root, "rev-parse", "HEAD")
        dirty = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}{'+' if dirty else ''}" if head else None


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=5, check=True
    )
    return done.stdout.strip()
