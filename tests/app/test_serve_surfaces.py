"""The four surfaces with real processes: official clients, a provider of each format, controls over what the ledger says of them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from anthropic import Anthropic
from openai import OpenAI

from affiant.testing.world import COMPANY, World, http_call

TEXT = "Write to ana.ruiz@example.com about her order."


def _company() -> dict[str, Any]:
    company = json.loads(json.dumps(COMPANY))
    harbor = company["providers"][0]
    bay = {**harbor, "id": "bay", "kind": "anthropic", "base_url": "SIMULATOR/bay/v1", "usage_url": "SIMULATOR/bay/usage"}
    company["providers"].append({**bay, "labels": list(harbor["labels"])})
    company["models"].append({"id": "verse", "provider": "bay", "upstream": "verse-1", "version": "1.0", "approved_by": "bob"})
    company["routes"][0]["models"] = ["scribe", "verse"]
    return dict(company)


def _ask_all(world: World) -> list[str]:
    """Each surface, whole and streamed where it has streams; gives the texts that came back."""
    texts: list[str] = []
    key = world.keys["app"]
    with OpenAI(base_url=world.gateway + "/v1", api_key=key, max_retries=0) as client:
        messages: Any = [{"role": "user", "content": TEXT}]
        texts.append(client.chat.completions.create(model="help", messages=messages).choices[0].message.content or "")
        chunks = client.chat.completions.create(model="help", messages=messages, stream=True)
        texts.append("".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices))
        texts.append(client.responses.create(model="help", input=TEXT).output_text)
        with client.responses.stream(model="help", input=TEXT) as stream:
            texts.append(stream.get_final_response().output_text)
        assert len(client.embeddings.create(model="help", input=[TEXT]).data) == 1
    with Anthropic(base_url=world.gateway, api_key=key, max_retries=0) as claude:
        asked: Any = {"model": "help", "max_tokens": 200, "messages": [{"role": "user", "content": TEXT}]}
        texts.append("".join(block.text for block in claude.messages.create(**asked).content if block.type == "text"))
        with claude.messages.stream(**asked) as said:
            texts.append(said.get_final_text())
    return texts


def test_every_surface_becomes_evidence_that_controls_and_the_providers_count_agree_with(tmp_path: Path) -> None:
    """Seven exchanges on four surfaces: texts come back masked, both providers' own counts match, approved models served them all."""
    with World(tmp_path, workers=2, company=_company()) as world:
        texts = _ask_all(world)
        assert len(texts) == 6 and all("[EMAIL]" in text and "ana.ruiz" not in text for text in texts)
        refused = world.call("POST", "/v1/messages", {"x-api-key": "nobody"}, b"{}")
        assert refused.status == 401 and json.loads(refused.body)["type"] == "error"

        entries = [json.loads(line)["entry"] for line in world.cli("ledger", "tail", "--from", "0").stdout.splitlines()]
        opened = [entry["body"] for entry in entries if entry["type"] == "exchange.opened"]
        served = [entry["body"] for entry in entries if entry["type"] == "exchange.closed"]
        assert sorted(body["surface"] for body in opened) == [
            "chat.completions", "chat.completions", "embeddings", "messages", "messages", "responses", "responses",
        ]  # fmt: skip
        assert {body["provider"] for body in served} == {"harbor", "bay"} and all(body["outcome"] == "answered" for body in served)
        assert sum(body["tokens_in"] + body["tokens_out"] for body in served) == sum(row[6] + row[7] for row in world.seen())

        counts = tmp_path / "usage.csv"
        counts.write_bytes(http_call(f"{world.simulator}/usage", "GET", {}).body)
        world.cli("usage", "import", str(counts), "--as", "ann")
        day = time.strftime("%Y-%m-%d", time.gmtime())
        ran = world.cli("control", "run", "--all", "--period", f"{day}..{day}", "--as", "ann", check=False)
        by_id = {line["control"]: line for line in map(json.loads, ran.stdout.splitlines())}
        assert by_id["GOV-3.1"]["result"] == "no deviations noted"
        assert by_id["CO-1.1"]["result"] == "no deviations noted"
        for control in ("PI-6.1", "PR-1.1"):
            result = by_id[control]
            assert (result["result"], result["population"]["rows"], result["met"], result["unmatched"]) == ("no deviations noted", 7, 7, 0)
