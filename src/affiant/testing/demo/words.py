"""What the demonstration says when it runs: where to look and what to paste. Leaves out: progress while it is made."""

from __future__ import annotations

import sys
from collections import Counter

from affiant.testing.demo.layout import Layout, Memory

_ROUTE, _KEY = "support-chat", "aurora-helpdesk"


def show(layout: Layout, memory: Memory, link: str, tally: Counter[str]) -> None:
    """Print addresses, a sign-in link and snippets to standard output."""
    gateway = f"http://127.0.0.1:{memory.gateway_port}"
    key = memory.keys[_KEY]
    lines = [
        "",
        "  Northwind Assist is invented, and so is its history; the processes, the ledger and its proofs are real.",
        "  The provider is a simulator and the witness a stand-in: neither makes a period trustworthy.",
        "",
        f"  Console   {link}",
        "            (opens once, as mara.lind, compliance; another: `.venv/bin/affiant person link mara.lind`)",
        f"  Gateway   {gateway}/v1",
        f"  Key       {key}",
        "",
        f"  curl {gateway}/v1/chat/completions -H 'Authorization: Bearer {key}' \\",
        f'       -H \'Content-Type: application/json\' -d \'{{"model":"{_ROUTE}","messages":[{{"role":"user",',
        '       "content":"Write to Ana Ruiz, ana.ruiz@example.com, about order NW-20411."}]}\'',
        "",
        "  from openai import OpenAI",
        f'  client = OpenAI(base_url="{gateway}/v1", api_key="{key}")',
        f'  print(client.chat.completions.create(model="{_ROUTE}", messages=[{{"role": "user", "content": "Hello"}}]))',
        "",
        f"  export AFFIANT_HOME={layout.home} AFFIANT_UNLOCK=file:{layout.unlock}    for `.venv/bin/affiant status`, `ledger verify` …",
        "  Ctrl-C stops everything; `make demo` goes on where it was; without .demo/ it begins anew.",
        "",
    ]
    if tally:
        told = ", ".join(f"{count} {name}" for name, count in sorted(tally.items()))
        lines.insert(3, f"  Callers got: {told}.")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def stopping() -> None:
    """Say that Ctrl-C was heard."""
    sys.stderr.write("\nstopping …\n")
    sys.stderr.flush()
