"""A folder of S3 or of what speaks its protocol: objects through boto3, Parquet through the readers' own
clients, with the same credentials.

``create`` is a conditional PUT (``If-None-Match: *``): S3, MinIO, R2 and GCS's S3 door know it; a store that
ignores it must not be written by two machines at once.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

from quant.core.errors import MissingComponent, QuantError, TransientError, UsageError
from quant.warehouse.store import Entry

_KNOWN: Final = ("endpoint", "region", "allow_http", "access_key", "secret_key", "session_token")
_ADDRESS: Final = re.compile(r"s3://([a-z0-9][a-z0-9.\-]{1,61}[a-z0-9])(?:/(.*))?")
_MISSING: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_TAKEN: Final = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})


@dataclass(frozen=True)
class Account:
    """How a bucket is reached; credentials are resolved when they are first needed."""

    endpoint: str | None
    region: str
    allow_http: bool
    access_key: str | None
    secret_key: str | None
    session_token: str | None

    @cached_property
    def session(self) -> Any:
        try:
            import boto3
        except ImportError as error:
            raise MissingComponent(
                "storage.s3",
                "a lake on object storage needs boto3",
                found=str(error),
                hint="pip install 'quant-toolkit[s3]'",
            ) from error
        return boto3.Session(self.access_key, self.secret_key, self.session_token, self.region)

    @cached_property
    def client(self) -> Any:
        from botocore.config import Config

        config = Config(retries={"mode": "standard", "total_max_attempts": 5}, max_pool_connections=32)
        return self.session.client("s3", endpoint_url=self.endpoint, config=config)

    def keys(self) -> tuple[str, str, str]:
        """Access key, secret key and session token ("" = none). Raises UsageError where there are none."""
        found = self.session.get_credentials()
        if found is None:
            raise UsageError(
                "storage.credentials",
                "there are no credentials for the object storage",
                expected="storage.access_key and storage.secret_key as references to secrets, or "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
                found="neither",
            )
        frozen = found.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token or ""


@dataclass(frozen=True)
class Remote:
    """A folder as ClickHouse's ``s3`` function reads it."""

    url: str
    credentials: tuple[str, ...]


