with

end_reasons as (

    select * from {{ ref('end_reasons') }}

),

incident_types as (

    select * from {{ ref('incident_types') }}

),

linguistic_markers as (

    select * from {{ ref('linguistic_markers') }}

),

convergence_profiles as (

    select * from {{ ref('convergence_profiles') }}

),

model_aliases as (

    select * from {{ ref('model_aliases') }}

),

model_providers as (

    select * from {{ ref('model_providers') }}

)

select
    hash(
        (select sum(hash(end_reasons)) from end_reasons),
        (select sum(hash(incident_types)) from incident_types),
        (select sum(hash(linguistic_markers)) from linguistic_markers),
        (select sum(hash(convergence_profiles)) from convergence_profiles),
        (select sum(hash(model_aliases)) from model_aliases),
        (select sum(hash(model_providers)) from model_providers),
        {{ sql_string(pattern_thresholds()) }},
        {{ computing_version() }}
    ) as content_hash
