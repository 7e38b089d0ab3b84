"""Who holds an Ed25519 private key: this process (a seed out of the keyring), or Vault's transit engine, which never gives it out.

Leaves out: which key signs what (`ledger.logkeys`), and how notes are written (`proof.note`).
"""

from __future__ import annotations

from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from affiant.kit.errors import BadInput, CouldNotLook
from affiant.kit.secretref import resolve
from affiant.kit.vault import TransitPath, VaultClient


class Signer(Protocol):
    """The port: a public key and signatures by its private half."""

    @property
    def public(self) -> bytes:
        """The 32-byte public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """A 64-byte signature.

        Raises:
            CouldNotLook: whoever holds the key cannot be reached, or refuses; nothing was signed.
        """
        ...


class LocalSigner:
    """Signs with a seed that this process holds."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise BadInput("The keyring holds no private half of that key.", "It is in Vault or given up; see `affiant ledger key show`.")
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, message: bytes) -> bytes:
        """See `Signer.sign`."""
        return self._private.sign(message)


class TransitSigner:
    """Signs with one version of a key in Vault's transit engine. Every signature is checked before it is given back.

    Args:
        client: of the Vault.
        where: mount, name and version of the key.
        public: its public key, as it was when the key came into force; another one is refused.
    """

    def __init__(self, client: VaultClient, where: TransitPath, public: bytes) -> None:
        self._client, self._where, self.public = client, where, public

    @classmethod
    def open(cls, where: TransitPath, client: VaultClient | None = None) -> TransitSigner:
        """Ask Vault for the key; without a version, its newest one is taken and named from then on.

        Raises:
            BadInput: it is no Ed25519 key, or can be exported. NotFound, Forbidden, CouldNotLook: as `VaultClient`.
        """
        client = client or VaultClient.from_env(resolve)
        version, public = client.transit_public(where)
        return cls(client, TransitPath(where.mount, where.name, version), public)

    @property
    def ref(self) -> str:
        """The reference that names this version."""
        return str(self._where)

    def sign(self, message: bytes) -> bytes:
        """See `Signer.sign`."""
        signature = self._client.transit_sign(self._where, message)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            raise CouldNotLook(
                f"Vault signed with another key than {self._where}.", "The key was replaced in Vault: restore it, or rotate the log key."
            ) from None
        return signature
