"""A model's YAML describes a network; whatever else Ultralytics would evaluate in it is refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpo.errors import SpecError
from hpo.studyfile.arguments import arguments
from hpo.studyfile.checks import layers
from hpo.studyfile.reading.models import check_text
from tests.conftest import ROOT

NETWORK = "nc: 4\n{more}backbone:\n  - [-1, 1, Conv, [8, 3, 2]]\nhead:\n  - [[0], 1, Detect, [nc]]\n"
CODE = "__import__('os').system('touch canary')"


def network(more: str = "", layer: str = "Conv", argument: str = "8") -> str:
    return NETWORK.format(more=more).replace("Conv, [8", f"{layer}, [{argument}")


@pytest.mark.parametrize("activation", ["nn.SiLU()", "torch.nn.LeakyReLU(0.1)", "nn.Hardtanh(min_val=-2, max_val=2.0)"])
def test_an_activation_of_torch_with_plain_values_is_allowed(activation: str) -> None:
    check_text(network(f"activation: {activation}\n"), "m.yaml")


@pytest.mark.parametrize(
    "activation",
    [
        CODE,
        "(open('x', 'a'), nn.SiLU())[1]",
        f"nn.LeakyReLU({CODE})",
        f"nn.LeakyReLU(negative_slope={CODE})",
        "nn.LeakyReLU(**{})",
        f"nn.Sequential({CODE}, nn.SiLU())",
        "nn.SiLU",
        "nn.SiLU().forward(1)",
        "nn.modules.activation.torch.load('x')",
        "nn.Linear(1, 1)",
        "os.nn.SiLU()",
        "lambda: 1",
        "1",
        "[nn.SiLU()]",
        "(" * 100_000,
    ],
)
def test_any_other_activation_is_refused_with_its_line(activation: str) -> None:
    with pytest.raises(SpecError, match=r"m\.yaml:2: activation: .* is no activation, and Ultralytics would run it"):
        check_text(network(f"activation: {quoted(activation)}\n"), "m.yaml")


@pytest.mark.parametrize("layer", ["torch_safe_load", "torch_load", "check_requirements", "YAML", "__builtins__", "nn"])
def test_what_ultralytics_has_imported_is_no_layer(layer: str) -> None:
    with pytest.raises(SpecError, match=r"m\.yaml:3: backbone\[0\]\[2\]: .* is no layer of Ultralytics"):
        check_text(network(layer=layer), "m.yaml")


@pytest.mark.parametrize("layer", ["nn.init.uniform_", "torchvision.ops.boxes.torch", "torchvision.io.read_file"])
def test_a_layer_of_torch_is_a_class_by_its_name_alone(layer: str) -> None:
    with pytest.raises(SpecError, match="is no layer"):
        check_text(network(layer=layer), "m.yaml")


@pytest.mark.parametrize("argument", [CODE, "a b", "[" * 30, "x" * 300, f"[8, [{CODE}]]"])
def test_a_text_among_a_layers_arguments_is_a_word_or_a_literal(argument: str) -> None:
    with pytest.raises(SpecError, match=r"m\.yaml:3: backbone\[0\]\[3\]\[0\].* is no argument of a layer"):
        check_text(network(argument=quoted(argument)), "m.yaml")


def test_what_another_reader_of_yaml_sees_is_checked_too() -> None:
    described = {"activation": CODE, "backbone": [[-1, 1, "Conv", [8]]], "head": [[[0], 1, "Detect", ["nc"]]]}
    with pytest.raises(SpecError, match="activation"):
        layers.check_described(described)


def test_every_model_that_comes_with_ultralytics_and_with_hpo_is_allowed() -> None:
    packaged = sorted((arguments.package() / "cfg" / "models").rglob("*.yaml"))
    ours = [*(ROOT / "configs" / "models").rglob("*.yaml"), *(ROOT / "tests" / "models").rglob("*.yaml")]
    assert len(packaged) > 50
    for file in [*packaged, *ours]:
        check_text(file.read_text(), str(file))


def test_every_activation_that_is_allowed_is_one_of_torch() -> None:
    source = Path(arguments.package().parent / "torch" / "nn" / "modules" / "activation.py").read_text()
    assert all(f"class {name}(" in source for name in layers.ACTIVATIONS - {"Identity"})


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
