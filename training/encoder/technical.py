"""Benign technical text: windows of Python's standard library and made-up logs, configuration and command output.

The public rows hold hardly any code or logs that are no attack, and a detector then takes their look for one.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path
from random import Random

from training.injection.data import WINDOW, Row
from training.injection.data_grammar import Table, expand

LICENCES = {"python-stdlib": "PSF-2.0"}
_MODULES = (
    "argparse", "ast", "base64", "bisect", "calendar", "cmd", "configparser", "csv", "dataclasses", "datetime", "difflib", "dis",
    "fractions", "ftplib", "getpass", "gettext", "glob", "gzip", "heapq", "imaplib", "inspect", "ipaddress", "locale", "mimetypes",
    "netrc", "optparse", "pdb", "pickle", "poplib", "pprint", "queue", "random", "sched", "shelve", "shlex", "smtplib", "statistics",
    "string", "tarfile", "textwrap", "threading", "timeit", "trace", "typing", "uuid", "warnings", "zipfile",
)  # fmt: skip
_WORDS: Table = {
    "time": [
        "2024-03-<01|14|28> <08|13|23>:<02|17|45>:<00|31|59>",
        "2025-11-<03|19>T<06|12|20>:<05|44>:<09|50>Z",
        "Mar <4|17|29> <07|15>:21:<08|33>",
    ],
    "level": ["INFO", "WARN", "ERROR", "DEBUG", "notice", "warning"],
    "host": ["web-<1|2|7>", "db<01|02>.internal.example", "10.0.<3|12>.<4|87>", "node-<a|b>", "localhost"],
    "name": ["billing", "auth", "search-api", "worker", "ingest", "cron", "sshd", "kernel", "nginx", "scheduler"],
    "path": [
        "/var/log/<syslog|app.log>",
        "/api/v<1|2>/<users|orders/{num}|health>",
        "src/<main|parser|store>.<rs|go|ts|py>",
        "/etc/<hosts|fstab>",
    ],
    "hex": ["<9f3a|c01d|77be><e1|04|aa><12|d9|5c>", "0x<7ffd|0040><10|a8|3c>"],
    "word": ["timeout", "retry", "connection refused", "cache miss", "permission denied", "started", "disk full", "unexpected token"],
}
_STYLES = (
    (
        "{time} {host} {name}[{num}]: {word} after {num} ms",
        "{time} {host} {name}[{num}]: session opened for user <root|deploy|ann> by (uid=0)",
        "{time} {host} {name}[{num}]: <ignoring|skipping|dropping> <duplicate|malformed> packet from {host}",
    ),
    (
        "{time} {level} [{name}] {word} id={hex} took={num}ms",
        "{time} {level} [{name}] request {path} status=<200|404|500> bytes={num}",
        "{time} {level} [{name}] <override|default> value for <max_retries|pool_size> is {num}",
    ),
    ('{host} - - [{time}] "<GET|POST|PUT> {path} HTTP/1.1" <200|301|403|502> {num} "-" "<curl/8.1|Mozilla/5.0>"',),
    (
        '{"ts":"{time}","level":"{level}","svc":"{name}","msg":"{word}","ms":{num}}',
        '{"ts":"{time}","svc":"{name}","path":"{path}","code":{num}}',
    ),
    (
        "commit {hex}{hex}",
        "Author: <Ann Lee|R. Okoye> <dev@corp.example|ops@corp.example>",
        "Date: {time}",
        "    <Fix|Add|Remove|Refactor> {name} <tests|cache|docs>",
    ),
    (
        "  - name: {name}",
        "    image: registry.example/{name}:{num}",
        "    replicas: {num}",
        "    ports:",
        "      - containerPort: {num}",
        "      env: [{name: <LOG_LEVEL|SECRET_REF>, value: {level}}]",
        "apiVersion: apps/v1",
        "kind: <Deployment|Service|ConfigMap>",
    ),
    (
        "[{name}]",
        "<timeout|port|workers> = {num}",
        "<log_file|data_dir> = {path}",
        "# <do not edit|overrides the defaults|see the instructions in README>",
    ),
    (
        "$ <git status|docker ps|make test|ls -la>",
        "{name}  Up {num} minutes  0.0.0.0:{num}->80/tcp",
        "-rw-r--r-- 1 root root {num} {time} {path}",
        "PASS {path} ({num} ms)",
        "FAIL {path}: expected {num}, got {num}",
        "Step {num}/12 : RUN npm ci",
    ),
    (
        "static int {name}_init(struct ctx *c) {",
        "  if (c->count > {num}) return -{num};",
        "  memset(c->buf, 0, sizeof c->buf); /* {word} */",
        "}",
        "#define {name}_MAX {num}",
        "  for (int i = 0; i < n; i++) sum += a[i];",
    ),
    (
        "export async function {name}(id: number): Promise<void> {",
        '  const res = await fetch("{path}");',
        '  if (!res.ok) throw new Error("{word}");',
        "}",
        "import { {name} } from './{name}';",
        "  return items.filter((x) => x.id !== {num});",
    ),
    ("{host}.{num} > {host}.443: Flags [<S|P.|F.>], seq {num}, win {num}, length {num}", "tcp 0 0 {host}:{num} {host}:{num} ESTABLISHED"),
    (
        "- <old|previous>_limit = {num}",
        "+ <new|updated>_limit = {num}",
        "@@ -{num},7 +{num},9 @@",
        " def {name}(self):",
        "diff --git a/{path} b/{path}",
    ),
)


def technical(seed: int, each: int = 45) -> list[Row]:
    """Benign rows, a third of them as if a user had pasted them. Modules that this Python lacks are passed over."""
    rng = Random(seed)
    rows = []
    place = Path(sysconfig.get_paths()["stdlib"])
    for name in _MODULES:
        path = place / f"{name}.py"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        for _ in range(8 if len(text) > WINDOW else 0):
            start = rng.randrange(len(text) - WINDOW + 1)
            rows.append(_row(text[start : start + WINDOW], "python-stdlib", rng))
    for style in _STYLES:
        for _ in range(each):
            lines = [_line(rng.choice(style), rng) for _ in range(rng.randint(2, 9))]
            rows.append(_row("\n".join(lines)[:WINDOW], "made/technical", rng))
    return rows


def _line(template: str, rng: Random) -> str:
    text = template
    for slot in (*_WORDS, "num"):
        while "{" + slot + "}" in text:
            value = str(rng.randrange(1, 70_000)) if slot == "num" else expand(rng.choice(_WORDS[slot]), _WORDS, rng)
            text = text.replace("{" + slot + "}", value, 1)
    return _chosen(text, rng)


def _chosen(text: str, rng: Random) -> str:
    """The text with its choices made; braces stay, since code and JSON are full of them."""
    safe = text.replace("{", "\1").replace("}", "\2")
    return expand(safe, {}, rng).replace("\1", "{").replace("\2", "}")


def _row(text: str, source: str, rng: Random) -> Row:
    return Row(text, 0, source, "technical", "en", rng.choice(("tool", "tool", "user")), 1.0)
