"""Compares a checkpoint with the paper on all datasets that are there."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import indent

from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.engine.launch import learning_rate_note
from uniemox_mm.engine.read_config import resolve_checkpoint
from uniemox_mm.evaluation.paper_results import DATASETS
from uniemox_mm.utils.atomic_files import atomic_file

from .configs import check_data
from .encoders import check_neighbours
from .figure import draw_learning_curves
from .folders import check_names, find_folders, missing_line
from .jobs import Job, Recipe
from .processes import last_lines, run_logged
from .settings import check_settings, write_settings
from .table import Outcome, Results, csv_text, markdown

NOT_THERE, NOT_CHOSEN = 'not there', 'not chosen'
NOT_YET, FAILED = 'not yet', 'failed'


@dataclass
class Comparison:
    """The runs of one checkpoint on the datasets, and what came of them.

    Attributes:
        recipe (Recipe): What is done on each dataset.
        found (dict[str, Path]): Dataset, a key of :data:`NAMED_DATASETS` ->
            where it is.
        chosen (Sequence[str]): The datasets that are wanted.
        fractions (Sequence[float | None]): Shares of the training images;
            None for what the config says.
        failed (set[Job]): Runs that came to nothing.
    """

    recipe: Recipe
    found: dict[str, Path]
    chosen: Sequence[str]
    fractions: Sequence[float | None] = (None,)
    failed: set[Job] = field(default_factory=set)

    @property
    def jobs(self) -> list[Job]:
        """All runs, a dataset after the other."""
        jobs = []
        for name, root in self.found.items():
            if name in self.chosen:
                jobs += [
                    Job(self.recipe, name, root, fraction)
                    for fraction in self.fractions
                ]
                if self.recipe.knn_config is not None:
                    jobs.append(Job(self.recipe, name, root, neighbours=True))
        return jobs

    def run(self) -> None:
        """Does what is not done yet, and keeps the tables up to date.

        Raises:
            ValueError: Results of other settings are in the way.
            KeyboardInterrupt: Interrupted; nothing runs any more.
        """
        jobs = self._prepare()
        self.write_tables()
        for job in jobs:
            self._run(job)
            self.write_tables()

    def results(self) -> Results:
        """All outcomes so far."""
        datasets = [
            name
            for name in NAMED_DATASETS
            # The others are those that the paper does not have.
            if name in DATASETS or (name in self.found and name in self.chosen)
        ]
        neighbours = datasets if self.recipe.knn_config is not None else []
        return Results(
            self.recipe.checkpoint or f'No checkpoint, {self.recipe.config}',
            datasets,
            {
                (name, share): self._outcome(name, share)
                for name in datasets
                for share in self.fractions
            },
            {name: self._outcome(name, None, True) for name in neighbours},
        )

    def write_tables(self) -> None:
        """Writes ``results.md``, ``results.csv`` and the learning curve."""
        results, out = self.results(), self.recipe.out
        with atomic_file(out / 'results.md') as file:
            file.write(markdown(results))
        with atomic_file(out / 'results.csv') as file:
            file.write(csv_text(results))
        if results.shares != [None]:
            draw_learning_curves(out / 'learning_curve.png', results)

    def _outcome(
        self, name: str, share: float | None, neighbours: bool = False
    ) -> Outcome:
        if name not in self.chosen:
            return NOT_CHOSEN
        if name not in self.found:
            return NOT_THERE
        job = Job(self.recipe, name, self.found[name], share, neighbours)
        if job in self.failed:
            return FAILED
        return job.metrics() or NOT_YET

    def _prepare(self) -> list[Job]:
        """The runs that can be tried: their settings and data are fine."""
        readable = []
        for job in self.jobs:
            try:
                settings = job.settings
            except Exception as error:
                self._fail(job, _text(error))
            else:
                check_settings(job.folder, settings)
                readable.append(job)
        todo = [job for job in readable if job.metrics() is None]
        self._check_encoder(todo)
        first: dict[str, Job] = {}
        for job in todo:
            first.setdefault(job.dataset, job)
        for name, job in first.items():
            try:
                check_data(job.cfg)
            except Exception as error:
                self._fail(job, _text(error))
                self.failed.update(job for job in todo if job.dataset == name)
        self._print_notes([job for job in todo if job not in self.failed])
        return [job for job in readable if job not in self.failed]

    def _check_encoder(self, jobs: Sequence[Job]) -> None:
        """Refuses a config for k-NN that is of another encoder."""
        job = next((job for job in jobs if job.neighbours), None)
        if job is not None:  # it is the same for all datasets
            assert self.recipe.checkpoint is not None
            check_neighbours(job.config, job.cfg, self.recipe.checkpoint)

    def _print_notes(self, jobs: Sequence[Job]) -> None:
        """Warns of a learning rate that is meant for other batches."""
        if self.recipe.auto_scale_lr:
            return
        gpus = self.recipe.gpus
        notes = [
            learning_rate_note(job.cfg, gpus)
            for job in jobs
            if not job.neighbours
        ]
        for note in dict.fromkeys(filter(None, notes)):
            print(note, flush=True)

    def _run(self, job: Job) -> None:
        metrics = job.metrics()
        if metrics is not None:
            print(f'{job.title}: done before, {metrics["top1"]:.2f} % top-1')
            return
        write_settings(job.folder, job.settings)
        for what, command in job.steps():
            print(f'{job.title}: {what} (log: {job.log})', flush=True)
            start = job.log.stat().st_size if job.log.exists() else 0
            status = run_logged(command, job.log)
            if status:
                end = indent(last_lines(job.log, start), '  ')
                what = f'{what} failed with status {status}; its last lines:'
                self._fail(job, f'{what}\n{end}\n  (log: {job.log})')
                return
        metrics = job.metrics()
        if metrics is None:
            self._fail(job, f'left no results (log: {job.log})')
        else:
            print(f'{job.title}: {metrics["top1"]:.2f} % top-1', flush=True)

    def _fail(self, job: Job, why: str) -> None:
        self.failed.add(job)
        print(f'{job.title}: {why}', file=sys.stderr, flush=True)


def compare(
    checkpoint: str,
    root: Path,
    datasets: Sequence[str] | None = None,
    fractions: Sequence[float] | None = None,
    cfg_options: Sequence[str] = (),
    **recipe,
) -> Comparison:
    """Runs a checkpoint on the datasets that are in a folder.

    Args:
        checkpoint (str): A file, a work dir, an address, or 'none'.
        root (Path): The folder.
        datasets (Sequence[str], optional): Which of :data:`NAMED_DATASETS`.
            Defaults to None, for all.
        fractions (Sequence[float], optional): Shares of the training images.
            Defaults to None, for what the config says.
        cfg_options (Sequence[str]): Overrides, KEY=VALUE. Defaults to ().
        **recipe: The rest of :class:`Recipe`.

    Returns:
        Comparison: What was done.

    Raises:
        FileNotFoundError: There is no such folder or checkpoint.
        ValueError: A name or share is not valid, there is no dataset, or
            results of other settings are in the way.
    """
    chosen = datasets or list(NAMED_DATASETS)
    check_names(chosen)
    for fraction in fractions or ():
        if not 0 < fraction <= 1:
            raise ValueError(f'--fractions {fraction}: expected (0, 1]')
    weights = None if checkpoint == 'none' else resolve_checkpoint(checkpoint)
    if weights is None and recipe.get('knn_config') is not None:
        raise ValueError('--knn: there is nothing to search without weights')
    found = find_folders(root)
    for name in chosen:
        if name not in found:
            print(missing_line(name, root), flush=True)
    if not set(found) & set(chosen):
        raise ValueError(f'--root {root}: holds none of the datasets')
    comparison = Comparison(
        Recipe(weights, options=tuple(cfg_options), **recipe),
        found,
        chosen,
        list(dict.fromkeys(fractions)) if fractions else [None],
    )
    comparison.run()
    return comparison


def _text(error: Exception) -> str:
    """An error in words, with its kind where the words may not be enough."""
    if isinstance(error, OSError | ValueError):
        return str(error)
    return f'{type(error).__name__}: {error}'
