"""Bodies of copies: the interface (`api`) first, then the copiers that complete it."""
