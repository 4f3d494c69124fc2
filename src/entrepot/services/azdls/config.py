"""Configuration of the azdls service."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, ClassVar

from entrepot.errors import ConfigInvalid, InvalidInput
from entrepot.raw import Accessor, Context, ServiceConfig, normalize_root
from entrepot.signing.azure_options import AzureOptions
from entrepot.types.records import replace

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from entrepot.types.records import dataclass


@dataclass(frozen=True, repr=False)
class Azdls(AzureOptions):
    """Files and directories in a file system of Azure Data Lake Storage (Gen2), also of Microsoft Fabric.

    The account has a hierarchical namespace: directories are real, and renames are one step. The account, the
    credentials and the environment are those of `Azblob`.

    Arguments:
        filesystem: the name of the file system, which is a container.
        root: the directory that paths are relative to.
        endpoint: the URL of the service of the account, such as `"https://acc.dfs.core.windows.net"`. By default the
            account's in the public cloud.
        account_name: the name of the account. By default the one in the endpoint, or `AZURE_STORAGE_ACCOUNT_NAME` or
            `AZURE_STORAGE_ACCOUNT`.
        account_key: one of the two keys of the account, in base64.
        sas_token: a shared access signature, with or without its question mark.
        connection_string: the account and its credentials in the form `"AccountName=...;AccountKey=..."`.
        bearer_token: a token of Entra ID for Azure Storage. It is not renewed: `credentials` are.
        credentials: in place of these, for credentials that expire: a credential object of azure-identity, a function
            that returns `AzureAccessToken`, `AzureSasToken` or `AzureAccountKey` of `entrepot.signing`, plain (called
            in a thread) or async, or a `Provider`. It has no form as text.
        tenant_id: the tenant of the application that signs in. By default `AZURE_TENANT_ID`.
        client_id: the id of the application, or of a user-assigned managed identity. By default `AZURE_CLIENT_ID`.
        client_secret: a secret of the application. By default `AZURE_CLIENT_SECRET`.
        authority_host: the URL of Entra ID. By default `AZURE_AUTHORITY_HOST`, or the URL of the public cloud.
        federated_token_file: a file with the token of another identity provider (workload identity). By default
            `AZURE_FEDERATED_TOKEN_FILE`.
        use_emulator: refused, since the emulator has no such service.
        skip_signature: send requests without credentials. By default they have some.
        disable_config_load: read nothing from the environment.

    The other options concern connections: see `HttpServiceConfig`.

    Raises:
        ConfigInvalid: a value is missing or not valid, or values exclude each other. Nothing is sent.
    """

    SCHEME: ClassVar[str] = "azdls"
    ALIASES: ClassVar[tuple[str, ...]] = ("abfs", "abfss")
    URI: ClassVar[str] = "azdls://filesystem/some/root?account_name=a"
    KEY_PREFIX: ClassVar[str] = "azure_"
    SERVICE: ClassVar[str] = "dfs"
    CONTAINER: ClassVar[str] = "filesystem"

    filesystem: str = field(
        metadata={"aliases": ("file_system", "container", "container_name", "azure_container_name")}
    )
    root: str = "/"

    def validate(self) -> None:
        super().validate()
        self.check_root(self.root)
        from entrepot.signing.azure_names import check_container, check_key

        if self.use_emulator:
            raise self.invalid("use_emulator is set, and the emulator has no data lake: use azblob")
        try:
            check_container(self.filesystem)
            if (prefix := normalize_root(self.root)[1:]) != "":
                check_key(prefix)
        except (ConfigInvalid, InvalidInput) as error:
            problem = error.message.replace("container", "filesystem", 1)
        else:
            return
        raise self.invalid(problem)  # raised here: the other error is of no service

    def build(self, context: Context) -> Accessor:
        from .build import build

        return build(self, context)

    def is_same_store(self, other: ServiceConfig) -> bool:
        """Whether both are one file system of one account, and have the same credentials."""
        return isinstance(other, Azdls) and replace(other.with_connections_of(self), root=self.root) == self
