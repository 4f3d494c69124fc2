"""Real servers on loopback, as processes of their own, for tests and demonstrations.

Every server listens on 127.0.0.1 only, on ports that were free, and is stopped by its own process
id when its `with` block ends. A forked child that leaves the block stops nothing. These helpers block.
"""

from .azure import AzuriteServer, azurite
from .ceph import radosgw
from .datalake import DatalakeServer, azure_datalake
from .etcd import EtcdServer, etcd
from .ftp import FtpServer, pyftpd, pyftpds, vsftpd
from .gateways import juicefs, rclone
from .gcs import GcsServer, fake_gcs
from .hdfs import FakeHdfs, fake_hdfs, fake_httpfs
from .hub import HubServer, hub
from .iam import moto
from .openstack import swift
from .postgresql import PostgresqlServer, postgresql
from .process import NotInstalled, ServerFailed, free_ports, running
from .redis import RedisServer, valkey
from .s3 import S3Server
from .seaweedfs import SeaweedFS, seaweedfs
from .ssh import SshServer, asyncssh_server, sshd
from .strict_gcs import StrictGcs, strict_gcs
from .web import Nginx, nginx, nginx_program
from .webdav import WebdavServer, apache, wsgidav

__all__ = [
    "AzuriteServer",
    "DatalakeServer",
    "EtcdServer",
    "FakeHdfs",
    "FtpServer",
    "GcsServer",
    "HubServer",
    "Nginx",
    "NotInstalled",
    "PostgresqlServer",
    "RedisServer",
    "S3Server",
    "SeaweedFS",
    "ServerFailed",
    "SshServer",
    "StrictGcs",
    "WebdavServer",
    "apache",
    "asyncssh_server",
    "azure_datalake",
    "azurite",
    "etcd",
    "fake_gcs",
    "fake_hdfs",
    "fake_httpfs",
    "free_ports",
    "hub",
    "juicefs",
    "moto",
    "nginx",
    "nginx_program",
    "postgresql",
    "pyftpd",
    "pyftpds",
    "radosgw",
    "rclone",
    "running",
    "seaweedfs",
    "sshd",
    "strict_gcs",
    "swift",
    "valkey",
    "vsftpd",
    "wsgidav",
]
