"""A review between two states of a workspace says what changed, how gravely, and what it touches."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from quant.core.errors import SpecErrors, UsageError
from quant.pipelines.flows.init import create_workspace
from quant.pipelines.flows.review import review


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.email=desk@example.org", "-c", "user.name=desk")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A committed workspace below the root of a repository."""
    root = tmp_path / "repository" / "desk"
    create_workspace(root, "ashare")
    git(root.parent, "init", "-q")
    git(root.parent, "add", "-A")
    git(root.parent, "commit", "-qm", "first")
    return root


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_nothing_changed(desk: Path) -> None:
    found = review("HEAD", None, desk)
    assert (found.verdict, found.changes, dict(found.affected)) == ("no change", (), {})
    assert "Nothing that a run or a table depends on has changed" in found.markdown()


def test_a_comment_is_cosmetic_or_nothing(desk: Path) -> None:
    for path in (desk / "specs").glob("*.yaml"):
        path.write_text("# reviewed\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert review("HEAD", None, desk).changes == ()


def test_a_factor_touches_the_runs_that_use_it(desk: Path) -> None:
    change(desk / "specs" / "my_factor.yaml", "top: 30", "top: 7")
    found = review("HEAD", None, desk)
    assert found.verdict == "result-changing"
    assert [(c.document, c.path, c.old, c.new) for c in found.changes] == [
        ("strategy/calm_momentum_topn", "construct.top", "30", "7")
    ]
    assert found.affected["strategy/calm_momentum_topn"] == ("backtest/calm_momentum",)
    assert "| result-changing | strategy/calm_momentum_topn | construct.top | 30 | 7 |" in found.markdown()


def test_code_of_a_strategy_counts(desk: Path) -> None:
    (desk / "strategies" / "ma.py").open("a", encoding="utf-8").write("\nEDGE = 1\n")
    found = review("HEAD", None, desk)
    assert [(c.effect, c.document, c.path) for c in found.changes] == [
        ("result-changing", "strategy/my_ma", "code")
    ]
    assert found.affected["strategy/my_ma"] == ("backtest/my_ma",)


def test_another_source_changes_every_run(desk: Path) -> None:
    change(desk / "quant.toml", 'sources = ["sim"]', 'sources = ["sim_b"]')
    found = review("HEAD", None, desk)
    assert found.verdict == "result-changing"
    (runs,) = found.affected.values()
    assert "backtest/my_ma" in runs and "backtest/calm_momentum" in runs


def test_two_revisions_and_a_removed_document(desk: Path) -> None:
    (desk / "specs" / "my_factor.yaml").unlink()
    git(desk, "add", "-A")
    git(desk, "commit", "-qm", "second")
    found = review("HEAD~1", "HEAD", desk)
    assert found.verdict == "breaking"
    assert review("HEAD", "HEAD", desk).changes == ()


def test_faults_of_a_revision_name_it(desk: Path) -> None:
    (desk / "specs" / "broken.yaml").write_text("kind: [", encoding="utf-8")
    git(desk, "add", "-A")
    git(desk, "commit", "-qm", "broken")
    (desk / "specs" / "broken.yaml").unlink()
    with pytest.raises(SpecErrors) as raised:
        review("HEAD", None, desk)
    assert "HEAD:specs/broken.yaml" in str(raised.value.errors[0].fault.where)


def test_what_is_no_revision(desk: Path) -> None:
    with pytest.raises(UsageError, match="neither a path nor a revision"):
        review("no-such-branch", None, desk)
    with pytest.raises(UsageError, match="neither a path nor a revision"):
        review("--output=x", None, desk)
