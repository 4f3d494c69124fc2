"""What the configuration adds to requests: encryption, checksums, storage class, access control, locks."""
