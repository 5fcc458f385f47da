"""Logs in, lists, revokes and logs out with httpx. Argument: the demo's address."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import httpx

import story


def new_client():
    return httpx.Client(trust_env=False, timeout=60)


def send(client, method, url, **options):
    return client.request(method, url, follow_redirects=False, **options)


story.tell(sys.argv[1], new_client, send, lambda client: list(client.cookies.jar))
