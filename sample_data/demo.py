"""The demo behind `make demo`: the sample logs go in, and everything the product promises is shown on them.

Usage: python sample_data/demo.py [FOLDER], by default ./evidence-demo. Ends with 1 if a step did not end as it
should. Needs the command `evidence` beside the Python that runs this, and nothing outside the standard library.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LOGS = Path(__file__).resolve().with_name("logs")
EVIDENCE = Path(sys.executable).with_name("evidence")
MARK = ".made-by-the-evidence-demo"
STORE = "evidence-store"

LEONIE = "HV-104417"
SESSION = "mira-34a7fff4"  # Leonie's blocked card, see README.md
RECOVERED = LOGS / "mira" / "2026-10-23-recovered.jsonl"

# Leonie writes again, after everything about her was erased.
AGAIN = {
    "evidence": "event/1",
    "kind": "inference",
    "source": "mira",
    "id": "call-after-erasure",
    "time": "2026-11-20T09:00:00Z",
    "session": "mira-0again",
    "subjects": {"end_user": [{"type": "customer_number", "id": LEONIE}]},
    "input": [{"role": "user", "parts": [{"type": "text", "content": "Can I open a new account?"}]}],
}
DETECTORS = """
detectors = ["email", "phone", "iban", "card", { name = "customer", type = "customer_number", pattern = "HV-[0-9]{6}" }]
"""

UNAPPROVED = """\
SELECT occurred_at, change_type, change_name, change_from, change_to, approval
FROM changes
WHERE source = 'hv-change' AND approval <> 'approved'
ORDER BY occurred_at"""
DECISIONS = "SELECT decision, count(*) AS records FROM records WHERE decision IS NOT NULL GROUP BY ALL ORDER BY ALL"
ONE_RECORD = f"SELECT record_id FROM records WHERE session = '{SESSION}' AND decision = 'masked'"  # noqa: S608


class StepError(Exception):
    """A step of the demo did not end as it should."""


class Demo:
    """Runs commands in the demo's folder and shows them with their output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("EVIDENCE_")}
        self.environment = inherited | {"COLUMNS": "118", "PYTHONUTF8": "1"}

    def run(self, why: str, *arguments: str, ends_with: int = 0, lines: int = 40) -> str:
        """Run ``evidence`` with these arguments; at most ``lines`` lines of its output are shown, all returned."""
        return self.command(why, [str(EVIDENCE), *arguments], ends_with, lines)

    def command(self, why: str, command: Sequence[str], ends_with: int = 0, lines: int = 40) -> str:
        """Run any command. Raises StepError if its exit code is another than ``ends_with``."""
        print(f"\n# {why}\n$ {_shown(command)}", flush=True)
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, check=False, encoding="utf-8"
        )
        output = done.stdout + done.stderr
        shown = output.splitlines()
        print("\n".join(shown[:lines]))
        if len(shown) > lines:
            print(f"... ({len(shown) - lines} more lines)")
        if done.returncode != ends_with:
            raise StepError(f"exit code {done.returncode} instead of {ends_with}")
        if ends_with:
            print(f"(exit code {ends_with})")
        return done.stdout

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query, not shown: the demo looks up an id for the next step."""
        command = [str(EVIDENCE), "query", query, "--json"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, check=False, encoding="utf-8"
        )
        if done.returncode != 0:
            raise StepError(f"exit code {done.returncode} of a query: {done.stderr.strip()}")
        answer = json.loads(done.stdout)
        columns, rows = answer.get("columns"), answer["rows"]
        return [row if isinstance(row, dict) else dict(zip(columns, row, strict=True)) for row in rows]


def _shown(command: Sequence[str]) -> str:
    """The command as one would type it; SQL, which has single quotes of its own, in double ones."""
    words = [Path(command[0]).name, *command[1:]]
    return " ".join(f'"{word}"' if "'" in word else shlex.quote(word) for word in words)


def main() -> int:
    """Run the demo from the beginning to the end."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "evidence-demo").resolve()
    if not EVIDENCE.exists():
        print(f"There is no {EVIDENCE}: run `make install` first.", file=sys.stderr)
        return 2
    if not _prepare(folder):
        print(f"{folder} exists and is not from a demo: name another folder.", file=sys.stderr)
        return 2
    demo = Demo(folder)
    try:
        for part in (_ingest, _look, _prove, _hand_over, _audit, _find, _erase, _restore, _rotate, _tamper, _seal):
            part(demo)
    except StepError as error:
        print(f"\nThe demo stopped: {error}.", file=sys.stderr)
        return 1
    print(f"\nAll steps ended as they should. What they made is in {folder}")
    return 0


