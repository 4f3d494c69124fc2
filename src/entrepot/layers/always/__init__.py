"""The layers of every stack: error context, correctness checks, completion and type erasure."""
