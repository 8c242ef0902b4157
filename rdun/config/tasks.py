"""What is measured: one frozen, keyword-only dataclass per task.

A task also says what its tests hang on (`test_fields`), how many there are (`tests`), and how it is tested otherwise
(`with_tests`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from rdun.config.checks import Typed, check, check_ratios, check_seeds
from rdun.config.rows import row_count

RowRule = Literal["r-coast", "ista-net"]


@dataclass(frozen=True, kw_only=True)
class BlockSensingTask(Typed):
    """Compressive sensing of non-overlapping blocks with orthonormal Gaussian matrices.

    Attributes:
        ratios: sampling ratios trained together; one is drawn per mini-batch.
        block: side of a block in pixels; N = block**2.
        rows: rule for the number of measurements M per ratio. "r-coast": round(N r), halves to even.
            "ista-net": the ISTA-Net authors' table, which differs at 1 %, 4 % and 50 %.
        matrices: training matrices per ratio; one is drawn per mini-batch.
        matrix_seed: seed K of the training matrices.
        test_matrices: "unseen": matrices `gauss-sK` outside the training family, for K in `test_matrix_seeds`;
            "seen": the first training matrix, as networks trained for one matrix need.
        test_matrix_seeds: seeds K of the unseen test matrices.
        initial: "adjoint": x0 = A^T y (COAST). "linear": x0 = Q y, the linear least-squares estimate learned from the
            second moments of the training subset (ISTA-Net).
        ridge: relative ridge of that estimate, in units of the mean measured energy; 0 is the published formula.
    """

    kind: ClassVar[str] = "block_sensing"
    ratios: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    block: int = 33
    rows: RowRule = "r-coast"
    matrices: int = 50
    matrix_seed: int = 0
    test_matrices: Literal["unseen", "seen"] = "unseen"
    test_matrix_seeds: tuple[int, ...] = (0,)
    initial: Literal["adjoint", "linear"] = "adjoint"
    ridge: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ratios(self.ratios, "a ratio is M/N in (0, 1]: write 25 % as 0.25")
        check(self.block >= 2, "task.block", self.block, "use at least 2 pixels (the papers use 33)")
        for ratio in self.ratios:
            row_count(ratio, self.block**2, self.rows)  # raises for what its table lacks
        check(self.matrices >= 1, "task.matrices", self.matrices, "use at least 1")
        check(self.matrix_seed >= 0, "task.matrix_seed", self.matrix_seed, "use 0 or more")
        check_seeds("task.test_matrix_seeds", self.test_matrix_seeds)
        check(0 <= self.ridge < 1, "task.ridge", self.ridge, "use a value in [0, 1)")

    @property
    def tests(self) -> int:
        """Test operators of each ratio."""
        return 1 if self.test_matrices == "seen" else len(self.test_matrix_seeds)

    def test_fields(self) -> dict[str, object]:
        """Dotted fields that fix the test matrices, beside the ratio and the block."""
        named: dict[str, object] = {"task.rows": self.rows, "task.test_matrices": self.test_matrices}
        if self.test_matrices == "seen":
            return named | {"task.matrix_seed": self.matrix_seed}
        return named | {"task.test_matrix_seeds": self.test_matrix_seeds}

    def with_tests(self, ratios: tuple[float, ...], seeds: tuple[int, ...]) -> Self:
        """Tested at these ratios, with unseen matrices of these seeds; empty ones leave what it has."""
        chosen = replace(self, ratios=ratios or self.ratios)
        return replace(chosen, test_matrices="unseen", test_matrix_seeds=seeds) if seeds else chosen


@dataclass(frozen=True, kw_only=True)
class InpaintingTask(Typed):
    """Recovery of images of which a random part of the pixels was observed, without noise.

    Attributes:
        ratios: observed fractions trained together; one is drawn per mini-batch.
        block: side of a training image in pixels.
        masks: training masks per ratio; one is drawn per mini-batch.
        mask_seed: seed of the training masks.
        test_mask_seeds: seeds K of the test masks `mask-sK`, none of which is trained with.
    """

    kind: ClassVar[str] = "inpainting"
    initial: ClassVar[str] = "adjoint"
    ratios: tuple[float, ...] = (0.3,)
    block: int = 33
    masks: int = 50
    mask_seed: int = 0
    test_mask_seeds: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ratios(self.ratios, "an observed fraction lies in (0, 1]: write 30 % as 0.3")
        check(self.block >= 2, "task.block", self.block, "use at least 2 pixels")
        check(self.masks >= 1, "task.masks", self.masks, "use at least 1")
        check(self.mask_seed >= 0, "task.mask_seed", self.mask_seed, "use 0 or more")
        check_seeds("task.test_mask_seeds", self.test_mask_seeds)

    @property
    def tests(self) -> int:
        """Test operators of each fraction."""
        return len(self.test_mask_seeds)

    def test_fields(self) -> dict[str, object]:
        """Dotted fields that fix the test masks, beside the fraction."""
        return {"task.test_mask_seeds": self.test_mask_seeds}

    def with_tests(self, ratios: tuple[float, ...], seeds: tuple[int, ...]) -> Self:
        """Tested with masks of these fractions and seeds; empty ones leave what it has."""
        return replace(self, ratios=ratios or self.ratios, test_mask_seeds=seeds or self.test_mask_seeds)


@dataclass(frozen=True, kw_only=True)
class DenoisingTask(Typed):
    """Removal of white Gaussian noise of one level: every pixel is measured, so the ratio is 1.

    Attributes:
        sigma: standard deviation of the noise, in grey levels of 0..255.
        block: side of a training image in pixels.
        test_noise_seeds: seeds K of the test noise `noise-sK`; training noise is drawn anew for each mini-batch.
    """

    kind: ClassVar[str] = "denoising"
    initial: ClassVar[str] = "adjoint"
    ratios: ClassVar[tuple[float, ...]] = (1.0,)
    sigma: float = 25.0
    block: int = 33
    test_noise_seeds: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.sigma <= 255, "task.sigma", self.sigma, "use grey levels in (0, 255], such as 25")
        check(self.block >= 2, "task.block", self.block, "use at least 2 pixels")
        check_seeds("task.test_noise_seeds", self.test_noise_seeds)

    @property
    def tests(self) -> int:
        """Test operators."""
        return len(self.test_noise_seeds)

    def test_fields(self) -> dict[str, object]:
        """Dotted fields that fix the test noise."""
        return {"task.sigma": self.sigma, "task.test_noise_seeds": self.test_noise_seeds}

    def with_tests(self, ratios: tuple[float, ...], seeds: tuple[int, ...]) -> Self:
        """Tested with noise of these seeds; none: of its own.

        Raises:
            ValueError: ratios, which it has none of.
        """
        check(not ratios, "task.ratios", ratios, "a denoising network measures every pixel; leave them out")
        return replace(self, test_noise_seeds=seeds or self.test_noise_seeds)


TaskConfig = BlockSensingTask | DenoisingTask | InpaintingTask
