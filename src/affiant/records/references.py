"""Whether what a record names exists: judged against the state that will be in force. Pure."""

from __future__ import annotations

from collections.abc import Collection

from affiant.records.model import Content

State = dict[tuple[str, str], Content]


def reference_faults(kind: str, content: Content, state: State, keys: Collection[str]) -> list[tuple[str, str]]:
    """Names in one record that lead nowhere, as (field, text). Empty names are faults of the content, not of references.

    Args:
        state: content of every governed record that will be in force.
        keys: ids of keys that will exist.
    """
    found: list[tuple[str, str]] = []
    if kind == "model" and content["provider"] and ("provider", content["provider"]) not in state:
        found.append(("provider", f"`{content['provider']}` is not a known provider."))
    elif kind == "route":
        for number, model in enumerate(content["models"]):
            if ("model", model) not in state:
                found.append((f"models[{number}]", f"`{model}` is not a known model."))
        if content["policy"] and ("policy", content["policy"]) not in state:
            found.append(("policy", f"`{content['policy']}` is not a known policy."))
    elif kind == "limit":
        scope, _, subject = content["scope"].partition(":")
        if scope == "key" and subject not in ("", "*") and subject not in keys:
            found.append(("scope", f"`{subject}` is not a known key."))
        if scope == "route" and subject not in ("", "*") and ("route", subject) not in state and ("model", subject) not in state:
            found.append(("scope", f"`{subject}` is not a known route or model."))
    return found


def scope_faults(scope: Collection[str], state: State) -> list[tuple[int, str]]:
    """Entries of a key's scope that name neither a route nor a model, as (position, text)."""
    return [
        (number, f"`{each}` is neither a route nor a model.")
        for number, each in enumerate(scope)
        if each != "*" and ("route", each) not in state and ("model", each) not in state
    ]


def users_of(kind: str, record: str, state: State) -> list[str]:
    """Records that name this one and would be left without it, as `kind id`. Models may always be withdrawn: routes then refuse."""
    if kind == "provider":
        return [f"model {each}" for (of, each), content in state.items() if of == "model" and content["provider"] == record]
    if kind == "route":
        return [f"limit {each}" for (of, each), content in state.items() if of == "limit" and content["scope"] == f"route:{record}"]
    return []
