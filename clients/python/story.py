"""What every Python client does, and what must come of it."""

FORM = {"name": "ann", "password": "correct horse battery"}


def expect(found, wanted, what):
    if found != wanted:
        raise SystemExit(f"{what}: {found!r} instead of {wanted!r}")


def tell(address, new_client, send, jar):
    """`send(client, method, url, ...)` follows no redirects; `jar(client)` lists its cookies."""

    def post(client, path, **options):
        return send(client, "POST", address + path, **options)

    def devices(client):
        return send(client, "GET", address + "/devices", headers={"accept": "application/json"})

    def listed(client):
        answer = devices(client)
        expect(answer.status_code, 200, "list")
        own = [device["id"] for device in answer.json() if device["current"]]
        others = [device["id"] for device in answer.json() if not device["current"]]
        return own, others

    laptop, script = new_client(), new_client()
    expect(devices(laptop).status_code, 401, "list of a stranger")
    answer = post(laptop, "/register", data=FORM)
    expect((answer.status_code, answer.headers["location"]), (303, "/devices?logged-in"), "register")
    expect(post(script, "/login", data=FORM).status_code, 303, "login")

    (cookie,) = jar(laptop)
    expect((cookie.name, cookie.path, cookie.secure), ("id", "/", False), "cookie")
    expect(cookie.has_nonstandard_attr("HttpOnly"), True, "HttpOnly")
    expect(cookie.domain_specified, False, "Domain")

    own, others = listed(laptop)
    expect((len(own), len(others)), (1, 1), "devices")
    expect(listed(script), (others, own), "devices of the other")
    answer = post(laptop, f"/devices/{others[0]}/revoke")
    expect(answer.headers["location"], "/devices?logged-out", "revoke")
    expect(devices(script).status_code, 401, "list of the revoked")
    expect(listed(laptop), (own, []), "devices that are left")

    post(laptop, "/logout")
    expect(jar(laptop), [], "cookies after logout")
    expect(devices(laptop).status_code, 401, "list after logout")
    print("login, list, revoke, logout: done")
