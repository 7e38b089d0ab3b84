"""The ground: clock, ids, errors, home, keyring, secrets by reference, database, crypto and charts.

Its modules are imported by name (`affiant.kit.clock`); each knows nothing of the product's trades.
"""
