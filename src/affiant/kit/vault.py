"""A small client of Vault's API (OpenBao, HashiCorp Vault): secrets of a KV version 2 engine, signatures by a transit key.

Where: `VAULT_ADDR` (http or https), `VAULT_CACERT` (own authority), `VAULT_NAMESPACE`. The token comes by reference: `AFFIANT_VAULT_TOKEN`
is `env:NAME` or `file:PATH`, default `env:VAULT_TOKEN`; a file is read again for each request, so that an agent may renew it. Standard
library only, blocking, with a timeout. Leaves out: logging in (an agent does), every other engine.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import os
import re
import ssl
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from affiant.kit.errors import BadInput, CouldNotLook, Forbidden, NotFound

ADDR_ENV, TOKEN_ENV = "VAULT_ADDR", "AFFIANT_VAULT_TOKEN"
DEFAULT_TOKEN_REF = "env:VAULT_TOKEN"  # noqa: S105 - a reference, not a token
TIMEOUT_S = 4.0
MAX_ANSWER_BYTES = 1_000_000
MAX_LIST_BYTES = 64_000_000
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class SecretPath:
    """A field of a KV secret, written `vault:MOUNT/PATH#FIELD`."""

    mount: str
    path: str
    field: str

    @classmethod
    def parse(cls, rest: str) -> SecretPath:
        """Read what follows `vault:`.

        Raises:
            BadInput: not of that form.
        """
        where, separator, field = rest.partition("#")
        mount, slash, path = where.partition("/")
        if not separator or not slash or not _NAME.fullmatch(field) or not _PATH.fullmatch(where):
            raise BadInput(f"`vault:{rest[:80]}` names no secret.", "Write vault:MOUNT/PATH#FIELD, such as vault:secret/openai#api_key.")
        return cls(mount, path, field)


@dataclass(frozen=True, slots=True)
class KvPath:
    """A place in a KV version 2 engine, written `vault:MOUNT/PATH`; `/` gives one below it."""

    mount: str
    path: str

    @classmethod
    def parse(cls, rest: str) -> KvPath:
        """Read what follows `vault:`.

        Raises:
            BadInput: not of that form.
        """
        mount, slash, path = rest.partition("/")
        if not slash or not _PATH.fullmatch(rest):
            raise BadInput(f"`vault:{rest[:80]}` names no path.", "Write vault:MOUNT/PATH, such as vault:secret/affiant-subjects.")
        return cls(mount, path)

    def __truediv__(self, name: str) -> KvPath:
        return KvPath(self.mount, f"{self.path}/{name}")

    def __str__(self) -> str:
        return f"vault:{self.mount}/{self.path}"

    @property
    def name(self) -> str:
        """Its last part."""
        return self.path.rpartition("/")[2]

    @property
    def data(self) -> str:
        """Where its versions are read and written."""
        return f"{self.mount}/data/{self.path}"

    @property
    def metadata(self) -> str:
        """Where it is listed and destroyed."""
        return f"{self.mount}/metadata/{self.path}"


@dataclass(frozen=True, slots=True)
class TransitPath:
    """A version of a transit key, written `vault:MOUNT/NAME@VERSION`; version 0 stands for the newest."""

    mount: str
    name: str
    version: int = 0

    @classmethod
    def parse(cls, text: str) -> TransitPath:
        """Read a reference.

        Raises:
            BadInput: not of that form.
        """
        scheme, _, rest = text.partition(":")
        where, at, version = rest.partition("@")
        mount, slash, name = where.rpartition("/")
        good = scheme == "vault" and slash and _PATH.fullmatch(where) and (not at or (version.isascii() and version.isdigit()))
        if not good or len(version) > 9:
            raise BadInput(f"{text[:80]!r} names no transit key.", "Write vault:MOUNT/NAME, such as vault:transit/affiant-log.")
        return cls(mount, name, int(version or 0))

    def __str__(self) -> str:
        return f"vault:{self.mount}/{self.name}" + (f"@{self.version}" if self.version else "")


class VaultClient:
    """One Vault.

    Args:
        address: its URL, without a path.
        token: gives the token for each request.
        ca: path of a file of certificates to trust instead of the system's; "" for the system's.
        namespace: "" for none.

    Raises (any method):
        Forbidden: the token is refused.
        NotFound: there is no such secret or key.
        CouldNotLook: no answer, or none that can be used.
    """

    def __init__(self, address: str, token: Callable[[], str], ca: str = "", namespace: str = "", timeout_s: float = TIMEOUT_S) -> None:
        parts = urllib.parse.urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise BadInput(f"{ADDR_ENV} is {address[:80]!r}.", "Set it to scheme, host and port, such as https://vault.example:8200.")
        self._parts, self._token, self._namespace, self._timeout_s = parts, token, namespace, timeout_s
        self._ca = ca

    @classmethod
    def from_env(cls, resolve: Callable[[str], str]) -> VaultClient:
        """The Vault that the environment names.

        Args:
            resolve: reads the token's reference.

        Raises:
            BadInput: `VAULT_ADDR` is missing, or the token's reference is itself a `vault:` one.
        """
        address = os.environ.get(ADDR_ENV, "")
        if not address:
            raise BadInput(f"{ADDR_ENV} is not set.", "Set it to the URL of Vault, such as https://vault.example:8200.")
        ref = os.environ.get(TOKEN_ENV) or DEFAULT_TOKEN_REF
        if not ref.startswith(("env:", "file:")):
            raise BadInput(f"{TOKEN_ENV} is no reference to a token.", "Set it to env:NAME or file:PATH.")
        return cls(address, lambda: resolve(ref), os.environ.get("VAULT_CACERT", ""), os.environ.get("VAULT_NAMESPACE", ""))

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        try:
            context = ssl.create_default_context(cafile=self._ca or None)
        except OSError as error:
            raise BadInput(f"VAULT_CACERT {self._ca} cannot be read: {error}.", "Give a PEM file of certificates.") from error
        return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=context)

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One exchange below `/v1/`; gives the answer's JSON object."""
        status, value = self._ask(method, path, body)
        if status == 404:
            raise NotFound(f"Vault has nothing at {self._named(path)}.", "Check the reference.")
        return value

    def _named(self, path: str) -> str:
        return f"{self._parts.netloc}/v1/{path.partition('?')[0]}"

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, max_bytes: int = MAX_ANSWER_BYTES
    ) -> tuple[int, dict[str, Any]]:  # fmt: skip
        """One exchange; gives its status, below 400 or 404, and the answer's JSON object."""
        headers = {"x-vault-token": self._token(), "x-vault-request": "true"}
        if self._namespace:
            headers["x-vault-namespace"] = self._namespace
        data = None if body is None else json.dumps(body).encode()
        connection = self._connection()
        try:
            connection.request(method, f"/v1/{path}", data, headers)
            answer = connection.getresponse()
            status, raw = answer.status, answer.read(max_bytes)
        except (OSError, http.client.HTTPException) as error:
            raise CouldNotLook(f"Vault at {self._parts.netloc} did not answer: {error}.", f"Check {ADDR_ENV} and that it runs.") from error
        finally:
            connection.close()
        if status == 403:
            raise Forbidden(f"Vault refuses this token for {self._named(path)}.", "Renew the token, or widen its policy.")
        try:
            value = json.loads(raw) if raw else {}
        except ValueError:
            value = {} if status == 404 else None
        if (status >= 400 and status != 404) or not isinstance(value, dict):
            errors = "; ".join(map(str, value.get("errors") or [])) if isinstance(value, dict) else ""
            raise CouldNotLook(f"Vault answered {status} for {self._named(path)}. {errors}".strip(), "See its log; it may be sealed.")
        return status, value

    # -- a KV engine of version 2

    def _absent(self, path: str, value: dict[str, Any]) -> None:
        """Whether a 404 says that nothing is there, and not that nothing can be there.

        Raises:
            CouldNotLook: the engine is not mounted, or what was there was deleted without being destroyed.
        """
        if value.get("errors"):
            raise CouldNotLook(f"Vault has no engine at {self._named(path)}.", "Mount a KV engine of version 2, or check the reference.")
        if value.get("errors") != []:
            raise CouldNotLook(
                f"A secret at {self._named(path)} was deleted, and its metadata is there.",
                "Undelete it, or destroy it with `kv metadata delete`.",
            )

    def kv_read(self, where: KvPath) -> dict[str, str] | None:
        """Text fields of the newest version of a secret; None if there is none, nor anything left of one."""
        status, value = self._ask("GET", where.data)
        if status == 404:
            self._absent(where.data, value)
            return None
        inner = value.get("data") or {}
        fields = inner.get("data")
        if not isinstance(fields, dict) or "version" not in (inner.get("metadata") or ()):
            raise CouldNotLook(f"Vault gives no secret at {self._named(where.data)}.", "Is it a KV engine of version 2?")
        return {str(name): field for name, field in fields.items() if isinstance(field, str)}

    def kv_create(self, where: KvPath, fields: dict[str, str]) -> None:
        """Write a secret that is not there yet."""
        self.request("POST", where.data, {"data": fields, "options": {"cas": 0}})

    def kv_destroy(self, where: KvPath) -> None:
        """Delete a secret with all its versions; also where there is none."""
        self.request("DELETE", where.metadata)

    def kv_list(self, where: KvPath) -> list[str]:
        """Names right below a path."""
        path = f"{where.metadata}/?list=true"
        status, value = self._ask("GET", path, max_bytes=MAX_LIST_BYTES)
        if status == 404:
            self._absent(path, value)
            return []
        return [str(name) for name in (value.get("data") or {}).get("keys") or ()]

    def capabilities(self, paths: list[str]) -> dict[str, list[str]]:
        """What the token may do at each path."""
        value = self.request("POST", "sys/capabilities-self", {"paths": paths})
        found = value.get("data") or value
        return {path: [str(what) for what in found.get(path) or ()] for path in paths}

    # -- single secrets, and the transit engine

    def secret(self, where: SecretPath) -> str:
        """A field of the newest version of a KV secret."""
        answer = self.request("GET", f"{where.mount}/data/{where.path}")
        inner = answer.get("data") or {}
        value = (inner.get("data") or {}).get(where.field)
        if not isinstance(value, str) or not value:
            raise NotFound(f"The secret {where.mount}/{where.path} has no text field `{where.field}`.", "Check the reference's #FIELD.")
        return value

    def transit_public(self, where: TransitPath) -> tuple[int, bytes]:
        """Version and 32-byte public key of an Ed25519 transit key."""
        answer = self.request("GET", f"{where.mount}/keys/{where.name}").get("data") or {}
        if answer.get("type") != "ed25519":
            raise BadInput(f"The transit key {where.name} is of type {answer.get('type')}.", "Create it with type=ed25519.")
        if answer.get("exportable") or answer.get("allow_plaintext_backup"):
            raise BadInput(f"The transit key {where.name} can be exported.", "Create one with exportable=false.")
        version = where.version or int(answer.get("latest_version") or 0)
        try:
            public = base64.b64decode(answer["keys"][str(version)]["public_key"], validate=True)
        except (KeyError, TypeError, binascii.Error):
            raise NotFound(f"The transit key {where.name} has no version {version}.", "Check the reference.") from None
        if len(public) != 32:
            raise CouldNotLook(f"The public key of {where.name} has {len(public)} bytes.", "Is it an Ed25519 key?")
        return version, public

    def transit_sign(self, where: TransitPath, message: bytes) -> bytes:
        """A 64-byte Ed25519 signature over `message` by that version of the key."""
        body = {"input": base64.b64encode(message).decode(), "key_version": where.version}
        text = str((self.request("POST", f"{where.mount}/sign/{where.name}", body).get("data") or {}).get("signature", ""))
        try:
            signature = base64.b64decode(text.rpartition(":")[2], validate=True)
        except binascii.Error:
            signature = b""
        if len(signature) != 64:
            raise CouldNotLook(f"Vault gave no Ed25519 signature by {where.name}.", "Check the key's type.")
        return signature
