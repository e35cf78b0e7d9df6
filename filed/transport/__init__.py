"""Sockets, encryption, time and bandwidth. Knows packets, not what they mean."""

from filed.transport.bandwidth import Bandwidth as Bandwidth
from filed.transport.connect import CONNECT_TIMEOUT_S as CONNECT_TIMEOUT_S
from filed.transport.connect import connect as connect
from filed.transport.connection import DIALOGUE_TIMEOUT_S as DIALOGUE_TIMEOUT_S
from filed.transport.connection import Connection as Connection
from filed.transport.proof import prove as prove
from filed.transport.psk import psk_client_context as psk_client_context
from filed.transport.psk import psk_server_context as psk_server_context
from filed.transport.tls import check_names as check_names
from filed.transport.tls import check_shared_key as check_shared_key
from filed.transport.tls import client_context as client_context
from filed.transport.tls import server_context as server_context
from filed.transport.tls import tls_need as tls_need
from filed.transport.tls import tls_offer as tls_offer
from filed.transport.tls_channel import TlsChannel as TlsChannel
