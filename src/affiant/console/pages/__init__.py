"""One file a page: its frozen `…Page`, and how it is built from what the rooms below know."""
