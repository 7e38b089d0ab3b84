"""Trains the groundedness model of `affiant.guards.grounded` from public data and writes its weights and card."""
