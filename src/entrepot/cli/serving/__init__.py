"""What `entrepot serve` answers: the objects, directories and uploads of an operator over HTTP, by `aiohttp.web`.

`server` runs `site`, which answers each request with a page of `pages`, a record, or the object itself. `access`
decides whether a request is allowed, before anything is requested from the storage.
"""
