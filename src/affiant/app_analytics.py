"""Analytics in a process of its own: control runs and packages read millions of entries and must not delay a snapshot by 250 ms.

Control starts the child when something is asked, one question at a time, and lets it go after a while without any. Frames on its
standard input and output: u32 big-endian length + msgpack. In: `[verb, {arguments}]`; out: `["ok", value]`, `["error", code, message,
next step]`, or `["append", [drafts]]`, which control answers with `["ok", first index]` or an error. End-of-file ends the child.
Leaves out: what the verbs do (`app_work`).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from affiant.kit import errors
from affiant.kit.errors import AffiantError, CouldNotLook, LedgerUnavailable
from affiant.kit.home import Home, open_home
from affiant.ledger import Draft

_LENGTH = struct.Struct(">I")
IDLE_S = 120.0
_KINDS: dict[str, type[AffiantError]] = {
    kind.code: kind
    for kind in (
        errors.BadInput, errors.NotFound, errors.Forbidden, errors.Conflict, errors.Finding, errors.LedgerFault, errors.CouldNotLook,
        errors.LedgerUnavailable, errors.NoRoom,
    )
}  # fmt: skip
Append = Callable[[Sequence[Draft]], int]
Verb = Callable[[Home, dict[str, Any], Append], Any]


def _as_frame(message: object) -> bytes:
    data = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(data)) + data


def _as_error(error: AffiantError) -> list[str]:
    return ["error", error.code, error.message, error.next_step]


def _from_error(answer: Sequence[str]) -> AffiantError:
    return _KINDS.get(answer[1], CouldNotLook)(answer[2], answer[3])


class Analytics:
    """Control's side: one child at most, one question at a time.

    Args:
        home: the home's directory.
        append: makes the child's events durable, under control's producer.
    """

    def __init__(self, home: Path, append: Callable[[Sequence[Draft]], Awaitable[int]]) -> None:
        self._home = home
        self._append = append
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None

    async def call(self, verb: str, arguments: dict[str, Any]) -> Any:
        """Ask, and wait for the answer.

        Raises:
            AffiantError: what the child raised.
            CouldNotLook: the child died; nothing it found is known.
        """
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            process = await self._child()
            try:
                answer = await self._converse(process, verb, arguments)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                await process.wait()
                self._process = None
                raise CouldNotLook(
                    "The analytics process ended before it answered.", "Try again; its last words are on standard error."
                ) from error
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                self._process = None
                raise
            assert process.stdin is not None
            self._idle = asyncio.get_running_loop().call_later(IDLE_S, process.stdin.close)
        if answer[0] == "ok":
            return answer[1]
        raise _from_error(answer)

    async def _child(self) -> asyncio.subprocess.Process:
        process = self._process
        if process is None or process.returncode is not None or process.stdin is None or process.stdin.is_closing():
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "affiant.app", "analytics", "--home", str(self._home),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
        return process

    async def _converse(self, process: asyncio.subprocess.Process, verb: str, arguments: dict[str, Any]) -> list[Any]:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(_as_frame([verb, arguments]))
        while True:
            await process.stdin.drain()
            (length,) = _LENGTH.unpack(await process.stdout.readexactly(4))
            message: list[Any] = msgspec.msgpack.decode(await process.stdout.readexactly(length))
            if message[0] != "append":
                return message
            try:
                reply: list[Any] = ["ok", await self._append(msgspec.convert(message[1], list[Draft]))]
            except AffiantError as error:
                reply = _as_error(error)
            process.stdin.write(_as_frame(reply))

    async def close(self) -> None:
        """End the child."""
        if self._idle is not None:
            self._idle.cancel()
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), 2.0)
            except TimeoutError:
                process.kill()
                await process.wait()


def run_analytics(root: Path, verbs: Mapping[str, Verb]) -> None:
    """The child: answer questions until end-of-file."""
    home = open_home(root)
    # Frames have a descriptor of their own: what a library prints to standard output must not break them.
    source, target = sys.stdin.buffer, open(1, "wb", closefd=False)  # noqa: SIM115 -- lives as long as the process
    sys.stdout = sys.stderr

    def append(drafts: Sequence[Draft]) -> int:
        _write(target, ["append", list(drafts)])
        reply = _read(source)
        if reply is None:
            raise LedgerUnavailable("Control is gone.", "Run the control again when it is back.")
        if reply[0] == "error":
            raise _from_error(reply)
        return int(reply[1])

    while (message := _read(source)) is not None:
        try:
            answer: list[Any] = ["ok", verbs[message[0]](home, message[1], append)]
        except AffiantError as error:
            answer = _as_error(error)
        _write(target, answer)


def _write(target: IO[bytes], message: object) -> None:
    target.write(_as_frame(message))
    target.flush()


def _read(source: IO[bytes]) -> list[Any] | None:
    head = source.read(4)
    if len(head) < 4:
        return None
    (length,) = _LENGTH.unpack(head)
    data = source.read(length)
    return list(msgspec.msgpack.decode(data)) if len(data) == length else None
