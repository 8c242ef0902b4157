"""Weights in files: round trips, damaged and hostile files, the published checkpoints."""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import load, save
from scipy.io import savemat
from torch import Tensor

from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    DataConfig,
    Fixed,
    IstaNetConfig,
    IstaNetPlusConfig,
    OptimConfig,
    RatioScale,
    RecursionConfig,
    Rfmu,
    TrialConfig,
    UniformRange,
    with_values,
)
from rdun.data import read_luminance
from rdun.evaluation import psnr
from rdun.models import Stage, Unfolding, build_model
from rdun.operators import gaussian_matrix, linear_estimator, to_blocks
from rdun.results import Score, from_csv
from rdun.trial.weights import first_network
from rdun.weights import (
    decode_model,
    encode_model,
    load_any,
    load_model,
    load_published,
    read_estimator,
    read_sampling_matrix,
    read_tensors,
    save_model,
)
from rdun.weights.__main__ import main
from tests.conftest import photograph
from tests.contracts.cases import MODELS, MODULATIONS, moment
from tests.contracts.test_models import trial

SMALL = TrialConfig(
    model=CoastConfig(layers=2, channels=4),
    recursion=RecursionConfig(train=UniformRange(low=(1,), high=(3,)), modulation=Rfmu()),
)


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    ours, theirs = dict(a.named_parameters()), dict(b.named_parameters())
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


# --- our own files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("modulation", MODULATIONS)
def test_round_trip(model: str, modulation: str) -> None:
    config = trial(model, modulation=modulation, seed=5)
    network = build_model(config)
    content = encode_model(network, config)
    assert content == encode_model(network, config)
    loaded, read = decode_model(content, "x")
    assert read == config
    assert same(network, loaded)
    assert not loaded.training


def test_round_trip_through_a_file_whatever_the_memory_layout(tmp_path: Path) -> None:
    network = build_model(SMALL)
    plain = encode_model(network, SMALL)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    save_model(network, SMALL, tmp_path / "x.safetensors")
    assert (tmp_path / "x.safetensors").read_bytes() == plain
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]
    loaded, config = load_any(tmp_path / "x.safetensors")
    assert config == SMALL
    assert same(network, loaded)


def test_tied_stages_are_written_once() -> None:
    network = build_model(SMALL)
    stage = network.stages[0]
    assert isinstance(stage, Stage)
    tied = Unfolding([stage, stage], network.modulation)
    names = set(load(encode_model(tied, SMALL)))
    assert names == {n for n in dict(network.named_parameters()) if not n.startswith("stages.1.")}


def altered(change: Any) -> bytes:
    """A file of SMALL whose tensors and metadata went through `change(tensors, note)`."""
    content = encode_model(build_model(SMALL), SMALL)
    note = {"config": json.loads(json.dumps(_config_of(content))), "numerics": _note(content)["numerics"]}
    tensors = load(content)
    change(tensors, note)
    return bytes(save(tensors, {"rdun": json.dumps(note)}))


def _note(content: bytes) -> dict[str, Any]:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    note: dict[str, Any] = json.loads(header["__metadata__"]["rdun"])
    return note


def _config_of(content: bytes) -> Any:
    return _note(content)["config"]


