"""Settings: layers, origins, profiles, formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from quant.core.errors import StateConflict, UsageError
from quant.pipelines.workspace import Workspace

TOML = """
format = 1
name = "desk"
[defaults]
profile = "demo"
[report]
lang = "en"
[profiles.demo]
sources = ["sim"]
[profiles.real]
sources = ["files"]
report.lang = "zh"
vendor.token = "s3cret"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "quant.toml").write_text(TOML)
    return tmp_path


def origin(workspace: Workspace, key: str) -> str:
    return next(s.origin for s in workspace.settings if s.key == key)


def test_nearest_quant_toml_is_found_from_below(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = root / "specs" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert Workspace.find().root == root


def test_environment_beats_profile_beats_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Workspace.find(root).get("report.lang") == "en"
    real = Workspace.find(root, profile="real")
    assert (real.get("report.lang"), real.get("sources")) == ("zh", ["files"])
    assert origin(real, "report.lang").endswith("[profiles.real]")
    monkeypatch.setenv("QUANT__REPORT__LANG", "en")
    loud = Workspace.find(root, profile="real")
    assert (loud.get("report.lang"), origin(loud, "report.lang")) == ("en", "environment QUANT__REPORT__LANG")


def test_secrets_are_masked(root: Path) -> None:
    shown = {s.key: s.shown for s in Workspace.find(root, profile="real").settings}
    assert shown["vendor.token"] == "***"


def test_profiles_keep_their_state_apart(root: Path) -> None:
    assert Workspace.find(root).state != Workspace.find(root, profile="real").state


def test_unknown_profile_names_the_known_ones(root: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Workspace.find(root, profile="live")
    assert caught.value.fault.expected == "demo or real"


def test_a_newer_format_is_a_conflict_with_the_fix(root: Path) -> None:
    (root / "quant.toml").write_text("format = 99\n")
    with pytest.raises(StateConflict) as caught:
        Workspace.find(root)
    assert caught.value.exit_code == 5
    assert "pip install" in (caught.value.fault.hint or "")


@pytest.mark.parametrize("text", ["format = ", "format = 'x'", "\x00"])
def test_bad_files_are_usage_errors(root: Path, text: str) -> None:
    (root / "quant.toml").write_text(text)
    with pytest.raises(UsageError):
        Workspace.find(root)


def test_no_workspace_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        Workspace.find()
    assert "quant init" in (caught.value.fault.hint or "")


def test_an_unknown_setting_of_the_environment_is_an_error_with_the_nearest_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANT__REPROT__LANG", "zh")
    with pytest.raises(UsageError) as caught:
        Workspace.find(root)
    assert (caught.value.fault.code, caught.value.exit_code) == ("setting.unknown", 2)
    assert "QUANT__REPORT__LANG" in str(caught.value.fault.hint)
    monkeypatch.setenv("QUANT__REPROT__LANG", "")
    assert Workspace.find(root).get("report.lang") == "en"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPORT__LANG", "de"),
        ("ENGINE__THREADS", "many"),
        ("ENGINE__THREADS", "0"),
        ("STORAGE__SECRET_KEY", "AKIA-plain"),
        ("FROM", "2024-13-01"),
        ("SOURCES", "sim"),
    ],
)
def test_a_setting_of_the_environment_takes_what_the_file_takes(
    name: str, value: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"QUANT__{name}", value)
    with pytest.raises(UsageError) as caught:
        Workspace.find(root)
    assert f"QUANT__{name}" in caught.value.fault.message
    assert "AKIA" not in str(caught.value.fault.as_dict())


def test_settings_of_the_environment_have_the_types_of_the_file(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "ENGINE__THREADS": "2",
        "STORAGE__ALLOW_HTTP": "true",
        "FROM": "2024-01-02",
        "REPORT__LANG": "zh",
        "CLICKHOUSE__URL": "clickhouse://me@host:8123/q",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"QUANT__{name}", value)
    desk = Workspace.find(root)
    found = [desk.get(k) for k in ("engine.threads", "storage.allow_http", "from", "report.lang")]
    assert found == [2, True, "2024-01-02", "zh"]


def test_calls_are_counted_where_paths_quota_says(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Workspace.find(root).quota is None
    monkeypatch.setenv("QUANT__PATHS__QUOTA", "shared/quota.db")
    assert Workspace.find(root).quota == root / "shared" / "quota.db"
