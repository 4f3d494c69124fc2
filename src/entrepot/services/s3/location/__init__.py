"""Where the bucket is: its name, its address, and how that becomes known."""
