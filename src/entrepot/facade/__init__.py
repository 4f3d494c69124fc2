"""The public surface: the operator, its builders, and the readers, writers and listers that it opens."""
