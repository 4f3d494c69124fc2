"""Bodies of listings: the interface (`api`) first, then the listers that complete it."""
