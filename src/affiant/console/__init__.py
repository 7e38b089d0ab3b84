"""Pages for people: server-rendered, without inline script or style, each in the words of docs/words.md.

`create_console(context)` gives the routes to mount last at the root. Leaves out: the same actions as JSON (`api`).
"""

from affiant.console.context import Context, DayItems, DueItem, Findings, Item, NotShown, RowsOf, Table
from affiant.console.pages.sign_in import link_path
from affiant.console.routes import create_console

__all__ = ["Context", "DayItems", "DueItem", "Findings", "Item", "NotShown", "RowsOf", "Table", "create_console", "link_path"]
