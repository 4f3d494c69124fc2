"""System calls of the fs service: confined opens, temporary files, publishing, extended attributes.

Nothing here imports from the verbs beside this package or knows a path rule of the operator.
"""
