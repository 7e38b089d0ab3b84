"""Affiant: run the SOC 2 controls of an AI system and prove afterwards what they did."""

__version__ = "0.1.0"
