"""`affiant guard …`: what guards decide about texts, under a policy, without an exchange."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import click

from affiant.cli.guard_records import appeal, appeals, decide, protect
from affiant.cli.shared import FINDING, GOOD, USAGE, out, say, table
from affiant.gateway.policies import judge_detectors, read_policy
from affiant.guards import Action, GuardChain, Inspection, Policy, Role, inspect
from affiant.guards.quality.grammar import LARK, REGEX, grammar
from affiant.guards.quality.schema import Expected, compiled
from affiant.guards.structured import GUARD as FORM
from affiant.kit.errors import BadInput
from affiant.records import BUILT_IN, built_in_policies, load_policy_file, policy_snap
from affiant.records.snapshot import DEFAULT_RISK, LABELS, RISKS
from affiant.weights import load_toolbox

MAX_LINE = 64 * 1024 * 1024
_FIELDS = ("id", "text", "role", "context", "question", "lang")
_policy_option = click.option(
    "--policy", "policy_name", default="default", show_default=True, metavar="NAME|FILE", help=f"{', '.join(BUILT_IN)}, or a YAML file."
)
_risk_option = click.option("--risk", type=click.Choice(RISKS), default=DEFAULT_RISK, show_default=True, help="Of the route.")
_tenant_option = click.option("--tenant", default="", metavar="T", help="Whose exchange it is, where the policy has overrides.")


@click.group("guard")
def command() -> None:
    """What guards decide about texts under a policy, and why; what they look for; appeals against them."""


for _each in (protect, appeal, appeals, decide):
    command.add_command(_each)


def _policy(name: str, risk: str, tenant: str) -> Policy:
    """A built-in policy by name, else the one in a file, as it is for routes of a risk and for a tenant.

    Raises:
        BadInput: neither.
    """
    if name in BUILT_IN:
        return read_policy(policy_snap(name, built_in_policies()[name]), risk, tenant)
    path = Path(name)
    if not path.is_file():
        raise BadInput(f"There is no policy {name!r}.", f"Name one of {', '.join(BUILT_IN)}, or a YAML file with id and guards.")
    return read_policy(load_policy_file(path, judge_detectors), risk, tenant)


@command.command("scan")
@_policy_option
@_risk_option
@_tenant_option
@click.option("--in", "source", required=True, metavar="X.jsonl", help="One JSON object a line; - for stdin.")
@click.option("--out", "target", required=True, metavar="Y.jsonl", help="One line for each; - for stdout.")
def scan(policy_name: str, risk: str, tenant: str, source: str, target: str) -> int:
    """Run every guard of a policy over many texts, one JSON line in and one out.

    In: {"id","text","role": system|user|assistant|tool|document,"context"?,"question"?,"lang"?}. Out: {"id","decision","spans":
    [{"start","end","type","score"}],"scores","cpu_us","stage"}; offsets count characters. A line that cannot be read gives a line with
    `error` and exit code 2; the others are scanned all the same.
    """
    policy = _policy(policy_name, risk, tenant)
    chain = GuardChain(toolbox=load_toolbox(say))
    faulty = 0
    with ExitStack() as stack:
        lines = stack.enter_context(_reading(source))
        into = stack.enter_context(_writing(target))
        for number, line in enumerate(_lines(lines), 1):
            row = _row(line, number)
            if "error" in row:
                faulty += 1
                say(f"Line {number}: {row['error']}")
            else:
                row = _scanned(row, policy, chain)
            into.write(json.dumps(row, ensure_ascii=True, separators=(",", ":")) + "\n")
    return USAGE if faulty else GOOD


def _reading(source: str) -> Any:
    if source == "-":
        return click.open_file("-", "r", encoding="utf-8", errors="surrogateescape")
    path = Path(source)
    if not path.is_file():
        raise BadInput(f"There is no file {source}.", "Give one JSON object a line, with id and text.")
    return path.open(encoding="utf-8", errors="surrogateescape", newline="\n")


def _writing(target: str) -> Any:
    if target == "-":
        return click.open_file("-", "w")
    try:
        return Path(target).open("w", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{target} cannot be written: {error.strerror}.", "Name a file in a directory that exists.") from None


def _lines(lines: IO[str]) -> Iterator[str]:
    for line in lines:
        if line.strip():
            yield line


def _row(line: str, number: int) -> dict[str, Any]:
    """A row, or {"id", "line", "error"}."""

    def fault(why: str, row_id: object = None) -> dict[str, Any]:
        return {"id": row_id, "line": number, "error": why}

    if len(line) > MAX_LINE:
        return fault(f"It is longer than {MAX_LINE:,} characters.")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return fault(f"It is no JSON: {error}.")
    if not isinstance(row, dict):
        return fault("It is no JSON object.")
    for name in _FIELDS:
        if row.get(name) is not None and name != "id" and not isinstance(row[name], str):
            return fault(f"`{name}` must be a string.", row.get("id"))
    if not isinstance(row.get("text"), str):
        return fault("`text` must be a string.", row.get("id"))
    if (row.get("role") or "user") not in {role.value for role in Role}:
        return fault(f"`role` must be one of {', '.join(role.value for role in Role)}.", row.get("id"))
    return row


def _scanned(row: dict[str, Any], policy: Policy, chain: GuardChain) -> dict[str, Any]:
    started = time.process_time_ns()
    role = Role(row.get("role") or "user")
    seen = inspect(row["text"], role, policy, chain, row.get("context") or "", row.get("question") or "")
    spent = (time.process_time_ns() - started) // 1000
    scores: dict[str, float] = {"injection": seen.injection_ppm / 1e6, "secret": seen.secret_ppm / 1e6}
    if seen.ungrounded_ppm >= 0:
        scores["ungrounded"] = seen.ungrounded_ppm / 1e6
    spans = [{"start": h.start, "end": h.end, "type": h.type, "score": h.score_ppm / 1e6} for h in seen.hits]
    return {"id": row.get("id"), "decision": str(seen.decision), "spans": spans, "scores": scores, "cpu_us": spent, "stage": seen.stage}


@command.command("test")
@click.argument("text", metavar="TEXT|-")
@_policy_option
@_risk_option
@_tenant_option
@click.option("--label", type=click.Choice(LABELS), default="internal", show_default=True, help="That the route declares.")
@click.option("--role", type=click.Choice([role.value for role in Role]), default="user", show_default=True, help="Who wrote it.")
@click.option("--context", "context_file", default=None, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="What an answer should rest on (with --role assistant).")  # fmt: skip
@click.option("--schema", "schema_file", default=None, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="JSON Schema that an answer was asked to satisfy.")  # fmt: skip
@click.option("--grammar", "grammar_file", default=None, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Lark grammar that an answer was asked to match.")  # fmt: skip
@click.option("--regex", default="", metavar="EXPRESSION", help="Regular expression that an answer was asked to match as a whole.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def test(
    text: str,
    policy_name: str,
    risk: str,
    tenant: str,
    label: str,
    role: str,
    context_file: Path | None,
    schema_file: Path | None,
    grammar_file: Path | None,
    regex: str,
    as_json: bool,
) -> int:
    """Say of one text what every guard of a policy decides, and why. Exit code 1 where it would be blocked."""
    policy = _policy(policy_name, risk, tenant)
    chain = GuardChain(toolbox=load_toolbox(say))
    whole = sys.stdin.read() if text == "-" else text
    context = context_file.read_text(encoding="utf-8", errors="replace") if context_file else ""
    expected = _expected(schema_file, grammar_file, regex)
    seen = inspect(whole, Role(role), policy, chain, context, "", expected, label, tenant)
    if as_json:
        out(explained(seen))
    else:
        click.echo(table([["guard", "control", "decides", "score", "why"], *_rows(seen, whole)]))
        say(f"Under policy {policy.id}: {seen.decision}.")
    if expected is not None and (FORM not in policy.guards or role != Role.ASSISTANT):
        say(f"Its form was not checked: that is for answers (--role assistant) under a policy with the guard `{FORM}`.")
    return FINDING if seen.decision in (Action.BLOCK, Action.HOLD) else GOOD


def _expected(file: Path | None, grammar_file: Path | None, regex: str) -> Expected | None:
    """The form that a schema file, a grammar file or an expression asks for.

    Raises:
        BadInput: it is no JSON, or a schema or grammar that is not safe to check; or more than one is named.
    """
    named = [each for each in (file, grammar_file, regex) if each]
    if len(named) > 1:
        raise BadInput("An answer is asked to have one form.", "Name one of --schema, --grammar and --regex.")
    if not named:
        return None
    told = "the expression" if regex else Path(named[0]).name
    try:
        if regex:
            return Expected(form=grammar(REGEX, regex))
        if grammar_file is not None:
            return Expected(form=grammar(LARK, grammar_file.read_text(encoding="utf-8")))
        assert file is not None
        return Expected(compiled(json.loads(file.read_text(encoding="utf-8"))), True)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The form in {told} cannot be checked: {error}", "Correct it.") from None


def explained(seen: Inspection) -> dict[str, Any]:
    """An inspection as JSON: each decision with guard, control, version, rules and offsets; never the text."""
    return {
        "decision": str(seen.decision),
        "decisions": [
            {
                "guard": d.guard, "control": d.control, "action": str(d.action), "reason": d.reason, "how": d.how, "version": d.version,
                "stage": d.stage, "score": d.score_ppm / 1e6 if d.score_ppm >= 0 else None,
                "hits": [{"start": h.start, "end": h.end, "type": h.type, "rule": h.rule, "score": h.score_ppm / 1e6} for h in d.hits],
            }
            for d in seen.decisions
        ],
    }  # fmt: skip


def _rows(seen: Inspection, text: str) -> list[list[str]]:
    rows = []
    for d in seen.decisions:
        score = f"{d.score_ppm / 1e6:.2f}" if d.score_ppm >= 0 else ""
        if not d.hits:
            rows.append([d.guard, d.control, str(d.action), score, d.reason.replace("_", " ") or "nothing found"])
        for hit in d.hits[:20]:
            shown = text[hit.start : hit.end].replace("\n", " ")
            excerpt = shown if len(shown) <= 40 else f"{shown[:37]}…"
            why = f"{hit.type} {hit.start}–{hit.end} {excerpt!r} {hit.rule}"
            rows.append([d.guard, d.control, str(d.action), f"{hit.score_ppm / 1e6:.2f}", why])
        if len(d.hits) > 20:
            rows.append([d.guard, d.control, str(d.action), "", f"and {len(d.hits) - 20} more"])
    return rows


@command.command("list")
def list_guards() -> int:
    """Models and stages that guards work with here, and the digest by which an exchange names them all."""
    toolbox = load_toolbox(say)
    for name, version in toolbox.versions:
        out({"guard": name, "version": version, "digest": toolbox.digest})
    return GOOD