NAME = "stages.1.head.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, n: t.update(extra=torch.zeros(1)), "unknown tensors extra"),
        (lambda t, n: t.pop(NAME), f"missing tensors {NAME}"),
        (
            lambda t, n: t.update({NAME: torch.zeros(4, 1, 5, 5)}),
            rf"{NAME} has shape \(4, 1, 5, 5\), .* needs \(4, 1, 3, 3\)",
        ),
        (
            lambda t, n: t.update({NAME: torch.full((4, 1, 3, 3), torch.nan)}),
            f"{NAME} holds values that are not finite",
        ),
        (lambda t, n: t.update({NAME: torch.zeros((4, 1, 3, 3), dtype=torch.int32)}), "not finite numbers"),
        (lambda t, n: n["config"]["model"].update(layers=3), "missing tensors stages.2"),
        (lambda t, n: n["config"]["model"].update(layers=10**9), "model.layers=1000000000 is not possible"),
        (lambda t, n: n["config"]["model"].update(channels=4000), r"needs \(4000"),
        (lambda t, n: n["config"]["model"].update(chanels=4), r"did you mean 'model\.channels'"),
        (lambda t, n: n.update(numerics=0), "numerics 0"),
        (lambda t, n: n.pop("config"), "its rdun config cannot be read"),
        (lambda t, n: n["config"]["recursion"]["train"].update(high=[2**63]), "at most 10,000 per layer"),
        (lambda t, n: n["config"]["model"].update(kind=[]), r"model\.kind=\[\] is not known"),
    ],
)
def test_files_that_do_not_fit_are_refused(change: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^some\.file.*{message}"):
        decode_model(altered(change), "some.file")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    content = encode_model(build_model(SMALL), SMALL)
    rng = np.random.default_rng(0)
    damaged = [b"", b"abc", rng.bytes(5000), b"\xff" * 5000, b"PK" + rng.bytes(50)]
    damaged += [content[:n] for n in (4, 8, 100, len(content) // 2, len(content) - 1)] + [content + b"more"]
    for index, bad in enumerate(damaged):
        path = tmp_path / f"{index}.safetensors"
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=rf"{index}\.safetensors is not a readable safetensors file"):
            load_model(path)
    with pytest.raises(ValueError, match=r"^x: its rdun config cannot be read"):
        decode_model(bytes(save({"a": torch.zeros(2)}, {"rdun": "[" * 100_000})), "x")
    with pytest.raises(ValueError, match="holds tensors but no rdun config; write it with"):
        decode_model(bytes(save({"a": torch.zeros(2)})), "x")
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "absent.safetensors")


# --- the authors' format ---------------------------------------------------------------------------------------------


def as_published(network: Unfolding, config: TrialConfig) -> dict[str, Tensor]:
    """A network's tensors under the authors' names, the shared modulation unit once per residual block."""
    ours, out = dict(network.named_parameters()), dict[str, Tensor]()
    for i in range(config.model.layers):
        at, to = f"stages.{i}.", f"fcs.{i}."
        out[to + "lambda_step"] = ours[at + "step"].reshape(1)
        if isinstance(config.model, CoastConfig):
            for part in ("weight", "bias"):
                out |= {f"{to}{end}_conv.{part}": ours[f"{at}{end}.{part}"] for end in ("head", "tail")}
                for m in range(3):
                    out[f"{to}ResidualBlocks.{m}.conv1.{part}"] = ours[f"{at}inner.{m}.{part}"]
                    out[f"{to}ResidualBlocks.{m}.conv2.{part}"] = ours[f"{at}outer.{m}.{part}"]
            for name, tensor in ours.items():
                if name.startswith("modulation.slots.0."):
                    rest = name.removeprefix("modulation.slots.0.")
                    out |= {f"{to}ResidualBlocks.{m}.res_scale.{rest}": tensor for m in range(3)}
            continue
        out[to + "soft_thr"] = ours[at + "threshold"].reshape(1)
        for way, group in (("forward", "analysis"), ("backward", "synthesis")):
            for number, word in ((1, "first"), (2, "second")):
                plus = isinstance(config.model, IstaNetPlusConfig)
                name = f"{group}.{word}" if plus else f"{way}_{word}"
                out[f"{to}conv{number}_{way}"] = ours[f"{at}{name}.weight"]
        if isinstance(config.model, IstaNetPlusConfig):
            out |= {to + "conv_D": ours[at + "lift.weight"], to + "conv_G": ours[at + "lower.weight"]}
    return {name: tensor.detach().clone() for name, tensor in out.items()}


def published_trial(kind: str) -> TrialConfig:
    coast = CoastConfig(layers=2, channels=4)
    random = UniformRange(low=(1,), high=(3,))
    return {
        "R-COAST": TrialConfig(model=coast, recursion=RecursionConfig(train=random, modulation=Rfmu())),
        "COAST": TrialConfig(model=coast, recursion=RecursionConfig(train=random, modulation=RatioScale())),
        "ISTA-Net": TrialConfig(model=IstaNetConfig(layers=2, channels=4), recursion=RecursionConfig(train=Fixed())),
        "ISTA-Net+": TrialConfig(
            model=IstaNetPlusConfig(layers=2, channels=4), recursion=RecursionConfig(train=Fixed())
        ),
    }[kind]


def write(path: Path, content: object, *, legacy: bool = False) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def small_state(kind: str = "R-COAST") -> dict[str, Tensor]:
    config = published_trial(kind)
    return as_published(build_model(config), config)


@pytest.mark.parametrize("kind", ["R-COAST", "COAST", "ISTA-Net", "ISTA-Net+"])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_published_names_are_read(kind: str, legacy: bool, tmp_path: Path) -> None:
    """Both file formats, DataParallel's prefix, and numpy arrays beside the tensors."""
    config = published_trial(kind)
    network = build_model(config)
    state = as_published(network, config)
    history = {"loss": np.arange(12.0).reshape(3, 4), "best": [np.zeros(2, dtype=np.float32)], "epoch": 7}
    content: object = {"model": state, **history} if "COAST" in kind else {f"module.{n}": t for n, t in state.items()}
    path = write(tmp_path / "weights.pkl", content, legacy=legacy)
    loaded, read = load_published(path, recursions=3 if "COAST" in kind else None)
    assert same(network, loaded)
    assert read.model == config.model
    assert read.recursion == config.recursion
    save_model(loaded, read, tmp_path / "ours.safetensors")
    again, kept = load_any(tmp_path / "ours.safetensors")
    assert same(network, again)
    assert kept == read


def test_an_unknown_coast_file_needs_its_recursions(tmp_path: Path) -> None:
    path = write(tmp_path / "weights.pkl", {"model": small_state()})
    with pytest.raises(ValueError, match=r"not on record; give its recursions per layer \(--trained-recursions\)"):
        load_published(path)


def test_a_trial_tells_a_file_that_is_not_on_record_its_recursions(tmp_path: Path) -> None:
    config = published_trial("R-COAST")
    network = build_model(config)
    path = write(tmp_path / "weights.pkl", {"model": as_published(network, config)})
    as_it_is = replace(config, weights=str(path), optim=OptimConfig(epochs=0), seed=1)
    assert same(network, first_network(as_it_is))


class Hostile:
    """Unpickling it runs a command."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("wrapped", ["pickle", "zip", "legacy"])
def test_a_hostile_pickle_runs_nothing(protocol: int, wrapped: str, tmp_path: Path) -> None:
    trap, path = tmp_path / "trap", tmp_path / "weights.pkl"
    allowed = set(torch.serialization.get_safe_globals())
    for function, argument in [
        (os.system, f"touch {trap}"),
        (eval, f"open({str(trap)!r}, 'w')"),
        (subprocess.run, ["touch", trap]),
    ]:
        content = {"model": small_state(), "loss": Hostile(function, argument)}
        if wrapped == "pickle":
            path.write_bytes(pickle.dumps({"loss": Hostile(function, argument)}, protocol=protocol))
        else:
            torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=wrapped == "zip")
        with pytest.raises(
            ValueError, match=r"weights\.pkl is not a readable checkpoint: .*; download it again"
        ) as caught:
            load_published(path)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400
        assert not trap.exists()
    assert set(torch.serialization.get_safe_globals()) == allowed


def test_a_hostile_file_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "weights.pkl"
    torch.save({"x": Hostile(os.system, "true")}, path)
    with pytest.raises(ValueError, match=r"it asks to run 'posix\.system', which weights never need"):
        read_tensors(path)


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = [write(tmp_path / f"{legacy}.pkl", small_state(), legacy=legacy).read_bytes() for legacy in (False, True)]
    damaged = [b"PK" + rng.bytes(80), rng.bytes(4000), b"\x80\x02.", b"hello", b"\x00" * 3000]
    damaged += [content[:n] for content in whole for n in (1, 40, len(content) // 2, len(content) - 40)]
    for index, bad in enumerate(damaged):
        path = tmp_path / f"bad{index}.pkl"
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=rf"bad{index}\.pkl (is not a readable checkpoint|holds)"):
            load_published(path)
    (tmp_path / "empty.pkl").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty\.pkl is empty; .*download it again"):
        load_published(tmp_path / "empty.pkl")


def test_compressed_archives_are_refused(tmp_path: Path) -> None:
    """PyTorch never compresses; an archive that unpacks to far more than it holds is not weights."""
    plain, path = write(tmp_path / "plain.pkl", {"a": torch.zeros(10**6)}), tmp_path / "bomb.pkl"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert path.stat().st_size < 10_000
    with pytest.raises(ValueError, match="its archive is compressed"):
        load_published(path)


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    state = small_state()
    path = write(tmp_path / "weights.pkl", {"model": state})
    content = bytearray(path.read_bytes())
    content[content.index(state["fcs.1.head_conv.weight"].numpy().tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"the checksum of its part '.*' does not fit; download it again"):
        load_published(path, recursions=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.update({"fcs.0.head_conv.weight": torch.zeros(1).expand(10**6, 10**6, 3, 3)}), "one by one"),
        (lambda s: s.update({"fcs.0.head_conv.weight": s["fcs.0.head_conv.weight"].to_sparse()}), "one by one"),
        (lambda s: s.update({"fcs.0.head_conv.weight": torch.zeros(4, 1, 3, 3, device="meta")}), "one by one"),
        (lambda s: s.update({"fcs.0.head_conv.weight": torch.zeros(4, 1, 5, 5)}), "has shape"),
        (lambda s: s.update({"fcs.1.lambda_step": torch.tensor([1e300], dtype=torch.float64)}), "not finite"),
        (lambda s: s.update({"module.fcs.1.lambda_step": torch.zeros(1)}), "'lambda_step' of layer 1 twice"),
        (
            lambda s: s.pop("fcs.1.ResidualBlocks.2.res_scale.2.bias"),
            r"5 copies of res_scale\.2\.bias, not one for each of 6",
        ),
        (lambda s: s.update({"fcs.1.tail_conv.bias": torch.zeros(2)}), r"stages\.1\.tail\.bias has shape \(2,\)"),
        (
            lambda s: s.update({"fcs.1.lambda_step": torch.tensor([torch.inf])}),
            r"stages\.1\.step holds values that are not finite",
        ),
        (lambda s: s.pop("fcs.1.ResidualBlocks.2.conv1.weight"), r"missing tensors stages\.1\.inner\.2\.weight"),
        (lambda s: s.update({"fcs.1.extra": torch.zeros(1)}), r"unknown tensors stages\.1\.extra"),
        (lambda s: s.update({"encoder.weight": torch.zeros(1)}), "'encoder.weight', which no published"),
        (lambda s: s.update({"fcs.7.lambda_step": torch.zeros(1)}), r"holds layers \[0, 1, 7\]"),
        (lambda s: s["fcs.1.ResidualBlocks.2.res_scale.2.bias"].add_(1), r"fcs\.1\..*differs from its other copies"),
        (lambda s: s.update({"fcs.0.step": 3}), "holds int under 'fcs.0.step'"),
        (lambda s: s.clear(), "not a dictionary of tensors"),
    ],
)
def test_checkpoints_that_do_not_fit_are_refused(change: Any, message: str, tmp_path: Path) -> None:
    state = {name: tensor.clone() for name, tensor in small_state().items()}
    change(state)
    path = write(tmp_path / "weights.pkl", {"model": state} if state else state)
    with pytest.raises(ValueError, match=rf"weights\.pkl.*{message}"):
        load_published(path, recursions=3)


# --- .mat files ------------------------------------------------------------------------------------------------------


def mat(path: Path, **variables: object) -> Path:
    savemat(path, variables, do_compression=True)
    return path


def test_matrices_are_read_and_checked(tmp_path: Path) -> None:
    matrix = gaussian_matrix(16, 64, 0)
    estimator = linear_estimator(matrix, moment())
    read = read_sampling_matrix(mat(tmp_path / "phi.mat", phi=matrix))
    np.testing.assert_array_equal(read, matrix)
    np.testing.assert_array_equal(read_estimator(mat(tmp_path / "q.mat", Qinit=estimator), read), estimator)
    cases: list[tuple[str, dict[str, object], str]] = [
        ("other", {"A": matrix}, "it holds A, not 'phi'"),
        ("tall", {"phi": matrix.T}, "phi is 64x16"),
        ("oblong", {"phi": matrix[:, :63]}, "one column per pixel of a square block"),
        ("scaled", {"phi": 2 * matrix}, r"rows of phi are not orthonormal \(.* is 3\)"),
        ("broken", {"phi": np.full((16, 64), np.nan)}, "does not hold finite real numbers"),
        ("complex", {"phi": matrix * 1j}, "does not hold finite real numbers"),
        ("text", {"phi": "hello"}, "phi"),
        ("cells", {"phi": np.array([[{"a": 1}]], dtype=object)}, "phi"),
    ]
    for name, values, message in cases:
        with pytest.raises(ValueError, match=rf"{name}\.mat.*{message}"):
            read_sampling_matrix(mat(tmp_path / f"{name}.mat", **values))
    with pytest.raises(ValueError, match=r"small\.mat: Qinit is 64x8, the sampling matrix needs 64x16"):
        read_estimator(mat(tmp_path / "small.mat", Qinit=estimator[:, :8]), matrix)
    with pytest.raises(ValueError, match=r"q\.mat: Qinit belongs to another sampling matrix"):
        read_estimator(tmp_path / "q.mat", gaussian_matrix(16, 64, 1))


def test_damaged_matrices_are_refused(tmp_path: Path) -> None:
    content = mat(tmp_path / "phi.mat", phi=gaussian_matrix(16, 64, 0)).read_bytes()
    rng = np.random.default_rng(0)
    for index, bad in enumerate(
        [b"", b"x", rng.bytes(3000), content[:100], content[:400], content[:-9], content[:128] + rng.bytes(2000)]
    ):
        path = tmp_path / f"bad{index}.mat"
        path.write_bytes(bad)
        with pytest.raises(
            ValueError, match=rf"bad{index}\.mat \(.* bytes\) is not a usable \.mat file: .*download it again"
        ):
            read_sampling_matrix(path)


def test_a_mat_file_that_unpacks_to_gigabytes_is_refused_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that says it is 16x64 and holds zeros without end."""
    element = (
        struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIii", 5, 8, 16, 64) + struct.pack("<I4s", 3 << 16 | 1, b"phi")
    )
    monkeypatch.setattr("rdun.weights.matrices.MOST_BYTES", 2**22)
    size = 2**24
    packer = zlib.compressobj()
    parts = [packer.compress(struct.pack("<II", 14, len(element) + 8 + size) + element + struct.pack("<II", 9, size))]
    parts += [packer.compress(bytes(2**20)) for _ in range(size >> 20)] + [packer.flush()]
    packed = b"".join(parts)
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x100) + b"IM"
    path = tmp_path / "bomb.mat"
    path.write_bytes(header + struct.pack("<II", 15, len(packed)) + packed)
    assert path.stat().st_size < 20_000
    with pytest.raises(ValueError, match=r"bomb\.mat .* it unpacks to more than"):
        read_sampling_matrix(path)


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, shape in (("a.png", (40, 34)), ("b.png", (33, 33))):
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
    return folder


