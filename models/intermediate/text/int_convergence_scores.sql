{{ config(materialized = 'view') }}

{%- set profiles = ['balanced', 'structural', 'semantic', 'strict'] %}
{%- set components = ['content', 'length', 'sentences', 'structure', 'punctuation'] %}

with

convergence_components as (

    select * from {{ ref('int_convergence_components') }}

),

convergence_profiles as (

    select * from {{ ref('convergence_profiles') }}

),

weights as (

    select
        {% for profile in profiles -%}
            {% for component in components -%}
                cast(
                    max(weight) filter (
                        where profile = '{{ profile }}' and component = '{{ component }}'
                    ) as double
                ) as {{ profile }}_{{ component }},
            {% endfor -%}
        {% endfor -%}
        count(*) as weights

    from convergence_profiles

)

select
    convergence_components.conversation_id,
    convergence_components.turn_number,
    convergence_components.content_similarity,
    convergence_components.length_similarity,
    convergence_components.sentence_similarity,
    convergence_components.structure_similarity,
    convergence_components.punctuation_similarity,
    {% for profile in profiles -%}
        -- Rounded as Python rounds, the exact binary value to the nearest hundredth.
        cast(
            format(
                '{:.2f}',
                if(
                    convergence_components.content_similarity > 0.9,
                    convergence_components.content_similarity * 0.7
                    + convergence_components.content_similarity * 0.3,
                    convergence_components.content_similarity * weights.{{ profile }}_content
                    + convergence_components.length_similarity * weights.{{ profile }}_length
                    + convergence_components.sentence_similarity * weights.{{ profile }}_sentences
                    + convergence_components.structure_similarity * weights.{{ profile }}_structure
                    + convergence_components.punctuation_similarity
                    * weights.{{ profile }}_punctuation
                )
            ) as double
        ) as convergence_{{ profile }},
    {% endfor -%}
    convergence_components.fingerprint

from convergence_components

cross join weights
