-- A returned row is a model whose price the one seed says another provider charges than the one
-- that the other seed says serves it, or that the other does not know. If one were returned, costs
-- and providers would tell different stories. Correct one of the seeds.

{{ config(severity = 'warn') }}

with

model_prices as (

    select * from {{ ref('model_prices') }}

),

model_aliases as (

    select * from {{ ref('model_aliases') }}

),

model_providers as (

    select * from {{ ref('model_providers') }}

),

logged_models as (

    select distinct model as logged_model from model_prices

),

{{ named_models_steps() }}

select distinct
    model_prices.model,
    model_prices.provider,
    named_models.provider as provider_by_prefix

from model_prices

inner join named_models
    on model_prices.model = named_models.logged_model

where model_prices.provider is distinct from named_models.provider
