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

{#- How the scores of an experiment's turns went, as columns of a group. -#}
{% macro convergence_summary(turns) -%}
    -- In order, so that sums of floating-point numbers are the same each time.
    avg(
        {{ turns }}.convergence_score
        order by {{ turns }}.conversation_id, {{ turns }}.turn_number
    ) as avg_convergence,
    median({{ turns }}.convergence_score) as median_convergence,
    -- A line through turns of one number has no slope: NaN.
    nullif(
        regr_slope(
            {{ turns }}.convergence_score, {{ turns }}.turn_number
            order by {{ turns }}.conversation_id, {{ turns }}.turn_number
        ),
        cast('nan' as double)
    ) as convergence_trend
{%- endmacro %}
