"""The address of a bucket in the environment and in the files of the AWS tools.

Names and order are the same as in the AWS SDKs ("Settings reference" in the AWS SDKs and Tools Reference Guide). A
variable wins over the files, except that a setting for S3 alone, in the `s3` table of a profile, wins over one for all
services.
"""

from collections.abc import Mapping
from typing import Final

from entrepot.errors import ConfigInvalid
from entrepot.services.s3.invalid import invalid
from entrepot.signing.aws_profile import Profile, ProfileFiles, configured_endpoint, configured_region

from .address import Settings, endpoint_of

_ENDPOINT_URL: Final = "AWS_ENDPOINT_URL"
_OTHER_ENDPOINTS: Final = ("AWS_S3_ENDPOINT", "AWS_ENDPOINT")
"""Names that OpenDAL and object_store read, and the AWS SDKs do not."""

_SWITCHES: Final = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}
_STYLES: Final = {"virtual": True, "path": False, "auto": None}


def settings_of(environ: Mapping[str, str], files: ProfileFiles, profile: Profile) -> Settings:
    """The settings in the environment and in a profile.

    Arguments:
        environ: the environment variables.
        files: the files; `NO_FILES` where they are not read.
        profile: the profile.

    Raises:
        ConfigInvalid: a value is not valid. The message names the variable or the key, and shows no value.
    """
    s3 = profile.nested("s3")
    dualstack, fips = "use_dualstack_endpoint", "use_fips_endpoint"
    return Settings(
        region=configured_region(profile, environ),
        endpoint=_endpoint(environ, files, profile),
        virtual_host=_style(s3.get("addressing_style")),
        dualstack=_first(_switch(s3, dualstack), _either(environ, profile, dualstack)),
        fips=_either(environ, profile, fips),
        accelerate=_switch(s3, "use_accelerate_endpoint"),
        arn_region=_first(_switch(environ, "AWS_S3_USE_ARN_REGION"), _switch(s3, "use_arn_region")),
    )


def _endpoint(environ: Mapping[str, str], files: ProfileFiles, profile: Profile) -> str | None:
    other = next((environ[name] for name in _OTHER_ENDPOINTS if environ.get(name)), None)
    if other is not None and not environ.get(_ENDPOINT_URL):
        environ = {**environ, _ENDPOINT_URL: other}
    text = configured_endpoint("s3", files, profile, environ)
    if text is None:
        return None
    try:
        endpoint = endpoint_of(text)
    except ConfigInvalid as error:
        message = error.message
    else:
        if endpoint.username is None and endpoint.password is None:
            return endpoint.url
        message = "the endpoint must not have keys in it"
    raise invalid(f"{message}; it is configured in {_ENDPOINT_URL} or endpoint_url")


def _either(environ: Mapping[str, str], profile: Profile, key: str) -> bool | None:
    """A switch in the environment, or else in a profile."""
    value = profile.get(key)
    in_profile = {} if value is None else {key: value}
    return _first(_switch(environ, f"AWS_{key.upper()}"), _switch(in_profile, key))


def _switch(values: Mapping[str, str], name: str) -> bool | None:
    value = values.get(name, "").strip().lower()
    if value and value not in _SWITCHES:
        raise invalid(f"{name} must be 'true' or 'false'")
    return _SWITCHES.get(value)


def _style(text: str | None) -> bool | None:
    if text is not None and text not in _STYLES:
        raise invalid("addressing_style of the profile must be 'auto', 'virtual' or 'path'")
    return _STYLES.get(text or "auto")


def _first(*values: bool | None) -> bool | None:
    return next((value for value in values if value is not None), None)
