"""Files that cannot be read since too many are open: the error passes, and nothing is remembered of it."""

from __future__ import annotations

import errno
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.errors import ConfigInvalid, Error, PermissionDenied, Unexpected
from entrepot.raw.few_files import with_file_limit
from entrepot.raw.http.tls import TlsFiles
from entrepot.raw.runtime.asyncio import AsyncioRuntime
from entrepot.services import Ftp, Sftp
from entrepot.services.ftp import connect as ftp
from entrepot.services.hf import token as hf
from entrepot.services.sftp import connect as sftp
from entrepot.signing import aws_profile_files, azure_sources
from entrepot.signing.aws_sources import process, token_file, web_identity
from entrepot.signing.google import chain, external_account
from tests.few_files import few_files

READERS: dict[str, Callable[[Path], object]] = {
    "ca_file": lambda file: TlsFiles(ca_file=str(file)).load(),
    "client_certificate": lambda file: TlsFiles(client_certificate=str(file), allow_invalid_certificates=True).load(),
    "ca_file of ftp": lambda file: ftp._tls_context(Ftp("ftps://localhost", ca_file=str(file))),
    "token of hf": hf._read,
    "profile of AWS": lambda file: aws_profile_files.read_files({"AWS_CONFIG_FILE": str(file)}),
    "token of AWS": token_file.read_json,
    "token of AWS, written": lambda file: token_file.write_json(file, {}),
    "identity of AWS": lambda file: web_identity.read_token(str(file)),
    "program of AWS": lambda _: process._output([sys.executable, "-c", ""], "program"),
    "token of Azure": lambda file: azure_sources._read_assertion(str(file)),
    "program of Azure": lambda _: azure_sources._run_cli(sys.executable, None, {}),
    "credentials of Google": lambda file: chain._read(str(file)),
    "token for Google": lambda file: external_account._content(str(file)),
    "program for Google": lambda _: external_account._output(sys.executable, {}, 10),
}


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_cannot_be_opened_for_now_is_a_temporary_error(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"{}")
    with few_files(0), pytest.raises(Unexpected) as failed:
        READERS[name](file)
    assert (failed.value.errno, failed.value.is_temporary) == (errno.EMFILE, True)
    assert "ulimit -n" in str(failed.value)


async def test_a_key_of_sftp_that_cannot_be_opened_for_now_is_a_temporary_error(tmp_path: Path) -> None:
    config = Sftp("localhost", user="user", key=str(tmp_path / "key"))
    (tmp_path / "key").write_bytes(b"")
    runtime = AsyncioRuntime()
    await runtime.blocking(int)  # a thread that is there opens no file
    with few_files(0), pytest.raises(Unexpected, match="key cannot be read") as failed:
        await sftp._options(runtime, config)
    assert (failed.value.errno, failed.value.is_temporary) == (errno.EMFILE, True)


@pytest.mark.skipif(ssl.get_default_verify_paths().cafile is None, reason="the certificates are not in one file")
def test_the_certificates_of_the_system_are_not_taken_for_none() -> None:
    with few_files(0), pytest.raises(Unexpected, match="Too many open files") as failed:
        TlsFiles().load()
    assert (failed.value.errno, failed.value.is_temporary) == (errno.EMFILE, True)
    assert TlsFiles().load().cert_store_stats()["x509"]


@pytest.mark.parametrize("error", [ConfigInvalid("no"), PermissionDenied("no"), Unexpected("no", is_temporary=True)])
def test_only_too_many_files_change_an_error(error: Error) -> None:
    assert with_file_limit(error, OSError(errno.EACCES, "")) is error
    assert (str(error), error.context) == (str(type(error)("no", is_temporary=error.is_temporary)), {})
    limited = with_file_limit(error, OSError(errno.ENFILE, ""))
    assert isinstance(limited, Unexpected)
    assert (limited.message, limited.errno, limited.is_temporary) == ("no", errno.ENFILE, True)