def test_evaluate_and_convert(images: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "weights.pkl", {"model": small_state()})
    converted, table = tmp_path / "ours.safetensors", tmp_path / "scores.csv"
    done = CliRunner().invoke(main, ["convert", str(path), str(converted), "--trained-recursions", "3"])
    assert done.exit_code == 0, done.output
    options = ["--ratio", "0.1", "--ratio", "0.25", "--matrix-seed", "0", "--matrix-seed", "4"]
    run = CliRunner().invoke(main, ["evaluate", str(converted), str(images), *options, "--csv", str(table)])
    assert run.exit_code == 0, run.output
    rows = [line.split() for line in run.output.splitlines()]
    assert rows[0][0] == "ours.safetensors:"
    assert [r[:3] for r in rows[2:5]] == [
        ["a.png", "0.1", "gauss-s0"],
        ["a.png", "0.1", "gauss-s4"],
        ["a.png", "0.25", "gauss-s0"],
    ]
    assert [r[:3] for r in rows if r[0] == "mean" and r[2].startswith("gauss")] == [
        ["mean", ratio, matrix] for ratio in ("0.1", "0.25") for matrix in ("gauss-s0", "gauss-s4")
    ]
    assert run.output.count("all, sd") == 2
    one, two, mean, spread = (float(r[-2]) for r in rows if r[1] == "0.25" and r[0] == "mean")
    assert (mean, spread) == pytest.approx(((one + two) / 2, abs(one - two) / 2**0.5), abs=2e-3)
    assert len(table.read_text().splitlines()) == 1 + 2 * 2 * 2 * 2
    records = json.loads(table.with_suffix(".json").read_text())
    assert {line.split(",")[-1] for line in table.read_text().splitlines()[1:]} == set(records)
    assert [list(r["measurement"]["matrices"]) for r in records.values()] == [["gauss-s0", "gauss-s4"]] * 2
    same_as = CliRunner().invoke(main, ["evaluate", str(path), str(images), *options, "--trained-recursions", "3"])
    assert same_as.output.splitlines()[1:] == run.output.splitlines()[1:]


