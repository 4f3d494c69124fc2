"""Tests that are collected only where variables name a store."""

import os

collect_ignore = [] if os.environ.get("ENTREPOT_TEST") else ["test_real_store.py"]
