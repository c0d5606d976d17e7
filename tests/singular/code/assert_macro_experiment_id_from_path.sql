-- Where nothing else names the experiment, its folder does, in every layout since June 2025.
-- A returned row is a path that was read wrongly.
with

cases as (

    select
        paths.source_file,
        paths.output_dir,
        paths.expected

    from (
        values
        ('out/conversations/2025-06-16/111324_e4tgs/events.jsonl', 'out', 'chats_2025-06-16'),
        ('out/conversations/2025-07-04/events/a_events.jsonl', 'out', 'chats_2025-07-04'),
        ('out/conversations/june/111324_e4tgs/events.jsonl', 'out', '111324_e4tgs'),
        ('out/experiments/exp_0a1b2c3d/events/c_events.jsonl', 'out', 'exp_0a1b2c3d'),
        ('out/experiments/exp_0a1b2c3d_tea_2025-07-09/c_events.jsonl', 'out', 'exp_0a1b2c3d'),
        ('out/experiments/experiment_0a1b2c3d_tea/c.jsonl', 'out', 'experiment_0a1b2c3d'),
        ('out/experiments/exp_0a1b2c3d5/c.jsonl', 'out', 'exp_0a1b2c3d5'),
        ('out/experiments/tea_party_0a1b2c3d/events.jsonl', 'out', 'experiment_0a1b2c3d'),
        ('out/experiments/tea_party_0A1B2C3D/events.jsonl', 'out', 'tea_party_0A1B2C3D'),
        ('out/my tea/events_conv_1.jsonl', 'out', 'my tea'),
        ('out/événements/events/c.jsonl', 'out', 'événements'),
        ('out/events/c.jsonl', 'out', 'unfiled'),
        ('out/c.jsonl', 'out', 'unfiled'),
        ('/data/exp_0a1b2c3d/c.jsonl', '/data/exp_0a1b2c3d', 'exp_0a1b2c3d'),
        ('/data/exp_0a1b2c3d/events/c.jsonl', '/data/exp_0a1b2c3d', 'exp_0a1b2c3d'),
        ('/data/exp_0a1b2c3d/events/c.jsonl', '/data/exp_0a1b2c3d/events', 'exp_0a1b2c3d'),
        ('/data/tea_0a1b2c3d/events_conv_1.jsonl', '/data/tea_0a1b2c3d', 'experiment_0a1b2c3d'),
        ('/data/my tea/events_conv_1.jsonl', '/data/my tea', 'unfiled'),
        ('C:\out\experiments\tea_0a1b2c3d\events\c.jsonl', 'C:\out', 'experiment_0a1b2c3d')
    ) as paths (source_file, output_dir, expected)

),

named as (

    select
        source_file,
        output_dir,
        expected,
        {{ experiment_id_from_path('source_file', 'output_dir') }} as actual

    from cases

)

select *

from named

where actual is distinct from expected
