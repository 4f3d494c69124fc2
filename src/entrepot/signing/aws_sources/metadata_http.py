"""The format of credentials that both metadata services share: of instances and of containers."""

from collections.abc import Mapping
from typing import Any

from entrepot.signing.aws import Credentials
from entrepot.signing.call import text_of

from .source import checked_credentials, parse_time


def metadata_credentials(source: str, values: Mapping[str, Any]) -> Credentials:
    """The credentials in a JSON object of the instance metadata service or of a container's.

    Raises:
        ConfigInvalid: a key is missing or not valid.
    """
    keys = {
        "access_key_id": text_of(values, "AccessKeyId"),
        "secret_access_key": text_of(values, "SecretAccessKey"),
        "session_token": text_of(values, "Token"),
    }
    expiration = values.get("Expiration")
    return checked_credentials(source, keys, None if expiration is None else parse_time(source, expiration))
