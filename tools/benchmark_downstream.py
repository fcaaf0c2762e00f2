r"""Compare an encoder with the paper on all datasets that are there.

Trains and tests on each dataset that it finds in ROOT, and writes one table,
beside the numbers of the paper: OUT/results.md and OUT/results.csv. The same
command continues a run that was killed; what is done is not repeated.

Datasets can be spread over machines by --datasets with the same OUT; the
command without it then makes the table of all.

Examples:
    python tools/benchmark_downstream.py work_dirs/uniemox_vit-l_pretrain \
        --root data
    python tools/benchmark_downstream.py CHECKPOINT --root data --knn \
        --config configs/linear_probe/vit-l_uniemox.py --out work_dirs/linear
    python tools/benchmark_downstream.py none --root data \
        --config configs/baselines/vit-l_mae.py --out work_dirs/mae
    python tools/benchmark_downstream.py CHECKPOINT --root data \
        --fractions 0.2 0.4 0.6 0.8 1.0 --out work_dirs/learning_curve
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from downstream_jobs import Job, Recipe, check_data, find_folders
from downstream_table import (
    Outcome,
    Results,
    csv_text,
    draw_learning_curves,
    markdown,
)
from run_logged import run_logged

from uniemox_mm.apis.load_model import load_model
from uniemox_mm.datasets.named_datasets import NAMED_DATASETS
from uniemox_mm.engine.launch import learning_rate_note
from uniemox_mm.engine.read_config import resolve_checkpoint
from uniemox_mm.evaluation.paper_results import DATASETS
from uniemox_mm.utils.atomic_files import atomic_file
from uniemox_mm.weights.checked_loading import MisfitError

INTERRUPTED = 130  # what shells give a process that Ctrl-C ended


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'checkpoint',
        help='start weights: a file, an address, or a work dir, of which\n'
        "the best or the newest is taken; none for the config's, if any",
    )
    parser.add_argument(
        '--root', type=Path, required=True, help='folder of the datasets'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/downstream'),
        help='folder for all runs and the table (%(default)s)',
    )
    parser.add_argument(
        '--datasets',
        nargs='+',
        metavar='NAME',
        help='only these of ' + ', '.join(NAMED_DATASETS),
    )
    parser.add_argument(
        '--config',
        default='configs/finetune/vit-l_uniemox_{dataset}.py',
        help='config for any dataset, or with {dataset} in its name\n'
        '(%(default)s)',
    )
    parser.add_argument(
        '--fractions',
        type=float,
        nargs='+',
        metavar='FRACTION',
        help='learning curve: train on each of these fractions of the images',
    )
    parser.add_argument(
        '--knn',
        action='store_true',
        help='also k-NN on the features of the encoder as it is; other\n'
        'encoders than ViT-L need --knn-config',
    )
    parser.add_argument(
        '--knn-config',
        default='configs/linear_probe/vit-l_uniemox.py',
        metavar='CONFIG',
        help='config for k-NN, with the encoder of the checkpoint\n'
        '(%(default)s)',
    )
    parser.add_argument(
        '--gpus', type=int, default=1, help='to train with (%(default)s)'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the real batch size',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='overrides for training and testing, not for k-NN',
    )
    args = parser.parse_args()
    if not args.knn:
        args.knn_config = None
    del args.knn
    return args


@dataclass
class Comparison:
    """The runs of one checkpoint on the datasets, and their outcomes.

    Attributes:
        recipe (Recipe): The settings of all runs.
        found (dict[str, Path]): Dataset, a key of :data:`NAMED_DATASETS` ->
            where it is.
        chosen (Sequence[str]): The datasets that are wanted.
        fractions (Sequence[float | None]): Fractions of the training images;
            None for what the config says.
        failed (set[Job]): Runs without a result.
    """

    recipe: Recipe
    found: dict[str, Path]
    chosen: Sequence[str]
    fractions: Sequence[float | None] = (None,)
    failed: set[Job] = field(default_factory=set)

    @property
    def jobs(self) -> list[Job]:
        """All runs, one dataset after the other."""
        jobs = []
        for name, root in self.found.items():
            if name in self.chosen:
                jobs += [
                    Job(self.recipe, name, root, fraction)
                    for fraction in self.fractions
                ]
                if self.recipe.knn_config is not None:
                    jobs.append(Job(self.recipe, name, root, knn=True))
        return jobs

    def run(self) -> None:
        """Run what is not done yet, and keep the tables up to date.

        Raises:
            ValueError: Results of other settings are in the way.
            KeyboardInterrupt: Interrupted; no program is left running.
        """
        jobs = self._check_jobs()
        self.write_tables()
        for job in jobs:
            self._run(job)
            self.write_tables()

    def results(self) -> Results:
        """Return all outcomes so far."""
        datasets = [
            name
            for name in NAMED_DATASETS
            # The others are not in the paper.
            if name in DATASETS or (name in self.found and name in self.chosen)
        ]
        with_knn = datasets if self.recipe.knn_config is not None else []
        return Results(
            self.recipe.checkpoint or f'No checkpoint, {self.recipe.config}',
            datasets,
            {
                (name, fraction): self._outcome(name, fraction)
                for name in datasets
                for fraction in self.fractions
            },
            {name: self._outcome(name, knn=True) for name in with_knn},
        )

    def write_tables(self) -> None:
        """Write ``results.md``, ``results.csv`` and the learning curve."""
        results, out = self.results(), self.recipe.out
        with atomic_file(out / 'results.md') as file:
            file.write(markdown(results))
        with atomic_file(out / 'results.csv') as file:
            file.write(csv_text(results))
        if results.fractions != [None]:
            draw_learning_curves(out / 'learning_curve.png', results)

    def _outcome(
        self, name: str, fraction: float | None = None, knn: bool = False
    ) -> Outcome:
        if name not in self.chosen:
            return 'not chosen'
        if name not in self.found:
            return 'not there'
        job = Job(self.recipe, name, self.found[name], fraction, knn)
        if job in self.failed:
            return 'failed'
        return job.metrics() or 'not yet'

    def _check_jobs(self) -> list[Job]:
        """Return the runs whose settings and data are fine."""
        readable = []
        for job in self.jobs:
            try:
                _ = job.settings
            except Exception as error:
                self._fail(job, _text(error))
            else:
                job.check_settings()
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
        if not self.recipe.auto_scale_lr:
            notes = [
                learning_rate_note(job.cfg, self.recipe.gpus)
                for job in todo
                if job not in self.failed and not job.knn
            ]
            for note in dict.fromkeys(filter(None, notes)):
                print(note, flush=True)
        return [job for job in readable if job not in self.failed]

    def _check_encoder(self, jobs: Sequence[Job]) -> None:
        """Load the encoder by the config for k-NN, as ``knn.py`` will."""
        job = next((job for job in jobs if job.knn), None)
        if job is None:
            return
        try:  # it is the same for all datasets
            load_model(self.recipe.checkpoint, job.cfg, part='backbone')
        except MisfitError as error:
            raise ValueError(
                f'--knn-config {job.config}: {error}. Set --knn-config to a '
                'config with the encoder of the checkpoint'
            ) from None

    def _run(self, job: Job) -> None:
        metrics = job.metrics()
        if metrics is not None:
            print(f'{job.title}: done before, {metrics["top1"]:.2f} % top-1')
            return
        job.write_settings()
        for what, command in job.commands():
            print(f'{job.title}: {what} (log: {job.log})', flush=True)
            try:
                run_logged(command, job.log)
            except RuntimeError as error:
                self._fail(job, f'{what} {error}')
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
    """Run a checkpoint on the datasets that are in a folder.

    Args:
        checkpoint (str): A file, a work dir, an address, or 'none'.
        root (Path): The folder.
        datasets (Sequence[str], optional): Keys of :data:`NAMED_DATASETS`.
            Defaults to None, for all.
        fractions (Sequence[float], optional): Fractions of the training
            images. Defaults to None, for what the config says.
        cfg_options (Sequence[str]): Overrides, KEY=VALUE. Defaults to ().
        **recipe: The rest of :class:`Recipe`.

    Raises:
        FileNotFoundError: There is no such folder or checkpoint.
        ValueError: A name or fraction is not valid, there is no dataset, or
            results of other settings are in the way.
    """
    chosen = datasets or list(NAMED_DATASETS)
    for name in chosen:
        if name not in NAMED_DATASETS:
            raise ValueError(
                f'--datasets {name}: no such dataset; expected '
                f'{", ".join(NAMED_DATASETS)}'
            )
    for fraction in fractions or ():
        if not 0 < fraction <= 1:
            raise ValueError(f'--fractions {fraction}: expected (0, 1]')
    weights = None if checkpoint == 'none' else resolve_checkpoint(checkpoint)
    if weights is None and recipe.get('knn_config') is not None:
        raise ValueError('--knn: needs a checkpoint, but there is none')
    found = find_folders(root)
    for name in chosen:
        if name not in found:
            dataset = NAMED_DATASETS[name]
            usual = ' or '.join(dataset.folders)
            print(f'{dataset.title}: skipped, no {usual} in {root}')
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
    """An error in words, with its type if the words may not be enough."""
    if isinstance(error, OSError | ValueError):
        return str(error)
    return f'{type(error).__name__}: {error}'


def report(comparison: Comparison) -> None:
    """Print the tables and what failed."""
    out = comparison.recipe.out
    print('\n' + (out / 'results.md').read_text())
    print(f'Tables: {out}/results.md, {out}/results.csv')
    if (out / 'learning_curve.png').exists():
        print(f'Learning curve: {out}/learning_curve.png')
    if comparison.failed:
        failed = [j.title for j in comparison.jobs if j in comparison.failed]
        sys.exit(
            f'Failed: {"; ".join(failed)}. The reasons are above; the same '
            'command tries again'
        )


def stop(*_) -> None:
    """End at SIGTERM as at Ctrl-C, which background jobs would ignore."""
    raise KeyboardInterrupt


def main() -> None:
    args = parse_args()
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        comparison = compare(**vars(args), tools=Path(__file__).parent)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print('\nInterrupted: repeat the command to resume.', file=sys.stderr)
        sys.exit(INTERRUPTED)
    report(comparison)


if __name__ == '__main__':
    main()
