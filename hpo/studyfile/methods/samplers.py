"""The table of samplers. ``hpo.study.search.sampling`` builds each."""

from __future__ import annotations

from hpo.studyfile.methods.rows import COUNT, FLAG, FROM_1, FROM_2, SHARE, Conflict, Option, OptionValue, SamplerRow

_GROUP = "`group` splits a multivariate model: it goes with `multivariate: true` only"
_EXCLUDING = "`use_separable_cma` and `with_margin` exclude each other: keep one"
_ONE_OF_TWO = "`lr_adapt` goes with neither `use_separable_cma` nor `with_margin`: keep one"


def _flags(*names: str) -> dict[str, Option]:
    return dict.fromkeys(names, FLAG)


SAMPLERS: dict[str, SamplerRow] = {
    "tpe": SamplerRow(
        "TPESampler",
        "tree-structured Parzen estimator (Bergstra et al. 2011)",
        {"n_startup_trials": COUNT, "n_ei_candidates": FROM_1, **_flags("multivariate", "group", "constant_liar")},
        conflicts=(Conflict((("group", True), ("multivariate", False)), _GROUP),),
    ),
    "gp": SamplerRow("GPSampler", "Gaussian process", {"n_startup_trials": COUNT, "deterministic_objective": FLAG}),
    "cmaes": SamplerRow(
        "CmaEsSampler",
        "evolution strategy with an adapted covariance matrix (CMA-ES)",
        {
            "n_startup_trials": COUNT,
            "popsize": FROM_2,
            **_flags("consider_pruned_trials", "use_separable_cma", "with_margin", "lr_adapt"),
        },
        conflicts=(
            Conflict((("lr_adapt", True), ("use_separable_cma", True)), _ONE_OF_TWO),
            Conflict((("lr_adapt", True), ("with_margin", True)), _ONE_OF_TWO),
            Conflict((("use_separable_cma", True), ("with_margin", True)), _EXCLUDING),
        ),
    ),
    "qmc": SamplerRow(
        "QMCSampler",
        "points that fill the space evenly",
        {"qmc_type": Option(OptionValue.NAME, names=("sobol", "halton")), "scramble": FLAG},
    ),
    "random": SamplerRow("RandomSampler", "points drawn at random"),
    "grid": SamplerRow("GridSampler", "each point of a grid once", enumerates=True),
    "nsga2": SamplerRow(
        "NSGAIISampler",
        "genetic algorithm (NSGA-II)",
        {"population_size": FROM_2, "mutation_prob": SHARE, "crossover_prob": SHARE, "swapping_prob": SHARE},
    ),
}
