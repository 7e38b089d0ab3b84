"""Secrets by reference: `env:NAME` or `file:PATH`. A literal secret in configuration is refused.

Leaves out: Vault and cloud secret managers (`vault:` is refused with a clear error until the port behind it exists).
"""

from __future__ import annotations

import os
from pathlib import Path

from affiant.kit.errors import BadInput, NotFound


def check_ref(ref: str) -> str:
    """Give back a well-formed reference.

    Raises:
        BadInput: a literal, or a scheme that this version cannot resolve.
    """
    scheme, separator, rest = ref.partition(":")
    if separator and rest and scheme in ("env", "file"):
        return ref
    if scheme == "vault":
        raise BadInput("vault: references are not supported by this version.", "Use env:NAME or file:PATH.")
    raise BadInput("A secret must be given by reference.", "Write env:NAME or file:PATH, never the secret itself.")


def resolve(ref: str) -> str:
    """The secret that a reference names.

    Raises:
        BadInput: as `check_ref`.
        NotFound: the variable or file is not there.
    """
    scheme, _, rest = check_ref(ref).partition(":")
    if scheme == "env":
        value = os.environ.get(rest, "")
        if not value:
            raise NotFound(f"The environment variable {rest} is not set.", "Set it where Affiant is started.")
        return value
    try:
        return Path(rest).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NotFound(f"The secret file {rest} cannot be read: {error.strerror}.", "Create it, readable by Affiant only.") from None
