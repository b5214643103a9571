"""Checkpoints: what is written is read back; what is broken or hostile is refused, harmlessly."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fastvid.errors import InputError
from fastvid.style.checkpoint import checkpoint_bytes, read_checkpoint
from fastvid.style.network import build_network

ARCH = "c3s1-4,d6,R6,U2,c3s1-3"


def weights(arch: str = ARCH) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return build_network(arch).state_dict()


def saved(**changes: object) -> bytes:
    content = {"arch": ARCH, "state_dict": weights(), "mean_bgr": [1.0, 2.0, 3.0], "scale": 150.0}
    content.update(changes)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def with_member(
    data: bytes, name: str, content: bytes, compression: int = zipfile.ZIP_STORED
) -> bytes:
    """The archive with the member that ends with `name` replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            replaced = entry.filename.endswith(name)
            new.writestr(
                entry.filename,
                content if replaced else old.read(entry),
                compress_type=compression if replaced else zipfile.ZIP_STORED,
            )
    return buffer.getvalue()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "style.pt"
    path.write_bytes(checkpoint_bytes(ARCH, weights(), "some style"))
    checkpoint = read_checkpoint(path)
    assert checkpoint.arch == ARCH and checkpoint.style == "some style"
    assert checkpoint.mean_bgr == (103.939, 116.779, 123.68) and checkpoint.scale == 150.0
    for key, value in weights().items():
        assert torch.equal(checkpoint.weights[key], value)


def test_every_truncation_is_refused() -> None:
    data = checkpoint_bytes(ARCH, weights(), "style")
    for length in range(0, len(data), 997):
        with pytest.raises(InputError, match=r"^cut.pt: "):
            read_checkpoint(data[:length], "cut.pt")


def test_flipped_bytes_never_raise_anything_else() -> None:
    data = bytearray(checkpoint_bytes(ARCH, weights(), "style"))
    for position in range(0, len(data), 61):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        try:
            read_checkpoint(bytes(damaged), "flipped.pt")
        except InputError as error:
            assert str(error).startswith("flipped.pt: ")


class Reducer:
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_runs_a_command_is_refused(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "mark"
    bomb = pickle.dumps(Reducer(os.system, f"touch {mark}"), protocol=protocol)
    for data in (bomb, with_member(saved(), "data.pkl", bomb)):
        with pytest.raises(InputError, match=r"evil.pt: "):
            read_checkpoint(data, "evil.pt")
    assert not mark.exists()


def test_a_pickle_that_asks_for_memory_is_refused() -> None:
    bomb = pickle.dumps(Reducer(bytearray, 1 << 45), protocol=2)
    with pytest.raises(InputError, match="bytearray"):
        read_checkpoint(with_member(saved(), "data.pkl", bomb), "evil.pt")


def test_a_compressed_member_is_refused() -> None:
    zeros = bytes(50_000_000)
    data = with_member(saved(), "data/0", zeros, zipfile.ZIP_DEFLATED)
    assert len(data) < 200_000
    with pytest.raises(InputError, match="would unpack to"):
        read_checkpoint(data, "bomb.pt")


def test_a_storage_larger_than_its_member_is_refused() -> None:
    data = with_member(saved(), "data/0", b"\0" * 8)
    with pytest.raises(InputError):
        read_checkpoint(data, "short.pt")


def test_an_arch_that_would_need_gigabytes_is_refused() -> None:
    with pytest.raises(InputError, match="missing"):
        read_checkpoint(saved(arch="c31s1-4096,R4096,R4096,c31s1-3"), "huge.pt")


def test_an_expanded_view_is_refused() -> None:
    arch = "c31s1-2048,c31s1-3"
    state = {key: torch.zeros(1).expand(value.shape) for key, value in _meta(arch).items()}
    with pytest.raises(InputError, match="larger than what the file holds"):
        read_checkpoint(saved(arch=arch, state_dict=state), "view.pt")


def _meta(arch: str) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        return build_network(arch).state_dict()


def _changed(key: str, value: object) -> dict[str, object]:
    state: dict[str, object] = {**weights()}
    state[key] = value
    return state


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"arch": "c3s1-4,z9"}, "z9"),
        ({"arch": 7}, "arch"),
        ({"state_dict": {}}, "missing"),
        ({"state_dict": _changed("99.weight", torch.zeros(2))}, "99.weight"),
        ({"state_dict": _changed("0.bias", torch.zeros(5))}, "0.bias"),
        ({"state_dict": _changed("0.bias", torch.full((4,), float("nan")))}, "0.bias"),
        ({"state_dict": _changed("0.bias", torch.zeros(4, dtype=torch.int64))}, "0.bias"),
        ({"state_dict": _changed("0.bias", 3)}, "0.bias"),
        ({"mean_bgr": [1, 2]}, "mean_bgr"),
        ({"mean_bgr": [1, 2, float("inf")]}, "mean_bgr"),
        ({"scale": -1}, "scale"),
        ({"scale": "wide"}, "scale"),
    ],
)
def test_content_that_does_not_fit_is_named(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_checkpoint(saved(**changes), "wrong.pt")


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n", b"PK\x03\x04 nothing more"])
def test_foreign_files_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read_checkpoint(data, "foreign")


def test_a_list_instead_of_a_dict_is_refused() -> None:
    buffer = io.BytesIO()
    torch.save([torch.zeros(3)], buffer)
    with pytest.raises(InputError, match="state_dict"):
        read_checkpoint(buffer.getvalue(), "list.pt")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.pt"):
        read_checkpoint(tmp_path / "nowhere.pt")
