{#- How far an experiment came, from how its conversations ended. The mart experiments and the
    function experiment_dashboard_as_of share it. -#}
{% macro experiment_status(conversation_totals, experiments) -%}
    -- The least finished conversation decides.
    case
        when {{ conversation_totals }}.unfinished_count > 0 then 'unfinished'
        when {{ conversation_totals }}.interrupted_count > 0 then 'interrupted'
        when {{ conversation_totals }}.failed_count > 0 then 'failed'
        when
            {{ conversation_totals }}.conversation_count
            >= coalesce({{ experiments }}.planned_conversations, 0)
            then 'completed'
        -- Conversations that were planned left no event; only the manifest can say why.
        when {{ experiments }}.manifest_error is not null then 'failed'
        else 'unfinished'
    end
{%- endmacro %}

{#- What experiment_status counts, as columns of a group. -#}
{% macro status_counts(status) -%}
    {%- for each in ['completed', 'interrupted', 'failed', 'unfinished'] -%}
        count(*) filter (where {{ status }} = {{ sql_string(each) }}) as {{ each }}_count
        {%- if not loop.last %},{{ '\n        ' }}{% endif -%}
    {%- endfor -%}
{%- endmacro %}

{#- How the scores of experiments' turns went, from a step named experiment_turns, with NULL for
    scores that do not count, to one named experiment_convergence. Scores are given as a mapping
    of their names to what the names of their figures end with.

    The trend within conversations is a mean of their slopes, because the slope over all turns
    together may have the wrong sign: runs stop because a score is high, so late turns are those
    of conversations that score low. -#}
{% macro experiment_convergence_steps(scores) -%}
    conversation_slopes as (

        select
            experiment_id,
            conversation_id,
            {%- for score, suffix in scores.items() %}
            {{ slope(score, 'turn_number', order='turn_number') }} as slope{{ suffix }}
            {%- if not loop.last %},{% endif %}
            {%- endfor %}

        from experiment_turns

        group by experiment_id, conversation_id

    ),

    trends_within as (

        select
            experiment_id,
            {%- for suffix in scores.values() %}
            {{ rounded('avg(slope' ~ suffix ~ ' order by conversation_id)') }}
                as convergence_trend_within{{ suffix }}
            {%- if not loop.last %},{% endif %}
            {%- endfor %}

        from conversation_slopes

        group by experiment_id

    ),

    -- In order, so that sums of floating-point numbers are the same each time.
    turn_summaries as (

        select
            experiment_id,
            count(*) as turns,
            count(*) filter (where is_spoken) as spoken_turns,
            {%- for score, suffix in scores.items() %}
            {{ rounded('avg(' ~ score ~ ' order by conversation_id, turn_number)') }}
                as avg_convergence{{ suffix }},
            {{ rounded('median(' ~ score ~ ')') }} as median_convergence{{ suffix }},
            {{ rounded(slope(score, 'turn_number', order='conversation_id, turn_number')) }}
                as convergence_trend{{ suffix }}
            {%- if not loop.last %},{% endif %}
            {%- endfor %}

        from experiment_turns

        group by experiment_id

    ),

    experiment_convergence as (

        select
            turn_summaries.*,
            trends_within.* exclude (experiment_id)

        from turn_summaries

        inner join trends_within
            on turn_summaries.experiment_id = trends_within.experiment_id

    )
{%- endmacro %}
