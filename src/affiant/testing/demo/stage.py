"""The processes of the demonstration: simulator, witness, and the served home; started in order, ended in order.

Leaves out: what is played on it (`history`).
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from affiant.kit.errors import CouldNotLook
from affiant.testing.demo.layout import ORIGIN, WITNESS, Layout, Memory, port_for
from affiant.testing.process import Running, start_ready, wait_listening

COMPANY = Path(__file__).resolve().parent.parent / "demo_company.yaml"


class Stage:
    """Starts what the demonstration needs and ends it again.

    Args:
        layout: where it lies.
        memory: what earlier starts left; ports are filled in.
        gateway_port: wanted for the gateway, 0 for the remembered or any free one.
    """

    def __init__(self, layout: Layout, memory: Memory, gateway_port: int = 0) -> None:
        self.layout = layout
        self.memory = memory
        self._environment = layout.environment()
        self._log: IO[bytes] = open(layout.log, "ab")  # noqa: SIM115 -- children write to it; closed in `end`
        self._running: list[Running] = []
        self._witness_ready: dict[str, Any] = {}
        memory.simulator_port = port_for(memory.simulator_port)
        memory.witness_port = port_for(memory.witness_port)
        memory.gateway_port = port_for(gateway_port or memory.gateway_port or 8080)
        memory.console_port = port_for(memory.console_port or 8081)

    @property
    def simulator(self) -> str:
        """Base URL of the provider simulator."""
        return f"http://127.0.0.1:{self.memory.simulator_port}"

    def start_outside(self) -> None:
        """Start what is not the company's: provider and witness."""
        simulator = ["-m", "affiant.testing.simulator", "--port", str(self.memory.simulator_port), "--state", str(self.layout.usage)]
        with ThreadPoolExecutor(1) as beside:
            started = beside.submit(self._start, [*simulator, *self.layout.account_options()])
            self._start_witness()
            started.result()
        self._running.sort(key=lambda each: "vkey" in each.ready)  # the witness last: `init` starts it again

    def init(self) -> None:
        """Create the home: an explicit step, with the witness named; then the witness is told of the log."""
        witness = f"{self._witness_ready['vkey']}@{self._witness_ready['url']}"
        made = json.loads(self.cli("init", "--home", str(self.layout.home), "--origin", ORIGIN, "--witness", witness))
        self.memory.log_vkey = made["log_vkey"]
        self._running.pop().end()
        self._start_witness()

    def _start_witness(self) -> None:
        command = ["-m", "affiant.testing.witness", "--dir", str(self.layout.witness), "--port", str(self.memory.witness_port)]
        log = ["--log", self.memory.log_vkey] if self.memory.log_vkey else []
        self._witness_ready = self._start([*command, "--name", WITNESS, *log])
        wait_listening(self.memory.witness_port)

    def company(self) -> bytes:
        """The company file, with addresses and places filled in; also kept beside the home to read."""
        text = COMPANY.read_text(encoding="utf-8")
        text = text.replace("SIMULATOR", self.simulator).replace("DEMO/", f"{self.layout.root.resolve()}/")
        (self.layout.root / "company.yaml").write_text(text, encoding="utf-8")
        return text.encode()

    def serve(self) -> dict[str, Any]:
        """Serve the home; gives its ready line."""
        ports = ["--gateway-port", str(self.memory.gateway_port), "--console-port", str(self.memory.console_port)]
        ready = self._start(["-m", "affiant", "serve", "--home", str(self.layout.home), *ports])
        self.memory.gateway_port = urlsplit(ready["gateway"]).port or 0
        self.memory.console_port = urlsplit(ready["console"]).port or 0
        return ready

    def cli(self, *arguments: str) -> str:
        """Run one command of the program; gives its standard output.

        Raises:
            CouldNotLook: it failed; with its own words.
        """
        command = [sys.executable, "-m", "affiant", *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=300, check=False)
        self._log.write(done.stderr.encode())
        self._log.flush()
        if done.returncode not in (0, 1):
            raise CouldNotLook(
                f"`affiant {' '.join(arguments[:2])}` gave {done.returncode}: {done.stderr.strip()}", f"See {self.layout.log}."
            )
        return done.stdout

    def running(self) -> bool:
        """Whether everything that was started still runs."""
        return all(each.process.poll() is None for each in self._running)

    def end(self) -> None:
        """End everything, the home first."""
        for each in reversed(self._running):
            each.end(signal.SIGTERM)
        self._running.clear()
        self._log.close()

    def _start(self, arguments: list[str]) -> dict[str, Any]:
        started = start_ready([sys.executable, *arguments], self._environment, self._log)
        self._running.append(started)
        return started.ready
