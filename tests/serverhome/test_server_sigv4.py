"""Our signer against the storage vendor's own library."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")
pytest.importorskip("botocore", reason="the package botocore is not installed")

from affiant.ledger.serverhome.sigv4 import Credentials, encode_path, encode_query, signed_headers

pytestmark = pytest.mark.server
NOW = datetime(2026, 11, 24, 12, 30, 5, tzinfo=UTC)
NAMES = st.text("abcdefghijklmnopqrstuvwxyzABC019-._~ +%&=äß", min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(NAMES, st.dictionaries(NAMES, NAMES, max_size=4), st.binary(max_size=40), st.sampled_from(["GET", "PUT", "DELETE", "HEAD"]))
def test_signatures_equal_botocores(key: str, query: dict[str, str], body: bytes, method: str) -> None:
    """Whatever the object's name and the query, our signature is the one that botocore makes."""
    from botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as Theirs

    path = f"/bucket/{key}"
    digest = hashlib.sha256(body).hexdigest()
    extra = {"x-amz-object-lock-mode": "COMPLIANCE", "If-None-Match": "*"}
    ours = signed_headers(Credentials("AK", "SK"), "eu-north-1", method, "host:9000", path, query, extra, digest, NOW)

    url = f"http://host:9000{encode_path(path)}" + (f"?{encode_query(query)}" if query else "")
    request = AWSRequest(method, url, headers={**extra, "X-Amz-Content-SHA256": digest}, data=body)
    request.context["timestamp"] = NOW.strftime(SIGV4_TIMESTAMP)
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    auth = S3SigV4Auth(Theirs("AK", "SK"), "s3", "eu-north-1")
    text = auth.canonical_request(request)
    names = ours["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    assert text.split("\n")[-2] == names
    signature = auth.signature(auth.string_to_sign(request, text), request)
    assert ours["authorization"].endswith(f"Signature={signature}")


def test_a_secret_is_not_shown() -> None:
    """Credentials in a traceback or log do not show the secret."""
    assert "hidden" not in repr(Credentials("AK", "hidden"))
