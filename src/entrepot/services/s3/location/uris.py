"""URIs of buckets: `s3://bucket/root`, and the URLs of buckets at Amazon and elsewhere."""

from typing import Any

from entrepot.raw.config import ServiceUri
from entrepot.services.s3.invalid import invalid

from .hosts import AmazonHost, amazon_host, is_of_amazon


def options_of(uri: ServiceUri) -> dict[str, Any]:
    """The keys and values of the authority and the path of a URI.

    The forms are `s3://bucket/root`, `s3://<ARN of an access point>/root`, `https://bucket.s3.<region>.amazonaws.com/root`,
    `https://s3.<region>.amazonaws.com/bucket/root`, and `https://<endpoint>/bucket/root` for any other server.

    Raises:
        ConfigInvalid: it is a URL of Amazon that is not one of a bucket.
    """
    if uri.scheme in ("http", "https"):
        return _of_url(uri)
    if uri.authority.startswith("arn:"):
        return _of_access_point(uri)
    return {"root": uri.path} | ({"bucket": uri.authority} if uri.authority else {})


def _of_access_point(uri: ServiceUri) -> dict[str, Any]:
    """Of an ARN: after `accesspoint` there is a colon or a slash, of which the second starts the path."""
    if not uri.authority.endswith(":accesspoint"):
        return {"bucket": uri.authority, "root": uri.path}
    name, root = _first_segment(uri.path)
    return {"bucket": f"{uri.authority}/{name}", "root": root}


def _of_url(uri: ServiceUri) -> dict[str, Any]:
    amazon = amazon_host(uri.authority.lower()) if uri.scheme == "https" else None
    if amazon is None and uri.scheme == "https" and is_of_amazon(uri.authority.lower()):
        raise invalid("the URL is not one of a bucket: use s3://bucket/root, and the keys of the endpoint")
    if amazon is not None and amazon.bucket is not None:
        return {"bucket": amazon.bucket, "root": uri.path, **_endpoint_keys(amazon)}
    bucket, root = _first_segment(uri.path)
    named = {"bucket": bucket} if bucket else {}
    if amazon is None or amazon.is_private:
        return {**named, "root": root, "endpoint": f"{uri.scheme}://{uri.authority}"}
    return {**named, "root": root, **_endpoint_keys(amazon)}


def _endpoint_keys(amazon: AmazonHost) -> dict[str, Any]:
    """The keys that the host of an endpoint implies."""
    keys: dict[str, Any] = {} if amazon.region is None else {"region": amazon.region}
    switches = {"use_fips_endpoint": amazon.is_fips, "use_dualstack_endpoint": amazon.is_dualstack}
    return keys | {key: True for key, is_on in switches.items() if is_on}


def _first_segment(path: str) -> tuple[str, str]:
    first, _, rest = path.lstrip("/").partition("/")
    return first, f"/{rest}"
