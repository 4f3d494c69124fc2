"""The public interface: the operator, its builders, and the readers, writers and listers that it opens."""
