"""A setting from another space becomes the nearest proposal that the sampler could have made."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpo.studyfile.planning.clipping import clipped
from hpo.studyfile.space import Choices, Condition, Dimension, FloatRange, IntRange, Space, contains
from hpo.trial.vocabulary import Scalar

SPACE = Space(
    (
        Dimension("optimizer", Choices(("SGD", "AdamW"))),
        Dimension("lr0", FloatRange(1e-4, 1e-1, log=True)),
        Dimension("mosaic", FloatRange(0.0, 1.0, step=0.3)),
        Dimension("batch", IntRange(4, 18, step=4)),
        Dimension("warmup_momentum", FloatRange(0.0, 0.95), (Condition("optimizer", ("SGD",)),)),
    )
)


def test_what_lies_inside_stays_and_what_lies_outside_goes_to_the_nearest_value() -> None:
    inside: dict[str, Scalar] = {"optimizer": "SGD", "lr0": 0.01, "mosaic": 0.6, "batch": 12, "warmup_momentum": 0.8}
    assert clipped(SPACE, inside) == inside
    outside: dict[str, Scalar] = {
        "optimizer": "AdamW",
        "lr0": 0.5,
        "mosaic": 1.0,
        "batch": 64,
        "warmup_momentum": 0.8,
        "other": 3,
    }
    # 18 is not 4 plus a multiple of 4, and 1.0 is not a multiple of 0.3
    assert clipped(SPACE, outside) == {"optimizer": "AdamW", "lr0": 0.1, "mosaic": 0.3 * 3, "batch": 16}
    assert clipped(SPACE, {"mosaic": 0.4, "batch": 9}) == {"mosaic": 0.3, "batch": 8}


def test_what_the_space_lacks_is_left_to_the_sampler_and_what_depends_on_it_too() -> None:
    assert clipped(SPACE, {"optimizer": "RMSProp", "warmup_momentum": 0.5, "lr0": True, "batch": "many"}) == {}
    null = Space((Dimension("cache", Choices((None, "ram"))),))
    assert clipped(null, {"cache": None}) == {"cache": None}
    assert clipped(null, {"cache": "disk"}) == {}


@given(
    low=st.integers(-50, 50),
    width=st.integers(1, 60),
    step=st.integers(1, 9),
    value=st.one_of(st.integers(-99, 99), st.floats(-99, 99)),
)
def test_the_nearest_value_of_a_grid_is_in_it_and_no_other_is_nearer(
    low: int, width: int, step: int, value: float
) -> None:
    whole = IntRange(low, low + width, step=step)
    real = FloatRange(low / 10, (low + width) / 10, step=step / 10)
    (found,) = clipped(Space((Dimension("x", whole),)), {"x": value}).values()
    assert contains(whole, found)
    assert isinstance(found, int)
    assert abs(found - value) <= min(abs(other - value) for other in range(low, low + width + 1, step)) + 1e-9
    (found,) = clipped(Space((Dimension("x", real),)), {"x": value}).values()
    assert contains(real, found)
