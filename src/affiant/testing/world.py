"""A whole home for a test: created, served by real processes, with a provider simulator beside it and one key to call with.

`with World(tmp_path, workers=2) as world: world.chat("hello")`. Everything that it starts it stops. Leaves out: a browser.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from urllib.parse import urlsplit

import yaml

from affiant.testing.process import Running, start_ready

COMPANY: dict[str, Any] = {
    "people": [
        {"id": "ann", "roles": ["compliance", "admin"]},
        {"id": "bob", "roles": ["compliance", "operator"]},
        {"id": "cat", "roles": ["developer"]},
    ],
    "providers": [
        {"id": "harbor", "kind": "openai", "base_url": "SIMULATOR/harbor/v1", "secret_ref": "env:WORLD_PROVIDER_KEY", "region": "eu",
         "network": "private", "labels": ["public", "internal", "confidential"], "usage_url": "SIMULATOR/harbor/usage"},
    ],
    "models": [
        {"id": "scribe", "provider": "harbor", "upstream": "scribe-1", "version": "1.0", "approved_by": "bob"},
        {"id": "unready", "provider": "harbor", "upstream": "scribe-2", "version": "2.0"},
    ],
    "policies": [
        {"id": "guarded", "guards": {"sanitize": {"action": "flag"}, "pii": {"action": "redact", "how": "mask"},
                                     "injection": {"action": "block"}, "output": {"action": "redact", "how": "mask"}}},
    ],
    "routes": [{"id": "help", "models": ["scribe"], "policy": "guarded", "mode": "enforce", "label": "confidential"}],
    "keys": [{"id": "app", "owner": "cat", "tenant": "acme", "models": ["*"]}],
}  # fmt: skip
PROVIDER_KEY = "sk-world-provider"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller got."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class World:
    """A served home and its provider. Use as a context manager.

    Args:
        root: an empty directory of the test.
        workers: gateway workers.
        company: what `apply` gets instead of `COMPANY`; the text SIMULATOR in it becomes the simulator's URL.
        environment: more variables for the processes.
        script: what the simulator does where a request names no script.
        home: where the home lies, if not in `root`.
    """

    def __init__(
        self,
        root: Path,
        workers: int = 1,
        company: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        script: str = "",
        home: Path | None = None,
    ) -> None:
        self.root = root
        self.home = home or root / "home"
        self._workers = workers
        self._company = COMPANY if company is None else company
        self._script = script
        self.environment = {
            **os.environ, "AFFIANT_UNLOCK": f"file:{root / 'unlock'}", "WORLD_PROVIDER_KEY": PROVIDER_KEY, **(environment or {}),
        }  # fmt: skip
        self._simulator: Running | None = None
        self._server: Running | None = None
        self._log: IO[bytes] | None = None
        self.gateway = ""
        self.console = ""
        self.keys: dict[str, str] = {}

    def __enter__(self) -> World:
        try:
            self._set_up()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    # -- life

    def _set_up(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self._log = open(self.root / "world.log", "ab")  # noqa: SIM115 -- closed in stop
        self.start_simulator()
        self.cli("init", "--origin", "test/world")
        self.start()
        self.keys = self.apply(self._company)

    def start_simulator(self) -> None:
        """Start the provider."""
        arguments = ["-m", "affiant.testing.simulator", "--account", f"world={PROVIDER_KEY}", "--state", str(self.root / "usage.json")]
        arguments += ["--script", self._script] if self._script else []
        self._simulator = start_ready([sys.executable, *arguments], self.environment, self._log)

    def start(self) -> None:
        """Serve the home."""
        ports = ["--gateway-port", urlsplit(self.gateway).netloc.rpartition(":")[2] or "0", "--console-port", "0"]
        command = [sys.executable, "-m", "affiant", "serve", "--home", str(self.home), "--workers", str(self._workers), *ports]
        self._server = start_ready(command, self.environment, self._log)
        self.gateway, self.console = str(self._server.ready["gateway"]), str(self._server.ready["console"])

    def stop_serving(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End `serve` and wait; gives its exit code."""
        assert self._server is not None
        code = self._server.end(number)
        self._server = None
        return code

    def stop(self) -> None:
        """End everything."""
        if self._server is not None:
            self._server.end(signal.SIGTERM)
        if self._simulator is not None:
            self._simulator.end(signal.SIGTERM)
        self._server = self._simulator = None
        if self._log is not None:
            self._log.close()
            self._log = None

    # -- acting

    def cli(self, *arguments: str, check: bool = True, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run one command of the program on this home.

        Raises:
            AssertionError: it failed and `check` is set.
        """
        command = [sys.executable, "-m", "affiant", *arguments]
        environment = {**self.environment, "AFFIANT_HOME": str(self.home)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, input=text, timeout=120, check=False)
        assert not check or done.returncode == 0, f"affiant {' '.join(arguments)} gave {done.returncode}: {done.stderr}"
        return done

    def apply(self, company: Mapping[str, Any], person: str = "") -> dict[str, str]:
        """Apply a company; gives the secrets of keys that were made, by key id."""
        text = yaml.safe_dump(dict(company)).replace("SIMULATOR", self.simulator)
        path = self.root / "company.yaml"
        path.write_text(text, encoding="utf-8")
        done = self.cli("apply", str(path), *(["--as", person] if person else []))
        made = json.loads(done.stdout.splitlines()[-1])
        return {item["key_id"]: item["secret"] for item in made.get("secrets", [])}

    def chat(self, text: str, model: str = "help", key: str = "app", timeout_s: float = 15.0, **more: Any) -> Answer:
        """One chat completion, on a connection of its own.

        Raises:
            OSError, http.client.HTTPException: the connection broke before the answer ended.
        """
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more}).encode()
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.keys.get(key, key)}"}
        return self.call("POST", "/v1/chat/completions", headers, body, timeout_s)

    def call(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", timeout_s: float = 15.0) -> Answer:
        """One request to the gateway, on a connection of its own."""
        return http_call(self.gateway + path, method, headers, body, timeout_s)

    # -- looking

    @property
    def simulator(self) -> str:
        """The provider's URL."""
        assert self._simulator is not None
        return str(self._simulator.ready["url"])

    def simulator_pid(self) -> int:
        """The provider's process id."""
        assert self._simulator is not None
        return self._simulator.process.pid

    def seen(self) -> list[list[Any]]:
        """Every request that the provider saw: id, provider, account, model, status, completed, tokens in, tokens out."""
        rows = json.loads(http_call(f"{self.simulator}/sim/seen", "GET", {}).body)
        return list(rows)

    def pids(self) -> dict[str, Any]:
        """Current process ids: writer, control, workers, supervisor."""
        state = json.loads((self.home / "run" / "supervisor.json").read_text(encoding="utf-8"))
        return {**state["pids"], "supervisor": state["supervisor"]}

    def wait_ready(self, timeout_s: float = 20.0) -> None:
        """Wait until the gateway answers ready.

        Raises:
            AssertionError: it does not in time.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                if self.call("GET", "/readyz", {}, timeout_s=2).status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass  # starting: asked again until the deadline
            time.sleep(0.05)
        raise AssertionError(f"{self.gateway} is not ready after {timeout_s} s; see {self.root / 'world.log'}")


def http_call(url: str, method: str, headers: Mapping[str, str], body: bytes = b"", timeout_s: float = 15.0) -> Answer:
    """One HTTP request.

    Raises:
        OSError, http.client.HTTPException: no whole answer.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body=body or None, headers=dict(headers))
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()
