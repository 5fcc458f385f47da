"""Logs in, lists, revokes and logs out with requests. Argument: the demo's address."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import requests

import story


def new_client():
    session = requests.Session()
    session.trust_env = False
    return session


def send(session, method, url, **options):
    return session.request(method, url, allow_redirects=False, timeout=60, **options)


story.tell(sys.argv[1], new_client, send, lambda session: list(session.cookies))
