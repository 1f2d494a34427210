"""python-socketio plays the flow: with acknowledgements and message keys, as a client that wants to
know what became of what it sent. It must never import anything of ours.

TRIALOGUE_URL      the server, such as http://127.0.0.1:4000
TRIALOGUE_RESTART  a program that kills that server and starts it again at the same address;
                   without it the last act is left out, and that is said

Exit code 0: all acts held. 1: one did not, and the last line says which.
"""

import asyncio
import functools
import os
import sys
import uuid
from dataclasses import dataclass

import aiohttp
import socketio

from voice import TRANSPORTS, WAIT_S, Failed, Voice, expect, play

BASE = os.environ["TRIALOGUE_URL"]
RESTART = os.environ.get("TRIALOGUE_RESTART")
CHAT = "/chat"
# From a killed server to a client that is back: database, start and the client's own delay.
RECOVERY_S = 60


@dataclass
class Person:
    id: int
    name: str
    token: str


async def rest(method, path, token=None, body=None, status=200):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=WAIT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        async with session.request(method, BASE + path, json=body, headers=headers) as response:
            text = await response.text()
            if response.status != status:
                raise Failed(f"expected {method} {path} -> {status}, got {response.status} {text}")
            return await response.json() if text else None


async def newcomer(role, first_name):
    email = f"{first_name.lower()}-{uuid.uuid4()}@example.test"
    body = {
        "email": email,
        "password": str(uuid.uuid4()),
        "firstName": first_name,
        "lastName": "Peer",
        "role": role,
    }
    answer = await rest("POST", "/auth/register", body=body, status=201)
    return Person(answer["user"]["id"], f"{first_name} Peer", answer["accessToken"])


class Member(Voice):
    """A person with a socket in the chat service."""

    def __init__(self, person, **options):
        super().__init__((CHAT,), reconnection_delay=0.2, reconnection_delay_max=1, **options)
        self.person = person

    async def connect(self, transports, arrives):
        await self.client.connect(
            BASE,
            auth={"token": self.person.token},
            transports=transports,
            namespaces=[CHAT],
            wait_timeout=WAIT_S,
        )
        (hello,) = await self.next("connected", namespace=CHAT)
        expect(hello["message"], f"Connected: userId={self.person.id}", "the greeting")
        await self.arrives(arrives)

    async def ask(self, event, body):
        """Emits an event and waits for its acknowledgement."""
        return await self.client.call(event, body, namespace=CHAT, timeout=WAIT_S)

    async def join(self, chat_id, **more):
        answer = await self.ask("join_chat", {"chatId": chat_id, **more})
        expect(answer["ok"], True, f"join_chat acknowledged in {answer} as")
        await self.next("joined_chat", lambda body: body["chatId"] == chat_id, namespace=CHAT)
        return answer

    async def say(self, chat_id, text, key):
        answer = await self.ask(
            "send_message", {"chatId": chat_id, "message": text, "clientMessageId": key}
        )
        expect(answer["ok"], True, f"send_message acknowledged in {answer} as")
        return answer["status"], answer["message"]

    async def hears(self, text):
        (message,) = await self.next(
            "new_message", lambda body: body["message"] == text, namespace=CHAT
        )
        return message


async def book(customer, provider):
    body = {"providerId": provider.id, "title": "Kitchen sink leak"}
    booked = await rest("POST", "/jobs/create", customer.token, body, status=201)
    return str(uuid.UUID(booked["chatId"]))


async def history_is(person, chat_id, texts):
    page = await rest("GET", f"/chat/{chat_id}/messages", person.token)
    expect([row["message"] for row in page["messages"]], texts, "the history")


