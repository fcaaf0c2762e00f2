"""What became of every key of a checkpoint."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ConversionReport:
    """What became of every key of a checkpoint.

    Attributes:
        source (str): Name of the file.
        format (str): Its format.
        model (str): The sizes of the model.
        mapped (dict[str, str]): Its names -> MMPretrain's.
        changed (dict[str, str]): MMPretrain's names of what is not as it was
            in the file, and how.
        left_out (dict[str, str]): Its names of what was not taken, and why.
        missing (dict[str, str]): MMPretrain's names, or beginnings of names,
            of what a model may have and the file does not, and what follows.
        settings (dict[str, str]): Settings of a VisionTransformer that gives
            what the source gave, where they are not the usual ones, and why.
    """

    source: str
    format: str
    model: str
    mapped: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def summary(self) -> list[str]:
        """All but what was taken as it was."""
        return [
            f'{self.source}: {self.format}, {self.model}',
            *(f'changed   {k}: {how}' for k, how in self.changed.items()),
            *(f'left out  {k}: {why}' for k, why in self.left_out.items()),
            *(f'missing   {k}: {what}' for k, what in self.missing.items()),
            *(f'settings  {k}: {why}' for k, why in self.settings.items()),
            f'{len(self.mapped)} mapped, {len(self.left_out)} left out',
        ]

    def lines(self) -> list[str]:
        """Every key."""
        first, *rest = self.summary()
        return [
            first,
            *(f'mapped    {k} -> {ours}' for k, ours in self.mapped.items()),
            *rest,
        ]
