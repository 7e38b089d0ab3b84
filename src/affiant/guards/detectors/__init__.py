"""Detectors: each takes text and gives spans. No policy, no action; those are `affiant.guards.chain`'s."""
