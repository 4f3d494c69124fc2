"""Bodies of writes: the interface (`api`) first, then the writers that complete it."""