def test_evaluate_on_a_gpu(images: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "weights.pkl", {"model": small_state()})
    words = ["evaluate", str(path), str(images), "--trained-recursions", "3", "--ratio", "0.1"]
    plain, there = (CliRunner().invoke(main, [*words, "--device", name]) for name in ("cpu", "cuda"))
    assert plain.exit_code == 0, plain.output
    if not torch.cuda.is_available():
        assert there.exit_code == 2
        assert there.output.startswith("Error: --device=cuda, but PyTorch sees no GPU here; use --device cpu")
        pytest.skip("the rest needs a GPU")
    values = [[float(line.split()[3]) for line in run.output.splitlines()[2:]] for run in (plain, there)]
    assert values[0] == pytest.approx(values[1], abs=0.01)


def test_another_precision_rounds_the_network_alone_and_is_another_protocol(images: Path, tmp_path: Path) -> None:
    path, values, records = write(tmp_path / "weights.pkl", {"model": small_state()}), {}, {}
    words = ["evaluate", str(path), str(images), "--trained-recursions", "3", "--ratio", "0.25"]
    for precision in ("fp32", "bf16"):
        table = tmp_path / f"{precision}.csv"
        run = CliRunner().invoke(main, [*words, "--precision", precision, "--csv", str(table)])
        assert run.exit_code == 0, run.output
        rows = [score for score in from_csv(Score, table.read_text()) if score.metric == "psnr"]
        values[precision] = [score.value for score in rows]
        ((key, records[precision]),) = json.loads(table.with_suffix(".json").read_text()).items()
        assert {score.protocol for score in rows} == {key}
    assert values["bf16"] != values["fp32"] and values["bf16"] == pytest.approx(values["fp32"], abs=0.05)
    assert records["bf16"] == records["fp32"] | {"precision": "bf16"}
    refused = CliRunner().invoke(main, [*words, "--precision", "tf32"])
    assert refused.exit_code == 2 and "exists on GPUs only; use 'fp32' or 'bf16' here" in refused.output


