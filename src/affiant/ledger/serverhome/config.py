"""Where the ledger of a server home lies: `HOME/server.json`. Secrets stand in it by reference only.

Leaves out: connecting (`store`, `objects`), making the ledger (`create`).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from affiant.kit.errors import BadInput, NotFound
from affiant.kit.home import Home
from affiant.kit.secretref import check_ref
from affiant.ledger.where import config_path, is_server_home

FORMAT = 1
MIN_RESERVE_MB, MAX_RESERVE_MB = 64, 512  # PostgreSQL takes 16 MiB at once for its WAL: less than four of them are gone at a touch
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9._-]+/)*")


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Places of one ledger.

    Args:
        postgres: reference to the connection string (`env:NAME` or `file:PATH`), since it may hold a password.
        endpoint: URL of the S3-compatible storage, without a path.
        bucket: made with Object Lock; never shared with anything that must be deletable.
        access_key: reference to the access key id.
        secret_key: reference to the secret access key.
        region: as the storage names it.
        prefix: before every object's name; empty or ending in a slash.
        schema: PostgreSQL schema that holds the tables.
        lock_days: days for which no one, root included, can delete a full bundle, tile or kept checkpoint.
        reserve_mb: MiB of PostgreSQL's disk kept for closings and refusals; 0: none.
    """

    postgres: str
    endpoint: str
    bucket: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    prefix: str = ""
    schema: str = "affiant"
    lock_days: int = 550
    reserve_mb: int = 64

    def __post_init__(self) -> None:
        for ref in (self.postgres, self.access_key, self.secret_key):
            check_ref(ref)
        if not _SCHEMA_NAME.fullmatch(self.schema):
            raise BadInput(f"{self.schema!r} is no schema name.", "Use small letters, digits and underscores, 40 at most.")
        if not _BUCKET.fullmatch(self.bucket) or not _PREFIX.fullmatch(self.prefix):
            raise BadInput(f"The bucket {self.bucket!r} or the prefix {self.prefix!r} cannot be used.", "End the prefix with a slash.")
        if not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+", self.endpoint):
            raise BadInput(f"{self.endpoint!r} is no endpoint.", "Give scheme, host and port only, such as https://s3.example:9000.")
        if self.lock_days < 1:
            raise BadInput("Objects must be locked for at least a day.", "Choose lock_days by the retention policy; 550 is the default.")
        if self.reserve_mb and not MIN_RESERVE_MB <= self.reserve_mb <= MAX_RESERVE_MB:
            raise BadInput(
                f"A reserve of {self.reserve_mb} MiB cannot be kept.", f"Give {MIN_RESERVE_MB} to {MAX_RESERVE_MB}, or 0 for none."
            )


def load_config(home: Home) -> ServerConfig:
    """Read `HOME/server.json`.

    Raises:
        NotFound: the home keeps its own ledger.
        BadInput: as `read_config`.
    """
    if not is_server_home(home):
        raise NotFound(f"{home.root} keeps its own ledger.", "Move it with `migrate`, or join a node to a ledger on servers.")
    return read_config(config_path(home))


def read_config(path: Path) -> ServerConfig:
    """Read a file in the format of `HOME/server.json`.

    Raises:
        BadInput: the file is unreadable, of a newer format or incomplete.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", "Write it anew; docs/operations-server.md has an example.") from error
    known = {field.name for field in fields(ServerConfig)}
    if not isinstance(data, dict) or data.pop("format", None) != FORMAT or not set(data) <= known:
        raise BadInput(f"{path} has another format or unknown fields.", "docs/operations-server.md has an example.")
    try:
        return ServerConfig(**data)
    except TypeError as error:
        raise BadInput(f"{path} is incomplete: {error}.", "docs/operations-server.md has an example.") from None


def save_config(home: Home, config: ServerConfig) -> None:
    """Write `HOME/server.json` atomically: from then on this home's ledger lies on servers."""
    temporary = config_path(home).with_suffix(".tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, **asdict(config)}, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, config_path(home))
    directory = os.open(home.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
