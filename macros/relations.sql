{#- Relations are named without their database: a view that names it only works in a file of that
    name, and a warehouse may be copied, renamed or attached under another one. -#}
{% macro ref() %}
    {%- do return(builtins.ref(*varargs, **kwargs).include(database = false)) -%}
{% endmacro %}
