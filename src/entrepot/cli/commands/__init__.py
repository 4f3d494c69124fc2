"""The verbs, one module each: `command` is the verb of that name."""