def test_evaluate_with_a_matrix_from_a_file(images: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "ista.pkl", small_state("ISTA-Net+"))
    matrix = gaussian_matrix(109, 1089, 7)
    phi = mat(tmp_path / "phi.mat", phi=matrix)
    initial = mat(tmp_path / "q.mat", Qinit=linear_estimator(matrix, np.eye(1089)))
    run = CliRunner().invoke(
        main, ["evaluate", str(path), str(images), "--matrix", str(phi), "--initial", str(initial)]
    )
    assert run.exit_code == 0, run.output
    assert "mean" in run.output.splitlines()[-1]
    assert "0.1 phi" in run.output
    for options, message in [
        (["--matrix", str(phi)], "starts from a linear estimate; give the matrix's own file (--initial)"),
        (["--initial", str(initial)], "give that too (--matrix)"),
        (["--matrix", str(phi), "--ratio", "0.1"], "leave out --ratio, --rows and --matrix-seed"),
    ]:
        refused = CliRunner().invoke(main, ["evaluate", str(path), str(images), *options])
        assert (refused.exit_code, len(refused.output.splitlines())) == (2, 1)
        assert message in refused.output


def test_pictures_of_ones_own_photographs(images: Path, tmp_path: Path) -> None:
    """One file will do, in colour; what is written is what was scored, rounded."""
    path, colour = write(tmp_path / "weights.pkl", {"model": small_state()}), tmp_path / "photo.jpg"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(colour)
    options = ["--trained-recursions", "3", "--ratio", "0.25", "--matrix-seed", "1", "--matrix-seed", "2"]
    for asked, stems in ((colour, ["photo"]), (images, ["a", "b"])):
        folder = tmp_path / "new" / stems[0]
        run = CliRunner().invoke(main, ["evaluate", str(path), str(asked), *options, "--pictures", str(folder)])
        assert run.exit_code == 0, run.output
        names = {f"{stem}-0.25-gauss-s{seed}.png" for stem in stems for seed in (1, 2)}
        assert {file.name for file in folder.iterdir()} == names
    found, original = (
        read_luminance(file, "bt601") for file in (tmp_path / "new/photo/photo-0.25-gauss-s2.png", colour)
    )
    (line,) = [
        line
        for line in CliRunner().invoke(main, ["evaluate", str(path), str(colour), *options]).output.splitlines()
        if line.startswith("photo.jpg") and "gauss-s2" in line
    ]
    assert psnr(found, original) == pytest.approx(float(line.split()[3]), abs=0.05)


