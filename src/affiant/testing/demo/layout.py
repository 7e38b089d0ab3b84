"""Where the demonstration lies (`.demo/`) and what it remembers between starts: ports, keys to show, and whether its history is whole.

Leaves out: processes (`stage`). Secrets in here are of the demonstration only; a real home shows a key's secret once and keeps none.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path

from affiant.kit.errors import BadInput

ORIGIN = "demo/northwind-assist"
WITNESS = "demo-witness-stand-in"
PROVIDERS = ("harbor", "skyline")
OUTSIDE_ACCOUNT = "harbor-lab"


@dataclass
class Memory:
    """What `.demo/demo.json` holds.

    Args:
        simulator_port, witness_port, gateway_port, console_port: chosen free once, then kept.
        log_vkey: the ledger's verifier key, which the witness must know.
        keys: gateway key id -> secret.
        finished: whether the history was played to its end.
        first_us, last_us: span of the history.
    """

    simulator_port: int = 0
    witness_port: int = 0
    gateway_port: int = 0
    console_port: int = 0
    log_vkey: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    finished: bool = False
    first_us: int = 0
    last_us: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one demonstration."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def clock(self) -> Path:
        return self.root / "clock"

    @property
    def log(self) -> Path:
        return self.root / "demo.log"

    @property
    def unlock(self) -> Path:
        return self.root / "unlock"

    @property
    def witness(self) -> Path:
        return self.root / "witness"

    @property
    def usage(self) -> Path:
        return self.root / "provider-usage.json"

    @property
    def memory(self) -> Path:
        return self.root / "demo.json"

    def secret_of(self, provider: str) -> Path:
        """File with the credential of a provider."""
        return self.root / "secrets" / provider

    def environment(self) -> dict[str, str]:
        """Environment of every process of the demonstration."""
        return {
            **os.environ,
            "AFFIANT_UNLOCK": f"file:{self.unlock}",
            "AFFIANT_CLOCK_FILE": str(self.clock),
            "AFFIANT_HOME": str(self.home),
        }

    def load(self) -> Memory | None:
        """What an earlier start left; None if there is nothing whole.

        Raises:
            BadInput: the directory holds something that no demonstration made.
        """
        if not self.root.exists() or not any(self.root.iterdir()):
            return None
        try:
            data = json.loads(self.memory.read_text(encoding="utf-8"))
            return Memory(**data)
        except FileNotFoundError:
            if (self.root / "clock").exists() or (self.root / "secrets").exists():
                return None
            raise BadInput(f"{self.root} holds something else.", "Name another directory with --dir.") from None
        except (ValueError, TypeError):
            return None

    def save(self, memory: Memory) -> None:
        """Keep it for the next start."""
        temporary = self.memory.with_suffix(".tmp")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(memory), file, indent=1)
        os.replace(temporary, self.memory)

    def begin(self) -> None:
        """Make an empty demonstration, in place of one that was not played to its end."""
        shutil.rmtree(self.root, ignore_errors=True)
        (self.root / "secrets").mkdir(parents=True, mode=0o700)
        for provider in (*PROVIDERS, OUTSIDE_ACCOUNT):
            self.secret_of(provider).write_text(f"sk-{provider}-{secrets.token_hex(16)}\n", encoding="utf-8")

    def account_options(self) -> list[str]:
        """`--account LABEL=KEY` for the simulator: one account a provider, and one that somebody opened beside the gateway."""
        options = []
        for provider in (*PROVIDERS, OUTSIDE_ACCOUNT):
            label = provider if provider == OUTSIDE_ACCOUNT else f"{provider}-main"
            options += ["--account", f"{label}={self.secret_of(provider).read_text(encoding='utf-8').strip()}"]
        return options


def port_for(wanted: int) -> int:
    """The wanted port if nobody listens there, else a free one."""
    for port in (wanted, 0) if wanted else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise BadInput("No port is free on 127.0.0.1.", "End something that listens.")
