"""python-socketio against our bare protocol server (`examples/conformance`): what the chat never
asks of it. Attachments both ways, acknowledgements both ways, two namespaces on one connection,
order across the upgrade.

TRIALOGUE_PROFILE_URL  that server, such as http://127.0.0.1:3000

Exit code 0: all acts held. 1: one did not, and the last line says which.
"""

import asyncio
import functools
import os
import sys

import engineio.payload
import socketio

from voice import TRANSPORTS, WAIT_S, Voice, expect, play

BASE = os.environ["TRIALOGUE_PROFILE_URL"]
# Messages that are under way while the transport changes.
MANY = 200
# As it comes, python-engineio gives up a connection whose poll brings more than 16 packets; its
# documentation has those who expect bursts raise this number.
engineio.payload.Payload.max_decode_packets = 1_000
# The profile's ping interval is 300 ms: a client that lives this long has answered several.
SEVERAL_PINGS_S = 1.5


async def connected(transports, namespaces=("/",)):
    voice = Voice(namespaces, reconnection=False)
    auth = {"token": "123"}
    await voice.client.connect(
        BASE, auth=auth, transports=transports, namespaces=list(namespaces), wait_timeout=WAIT_S
    )
    for namespace in namespaces:
        came = await voice.next("auth", namespace=namespace)
        expect(came, (auth,), f"the auth of {namespace}")
    return voice


async def order_from_the_first_moment_on(transports, arrives):
    voice = await connected(transports)
    for number in range(MANY):
        await voice.client.emit("message", number)
    came = [(await voice.next("message-back"))[0] for _ in range(MANY)]
    expect(came, list(range(MANY)), "the order")
    await voice.arrives(arrives)


async def acks_both_ways(transports, arrives):
    voice = await connected(transports)
    answer = await voice.client.call("message-with-ack", ({"n": [1, None]}, "b"), timeout=WAIT_S)
    expect(tuple(answer), ({"n": [1, None]}, "b"), "the acknowledgement")
    voice.answers["question"] = lambda text: {"heard": text}
    await voice.client.emit("ask", "how are you? عند الباب 👋")
    expect(await voice.next("answered"), ({"heard": "how are you? عند الباب 👋"},), "the answer")


async def binary_both_ways(transports, arrives):
    voice = await connected(transports)
    small, large = bytes([0, 1, 0x1E, 0xFF]), os.urandom(100_000)
    sent = ({"small": small, "deep": [{"large": large}]}, "between", small)
    await voice.client.emit("message", sent)
    expect(await voice.next("message-back"), sent, "what was sent")
    acked = await voice.client.call("message-with-ack", large, timeout=WAIT_S)
    expect(acked, large, "the attachment")
    voice.answers["question"] = lambda data: data + data
    await voice.client.emit("ask", small)
    expect(await voice.next("answered"), (small + small,), "the answer")


async def two_namespaces(transports, arrives):
    voice = await connected(transports, ("/", "/custom"))
    if voice.client.get_sid("/") == voice.client.get_sid("/custom"):
        raise AssertionError("two namespaces with one id")
    await voice.client.emit("message", "still here")
    expect(await voice.next("message-back"), ("still here",), "the echo")


async def an_unknown_namespace(transports, arrives):
    voice = Voice(("/nowhere",), reconnection=False)
    try:
        await voice.client.connect(
            BASE, transports=transports, namespaces=["/nowhere"], wait_timeout=WAIT_S
        )
    except socketio.exceptions.ConnectionError:
        refused = await voice.next("connect_error", namespace="/nowhere")
        expect(refused[0]["message"], "Invalid namespace", "the refusal")
    else:
        raise AssertionError("connected to an unknown namespace")


async def pings_are_answered(transports, arrives):
    voice = await connected(transports)
    await asyncio.sleep(SEVERAL_PINGS_S)
    expect(voice.count("disconnect"), 0, "disconnects")
    await voice.client.emit("message", 1)
    expect(await voice.next("message-back"), (1,), "the echo")


ACTS = [
    order_from_the_first_moment_on,
    acks_both_ways,
    binary_both_ways,
    two_namespaces,
    an_unknown_namespace,
    pings_are_answered,
]

sys.exit(
    asyncio.run(
        play(
            (
                f"{name}: {act.__name__.replace('_', ' ')}",
                functools.partial(act, transports, arrives),
            )
            for name, transports, arrives in TRANSPORTS
            for act in ACTS
        )
    )
)