@pytest.mark.parametrize("system", ["R-COAST", "ISTA-Net+"])
@pytest.mark.parametrize("own", [False, True], ids=["orthonormal rows", "any rows"])
def test_an_image_from_ones_own_measurements(system: str, own: bool, tmp_path: Path) -> None:
    """The image that `evaluate` reconstructs, from nothing but the numbers that were measured; whatever basis they are in."""
    path = write(tmp_path / "weights.pkl", {"model": small_state(system)})
    pixels, known = photograph(3, (40, 70)), ["--trained-recursions", "3"]
    Image.fromarray(pixels).save(tmp_path / "x.png")
    matrix = gaussian_matrix(109, 1089, 7)
    np.save(tmp_path / "phi.npy", matrix)
    np.save(tmp_path / "q.npy", linear_estimator(matrix, np.eye(1089)))
    given = ["--initial", str(tmp_path / "q.npy")] if system == "ISTA-Net+" else []
    words = ["evaluate", str(path), str(tmp_path / "x.png"), "--matrix", str(tmp_path / "phi.npy"), *given, *known]
    done = CliRunner().invoke(main, [*words, "--pictures", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output

    mixing = np.random.default_rng(0).standard_normal((109, 109)) if own else np.eye(109)
    mine, blocks = mixing @ matrix, to_blocks(torch.from_numpy(pixels / 255)[None, None], 33)[0].numpy()
    mat(tmp_path / "y.mat", y=blocks @ mine.T)
    np.save(tmp_path / "phi.npy", mine)
    np.save(tmp_path / "q.npy", linear_estimator(mine, np.eye(1089)))
    words = [
        "recover",
        str(path),
        str(tmp_path / "y.mat"),
        str(tmp_path / "x.npy"),
        "--matrix",
        str(tmp_path / "phi.npy"),
    ]
    done = CliRunner().invoke(main, [*words, "--size", "40", "70", *given, *known])
    assert done.exit_code == 0, done.output
    expected, found = read_luminance(tmp_path / "out" / "x-0.1-phi.png", "bt601"), np.load(tmp_path / "x.npy")
    assert found.shape == (40, 70) and found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
    assert np.abs(255 * found - expected).max() <= 0.5 + 0.05
    for precision, rounding in (("fp32", 1e-3), ("bf16", 6.0)):
        words[3] = str(tmp_path / f"{precision}.png")
        done = CliRunner().invoke(main, [*words, "--size", "40", "70", "--precision", precision, *given, *known])
        assert done.exit_code == 0, done.output
        assert np.abs(read_luminance(Path(words[3]), "bt601") - 255 * found).max() <= 0.5 + rounding


def test_measurements_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "weights.pkl", {"model": small_state()})
    plus = write(tmp_path / "plus.pkl", small_state("ISTA-Net+"))
    matrix, y = gaussian_matrix(109, 1089, 7), np.ones((6, 109))
    twice = np.concatenate([matrix, matrix[:1]])
    for name, value in {
        "phi": matrix,
        "twice": twice,
        "y": y,
        "turned": y.T,
        "more": np.ones((6, 110)),
        "text": np.array([["a"]]),
    }.items():
        np.save(tmp_path / f"{name}.npy", value)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "y.npy").read_bytes()[:900])
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    for file, measured, sampled, size, out, message in [
        (path, "y", "phi", (66, 90), "x.png", ""),
        (path, "y", "phi", (66, 100), "x.png", "has 8 blocks of 33x33 with 109 each: give 8x109, or another --size"),
        (path, "turned", "phi", (66, 90), "x.png", "turn it over, a row for each block"),
        (path, "more", "phi", (66, 90), "x.png", "y is 6x110, and"),
        (path, "more", "twice", (66, 90), "x.png", "rows of phi depend on each other; leave those out"),
        (path, "cut", "phi", (66, 90), "x.png", "write it again with numpy.save"),
        (path, "objects", "phi", (66, 90), "x.png", "write it again with numpy.save"),
        (path, "text", "phi", (66, 90), "x.png", "does not hold finite real numbers"),
        (path, "y", "phi", (66, 90), "x.jpg", "should end in .png or .npy"),
        (plus, "y", "phi", (66, 90), "x.png", "give the matrix's own file (--initial)"),
    ]:
        words = ["recover", str(file), *(str(tmp_path / name) for name in (f"{measured}.npy", out))]
        options = ["--matrix", str(tmp_path / f"{sampled}.npy"), "--size", *map(str, size), "--trained-recursions", "3"]
        run = CliRunner().invoke(main, [*words, *options])
        assert run.exit_code == (2 if message else 0), run.output
        assert message in run.output
        assert len(run.output.splitlines()) == 1


