"""People and things for generated requests to meet: prints shell variables, writes a config.

Usage: prepare.py URL CONFIG

CONFIG is told the ids of a chat, a job and a dispute, so that requests reach what lies behind them.
"""

import json
import sys
import urllib.request

url, config = sys.argv[1:]


def post(path, body, token=None):
    request = urllib.request.Request(url + path, json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def register(role):
    return post(
        "/auth/register",
        {
            "email": f"{role}@generated.example",
            "password": "correct horse",
            "firstName": "Gen",
            "lastName": "Erated",
            "role": role,
            "region": "north",
        },
    )


customer, provider, lsm = map(register, ["customer", "provider", "lsm"])
token = customer["accessToken"]
booked = post("/jobs/create", {"providerId": provider["user"]["id"], "title": "Tap"}, token)
dispute = post("/disputes", {"chatId": booked["chatId"], "description": "It leaks"}, token)
with open(config, "w", encoding="utf-8") as file:
    for path, value in [
        ("/chat/{id}", booked["chatId"]),
        ("/chat/{id}/messages", booked["chatId"]),
        ("/jobs/{id}", booked["jobId"]),
        ("/disputes/{id}/join", dispute["disputeId"]),
    ]:
        file.write(f"[[operations]]\ninclude-path = {json.dumps(path)}\n")
        file.write(f'parameters = {{ "path.id" = {json.dumps(value)} }}\n\n')
login = {"email": "customer@generated.example", "password": "correct horse"}
print(f"customer={token}")
print(f"lsm={lsm['accessToken']}")
print(f"leaving={post('/auth/login', login)['accessToken']}")
