"""Bodies of deletions: the interface (`api`) first, then the deleters that complete it."""