@dataclass(frozen=True)
class ObjectFolder:
    """A prefix of a bucket."""

    bucket: str
    prefix: str
    account: Account

    @classmethod
    def open(cls, uri: str, options: Mapping[str, object]) -> ObjectFolder:
        """The folder of ``s3://bucket/prefix``. Raises UsageError for a bad address or option."""
        found = _ADDRESS.fullmatch(uri.rstrip("/"))
        if not found:
            raise UsageError("storage.address", "this is no bucket", expected="s3://bucket/prefix", found=uri)
        if unknown := sorted(set(options) - set(_KNOWN)):
            raise UsageError(
                "storage.option",
                f"storage has no option {', '.join(unknown)}",
                expected=", ".join(_KNOWN),
                found=", ".join(unknown),
            )
        return cls(found[1], found[2] or "", _account(tuple(sorted(options.items()))))

    def __str__(self) -> str:
        return self.uri

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def options(self) -> dict[str, str] | None:
        access, secret, token = self.account.keys()
        given = {
            "aws_access_key_id": access,
            "aws_secret_access_key": secret,
            "aws_session_token": token,
            "aws_region": self.account.region,
            "aws_endpoint_url": self.account.endpoint or "",
            "aws_allow_http": "true" if self.account.allow_http else "",
        }
        return {name: value for name, value in given.items() if value}

    def below(self, *parts: str) -> ObjectFolder:
        return ObjectFolder(self.bucket, "/".join(p for p in (self.prefix, *parts) if p), self.account)

    def location(self, name: str) -> str:
        return f"s3://{self.bucket}/{self._key(name)}"

    def arrow_filesystem(self) -> Any:
        from pyarrow.fs import S3FileSystem

        access, secret, token = self.account.keys()
        scheme, _, host = (self.account.endpoint or "").rpartition("://")
        return S3FileSystem(
            access_key=access,
            secret_key=secret,
            session_token=token or None,
            region=self.account.region,
            scheme=scheme or "https",
            endpoint_override=host or None,
        )

    def arrow_path(self, name: str) -> str:
        return f"{self.bucket}/{self._key(name)}"

    def clickhouse(self) -> Remote:
        """The folder's address and credentials for ClickHouse."""
        base = self.account.endpoint or f"https://s3.{self.account.region}.amazonaws.com"
        keys = self.account.keys()
        return Remote(f"{base.rstrip('/')}/{self.bucket}/{self.prefix}", keys if keys[2] else keys[:2])

    # -- objects

    def read(self, name: str) -> bytes:
        with self._told(name):
            found = self.account.client.get_object(Bucket=self.bucket, Key=self._key(name))
            content: bytes = found["Body"].read()
            return content

    def write(self, name: str, content: bytes, *, durable: bool = True) -> None:
        del durable  # an object is there when the answer is
        with self._told(name):
            self.account.client.put_object(Bucket=self.bucket, Key=self._key(name), Body=content)

    def create(self, name: str, content: bytes) -> bool:
        from botocore.exceptions import ClientError

        with self._told(name):
            try:
                self.account.client.put_object(
                    Bucket=self.bucket, Key=self._key(name), Body=content, IfNoneMatch="*"
                )
            except ClientError as error:
                if _code(error) not in _TAKEN:
                    raise
                # A first try whose answer was lost has made the object: it is ours if it says what we said.
                return self._is(name, content)
        return True

    def _is(self, name: str, content: bytes) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return self.read(name) == content
        return False

    def stamp(self, name: str) -> str | None:
        found = self._head(name)
        return None if found is None else str(found["ETag"])

    def size(self, name: str) -> int | None:
        found = self._head(name)
        return None if found is None else int(found["ContentLength"])

    def _head(self, name: str) -> Any:
        with contextlib.suppress(FileNotFoundError), self._told(name):
            return self.account.client.head_object(Bucket=self.bucket, Key=self._key(name))
        return None

    def folders(self) -> list[str]:
        with self._told(""):
            pages = self._pages(Delimiter="/")
            found = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]
        return sorted(each.rstrip("/").rpartition("/")[2] for each in found)

    def entries(self) -> Iterator[Entry]:
        start = len(self._key(""))
        with self._told(""):
            found = [each for page in self._pages() for each in page.get("Contents", ())]
        for each in found:
            yield Entry(each["Key"][start:], int(each["Size"]), each["LastModified"].timestamp())

    def _pages(self, **more: str) -> Any:
        paginator = self.account.client.get_paginator("list_objects_v2")
        return paginator.paginate(Bucket=self.bucket, Prefix=self._key(""), **more)

    def remove(self, name: str) -> None:
        with self._told(name):
            self.account.client.delete_object(Bucket=self.bucket, Key=self._key(name))

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Turn the client's errors into ours; a missing object into a FileNotFoundError."""
        from botocore.exceptions import BotoCoreError, ClientError

        place = f"s3://{self.bucket}/{self._key(name)}"
        try:
            yield
        except ClientError as error:
            code, status = _code(error), _status(error)
            if code in _MISSING:
                raise FileNotFoundError(place) from error
            if status >= 500 or code in ("SlowDown", "RequestTimeout", "Throttling"):
                raise _unreachable(place, str(error)) from error
            raise QuantError(
                "storage.refused",
                f"the object storage refused {place}",
                expected="a bucket that exists and may be read and written",
                found=f"{code} ({status})",
                hint="check paths.lake, storage.endpoint, storage.region and the credentials",
            ) from error
        except BotoCoreError as error:
            raise _unreachable(place, str(error)) from error


def _unreachable(place: str, found: str) -> TransientError:
    return TransientError(
        "storage.unreachable",
        f"the object storage does not answer for {place}",
        expected="an answer",
        found=found,
        hint="run the command again; check storage.endpoint",
    )


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@lru_cache(maxsize=16)
def _account(options: tuple[tuple[str, object], ...]) -> Account:
    given = dict(options)
    endpoint = str(given["endpoint"]).rstrip("/") if given.get("endpoint") else None
    allow_http = str(given.get("allow_http", False)).lower() in ("true", "1", "yes")
    if endpoint is not None and endpoint.startswith("http://") and not allow_http:
        raise UsageError(
            "storage.http",
            "the endpoint of the object storage is not encrypted",
            expected="https://…, or storage.allow_http = true for a store on a private network",
            found=endpoint,
        )
    return Account(
        endpoint=endpoint,
        region=str(given.get("region") or "us-east-1"),
        allow_http=allow_http,
        access_key=_secret(given.get("access_key")),
        secret_key=_secret(given.get("secret_key")),
        session_token=_secret(given.get("session_token")),
    )


def _secret(reference: object) -> str | None:
    if not reference:
        return None
    from quant.warehouse.secrets import resolve_secret

    return resolve_secret(str(reference))
