"""Credentials: where they are kept, and that they never come out."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from desks import write_desk
from faults import Faults
from soak import SOAK
from test_tushare import END, SOURCE, START
from tushare_server import TOKEN, TushareServer

from quant.core.errors import CheckFailed, MissingComponent, QuantError, SpecErrors, UsageError
from quant.pipelines.sources import data_specs
from quant.warehouse import secrets
from quant.warehouse.secrets import (
    SecretRef,
    Vault,
    list_secrets,
    redact,
    remove_secret,
    resolve_secret,
    set_secret,
)

VALUE = "p@ss/wörd+4711:second-half"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("QUANT_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("QUANT_PASSPHRASE", raising=False)
    return tmp_path / "config"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("env://TS_TOKEN", "env://TS_TOKEN"),
        ("env:TS_TOKEN", "env://TS_TOKEN"),
        ("keyring://tushare/token", "keyring://tushare/token"),
        ("keyring:tushare/token", "keyring://tushare/token"),
        ("keyring://org/tushare/token", "keyring://org/tushare/token"),
        ("file://tushare", "file://tushare"),
        ("file:tushare", "file://tushare"),
    ],
)
def test_references_have_a_long_and_a_short_form(text: str, shown: str) -> None:
    assert str(SecretRef.parse(text)) == shown


@pytest.mark.parametrize(
    "text", ["hunter2", "https://x/y", "env://a b", "keyring://token", "file://../x", "file:/etc/x"]
)
def test_what_is_no_reference_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        SecretRef.parse(text)
    assert text not in str(caught.value.fault)


def test_a_missing_secret_says_how_to_set_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    for reference, fix in (
        ("env://NOT_SET", "export NOT_SET=…"),
        ("file://none", "quant secret set file://none"),
    ):
        with pytest.raises(UsageError) as caught:
            resolve_secret(reference)
        assert (caught.value.fault.code, caught.value.fault.hint) == ("secret.missing", fix)


@pytest.mark.parametrize("passphrase", ["", "correct horse"])
def test_the_file_keeps_names_and_values_encrypted(
    passphrase: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if passphrase:
        monkeypatch.setenv("QUANT_PASSPHRASE", passphrase)
    set_secret("file://tushare", VALUE)
    set_secret("file://joinquant", "user:other")
    assert resolve_secret("file:tushare") == VALUE
    assert [str(ref) for ref in list_secrets()] == ["file://joinquant", "file://tushare"]
    content = (home / "secrets.enc").read_bytes()
    assert b"tushare" not in content
    assert VALUE.encode() not in content
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    assert set(modes.values()) == {0o600}
    assert ("secrets.key" in modes) is not bool(passphrase)
    remove_secret("file://tushare")
    with pytest.raises(UsageError):
        resolve_secret("file://tushare")


def test_another_passphrase_does_not_open_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANT_PASSPHRASE", "one")
    set_secret("file://a", VALUE)
    monkeypatch.setenv("QUANT_PASSPHRASE", "two")
    with pytest.raises(CheckFailed, match="cannot be decrypted"):
        resolve_secret("file://a")
    monkeypatch.delenv("QUANT_PASSPHRASE")
    with pytest.raises(UsageError, match="need their passphrase"):
        resolve_secret("file://a")


def test_a_damaged_file_is_said_and_a_key_others_can_read_is_refused(home: Path) -> None:
    set_secret("file://a", VALUE)
    (home / "secrets.key").chmod(0o644)
    with pytest.raises(UsageError, match="read by others"):
        resolve_secret("file://a")
    (home / "secrets.key").chmod(0o600)
    (home / "secrets.enc").write_bytes(b"{}")
    with pytest.raises(CheckFailed):
        Vault().read()


def test_a_machine_without_a_keyring_says_what_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backends.fail import Keyring

    monkeypatch.setattr(keyring, "get_password", Keyring().get_password)
    with pytest.raises(MissingComponent) as caught:
        resolve_secret("keyring://tushare/token")
    assert caught.value.exit_code == 7
    assert "file://name" in str(caught.value.fault.hint)


def test_a_keyring_keeps_and_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring

    ring: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(keyring, "set_password", lambda s, n, v: ring.__setitem__((s, n), v))
    monkeypatch.setattr(keyring, "get_password", lambda s, n: ring.get((s, n)))
    monkeypatch.setattr(keyring, "delete_password", lambda s, n: ring.pop((s, n)))
    set_secret("keyring://tushare/token", VALUE)
    assert resolve_secret("keyring:tushare/token") == VALUE
    assert [str(r) for r in list_secrets()] == ["keyring://tushare/token"]
    remove_secret("keyring://tushare/token")
    assert (ring, list_secrets()) == ({}, [])


def test_no_text_of_ours_shows_a_resolved_secret() -> None:
    secrets.black_out(VALUE)
    for form in (VALUE, "second-half", base64.b64encode(VALUE.encode()).decode(), json.dumps(VALUE)):
        assert form.strip('"') not in redact(f"refused: {form} (token)")
    error = QuantError("vendor.refused", f"no rights for {VALUE}", found=VALUE, hint=f"use {VALUE}")
    secrets.redact_error(error)
    assert "second-half" not in f"{error} {error.args} {error.fault}"


def test_logs_and_uncaught_tracebacks_show_no_resolved_secret(capsys: pytest.CaptureFixture[str]) -> None:
    secrets.black_out(VALUE)
    stream = io.StringIO()
    logger, handler = logging.getLogger("test.secrets"), logging.StreamHandler(stream)
    logger.addHandler(handler)
    try:
        try:
            raise ValueError(VALUE)
        except ValueError as error:
            logger.exception("with %s", VALUE)
            sys.excepthook(ValueError, error, error.__traceback__)
    finally:
        logger.removeHandler(handler)
    shown = stream.getvalue() + capsys.readouterr().err
    assert "ValueError" in shown
    assert "***" in shown
    assert "second-half" not in shown


def test_a_secret_in_a_source_is_a_reference(tmp_path: Path) -> None:
    text = SOURCE.format(url="http://127.0.0.1:1", per_minute=1, per_day=1, rows=1, timeout=1)
    desk = write_desk(tmp_path, "ts", text.replace("env://TS_TOKEN", TOKEN), START, END)
    with pytest.raises(SpecErrors) as caught:
        data_specs(desk)
    assert TOKEN not in str([e.fault for e in caught.value.errors])


@pytest.mark.slow
def test_no_artefact_of_a_sync_holds_the_token(tmp_path: Path) -> None:
    """A refusal that repeats the token, then a sync that works: nothing written or printed shows it."""
    environment = {
        **os.environ,
        "TS_TOKEN": TOKEN,
        "QUANT_QUOTA_DB": str(tmp_path / "quota.db"),
        "HOME": str(tmp_path / "home"),
    }
    (tmp_path / "home").mkdir()
    root, said, codes = tmp_path / "desk", b"", []
    with TushareServer(indiscreet=True) as vendor:
        text = SOURCE.format(url=vendor.url, per_minute=10_000, per_day=10_000, rows=5000, timeout=5)
        write_desk(root, "ts", text, START, END)
        for arguments in (["bars_1d"], ["bars_1d", "--debug"], ["bars_1d", "--json"]):
            vendor.indiscreet = len(codes) < 2
            command = [sys.executable, "-m", "quant.qcli.main", "data", "sync", *arguments, "-w", str(root)]
            done = subprocess.run(command, env=environment, capture_output=True, timeout=120)
            codes.append(done.returncode)
            said += done.stdout + done.stderr
    assert codes == [1, 1, 0], said.decode()[-3000:]
    assert b"vendor.refused" in said
    assert TOKEN.encode() not in said
    holding = [p for p in tmp_path.rglob("*") if p.is_file() and TOKEN.encode() in p.read_bytes()]
    assert holding == []


KEYRING = """
import json, os, pathlib
from keyring.backend import KeyringBackend


