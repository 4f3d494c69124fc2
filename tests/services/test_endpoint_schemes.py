"""An endpoint whose scheme is not the one of the server: the error says so, and what to write."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from entrepot import ConfigInvalid, Error, Operator, Unexpected
from entrepot.services import S3, Azblob, Etcd, Http, Webdav
from entrepot.testing.servers.web import nginx

SERVICES: dict[str, Callable[[str], Any]] = {
    "s3": lambda endpoint: S3(bucket="b", endpoint=endpoint, region="r", skip_signature=True),
    "azblob": lambda endpoint: Azblob(
        container="container", account_name="account", endpoint=endpoint, skip_signature=True
    ),
    "http": Http,
    "webdav": Webdav,
    "etcd": Etcd,
}


def test_a_server_of_the_other_scheme_is_named_so(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate", tmp_path / "key"
    certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    with nginx(tmp_path) as plain, nginx(tmp_path, certificate=certificate, key=key) as tls:
        https_to_plain, http_to_tls = plain.url.replace("http:", "https:"), tls.url.replace("https:", "http:")
        for name, config in SERVICES.items():
            for url, message, hint in (
                (https_to_plain, "the server does not speak TLS", "http://"),
                (http_to_tls, "the server speaks TLS, and the scheme of its URL is http", "https://"),
            ):
                error = failure(config(url), "read")
                assert isinstance(error, ConfigInvalid), (name, url, error)
                assert message in error.message, name
                assert hint in error.context["hint"], name
        assert "dav:// in place of webdav://" in failure(Webdav(https_to_plain), "stat").context["hint"]
        for name in ("s3", "http"):  # whose stat is a HEAD: its response has no content that could say so
            error = failure(SERVICES[name](http_to_tls), "stat")
            assert isinstance(error, Unexpected), (name, error)
            assert "https://" in error.context["hint"], name


def failure(config: Any, call: str) -> Error:
    with pytest.raises(Error) as caught:
        getattr(Operator(config).blocking(), call)("a")
    return caught.value
