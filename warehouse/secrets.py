"""Credentials: specs hold references, values come from the environment, a keyring or an encrypted file, and
whatever was resolved is blacked out of every text that leaves the program.

``env://NAME``            an environment variable (also written ``env:NAME``)
``keyring://service/name`` the keyring of the desktop or server (also ``keyring:service/name``)
``file://name``           the encrypted file of this user (also ``file:name``)
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import secrets as random_bytes
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal
from urllib.parse import quote

from quant.core.errors import CheckFailed, Fault, MissingComponent, QuantError, SpecErrors, UsageError
from quant.warehouse.files import write_atomic

Scheme = Literal["env", "keyring", "file"]
PASSPHRASE: Final = "QUANT_PASSPHRASE"
MASK: Final = "***"
SHORTEST: Final = 4
"""Shorter values are not blacked out: they would black out half of every text."""
FILE_FORMAT: Final = 1
_REFERENCE: Final = re.compile(r"(env|keyring|file):(?://)?(.+)")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a credential is kept; ``service`` only for a keyring."""

    scheme: Scheme
    name: str
    service: str = ""

    def __str__(self) -> str:
        where = f"{self.service}/{self.name}" if self.service else self.name
        return f"{self.scheme}://{where}"

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """The reference in a text. Raises UsageError ``secret.reference``; the text is not shown, since it
        may be the secret itself.
        """
        found = _REFERENCE.fullmatch(text.strip())
        scheme, rest = (found[1], found[2]) if found else ("", "")
        service, _, name = rest.rpartition("/") if scheme == "keyring" else ("", "", rest)
        if not found or not _NAME.fullmatch(name) or (scheme == "keyring" and not service):
            raise UsageError(
                "secret.reference",
                "this is no reference to a secret",
                expected="env://NAME, keyring://service/name or file://name",
                found="(not shown)",
            )
        return cls(scheme, name, service)  # type: ignore[arg-type]


def resolve_secret(reference: str) -> str:
    """The credential behind a reference, remembered so that ``redact`` blacks it out.

    Raises UsageError ``secret.missing`` with the command that would set it.
    """
    ref = SecretRef.parse(reference)
    value = _READ[ref.scheme](ref)
    if not value:
        fix = f"export {ref.name}=…" if ref.scheme == "env" else f"quant secret set {ref}"
        raise UsageError(
            "secret.missing", f"there is no secret {ref}", expected="a value", found="nothing", hint=fix
        )
    black_out(value)
    return value


def set_secret(reference: str, value: str) -> SecretRef:
    """Keep a credential in the keyring or the encrypted file. Raises UsageError for ``env:``."""
    ref = SecretRef.parse(reference)
    black_out(value)
    if ref.scheme != "env" and (not value or "\x00" in value):
        raise UsageError("secret.value", f"the value of {ref} is empty", expected="a text")
    match ref.scheme:
        case "env":
            raise UsageError(
                "secret.environment",
                f"{ref} is read from the environment, which this command cannot set",
                expected="keyring://service/name or file://name",
                found=str(ref),
                hint=f"export {ref.name}=…",
            )
        case "keyring":
            _keyring(lambda ring: ring.set_password(ref.service, ref.name, value))
            _remember(ref, there=True)
        case "file":
            vault = Vault()
            vault.write({**vault.read(), ref.name: value})
    return ref


def remove_secret(reference: str) -> SecretRef:
    """Forget a credential. Raises UsageError ``secret.missing`` when there is none."""
    ref = SecretRef.parse(reference)
    missing = UsageError("secret.missing", f"there is no secret {ref}", hint="quant secret ls shows them")
    if ref.scheme == "env":
        raise UsageError("secret.environment", f"{ref} is kept by the environment", hint=f"unset {ref.name}")
    if not _READ[ref.scheme](ref):
        raise missing
    if ref.scheme == "keyring":
        _keyring(lambda ring: ring.delete_password(ref.service, ref.name))
        _remember(ref, there=False)
    else:
        vault = Vault()
        kept = vault.read()
        del kept[ref.name]
        vault.write(kept)
    return ref


def list_secrets() -> list[SecretRef]:
    """The names in the encrypted file, and those of the keyring that were set here; never a value."""
    names = [SecretRef("file", name) for name in sorted(Vault().read())]
    return [*names, *(SecretRef.parse(each) for each in sorted(_remembered()))]


# --- blacking out -----------------------------------------------------------------------------------------

_hidden: set[str] = set()
_inside = threading.Lock()
_OURS = "redacts"


def black_out(value: str) -> None:
    """From now on ``redact`` and every log record hide the value, its parts (``user:password``) and what it
    looks like in JSON, in a URL and in base64.
    """
    forms = {value, *(part for part in value.split(":") if ":" in value)}
    for text in list(forms):
        raw = text.encode()
        forms |= {
            quote(text, safe=""),
            json.dumps(text)[1:-1],
            base64.b64encode(raw).decode(),
            repr(text)[1:-1],
        }
    with _inside:
        _hidden.update(form for form in forms if len(form) >= SHORTEST)
        if not getattr(logging.getLogRecordFactory(), _OURS, False):
            _redact_logs()
        if not getattr(sys.excepthook, _OURS, False):  # libraries set their own: ours goes around it
            _redact_tracebacks()


def redact(text: str) -> str:
    """The text with every known credential blacked out."""
    if not _hidden:
        return text
    for value in sorted(_hidden, key=len, reverse=True):
        if value in text:
            text = text.replace(value, MASK)
    return text


