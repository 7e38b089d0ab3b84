"""Prompt injection by rules, as the chain asks for it; the cascade with its models is `guards.injection`."""

from __future__ import annotations

from affiant.guards.injection.rules import Hit, find

__all__ = ["Hit", "find"]