def _prepare(folder: Path) -> bool:
    """An empty folder; one of an earlier demo is removed, any other is left alone."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            return False
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    return True


def _ingest(demo: Demo) -> None:
    logs = os.path.relpath(LOGS, demo.folder)
    demo.run("A new store. Keys and keyring stand beside it, never inside it.", "init")
    demo.run("A month of logs of the bank Harbour & Vale, in five formats, some lines damaged.", "ingest", logs)
    demo.run("The same logs again: nothing changes.", "ingest", logs)
    demo.run("Is everything there and unchanged since ingest?", "verify", "--level", "deep")


def _look(demo: Demo) -> None:
    demo.run("Who talked to the assistant?", "sessions", lines=14)
    demo.run("The sessions of one customer, Leonie Aster.", "sessions", "--user", LEONIE)
    demo.run(
        "Her card was blocked. The reading itself is recorded before anything is shown.", "replay", SESSION, lines=70
    )
    demo.run("What did guard and supervisors decide?", "query", DECISIONS)
    demo.run("Which changes had no approval, or got it too late?", "query", UNAPPROVED)


def _prove(demo: Demo) -> None:
    record = str(demo.rows(ONE_RECORD)[0]["record_id"])
    demo.run("One record, from its line to the signed checkpoint.", "prove", record)
    damaged = os.path.relpath(RECOVERED, demo.folder)
    demo.run("The damaged file, out of the store again.", "reconstruct", damaged, "-o", "again.jsonl")
    original = RECOVERED.read_bytes()
    same = (demo.folder / "again.jsonl").read_bytes() == original
    print(f"again.jsonl and {RECOVERED.name}: {'the same' if same else 'DIFFERENT'} {len(original):,} bytes")
    if not same:
        raise StepError("the reconstructed file differs")


def _hand_over(demo: Demo) -> None:
    bundle = ["export", "--session", SESSION, "--with-content", "--purpose", "audit 2026-11", "-o", "bundle.zip"]
    demo.run("The session as a bundle for an auditor.", *bundle)
    pin = ["--pin", "evidence-private/pin.json"]
    demo.run("The auditor's check, against the checkpoint that was seen before.", "verify-bundle", "bundle.zip", *pin)
    with zipfile.ZipFile(demo.folder / "bundle.zip") as archive:
        inside = next(name for name in archive.namelist() if Path(name).name == "verify.py")
        (demo.folder / "verify.py").write_bytes(archive.read(inside))
    plain = [sys.executable, "-I", "verify.py", "bundle.zip", *pin]
    demo.command("The same without this product: one file, standard library only.", plain)


def _audit(demo: Demo) -> None:
    month = ["--from", "2026-10-01", "--to", "2026-11-01"]
    demo.run("Verification is on record, too.", "verify", "--level", "fast", "--record")
    soc2 = ["--framework", "soc2", "-o", "controls.pdf"]
    demo.run("Controls of a framework, each judged by what is here; never a percentage.", "report", "controls", *soc2)
    changes = ["report", "changes", *month, "-o", "changes.xlsx"]
    demo.run("Who changed what, who approved it, and what nobody did.", *changes)
    demo.run("A period: the bundle proves that no record of it is missing.", "export", *month, "-o", "october.zip")
    check = ["verify-bundle", "october.zip", "--key", "evidence-private/log.vkey"]
    demo.run("The auditor's check of it.", *check)
    with zipfile.ZipFile(demo.folder / "october.zip") as archive:
        size = str(json.loads(archive.read("data/bundle.json"))["checkpoint"]["size"])
    nonce = ["--at", size, "--nonce", "the auditor's dice: 3 5 1", "-o", "sample.zip"]
    demo.run(
        "A sample that anybody can draw again, by a nonce that the auditor names after the checkpoint.",
        *["sample", *month, "--stratify", "kind", "--size", "20", *nonce],
    )
    plain = [sys.executable, "-I", "verify.py", "sample.zip", "--key", "evidence-private/log.vkey"]
    demo.command("verify.py draws it again.", plain)
    demo.run("What was handed out.", "exports")


def _find(demo: Demo) -> None:
    with (demo.folder / "evidence.toml").open("a") as settings:
        settings.write(DETECTORS)
    print(f"\n# The bank's customer numbers can be found in texts, too. Added to evidence.toml:{DETECTORS.rstrip()}")
    demo.run("Who is named in what other people wrote? An index, sealed, outside the store.", "mentions", "scan")
    why = ["--purpose", "request of 20 November"]
    demo.run(
        "Leonie wants to be forgotten. Everything in which she is somebody, or is named.", "dsar", "find", LEONIE, *why
    )


def _erase(demo: Demo) -> None:
    opened = demo.run(
        "Her request; its deadline is fixed.", "dsar", "open", LEONIE, "--requester", "Leonie Aster", "--json"
    )
    request = str(json.loads(opened)["request"])
    demo.run("She signed in to ask for it.", "dsar", "identify", request, "--method", "account")
    demo.run(
        "What will become of each record: the dry run, which somebody else has to approve.", "dsar", "plan", request
    )
    second = demo.run(
        "A second person has a key of their own,", "keys", "new", "demo/approver/second", "-o", "second.key"
    )
    (demo.folder / "second.vkey").write_text(second)
    enrol = ["enrol", "--role", "approver", "--key", "second.vkey", "--admin-key", "evidence-private/admin.key"]
    demo.run("which the holder of the admin key enrols.", "keys", *enrol)
    demo.run("They approve the plan by its digest.", "dsar", "approve", request, "--key", "second.key", lines=8)
    demo.run("A backup of the keyring, from before.", "keys", "backup", "-o", "before.db")
    demo.run(
        "It is carried out: keys are destroyed, what others wrote of her is taken out.",
        "dsar",
        "execute",
        request,
        "--yes",
    )
    demo.run("Content that is gone is explained, nothing is lost.", "verify", "--level", "deep")
    demo.run("The proof, which names nobody.", "dsar", "certificate", request, "-o", "certificate.zip")
    check = [sys.executable, "-I", "verify.py", "certificate.zip", "--key", "evidence-private/log.vkey"]
    demo.command("Anybody can check it offline.", check)


def _restore(demo: Demo) -> None:
    copy = demo.folder / "restored"
    copy.mkdir()
    for name in (STORE, "evidence-private"):
        shutil.copytree(demo.folder / name, copy / name)
    shutil.copy(demo.folder / "evidence.toml", copy)
    here = ["--config", "restored/evidence.toml"]
    restore = ["keys", "restore", "before.db", "--replace", *here]
    demo.run("In a copy of it all: somebody restores the keyring of before, in which her keys live.", *restore)
    demo.run("verify says so,", "verify", "--level", "deep", *here, ends_with=3)
    demo.run("reconciling destroys them again,", "keys", "reconcile", *here)
    demo.run("and nobody is found.", "dsar", "find", LEONIE, *here, ends_with=20)


def _rotate(demo: Demo) -> None:
    demo.run("The keyring's next epoch: from now on the backup of before opens nothing at all.", "keys", "rotate")
    request = str(
        json.loads(demo.run("The register of requests.", "dsar", "list", "--json", lines=0))["requests"][0]["request"]
    )
    again = ["dsar", "certificate", request, "-o", "certificate-2.zip"]
    demo.run("The certificate again: it states the date for backups, too.", *again)
    (demo.folder / "again.ndjson").write_text(json.dumps(AGAIN) + "\n")
    demo.run("Leonie comes back.", "ingest", "again.ndjson")
    demo.run("She is somebody new here: one record, and nothing of before.", "dsar", "find", LEONIE)
    demo.run("The old logs do not bring her back either.", "ingest", os.path.relpath(LOGS, demo.folder))


def _tamper(demo: Demo) -> None:
    copy = demo.folder / "tampered-store"
    shutil.copytree(demo.folder / STORE, copy)
    victim = max((copy / "content").rglob("*.parquet"), key=lambda path: (path.stat().st_size, path.name))
    damaged = bytearray(victim.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    victim.write_bytes(damaged)
    print(f"\n# Somebody changes one bit in a copy of the store: {victim.relative_to(demo.folder)}")
    demo.run("verify names the object.", "verify", "--level", "deep", "--store", copy.name, ends_with=1)


def _seal(demo: Demo) -> None:
    demo.run("What was looked at in this demo is evidence, too: seal the access records.", "seal")
    demo.run("And the store once more.", "verify", "--level", "deep")


if __name__ == "__main__":
    sys.exit(main())
