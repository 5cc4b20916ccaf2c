"""Whom clients over HTTPS believe.

What belongs here: the certificates that vendors' and routes' clients share. What does not: the
clients (adapters/vendors/http.py, adapters/alerts/http_routes.py), certificates of the platform's
own servers (their settings).
"""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """The authorities of certifi, or those that SSL_CERT_FILE and SSL_CERT_DIR name.

    Read once in a process: reading them takes longer than a usual answer of a vendor does.
    """
    return httpx.create_ssl_context()
