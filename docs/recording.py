"""Records commands in a terminal as docs/images/quickstart.svg, after the quick start has run to its verdict:

hpo run studies/quickstart.yaml && hpo confirm quickstart --top 1 --seeds 3
python docs/recording.py "hpo trials quickstart" "hpo confirm quickstart"
"""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import struct
import sys
import termios
from fcntl import ioctl
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 118
PICTURE = Path(__file__).resolve().parent / "images" / "quickstart.svg"


def recorded(command: str) -> str:
    """What ``command`` writes to a terminal, with its colours."""
    words = shlex.split(command)
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(words[0], words, {**os.environ, "COLUMNS": str(WIDTH), "TERM": "xterm-256color"})  # noqa: S606
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, WIDTH, 0, 0))
    written = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the end of a terminal on Linux
            break
        if not chunk:
            break
        written += chunk
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise SystemExit(f"{command}: {written.decode()}")
    return written.decode().replace("\r\n", "\n").rstrip()


def picture(commands: list[str]) -> str:
    """The commands with their output as SVG. The font is the reader's own: rich's would be loaded from elsewhere."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    for command in commands:
        console.print(Text.assemble(("$ ", "green"), (command, "bold")))
        console.print(Text.from_ansi(recorded(command)))
        console.print()
    svg = console.export_svg(title="hpo", unique_id="hpo")
    return re.sub(r"\s*@font-face\s*\{[^}]*\}", "", svg)


if __name__ == "__main__":
    PICTURE.write_text(picture(sys.argv[1:]), encoding="utf-8")
