"""`hpo data`: what is wrong with a data set, and a data set to try things with."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path

import click

from hpo.api.data import demo_data
from hpo.cli.options import decoding, json_option, print_json
from hpo.cli.terminal import say
from hpo.dataset import description, digits
from hpo.settings import load_settings

QUICKSTART = Path("studies", "quickstart.yaml")


@click.group()
def data() -> None:
    """Check a data set, or make one to try things with."""


@data.command()
@click.argument("folder", type=click.Path(path_type=Path), default=digits.DEFAULT_FOLDER)
@click.option("--if-missing", is_flag=True, help="Leave a set that is there as it is, instead of calling it an error.")
def demo(folder: Path, *, if_missing: bool) -> None:
    """Make the demo set: scenes of handwritten digits, in FOLDER (default: data/digits).

    The pictures are composed from the scans that scikit-learn brings along; nothing is fetched, and every run makes the
    same files. The quick-start study trains on them.
    """
    yaml = demo_data(folder, if_missing=if_missing)
    summary = description.describe(yaml)
    counts = ", ".join(f"{split} {part.images} scenes ({part.boxes} digits)" for split, part in summary.splits.items())
    say(f"demo set in {folder}: {counts}; classes {', '.join(summary.names)}")
    say(f"next: {_next(folder, yaml)}")


@data.command()
@click.argument("yaml", metavar="DATA.yaml", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def check(yaml: Path, *, as_json: bool) -> None:
    """Read and decode every image and label of DATA.yaml, and list what its owner should know, file by file.

    Images that Ultralytics can't use, or uses otherwise than they look: truncated, without end mark, turned by EXIF, of
    16 bits, CMYK, animated; images that are there twice, or in train and in val or test, also as near copies (saved
    anew, resized, cropped); labels that are dropped or cut. Nothing in the data's folders is changed. What was decoded
    once is known the next time, by its content.
    """
    from hpo.dataset import findings

    with decoding(quiet=as_json) as show:
        checked = findings.check(yaml, load_settings().cache, show)
    if as_json:
        print_json({**asdict(checked.summary), "findings": [asdict(finding) for finding in checked.findings]})
        return
    for split, part in checked.summary.splits.items():
        say(f"{split}: {part.images} images, {part.background} of them background, {part.boxes} boxes")
    for kind in findings.Kind:
        found = checked.of(kind)
        if found:
            say(f"\n{kind}: {len(found)}; {kind.meaning}")
        for each in found:
            say(f"  {each.split}: {each.file}" + (f": {each.detail}" if each.detail else ""))
    if not checked.findings:
        say("nothing unusual was found")


def _next(folder: Path, yaml: Path) -> str:
    """Return the next command: in a checkout with the quick-start study, elsewhere with the user's own study."""
    if not QUICKSTART.is_file():
        choices = f"--data {shlex.quote(str(yaml))} --model yolov8-w125.yaml --trials 8 --epochs 8"
        return f"hpo init {choices}, then hpo run study.yaml"
    # the quick-start study names the default folder; another folder needs an override
    override = "" if folder == digits.DEFAULT_FOLDER else f" {shlex.quote(f'data={yaml.resolve()}')}"
    return f"hpo run {QUICKSTART}{override}"
