"""Scripts that train the models shipped in `src/affiant/weights`; not shipped themselves."""
