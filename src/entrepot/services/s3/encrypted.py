"""Whether an object was stored with the encryption that was requested.

Some servers ignore the headers of encryption, store the object as it is, and report success. Amazon states the
encryption in the response to each request that stores content (PutObject, UploadPart, CompleteMultipartUpload and
CopyObject in the Amazon S3 API Reference). Other servers encrypt and do not state it in each of these, so an object
whose responses say nothing is looked up once.
"""

from entrepot.errors import Error, Unexpected
from entrepot.raw import OpStat
from entrepot.raw.http.client import HttpClient
from entrepot.raw.http.transport import HttpHeaders

from .core import S3Core


async def check_encrypted(client: HttpClient[S3Core], key: str, headers: HttpHeaders) -> None:
    """Passes if a stored object has the encryption of the configuration, or if there is none.

    Arguments:
        client: sends requests to the bucket.
        key: the key of the object.
        headers: the response of the storage to the request that stored it.

    Raises:
        Unexpected: the object does not have it, or the storage does not say. The object stays: the version before it is
            gone already, and its content may be the only copy.
    """
    encryption = client.dialect.fixed.encryption
    if encryption.is_stated(headers):
        return
    try:
        headers, _ = await client.call(client.dialect.head(key, OpStat()))
    except Error as error:
        raise Unexpected(
            f"the object was stored, but the storage does not state its encryption, which should be {encryption.name}",
            is_temporary=False,
        ) from error
    if not encryption.is_stated(headers):
        raise Unexpected(
            f"the storage ignored the encryption {encryption.name}: the object was stored without it, and is there now",
            is_temporary=False,
        )
