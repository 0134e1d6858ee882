"""Write the sample logs of Harbour & Vale: always the same bytes.

Usage: python sample_data/generate.py [FOLDER], by default sample_data/logs
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run as a script, Python looks for modules in this folder and not in the one above
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sample_data import litellm, native, otlp, webhooks
from sample_data.damage import with_defects
from sample_data.play import SECOND, play
from sample_data.script import scenes

LOGS = Path(__file__).with_name("logs")
RECOVERED = "mira/2026-10-23-recovered.jsonl"

Timed = list[tuple[int, dict[str, Any]]]


def files() -> dict[str, bytes]:
    """Every file of the sample by its path below the folder of logs."""
    lines: dict[str, Timed] = defaultdict(list)
    for scene in scenes():
        acts = play(scene)
        if "litellm" in scene.flags:
            lines[f"gateway/{_week(acts[0].start)}.jsonl"] += litellm.session_lines(scene, acts)
        elif "otlp" in scene.flags:
            lines["policy-assistant/2026-10.jsonl"] += otlp.session_lines(scene, acts)
        elif "recovered" in scene.flags:
            lines[RECOVERED] += native.session_lines(scene, acts)
        else:
            lines[f"mira/{_week(acts[0].start)}.jsonl"] += native.session_lines(scene, acts)
    lines["changes/2026-10.jsonl"] += native.change_lines()
    lines["mlflow/2026-10.jsonl"] += webhooks.mlflow_lines()
    written = {path: b"".join(_in_order(timed)) for path, timed in lines.items()}
    written[RECOVERED] = b"".join(with_defects(_in_order(lines[RECOVERED])))
    for name, payload in webhooks.github_files().items():
        written[f"github/{name}"] = json.dumps(payload, ensure_ascii=False, indent=2).encode() + b"\n"
    return written


def main() -> None:
    """Write all files and say how many bytes they have."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else LOGS
    written = files()
    for path, content in sorted(written.items()):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    print(f"{len(written)} files, {sum(map(len, written.values())):,} bytes in {folder}")


def _in_order(timed: Timed) -> list[bytes]:
    in_order = sorted(timed, key=lambda line: line[0])
    return [json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for _, line in in_order]


def _week(at: int) -> str:
    year, week, _ = datetime.fromtimestamp(at // SECOND, UTC).isocalendar()
    return f"{year}-W{week:02d}"


if __name__ == "__main__":
    main()
