"""nginx posing as S3, so that the server is not the limit.

It serves objects from files, and prepared pages of listings, chosen by their token. It receives uploads and discards
them. Its other responses are constant, and it checks no signature. The tests, which run against real servers, check
that the requests of entrepot are right.

nginx sends a constant response before it has received the content of the request. S3 does not, and a client that
does not wait until its content is accepted would have less to do. `mirror` makes nginx receive the content first, into
memory; a request with content that fits in the first receive needs none.
"""

from __future__ import annotations

import http.client
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entrepot.testing.servers import free_ports, nginx_program, running

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True, slots=True)
class NullS3:
    """A running server.

    Arguments:
        url: its endpoint.
        counting_url: the same, with a log of every request.
        requests: the file of that log, a line for each request.
        tls_url: the same as `url` by TLS; empty without a certificate.
    """

    url: str
    counting_url: str
    requests: Path
    tls_url: str = ""


@contextmanager
def null_s3(root: Path, *, slow_rate: int, certificate: Path | None = None) -> Iterator[NullS3]:
    """Starts it.

    Arguments:
        root: a folder with a folder for each bucket. The folder of a listing has a file for each page, `p0` first.
        slow_rate: bytes a second of each connection, for the bucket `slow`, a copy of the bucket `bench`.
        certificate: a file with the private key and the certificates of the server, for TLS.

    Raises:
        ServerFailed: nginx is not installed or did not start.
    """
    port, counting, tls = free_ports(3)
    with tempfile.TemporaryDirectory(prefix="entrepot-") as name:
        own = Path(name)
        (own / "root").symlink_to(root.absolute())
        (own / "nginx.conf").write_text(
            _config(port, counting, slow_rate, "" if certificate is None else _tls(tls, certificate, slow_rate))
        )
        command = [nginx_program(), "-p", f"{own}/", "-c", "nginx.conf", "-e", "stderr"]

        def is_ready() -> bool:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/bench/small")
                return connection.getresponse().status == http.client.OK

        with running(command, own / "nginx.log", is_ready):
            yield NullS3(
                f"http://127.0.0.1:{port}",
                f"http://127.0.0.1:{counting}",
                own / "requests.log",
                "" if certificate is None else f"https://localhost:{tls}",
            )


def listing_page(rows: Iterator[str], *, bucket: str, token: str, next_token: str | None) -> str:
    """A page of ListObjectsV2.

    Arguments:
        rows: the objects, from `listing_row`.
        bucket: the listed bucket.
        token: the token of this page.
        next_token: the token of the next page; None if this is the last.
    """
    contents = "".join(rows)
    following = "" if next_token is None else f"<NextContinuationToken>{next_token}</NextContinuationToken>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{NAMESPACE}"><Name>{bucket}</Name><Prefix>'
        f"</Prefix><KeyCount>1000</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>{str(bool(following)).lower()}"
        f"</IsTruncated><ContinuationToken>{token}</ContinuationToken>{following}{contents}</ListBucketResult>"
    )


def listing_row(number: int) -> str:
    """An object of a listing, as Amazon writes it."""
    return (
        f"<Contents><Key>year=2026/month=11/part-{number:09}.parquet</Key><LastModified>2026-11-{1 + number % 28:02}T"
        f"{number % 24:02}:{number % 60:02}:00.000Z</LastModified><ETag>&quot;{number:032x}&quot;</ETag><Size>{number}"
        "</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def _tls(port: int, certificate: Path, slow_rate: int) -> str:
    files = f"ssl_certificate {certificate}; ssl_certificate_key {certificate};"
    return f"server {{ listen 127.0.0.1:{port} ssl backlog=4096; access_log off; {files} {_locations(slow_rate)} }}"


def _config(port: int, counting: int, slow_rate: int, tls: str) -> str:
    temporary = " ".join(f"{use}_temp_path temp-{use};" for use in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""
        daemon off;
        master_process off;
        pid nginx.pid;
        events {{ worker_connections 4096; multi_accept on; }}
        http {{
            {temporary}
            types {{ }}
            default_type application/octet-stream;
            sendfile on;
            tcp_nopush on;
            tcp_nodelay on;
            keepalive_timeout 300;
            keepalive_requests 100000000;
            client_max_body_size 0;
            open_file_cache max=10000 inactive=60s;
            log_format line "$request";
            map $args $page {{ default p0; "~continuation-token=(?<token>p[0-9]+)" $token; }}
            map "$request_method $content_length $args" $canned {{
                default "";
                "~^PUT [0-9]{{6,}} " received;
                "~^PUT " put;
                "~^POST [0-9]* uploads" begin;
                "~^POST [0-9]* (.*&)?uploadId" complete;
                "~^DELETE " delete;
            }}
            server {{ listen 127.0.0.1:{port} backlog=4096; access_log off; {_locations(slow_rate)} }}
            server {{ listen 127.0.0.1:{counting}; access_log requests.log line; {_locations(slow_rate)} }}
            {tls}
        }}
    """


def _locations(slow_rate: int) -> str:
    begun = f"<InitiateMultipartUploadResult xmlns='{NAMESPACE}'><Bucket>b</Bucket><Key>k</Key><UploadId>u1</UploadId>"
    ended = (
        f"<CompleteMultipartUploadResult xmlns='{NAMESPACE}'><Bucket>b</Bucket><Key>k</Key><ETag>&quot;e-1&quot;</ETag>"
    )
    return f"""
        root root;
        merge_slashes off;
        location / {{ if ($canned) {{ rewrite ^ /_canned/$canned last; }} }}
        location /slow/ {{ alias root/bench/; limit_rate {slow_rate}; }}
        location ~ ^/(?<bucket>list[0-9]+)/?$ {{ rewrite ^ /_pages/$bucket/$page last; }}
        location /_pages/ {{ internal; default_type application/xml; alias root/; }}
        location = /_canned/put {{ internal; add_header ETag '"0123456789abcdef0123456789abcdef"'; return 200; }}
        location = /_canned/received {{
            internal; client_body_buffer_size 17m; mirror /_nothing; error_page 405 =200 /_canned/put;
        }}
        location = /_nothing {{ internal; return 204; }}
        location = /_canned/delete {{ internal; return 204; }}
        location = /_canned/begin {{
            internal; default_type application/xml; return 200 "{begun}</InitiateMultipartUploadResult>";
        }}
        location = /_canned/complete {{
            internal; default_type application/xml; return 200 "{ended}</CompleteMultipartUploadResult>";
        }}
    """
