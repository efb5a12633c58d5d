"""``quant.toml``: the project document of a workspace and its profiles."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from quant.specs.schema.model import Header, Part
from quant.specs.schema.values import (
    Count,
    Date,
    FilePattern,
    Flag,
    Folder,
    LakePlace,
    Megabytes,
    Name,
    Secret,
    ServerAddress,
    Text,
)


class Paths(Part):
    """Folders of the workspace, relative to it."""

    specs: FilePattern = "specs"
    """The folder of specs."""
    strategies: FilePattern = "strategies"
    """The folder of Python strategies."""
    state: FilePattern = ".quant"
    """The folder of data, runs and sessions; nothing in it is written by hand."""
    lake: LakePlace | None = None
    """Where the lake lies: a folder, or `s3://bucket/prefix`; below the state unless said otherwise."""
    quota: Folder | None = None
    """The database in which the calls of vendors are counted, shared by all workspaces of an account; in the
    user's state folder unless said otherwise."""


class ProjectDefaults(Part):
    """What a command means that names nothing."""

    profile: Name = "demo"
    """The profile used when none is asked for."""
    backtest: Name | None = None
    """The backtest of `quant backtest` without a spec."""
    deployment: Name | None = None
    """The deployment of `quant deploy` without a spec."""


class ReportSettings(Part):
    """How results are shown."""

    lang: Literal["en", "zh"] = "en"
    """The language of reports."""
    up: Literal["red", "green"] = "red"
    """The colour of a rising price."""


class EngineSettings(Part):
    """How work is done; never changes a result."""

    threads: Count = 1
    """Threads of the factor engine."""
    sql: Literal["clickhouse", "duckdb", "server"] = "clickhouse"
    """The engine of `quant data sql`: ClickHouse or DuckDB on the lake's files, or a ClickHouse server."""
    panel_cache_mb: Megabytes = 4096
    """Room for panels kept on disk between runs, in MiB; 0 keeps none."""


class StorageSettings(Part):
    """How a lake on object storage is reached."""

    endpoint: Text | None = None
    """The address of a store that is not Amazon's, as `https://minio.example:9000`."""
    region: Text | None = None
    """The region of the bucket."""
    allow_http: Flag = False
    """Whether the endpoint may be without encryption, on a private network."""
    access_key: Secret | None = None
    """The access key, as a reference: `env://NAME`, `keyring://service/name`, `file://name`. Without it the
    usual places of AWS credentials are asked."""
    secret_key: Secret | None = None
    """The secret key, as a reference."""
    session_token: Secret | None = None
    """The token of temporary credentials, as a reference."""


class ClickHouseSettings(Part):
    """A ClickHouse server that holds copies of the lake's tables."""

    url: ServerAddress
    """`clickhouse://user@host:8123/database`; `clickhouses://` with encryption."""
    password: Secret | None = None
    """The password, as a reference: `env://NAME`, `keyring://service/name`, `file://name`."""


class Profile(Part):
    """One way to run the workspace: which sources feed the tables, and how results are shown."""

    description: Text = ""
    """Words for people."""
    sources: Annotated[list[Name], Field(min_length=1)]
    """The sources of every table that names none itself. The first one that offers a table feeds it; what the
    others say of it is kept beside, as vendor tables."""
    roots: dict[Name, Folder] = Field(default_factory=dict)
    """Where the files of a source lie on this machine, by source; replaces the source's own root."""
    from_: Annotated[Date | None, Field(alias="from")] = None
    """The first session `quant data sync` fetches when no --start is given."""
    to: Date | None = None
    """The last session `quant data sync` fetches when no --end is given."""
    paths: Paths | None = None
    """Folders that differ in this profile."""
    defaults: ProjectDefaults | None = None
    """Documents run by default in this profile."""
    report: ReportSettings | None = None
    """How this profile shows results."""
    engine: EngineSettings | None = None
    """How this profile works."""
    storage: StorageSettings | None = None
    """How this profile's lake on object storage is reached."""
    clickhouse: ClickHouseSettings | None = None
    """The ClickHouse server of this profile."""


class ProjectSpec(Header):
    """A workspace: where its specs lie, what is run by default, and its profiles."""

    kind: Literal["project"]
    format: Count = 1
    """The version of the workspace's layout."""
    paths: Paths = Paths()
    """Folders of the workspace."""
    defaults: ProjectDefaults = ProjectDefaults()
    """What a command means that names nothing."""
    report: ReportSettings = ReportSettings()
    """How results are shown."""
    engine: EngineSettings = EngineSettings()
    """How work is done."""
    storage: StorageSettings | None = None
    """How a lake on object storage is reached."""
    clickhouse: ClickHouseSettings | None = None
    """The ClickHouse server of every profile that names none itself."""
    profiles: Annotated[dict[Name, Profile], Field(min_length=1)]
    """The profiles by name."""