def redact_error(error: BaseException) -> None:
    """Black out the texts of an error, in place."""
    error.args = tuple(redact(arg) if isinstance(arg, str) else arg for arg in error.args)
    if isinstance(error, SpecErrors):
        for each in error.errors:
            redact_error(each)
    if isinstance(error, QuantError):
        fault = error.fault
        error.fault = Fault(
            fault.code,
            redact(fault.message),
            fault.where,
            *(None if text is None else redact(text) for text in (fault.expected, fault.found, fault.hint)),
        )


def _redact_tracebacks() -> None:
    """A traceback that nobody catches is printed without credentials."""

    def shown(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            shown(args.exc_type, args.exc_value, args.exc_traceback)

    setattr(shown, _OURS, True)
    sys.excepthook, threading.excepthook = shown, in_thread


def _redact_logs() -> None:
    make = logging.getLogRecordFactory()

    def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        shown = record.getMessage() if record.args else str(record.msg)
        if redact(shown) != shown:
            record.msg, record.args = redact(shown), ()
        if record.exc_info and record.exc_text is None:
            text = logging.Formatter().formatException(record.exc_info)
            if redact(text) != text:
                record.exc_text, record.exc_info = redact(text), None
        return record

    setattr(made, _OURS, True)
    logging.setLogRecordFactory(made)


# --- where values come from -------------------------------------------------------------------------------


def _from_environment(ref: SecretRef) -> str:
    return os.environ.get(ref.name, "")


def _from_keyring(ref: SecretRef) -> str:
    return str(_keyring(lambda ring: ring.get_password(ref.service, ref.name)) or "")


def _from_file(ref: SecretRef) -> str:
    return Vault().read().get(ref.name, "")


_READ: Final[dict[str, Callable[[SecretRef], str]]] = {
    "env": _from_environment,
    "keyring": _from_keyring,
    "file": _from_file,
}


def _keyring(use: Callable[[Any], Any]) -> Any:
    import keyring
    from keyring.errors import KeyringError

    try:
        return use(keyring)
    except KeyringError as error:
        raise MissingComponent(
            "secret.keyring",
            "no keyring answers on this machine",
            expected="a running keyring (a desktop session, or a backend that keyring knows)",
            found=f"{type(error).__name__}: {error}",
            hint="use file://name (quant secret set file://name) or env://NAME instead",
        ) from None


def config_folder() -> Path:
    """The user's folder for settings of this program."""
    given = os.environ.get("QUANT_CONFIG_HOME")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CONFIG_HOME") or os.environ.get("APPDATA")
    return (Path(base) if base else Path.home() / ".config") / "quant"


def _index() -> Path:
    return config_folder() / "keyring.json"


def _remembered() -> set[str]:
    try:
        names = json.loads(_index().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {str(each) for each in names} if isinstance(names, list) else set()


def _remember(ref: SecretRef, *, there: bool) -> None:
    """Keyrings cannot be listed: the names (never the values) set here are kept beside."""
    names = _remembered() - {str(ref)} | ({str(ref)} if there else set())
    write_atomic(_index(), json.dumps(sorted(names)).encode(), durable=False)


class Vault:
    """The encrypted file: Fernet under a key made by scrypt from a passphrase, or from a key file that only
    its owner can read. Names and values are both encrypted.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or config_folder()
        self._file = self._folder / "secrets.enc"
        self._key_file = self._folder / "secrets.key"

    def read(self) -> dict[str, str]:
        """Names and values. Raises CheckFailed ``secret.unreadable`` for a wrong passphrase or damage."""
        if not self._file.is_file():
            return {}
        from cryptography.fernet import Fernet, InvalidToken

        try:
            body = json.loads(self._file.read_bytes())
            salt, token = base64.b64decode(body["salt"]), body["token"].encode()
            plain = Fernet(self._key(salt)).decrypt(token)
            return {str(k): str(v) for k, v in json.loads(plain).items()}
        except (ValueError, KeyError, TypeError, InvalidToken):
            raise CheckFailed(
                "secret.unreadable",
                f"{self._file} cannot be decrypted",
                expected=f"the passphrase it was written with, in {PASSPHRASE}, or its key file",
                found="another key, or a damaged file",
                hint=f"export {PASSPHRASE}=… as it was then, or remove the file and set the secrets again",
            ) from None

    def write(self, values: dict[str, str]) -> None:
        """Replace the file's content under a fresh salt."""
        from cryptography.fernet import Fernet

        self._folder.mkdir(parents=True, exist_ok=True)
        salt = random_bytes.token_bytes(16)
        token = Fernet(self._key(salt, create=True)).encrypt(json.dumps(values, sort_keys=True).encode())
        body = {"format": FILE_FORMAT, "salt": base64.b64encode(salt).decode(), "token": token.decode()}
        write_atomic(self._file, json.dumps(body, sort_keys=True).encode())
        self._file.chmod(0o600)

    def _key(self, salt: bytes, *, create: bool = False) -> bytes:
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

        material = self._material(create=create)
        return base64.urlsafe_b64encode(Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(material))

    def _material(self, *, create: bool) -> bytes:
        passphrase = os.environ.get(PASSPHRASE)
        if passphrase:
            return passphrase.encode()
        if create and not self._key_file.exists():
            handle = os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as key:
                key.write(base64.b64encode(random_bytes.token_bytes(32)))
        try:
            if os.name == "posix" and self._key_file.stat().st_mode & 0o077:
                raise UsageError(
                    "secret.key_open",
                    f"{self._key_file} can be read by others",
                    expected="permissions 0600",
                    hint=f"chmod 600 {self._key_file}",
                )
            return self._key_file.read_bytes()
        except FileNotFoundError:
            raise UsageError(
                "secret.passphrase",
                "the encrypted secrets need their passphrase",
                expected=f"{PASSPHRASE} in the environment, or the key file {self._key_file}",
                found="neither",
                hint=f"export {PASSPHRASE}=…",
            ) from None
