"""What the services over archives share: a read-only accessor over an index of members, and the bodies that read them.

A format implements `Index` (`index.py`): it finds the members of one version of the archive and opens their content.
`ArchiveAccessor` builds an index on first use and does the rest.
"""
