"""System calls of the fs service: confined opens, temporary files, publishing, extended attributes."""
