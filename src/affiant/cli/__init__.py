"""The command line: `affiant …`. One file a command group, the same nouns as the console's menu.

Commands reach the records and the running processes through the API (over `run/control.sock` while the home is served, else in
process under the home's lock), and the ledger on disk through its reader. What only `app` can do (start processes, mount the API)
is handed in as `Doors`. JSON goes to standard output, words for people to standard error. Exit codes: 0 good · 1 a deviation,
finding or lie · 2 bad input or usage · 3 could not look, or not anchored.
"""

from affiant.cli.doors import Doors, LocalApi
from affiant.cli.main import main, root

__all__ = ["Doors", "LocalApi", "main", "root"]
