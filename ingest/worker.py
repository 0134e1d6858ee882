"""Where jobs are built: in processes of their own, or in this one. Messages are MessagePack over pipes."""

from __future__ import annotations

import contextlib
import gc
import signal
import threading
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Protocol

import msgspec

from ingest.building import Conversation, build
from ingest.job import Answer, Done, Failed, Job, Reply
from ledger.errors import EvidenceError, StorageError
from ledger.lean import without_pandas
from ledger.objects import open_objects
from ledger.objects.base import AppendObjects

_ANSWER: Final = msgspec.msgpack.Decoder(Answer)
_REPLY: Final = msgspec.msgpack.Decoder(Reply)
_JOB: Final = msgspec.msgpack.Decoder(Job)
_ENCODER: Final = msgspec.msgpack.Encoder()


class Workers(Protocol):
    """Something that builds jobs, each in a conversation with the parent."""

    @property
    def idle(self) -> list[int]:
        """The workers that can take a job."""

    def start(self, worker: int, job: Job) -> None:
        """Give a job to an idle worker."""

    def next(self) -> tuple[int, Answer]:
        """Wait for the next answer of any worker."""

    def reply(self, worker: int, reply: Reply) -> None:
        """Go on with a worker's conversation."""

    def close(self) -> None:
        """End the workers."""


class InProcess:
    """One worker in this process: for small inputs, and for stores that only this process can see."""

    def __init__(self, objects: AppendObjects) -> None:
        self._objects = objects
        self._conversation: Conversation | None = None
        self._answers: list[Answer] = []

    @property
    def idle(self) -> list[int]:
        """The one worker, between jobs."""
        return [0] if self._conversation is None else []

    def start(self, worker: int, job: Job) -> None:  # noqa: ARG002 - there is one
        """Begin the conversation, on portions of its own: building lets their bytes go."""
        own = [msgspec.structs.replace(portion) for portion in job.portions]
        self._conversation = build(msgspec.structs.replace(job, portions=own), self._objects)
        self._answers.append(next(self._conversation))

    def next(self) -> tuple[int, Answer]:
        """The answer that is there."""
        answer = self._answers.pop()
        if isinstance(answer, Done):
            self._conversation = None
        return 0, answer

    def reply(self, worker: int, reply: Reply) -> None:  # noqa: ARG002 - there is one
        """Send the reply into the conversation."""
        if self._conversation is not None:
            self._answers.append(self._conversation.send(reply))

    def close(self) -> None:
        """Nothing to end."""


class Processes:
    """Workers in processes of their own, each with its own connection to the store and no keyring."""

    def __init__(self, count: int, url: str, endpoint: str | None) -> None:
        context = get_context("spawn")
        self._pipes: list[Connection] = []
        self._busy: set[int] = set()
        self._processes = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, url, endpoint), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    @property
    def idle(self) -> list[int]:
        """Workers without a job."""
        return [number for number in range(len(self._pipes)) if number not in self._busy]

    def start(self, worker: int, job: Job) -> None:
        """Send a job, without waiting until the worker has taken it: it is larger than a pipe holds."""
        self._busy.add(worker)
        threading.Thread(target=self._hand_over, args=(worker, job), daemon=True).start()

    def _hand_over(self, worker: int, job: Job) -> None:
        """In a thread of its own. That the worker has died shows when its answer is waited for."""
        bare = msgspec.structs.replace(job, portions=[msgspec.structs.replace(item, data=b"") for item in job.portions])
        with contextlib.suppress(StorageError):
            self._send(worker, _ENCODER.encode(bare), *(portion.data for portion in job.portions))

    def next(self) -> tuple[int, Answer]:
        """Wait for any worker. Raises StorageError if one has died."""
        ready = wait([self._pipes[number] for number in sorted(self._busy)])
        worker = self._pipes.index(ready[0])  # type: ignore[arg-type]
        try:
            answer: Answer = _ANSWER.decode(self._pipes[worker].recv_bytes())
        except (EOFError, OSError):
            raise StorageError("a building process died; what it had not committed will be taken up again") from None
        if isinstance(answer, (Done, Failed)):
            self._busy.discard(worker)
        return worker, answer

    def reply(self, worker: int, reply: Reply) -> None:
        """Send a reply."""
        self._send(worker, _ENCODER.encode(reply))

    def _send(self, worker: int, *messages: bytes) -> None:
        try:
            for message in messages:
                self._pipes[worker].send_bytes(message)
        except OSError:
            raise StorageError("a building process died; what it had not committed will be taken up again") from None

    def close(self) -> None:
        """Close the pipes: a worker ends when its pipe does."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(timeout=5)
            if process.is_alive():
                process.terminate()


def _serve(pipe: Connection, url: str, endpoint: str | None) -> None:
    """A worker's life: jobs until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    without_pandas()
    # The cyclic collector doubles the time of the loop: its objects live as long as a job and hold no cycles.
    gc.disable()
    try:
        objects = open_objects(url, endpoint=endpoint)
        while True:
            _converse(pipe, _receive(pipe), objects)
            gc.collect()
    except (EOFError, OSError):
        return
    except EvidenceError as error:
        pipe.send_bytes(_ENCODER.encode(Failed(type(error).__name__, error.message, error.exit_code)))


def _receive(pipe: Connection) -> Job:
    """A job; the bytes of its portions come after it, each as it is: encoded they would be in memory twice."""
    job = _JOB.decode(pipe.recv_bytes())
    for portion in job.portions:
        portion.data = pipe.recv_bytes()
    return job


def _converse(pipe: Connection, job: Job, objects: AppendObjects) -> None:
    conversation = build(job, objects)
    answer: Any = next(conversation)
    while True:
        pipe.send_bytes(_ENCODER.encode(answer))
        if isinstance(answer, Done):
            return
        answer = conversation.send(_REPLY.decode(pipe.recv_bytes()))


def open_workers(count: int, url: str, endpoint: str | None, objects: AppendObjects, sizes: Sequence[int]) -> Workers:
    """Processes where they pay, else this process."""
    if count == 0 or url.startswith("memory:") or sum(sizes) < SMALL:
        return InProcess(objects)
    return Processes(count, url, endpoint)


SMALL: Final = 8 * 1024 * 1024
"""Bytes of input below which starting processes costs more than it saves."""
