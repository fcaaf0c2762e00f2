from step_speed import markdown

RESULT = dict(
    config='configs/x.py',
    model='EmoMAE',
    batch_size=8,
    rounds=7,
    steps=1,
    machine=dict(
        device='A CPU',
        memory=None,
        cores=2,
        environment=dict(PyTorch='2.14.1'),
    ),
    matmul_peak=dict(float32=9.6e10),
    rows=[
        dict(
            name='ours',
            precision='float32',
            images_per_second=1.6,
            spread=[1.5, 1.7],
            peak_bytes=5.25e9,
            multiply_adds=60.2e9,
            share_of_peak=0.98,
            times_ours=None,
        ),
        dict(
            name='compiled',
            precision='float32',
            images_per_second=1.0,
            spread=[0.9, 1.1],
            peak_bytes=None,
            multiply_adds=None,
            share_of_peak=None,
            times_ours=dict(measured=1.8, spread=[1.7, 1.9], predicted=None),
        ),
    ],
    left_out=['reference'],
    ratios={'scene/mae': [0.98, 1.01, 1.04]},
    loss_differences=dict(loss_rec=1.5e-7),
    seconds={},
    parts={'scene encoder': 1.5, 'optimizer': 0.5},
    step_of_parts=4.0,
    data_wait=None,
    waits={'a.py:3': 2},
    gaps=dict(idle=0.031, longest=0.002),
)


def test_the_whole_text():
    assert markdown(RESULT) == (
        '`configs/x.py`, batches of 8, medians and quartiles of 7 rounds of 1 '
        'steps. A CPU, 2 cores, torch 2.14.1. Large matrix products reach '
        '0.10 T multiply-adds a second in float32.\n\n'
        '| arrangement | precision | images/s | of the matmul peak | peak '
        'memory | G multiply-adds an image | time of a step, ours = 1 | '
        'predicted |\n|---|---|---|---|---|---|---|---|\n'
        '| `ours` | float32 | 1.60 (1.50 to 1.70) | 98.0 % | 5.2 GB | 60.2 | '
        '1 |  |\n'
        '| `compiled` | float32 | 1.00 (0.90 to 1.10) |  | not measured |  | '
        '1.80 (1.70 to 1.90) |  |\n\n'
        '- `ours`: this project: one encoder call, cached text features\n'
        '- `compiled`: ours, with compiled layers\n\n'
        'Out of memory: reference.\n\n'
        '| set for ViT-B, batches of 8, float32, 2 cores | to reach | here | '
        'reached |\n|---|---|---|---|\n'
        '| time of `scene` / `mae` | at most 1.03 | 1.010 | yes |\n\n'
        'Losses of `ours` and `reference` on the same weights, masks and '
        'images in float32 differ by: loss_rec 1.5e-07.\n\n'
        '| part, with its backward pass | ms | of the step |\n|---|---|---|\n'
        '| scene encoder | 1500.0 | 37.5 % |\n'
        '| optimizer | 500.0 | 12.5 % |\n'
        '| sum | 2000.0 | 50.0 % |\n'
        '| measured step | 4000.0 | 100 % |\n\n'
        '- waiting for images: not measured, the data set is not there\n'
        '- the host waits for the device in a step: 2 x a.py:3\n'
        '- the device is idle: 3.1 % of a step, 0.2 % at a time\n'
    )


def test_goals_on_a_gpu():
    result = dict(
        RESULT,
        machine=dict(RESULT['machine'], device='A GPU', memory=10e9),
        ratios={
            'reference/ours': [2.3, 2.4, 2.6],
            'reference/cached': [3.0, 3.0, 3.0],
        },
        gaps=dict(idle=0.2, longest=0.06),
    )
    text = markdown(result)
    assert 'A GPU, 2 cores, 10 GB, torch 2.14.1. Large' in text
    assert (
        '| set for ViT-L, batches of 256, bfloat16, one H200 | to reach | '
        'here | reached |\n|---|---|---|---|\n'
        '| time of `reference` / `ours` | at least 2.5 | 2.400 | no |\n'
        '| share of the matmul peak | at least 0.5 | 0.980 | yes |\n'
        '| share of the memory | at most 0.6 | 0.525 | yes |\n'
        '| longest gap, share of a step | at most 0.05 | 0.060 | no |\n\n'
    ) in text


def test_what_was_not_reached_is_left_out():
    """As it is written while the rest is measured."""
    further = ('parts', 'data_wait', 'waits', 'gaps')
    partial = {k: v for k, v in RESULT.items() if k not in further}
    assert markdown(partial).endswith('differ by: loss_rec 1.5e-07.\n')