class Memory(KeyringBackend):
    priority = 10

    def get_password(self, service, name):
        return json.loads(os.environ["TEST_KEYRING"]).get(f"{service}/{name}")

    def set_password(self, service, name, value):
        raise NotImplementedError
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["env", "keyring", "file"])
def test_no_artefact_of_any_kind_of_secret_holds_it(tmp_path: Path, kind: str, home: Path) -> None:
    """Refused, spoilt and good answers, a second process, an audit, Dagster's records, the encrypted file:
    nothing that is written or printed shows the token, plain, quoted or in base64.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if name != "TS_TOKEN"},
        "QUANT_QUOTA_DB": str(tmp_path / "quota.db"),
        "QUANT_CONFIG_HOME": str(home),
        "HOME": str(tmp_path / "home"),
    }
    (tmp_path / "home").mkdir()
    backends = tmp_path / "backends"
    if kind == "env":
        environment["TS_TOKEN"] = TOKEN
        reference = "env://TS_TOKEN"
    elif kind == "file":
        set_secret("file://tushare", TOKEN)
        reference = "file://tushare"
    else:
        backends.mkdir()
        (backends / "memory_ring.py").write_text(KEYRING, encoding="utf-8")
        environment |= {
            "PYTHONPATH": str(backends),
            "PYTHON_KEYRING_BACKEND": "memory_ring.Memory",
            "TEST_KEYRING": json.dumps({"tushare/token": TOKEN}),
        }
        reference = "keyring://tushare/token"
    root, said, codes = tmp_path / "desk", b"", []

    def quant(*arguments: str) -> None:
        nonlocal said
        command = [sys.executable, "-m", "quant.qcli.main", *arguments, "-w", str(root)]
        done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
        codes.append(done.returncode)
        said += done.stdout + done.stderr

    with TushareServer(indiscreet=True) as vendor:
        text = SOURCE.format(url=vendor.url, per_minute=10_000, per_day=10_000, rows=5000, timeout=2)
        write_desk(root, "ts", text.replace("env://TS_TOKEN", reference), START, END)
        quant("data", "sync", "bars_1d", "--debug")
        vendor.indiscreet, vendor.token = False, "another"
        quant("data", "sync", "bars_1d", "--json")
        vendor.token = TOKEN
        if kind == "env" or SOAK:
            vendor.faults = Faults(3, rate=1.0, kinds=("half_json", "not_json", "wrong_type"))
            quant("data", "sync", "bars_1d")
            assert codes.pop() in (3, 4), said.decode()[-3000:]
            vendor.faults = None
        quant("data", "sync", "bars_1d")
        if kind == "env" or SOAK:
            quant("data", "sync", "bars_1d", "--dry-run", "--json")
            quant("data", "restate", "bars_1d", "--from", str(START), "--to", str(END))
            quant("data", "status", "--json")
            quant("data", "canary", "--json")
            codes.pop()  # it may find what the faults left
    assert codes[:2] == [1, 1], said.decode()[-3000:]
    assert not any(codes[2:]), said.decode()[-3000:]
    forms = [TOKEN.encode(), base64.b64encode(TOKEN.encode()), TOKEN[:20].encode()]
    assert [form for form in forms if form in said] == []
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("dagster" in str(path) and path.suffix == ".db" for path in written)
    assert any("raw" in path.parts for path in written)
    holding = [path for path in written for form in forms if form in path.read_bytes()]
    assert holding == []


def test_hooks_that_others_set_later_are_taken_in(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets.black_out(VALUE)
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    secrets.black_out(VALUE)
    error = ValueError(VALUE)
    sys.excepthook(ValueError, error, None)
    shown = capsys.readouterr().err
    assert "ValueError" in shown and "second-half" not in shown
