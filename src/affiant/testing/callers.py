"""Callers in threads that keep a gateway busy while a test breaks something, and remember exactly what each of them got.

Leaves out: judging what they got (`evidence`).
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit

from affiant.testing.world import World


@dataclass(frozen=True, slots=True)
class Got:
    """What one caller got.

    Args:
        exchange: id in the answer's headers, "" where no headers came.
        status: HTTP status, 0 where none came.
        whole: whether the answer came to its proper end.
        code: error code of a refusal.
    """

    exchange: str
    status: int
    whole: bool
    code: str = ""


class BusyCallers:
    """Some threads that call without pause. Use as a context manager.

    Args:
        world: whose gateway.
        threads: how many.
        script: what the provider does, such as `slow:2` for answers that take a while.
    """

    def __init__(self, world: World, threads: int = 6, script: str = "slow:2,chunks:40") -> None:
        self._world = world
        self._script = script
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(threads)]
        self._lock = threading.Lock()
        self.got: list[Got] = []

    def __enter__(self) -> BusyCallers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(40)

    def counts(self) -> Counter[str]:
        """Whole answers, cut ones, refusals by code, broken connections."""
        with self._lock:
            return Counter(
                "broken"
                if not each.status
                else each.code or f"status {each.status}"
                if each.status >= 400
                else "whole"
                if each.whole
                else "cut"
                for each in self.got
            )

    def wait_for_whole(self, more: int, timeout_s: float = 20.0) -> None:
        """Wait until so many further answers came whole.

        Raises:
            AssertionError: they did not in time.
        """
        target = self.counts()["whole"] + more
        deadline = time.monotonic() + timeout_s
        while self.counts()["whole"] < target:
            assert time.monotonic() < deadline, f"answers stopped: {dict(self.counts())}"
            time.sleep(0.02)

    def _run(self, number: int) -> None:
        rng = random.Random(number)
        count = 0
        while not self._stop.is_set():
            count += 1
            got = self._call(f"caller {number} call {count} [[sim:{self._script}]]", rng.random() < 0.6)
            with self._lock:
                self.got.append(got)
            if not got.status or got.status >= 500:
                time.sleep(0.05)

    def _call(self, text: str, stream: bool) -> Got:
        parts = urlsplit(self._world.gateway)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        body = json.dumps({"model": "help", "messages": [{"role": "user", "content": text}], "stream": stream})
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._world.keys['app']}"}
        exchange, status = "", 0
        try:
            connection.request("POST", "/v1/chat/completions", body, headers)
            answer = connection.getresponse()
            exchange, status = answer.getheader("x-affiant-exchange", ""), answer.status
            data = answer.read()
        except (OSError, http.client.HTTPException):
            return Got(exchange, status, False)
        finally:
            connection.close()
        if status >= 400:
            return Got(exchange, status, True, _code(data))
        return Got(exchange, status, data.rstrip().endswith(b"data: [DONE]") if stream else bool(json.loads(data).get("choices")))


def _code(data: bytes) -> str:
    try:
        return str(json.loads(data)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""
