{#- What is known of a column beside its description stands in its `meta`, each fact once: `range` (or
    `one_of`, or `range_of_each` of what a list, map or object holds) with a `range_note`, `unit`,
    `null_when` and `source`. The comments in the database put it together here, pages in
    pidgin_analytics/descriptions.py; tests of ranges read it, too. -#}

{#- All that a column's description and meta say. -#}
{% macro column_comment(column) %}
    {%- set facts = column.meta -%}
    {%- set sentences = [column.description | trim] -%}
    {%- set range = range_in_words(facts) -%}
    {%- if range %}{% do sentences.append(range) %}{% endif -%}
    {%- if facts.unit %}{% do sentences.append('Unit: ' ~ facts.unit ~ '.') %}{% endif -%}
    {%- if facts.null_when %}{% do sentences.append('NULL ' ~ facts.null_when ~ '.') %}{% endif -%}
    {%- if facts.source %}{% do sentences.append(facts.source) %}{% endif -%}
    {{- return(sentences | join(' ')) -}}
{% endmacro %}

{#- A sentence that says which values there are; empty if nothing does. -#}
{% macro range_in_words(facts) %}
    {%- set ranges = [] -%}
    {%- if facts.one_of %}{% do ranges.append('One of ' ~ facts.one_of | join(', ')) %}{% endif -%}
    {%- if facts.range is mapping -%}
        {%- for field, bounds in facts.range.items() -%}
            {%- do ranges.append(bounds_in_words(bounds) ~ ' for `' ~ field ~ '`') -%}
        {%- endfor -%}
    {%- elif facts.range -%}
        {%- do ranges.append(bounds_in_words(facts.range)) -%}
    {%- endif -%}
    {%- if facts.range_of_each %}{% do ranges.append(bounds_in_words(facts.range_of_each) ~ ' each') %}{% endif -%}
    {%- if not ranges %}{{ return('') }}{% endif -%}
    {%- if facts.range_note %}{% do ranges.append(facts.range_note) %}{% endif -%}
    {{- return(ranges | join('; ') ~ '.') -}}
{% endmacro %}

{% macro bounds_in_words(bounds) %}
    {%- set words = [] -%}
    {%- for bound in bounds -%}
        {%- do words.append('`' ~ bound ~ '`' if bound is string else bound | string) -%}
    {%- endfor -%}
    {%- if none not in bounds %}{{ return('From ' ~ words[0] ~ ' to ' ~ words[1]) }}{% endif -%}
    {%- if bounds[0] is not none %}{{ return('At least ' ~ words[0]) }}{% endif -%}
    {%- if bounds[1] is not none %}{{ return('At most ' ~ words[1]) }}{% endif -%}
    {{- return('Any number') -}}
{% endmacro %}

{#- The metrics of a mart that are one number each: columns whose definition comes from somewhere, in
    their order. Nothing while dbt parses, when no model is known yet. -#}
{% macro number_metrics(mart) %}
    {%- set node = graph.get('nodes', {}).get('model.' ~ project_name ~ '.' ~ mart, {}) -%}
    {%- set found = [] -%}
    {%- for column in node.get('columns', {}).values()
        if column.meta.source and column.data_type in ('integer', 'bigint', 'double') -%}
        {%- do found.append(column) -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{#- The columns of a model: those that its yml declares, and those that it takes from marts
    (`meta: columns_from`), which are declared and described there alone. -#}
{% macro columns_of(node) %}
    {%- set columns = dict(node.columns) -%}
    {%- for taken in node.config.meta.columns_from or [] -%}
        {%- for column in number_metrics(taken.model) -%}
            {%- set name = taken.get('prefix', '') ~ column.name -%}
            {%- set about = taken.about ~ ': ' if taken.about else '' -%}
            {%- set null_when = [column.meta.null_when, taken.null_when] | select | join('; also ') -%}
            {%- do columns.update({name: dict(
                column,
                name = name,
                description = about ~ column.description | trim,
                meta = dict(column.meta, null_when = null_when)
            )}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(columns) -}}
{% endmacro %}

{#- A contract also covers the columns that a view takes from marts. -#}
{% macro duckdb__get_assert_columns_equivalent(sql) %}
    {%- do model.update({'columns': columns_of(model)}) -%}
    {{- return(assert_columns_equivalent(sql)) -}}
{% endmacro %}

{#- What a column's meta says that can be tested in its table: names of numbers, expressions for them,
    and the bounds of each. A bound that is an expression over the row becomes a difference that is at
    most 0; a text that is none of several counts. -#}
{% macro tested_ranges(column) %}
    {%- set facts = column.meta -%}
    {%- set ranges = [] -%}
    {%- set fields = {} -%}
    {%- if facts.range is mapping -%}
        {%- for field, bounds in facts.range.items() -%}
            {%- do fields.update({column.name ~ '.' ~ field: bounds}) -%}
        {%- endfor -%}
    {%- elif facts.range -%}
        {%- do fields.update({column.name: facts.range}) -%}
    {%- endif -%}
    {%- for number, bounds in fields.items() -%}
        {%- set low, high = bounds -%}
        {%- do ranges.append({
            'name': number,
            'number': number,
            'low': none if low is string else low,
            'high': none if high is string else high,
            'is_whole': column.data_type in ('integer', 'bigint')
        }) -%}
        {%- if low is string -%}
            {%- do ranges.append({'name': number ~ ' below ' ~ low, 'number': low ~ ' - ' ~ number, 'high': 0, 'is_whole': true}) -%}
        {%- endif -%}
        {%- if high is string -%}
            {%- do ranges.append({'name': number ~ ' above ' ~ high, 'number': number ~ ' - ' ~ high, 'high': 0, 'is_whole': true}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if facts.one_of -%}
        {%- do ranges.append({
            'name': column.name,
            'number': 'cast(' ~ column.name ~ ' not in (' ~ sql_strings(facts.one_of) ~ ') as integer)',
            'high': 0,
            'is_whole': true
        }) -%}
    {%- endif -%}
    {{- return(ranges) -}}
{% endmacro %}