async def the_flow(people, transports, arrives):
    amna, ravi, stranger = people
    chat_id = await book(amna, ravi)
    members = [Member(person) for person in people]
    customer, provider, outsider = members
    for member in members:
        await member.connect(transports, arrives)
    await customer.join(chat_id)
    await provider.join(chat_id)
    await customer.next("user_joined", lambda body: body["userId"] == ravi.id, namespace=CHAT)

    text, key = "Hi Ravi, can you come today? عند الباب 👋", str(uuid.uuid4())
    status, stored = await customer.say(chat_id, text, key)
    expect((status, stored["seq"]), ("stored", 1), "the acknowledgement")
    for member in (customer, provider):
        heard = await member.hears(text)
        came = (heard["id"], heard["chatId"], heard["sender_id"], heard["sender_name"])
        expect(came, (stored["id"], chat_id, amna.id, amna.name), "the message")
        own = key if member is customer else None
        expect(heard.get("clientMessageId"), own, "the key, at its sender alone,")
    # The same key again: the same message, and nobody hears it twice.
    status, again = await customer.say(chat_id, text, key)
    expect((status, again["id"]), ("duplicate", stored["id"]), "the second acknowledgement")
    await provider.say(chat_id, "Yes, at 16:00.", str(uuid.uuid4()))
    for member in (customer, provider):
        await member.hears("Yes, at 16:00.")
        expect(member.count("new_message"), 0, "messages heard twice")

    for event in ("join_chat", "send_message"):
        refused = await outsider.ask(event, {"chatId": chat_id, "message": "let me in"})
        expect((refused["ok"], refused["error"]["code"]), (False, "denied"), event)
    expect(outsider.count("new_message"), 0, "messages at a stranger")
    await history_is(ravi, chat_id, [text, "Yes, at 16:00."])


async def a_bad_token_is_refused(people, transports, arrives):
    nobody = Member(Person(0, "Nobody", "not.a.token"), reconnection=False)
    try:
        await nobody.connect(transports, arrives)
    except socketio.exceptions.ConnectionError:
        (refused,) = await nobody.next("connect_error", namespace=CHAT)
        expect(refused["data"]["code"], "unauthenticated", "the code of the refusal")
    else:
        raise AssertionError("connected with a bad token")


async def killed_and_restarted_it_comes_back_by_itself(people, transports, arrives):
    amna, ravi, _ = people
    chat_id = await book(amna, ravi)
    customer, provider = members = [Member(person) for person in (amna, ravi)]
    for member in members:
        await member.connect(transports, arrives)
        await member.join(chat_id)
    await customer.say(chat_id, "before", str(uuid.uuid4()))
    for member in members:
        await member.hears("before")

    restart = await asyncio.create_subprocess_exec(RESTART, stdout=asyncio.subprocess.DEVNULL)
    expect(await asyncio.wait_for(restart.wait(), RECOVERY_S), 0, "the restart's exit code")
    for member in members:
        await member.next("disconnect", namespace=CHAT)
        # By itself, with the token it already has.
        (hello,) = await member.next("connected", namespace=CHAT, within=RECOVERY_S)
        expect(hello["userId"], member.person.id, "the user")
        joined = await member.join(chat_id, sinceSeq=0)
        expect([row["message"] for row in joined["messages"]], ["before"], "what was missed")
    await provider.say(chat_id, "after", str(uuid.uuid4()))
    for member in members:
        await member.hears("after")
    await history_is(amna, chat_id, ["before", "after"])


async def main():
    acts = [the_flow, a_bad_token_is_refused]
    if RESTART:
        acts.append(killed_and_restarted_it_comes_back_by_itself)
    else:
        print("left out: TRIALOGUE_RESTART is not set, nobody can restart the server")
    # Once for all acts: a server counts registrations per address.
    people = (
        await newcomer("customer", "Amna"),
        await newcomer("provider", "Ravi"),
        await newcomer("customer", "Stranger"),
    )
    return await play(
        (
            f"{name}: {act.__name__.replace('_', ' ')}",
            functools.partial(act, people, transports, arrives),
        )
        for name, transports, arrives in TRANSPORTS
        for act in acts
    )


sys.exit(asyncio.run(main()))
