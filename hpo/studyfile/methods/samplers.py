"""The table of samplers. ``hpo.study.search.sampling`` builds each."""

from __future__ import annotations

from hpo.studyfile.methods.rows import COUNT, FLAG, FROM_1, FROM_2, SHARE, Conflict, Option, OptionValue, SamplerRow

_ONE_OF_TWO = "`lr_adapt` goes with neither `use_separable_cma` nor `with_margin`: keep one"

SAMPLERS: dict[str, SamplerRow] = {
    "tpe": SamplerRow(
        "TPESampler",
        "tree-structured Parzen estimator (Bergstra et al. 2011)",
        {
            "n_startup_trials": COUNT,
            "n_ei_candidates": FROM_1,
            "multivariate": FLAG,
            "group": FLAG,
            "constant_liar": FLAG,
        },
        conflicts=(
            Conflict(
                (("group", True), ("multivariate", False)),
                "`group` splits a multivariate model: it goes with `multivariate: true` only",
            ),
        ),
    ),
    "gp": SamplerRow("GPSampler", "Gaussian process", {"n_startup_trials": COUNT, "deterministic_objective": FLAG}),
    "cmaes": SamplerRow(
        "CmaEsSampler",
        "evolution strategy with an adapted covariance matrix (CMA-ES)",
        {
            "n_startup_trials": COUNT,
            "popsize": FROM_2,
            "consider_pruned_trials": FLAG,
            "use_separable_cma": FLAG,
            "with_margin": FLAG,
            "lr_adapt": FLAG,
        },
        conflicts=(
            Conflict((("lr_adapt", True), ("use_separable_cma", True)), _ONE_OF_TWO),
            Conflict((("lr_adapt", True), ("with_margin", True)), _ONE_OF_TWO),
            Conflict(
                (("use_separable_cma", True), ("with_margin", True)),
                "`use_separable_cma` and `with_margin` exclude each other: keep one",
            ),
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
