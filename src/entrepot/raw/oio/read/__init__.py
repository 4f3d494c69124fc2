"""Bodies of reads: the interface (`api`) first, then the readers that complete it."""
