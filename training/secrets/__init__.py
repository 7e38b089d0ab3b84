"""Trains the letter-pair table of `guards.detectors.secrets.letters`, which tells words from random letters."""
