from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dehaze.runtime import ModelError
from dehaze.train.networks.vgg19 import vgg19_from_file

LAYOUT = [64, 64, 0, 128, 128, 0, *[256] * 4, 0, *[512] * 4, 0, *[512] * 4, 0]
"""Widths of the convolutions, 0 for a pooling: configuration E of arXiv 1409.1556."""
RELU_1 = (2, 7, 12, 21, 30)
"""Number of layers up to the first ReLU of each stage."""


@pytest.fixture(scope="module")
def features() -> nn.Sequential:
    """torchvision's `features` up to relu5_1, with random weights."""
    layers: list[nn.Module] = []
    channels = 3
    for width in LAYOUT:
        if width:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers[: RELU_1[-1]])


def state(features: nn.Sequential) -> dict[str, Tensor]:
    """Weights as in torchvision's file: more convolutions than are wanted, and a classifier."""
    more = {"features.36.weight": torch.zeros(2), "classifier.6.bias": torch.zeros(1000)}
    return {f"features.{name}": value for name, value in features.state_dict().items()} | more


@pytest.mark.parametrize("name", ["vgg19-test.pth", "vgg19.safetensors"])
def test_it_gives_relu1_1_to_relu5_1_of_torchvisions_file(
    features: nn.Sequential, tmp_path: Path, name: str
) -> None:
    save = save_file if name.endswith("safetensors") else torch.save
    save(state(features), tmp_path / name)
    vgg19 = vgg19_from_file(tmp_path / name)
    image = torch.rand(1, 3, 32, 40)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.no_grad():
        expected = [features[:count]((image - mean) / std) for count in RELU_1]
        encoded = vgg19.encode(image)
    assert [tuple(x.shape[1:]) for x in encoded] == [
        (64, 32, 40),
        (128, 16, 20),
        (256, 8, 10),
        (512, 4, 5),
        (512, 2, 2),
    ]
    for x, y in zip(encoded, expected, strict=True):
        assert torch.allclose(x, y, atol=1e-6)


def test_it_is_frozen_but_passes_gradients_to_the_image(
    features: nn.Sequential, tmp_path: Path
) -> None:
    torch.save(state(features), tmp_path / "vgg19.pth")
    vgg19 = vgg19_from_file(tmp_path / "vgg19.pth")
    assert not vgg19.training
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    sum(x.mean() for x in vgg19.encode(image)).backward()
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in vgg19.parameters())


def test_a_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as raised:
        vgg19_from_file(tmp_path / "vgg19.pth")
    message = str(raised.value)
    assert "no such file; expected torchvision's vgg19-dcbb9e9d.pth" in message
    assert "https://download.pytorch.org/models" in message
    assert "\n" not in message


def broken(path: Path, kind: str) -> None:
    """Writes files that are no VGG19."""
    contents = {"empty": b"", "text": b"not a pickle", "zip": b"PK\x03\x04 cut short"}
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind == "list":
        torch.save([torch.zeros(3)], path)
    elif kind == "module":
        torch.save(nn.Conv2d(3, 64, 3), path)
    elif kind == "other names":
        torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    else:  # VGG16 has three convolutions where VGG19 has four
        wrong = {f"features.{n}.weight": torch.zeros(8, 3, 3, 3) for n in range(29)}
        torch.save(wrong | {f"features.{n}.bias": torch.zeros(8) for n in range(29)}, path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "kind", ["empty", "text", "zip", "list", "module", "other names", "other shapes"]
)
def test_another_file_gives_one_line(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"vgg19{suffix}"
    broken(path, kind)
    with pytest.raises(ModelError, match="not VGG19's weights; expected torchvision's") as raised:
        vgg19_from_file(path)
    assert "\n" not in str(raised.value)
