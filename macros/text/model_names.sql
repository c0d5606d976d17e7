{#- What a model's name is looked up by: logs and people spell the same name with other capitals
    and with white space around it. -#}
{% macro model_key(name) -%}
    lower({{ stripped(name) }})
{%- endmacro %}

{#- Logged names of models with the one name that they share and with their provider, as a step
    `named_models` (logged_model, model, provider). It follows steps named logged_models (logged_model),
    model_aliases and model_providers. -#}
{% macro named_models_steps() -%}
    canonical_models as (

        select
            logged_models.logged_model,
            -- Of two spellings that differ in capitals only, the seed may give each a model.
            coalesce(
                min(model_aliases.model),
                nullif({{ model_key('logged_models.logged_model') }}, '')
            ) as model

        from logged_models

        left join model_aliases
            on
                {{ model_key('logged_models.logged_model') }}
                = {{ model_key('model_aliases.logged_model') }}

        group by logged_models.logged_model

    ),

    -- The longest beginning decides, and that of the logged name before that of the model.
    named_models as (

        select
            canonical_models.logged_model,
            canonical_models.model,
            arg_max(
                model_providers.provider,
                struct_pack(
                    is_of_logged_name := starts_with(
                        {{ model_key('canonical_models.logged_model') }},
                        {{ model_key('model_providers.model_prefix') }}
                    ),
                    prefix_length := length(model_providers.model_prefix)
                )
            ) as provider

        from canonical_models

        left join model_providers
            on
                starts_with(
                    {{ model_key('canonical_models.logged_model') }},
                    {{ model_key('model_providers.model_prefix') }}
                )
                or starts_with(
                    {{ model_key('canonical_models.model') }},
                    {{ model_key('model_providers.model_prefix') }}
                )

        group by canonical_models.logged_model, canonical_models.model

    )
{%- endmacro %}

{#- Whether agents were told of each other by a file of instructions, and not by one of Pidgin's
    levels. -#}
{% macro is_custom_awareness(awareness) -%}
    {{ model_key(awareness) }} not in ('none', 'basic', 'firm', 'research', 'backrooms')
{%- endmacro %}
