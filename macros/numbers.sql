{#- A result of sums and differences without floating-point noise: 0.1 and not
    0.09999999999999998, and 0 not below zero. Twelve decimals take nothing else away. -#}
{% macro rounded(number) -%}
    (round({{ number }}, 12) + cast(0 as double))
{%- endmacro %}

{#- The slope of the least-squares line of a score on turn numbers; NULL where there are not two
    different ones. Over a window, or in an order, since sums of floating-point numbers depend on
    it. -#}
{% macro slope(score, turn_number, order=none, over=none) -%}
    nullif(
        regr_slope({{ score }}, {{ turn_number }}{{ ' order by ' ~ order if order }})
        {{- ' over ' ~ over if over }},
        cast('nan' as double)
    )
{%- endmacro %}