def test_a_linear_start_is_computed_from_the_training_images(images: Path, tmp_path: Path) -> None:
    config = TrialConfig(
        task=BlockSensingTask(ratios=(0.2,), block=8, initial="linear", ridge=1e-4),
        model=IstaNetPlusConfig(layers=1, channels=4),
        data=DataConfig(train=str(images), stride=3),
    )
    save_model(build_model(config), config, tmp_path / "x.safetensors")
    run = CliRunner().invoke(main, ["evaluate", str(tmp_path / "x.safetensors"), str(images)])
    assert run.exit_code == 0, run.output
    elsewhere = with_values(config, {"data.train": str(tmp_path / "gone")})
    save_model(build_model(config), elsewhere, tmp_path / "x.safetensors")
    run = CliRunner().invoke(main, ["evaluate", str(tmp_path / "x.safetensors"), str(images)])
    assert run.exit_code == 2
    assert "computed from their training images: data set" in run.output and "(--matrix, --initial)" in run.output


def test_bad_input_is_one_line_and_exit_code_2(images: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pkl"
    bad.write_bytes(b"nonsense")
    good = write(tmp_path / "weights.pkl", {"model": small_state("COAST")})
    known = ["--trained-recursions", "1"]
    for words, message in [
        (["evaluate", str(bad), str(images)], "bad.pkl is not a readable checkpoint"),
        (["evaluate", str(good), str(images)], "--trained-recursions"),
        (["evaluate", str(good), str(images), *known, "--ratio", "10"], "write 25 % as 0.25"),
        (["evaluate", str(good), str(tmp_path / "absent"), *known], "neither registered nor a folder"),
        (["evaluate", str(good), str(images), *known, "--csv", str(tmp_path / "x.json")], "end the name in .csv"),
        (["evaluate", str(good), str(images), *known, "--csv", str(tmp_path / "no" / "x.csv")], "no first"),
        (["convert", str(good), str(tmp_path / "x.pt"), *known], "should end in .safetensors"),
        (["convert", str(good), str(tmp_path / "no" / "x.safetensors"), *known], "No such file or directory"),
    ]:
        run = CliRunner().invoke(main, words)
        assert run.exit_code == 2
        assert message in run.output
        assert len(run.output.splitlines()) == 1
    helped = subprocess.run(
        [sys.executable, "-m", "rdun.weights", "--help"], capture_output=True, text=True, check=True
    )
    assert "convert" in helped.stdout


@pytest.mark.parametrize(("rows", "measurements"), [("r-coast", [11, 44, 544]), ("ista-net", [10, 43, 545])])
def test_both_published_rules_for_the_rows(rows: str, measurements: list[int], images: Path, tmp_path: Path) -> None:
    path, table = write(tmp_path / "weights.pkl", {"model": small_state("COAST")}), tmp_path / "scores.csv"
    ratios = [word for ratio in ("0.01", "0.04", "0.5") for word in ("--ratio", ratio)]
    words = [
        "evaluate",
        str(path),
        str(images),
        "--trained-recursions",
        "1",
        "--rows",
        rows,
        *ratios,
        "--csv",
        str(table),
    ]
    run = CliRunner().invoke(main, words)
    assert run.exit_code == 0, run.output
    records = json.loads(table.with_suffix(".json").read_text()).values()
    assert [record["measurement"]["measurements"] for record in records] == measurements


def test_an_image_that_is_too_small_is_named(images: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((5, 40), dtype=np.uint8)).save(images / "strip.png")
    path = write(tmp_path / "weights.pkl", {"model": small_state("COAST")})
    run = CliRunner().invoke(main, ["evaluate", str(path), str(images), "--trained-recursions", "1"])
    assert (run.exit_code, len(run.output.splitlines())) == (2, 1)
    assert "strip.png is smaller than the 7x7 window of SSIM; remove or replace it" in run.output


def test_recursions_can_be_changed_at_test_time(images: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "weights.pkl", {"model": small_state("COAST")})
    words = ["--trained-recursions", "2", "--ratio", "0.1"]
    trained, twice, once = (
        CliRunner().invoke(main, ["evaluate", str(path), str(images), *words, *more]).output
        for more in ([], ["--recursions", "2"], ["--recursions", "1"])
    )
    assert trained == twice != once
