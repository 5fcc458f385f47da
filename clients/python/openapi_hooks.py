"""Logs in before each case that schemathesis makes up, for many of them end the session they use."""

import os

import requests
import schemathesis

ADDRESS = os.environ["DEMO_ADDRESS"]
FORM = {"name": "ann", "password": "correct horse battery"}


@schemathesis.auth(refresh_interval=None)
class Login:
    def get(self, case, context):
        answer = requests.post(ADDRESS + "/login", data=FORM, allow_redirects=False, timeout=60)
        name, value = answer.headers["set-cookie"].split(";")[0].split("=", 1)
        return name, value

    def set(self, case, data, context):
        name, value = data
        case.cookies = {**(case.cookies or {}), name: value}
