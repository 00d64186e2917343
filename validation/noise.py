"""What disturbs a run, as simulated: the logarithm of each run's time, in the order of running.

All models have a run-to-run standard deviation of about `sigma` before what they add to it. The shape is always
(sessions, rounds, workloads, slots): the last three in row-major order are time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from scipy import signal

from optbuild.measure.statistics import Floats

Shape = tuple[int, int, int, int]
NoiseModel = Callable[[np.random.Generator, Shape, float], Floats]

_CONTAMINATED = 0.05
_SECOND_MODE = 0.3
_MEMORY = 0.3
_DRIFT = math.log(1.05)
_STEP = math.log(1.10)
_SLOT = math.log(1.02)


def lognormal(generator: np.random.Generator, shape: Shape, sigma: float) -> Floats:
    """Give independent runs with lognormal times."""
    return generator.normal(0.0, sigma, shape)


def heavy_tailed(generator: np.random.Generator, shape: Shape, sigma: float) -> Floats:
    """Give Student's t with three degrees of freedom, scaled to the standard deviation sigma."""
    return sigma / math.sqrt(3) * generator.standard_t(3, shape)


def contaminated(generator: np.random.Generator, shape: Shape, sigma: float) -> Floats:
    """Delay one run in twenty by an exponential time of ten sigma in the mean; never speed one up."""
    delayed = generator.random(shape) < _CONTAMINATED
    return lognormal(generator, shape, sigma) + delayed * generator.exponential(10 * sigma, shape)


def bimodal(generator: np.random.Generator, shape: Shape, sigma: float) -> Floats:
    """Put three runs of ten into a second mode, four sigma slower."""
    return lognormal(generator, shape, sigma) + 4 * sigma * (generator.random(shape) < _SECOND_MODE)


def autocorrelated(generator: np.random.Generator, shape: Shape, sigma: float) -> Floats:
    """Let each run remember 0.3 of the one before: a first-order autoregression in the order of running."""
    shocks = generator.normal(0.0, sigma * math.sqrt(1 - _MEMORY**2), (shape[0], math.prod(shape[1:])))
    shocks[:, 0] /= math.sqrt(1 - _MEMORY**2)
    return np.asarray(signal.lfilter([1.0], [1.0, -_MEMORY], shocks, axis=-1)).reshape(shape)


def drifting(generator: np.random.Generator, shape: Shape, sigma: float) -> Floats:
    """Slow down evenly, by 5% over the longest session."""
    return lognormal(generator, shape, sigma) + np.linspace(0.0, _DRIFT, math.prod(shape[1:])).reshape(shape[1:])


def stepping(generator: np.random.Generator, shape: Shape, sigma: float) -> Floats:
    """Slow down by 10% at once, at a random moment of the session."""
    length = math.prod(shape[1:])
    after = np.arange(length) >= generator.integers(0, length, (shape[0], 1))
    return lognormal(generator, shape, sigma) + _STEP * after.reshape(shape)


def slotted(generator: np.random.Generator, shape: Shape, sigma: float) -> Floats:
    """Give each position in a superblock an effect of its own, up to 2%, the same all through a session."""
    effects = generator.uniform(0.0, _SLOT, (shape[0], 1, 1, shape[3]))
    return lognormal(generator, shape, sigma) + effects


MODELS: Mapping[str, NoiseModel] = {
    "lognormal": lognormal,
    "t, 3 degrees of freedom": heavy_tailed,
    "5% one-sided contamination": contaminated,
    "bimodal": bimodal,
    "AR(1) 0.3": autocorrelated,
    "drift 5%": drifting,
    "step 10%": stepping,
    "slot effect 2%": slotted,
}


def simulate_runs(
    model: NoiseModel,
    generator: np.random.Generator,
    blocks: tuple[int, int, int],
    *,
    arms: int,
    sigma: float,
    turns: int = 2,
) -> Floats:
    """Run arms in superblocks of one mirrored pass, or of one random order, each a fresh one.

    Args:
        model: The noise.
        generator: The source of all chance.
        blocks: Sessions, rounds and workloads.
        arms: How many there are; none differs from another.
        sigma: Of the noise.
        turns: Runs of each arm in a superblock: two for a mirrored pass, or one.

    Returns:
        Logarithms of times: sessions, rounds, workloads, arms, and the runs of each arm.
    """
    slots = turns * arms
    noise = model(generator, (*blocks, slots), sigma)
    place = np.argsort(generator.random((*blocks, arms)), axis=-1)
    forth = np.take_along_axis(noise, place, axis=-1)
    if turns == 1:
        return forth[..., np.newaxis]
    back = np.take_along_axis(noise, slots - 1 - place, axis=-1)
    return np.stack([forth, back], axis=-1)


def simulate_differences(
    model: NoiseModel, generator: np.random.Generator, effects: Floats, rounds: int, sigma: float
) -> Floats:
    """The differences of each arm from the first one, one for each round: arms, rounds."""
    logs = simulate_runs(model, generator, (1, rounds, 1), arms=effects.size, sigma=sigma).mean(axis=-1)[0, :, 0]
    return np.asarray((logs - logs[:, :1]).T + effects[:, np.newaxis])
