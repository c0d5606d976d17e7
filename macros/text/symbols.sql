{#- Character classes of Pidgin's symbol metrics, for use inside [...]. -#}

{#- Pidgin's emoji class as it stands: its range of "enclosed characters" runs over Chinese,
    Japanese and Korean letters, too. -#}
{% macro pidgin_emoji() -%}
    \x{1F600}-\x{1F64F}\x{1F300}-\x{1F5FF}\x{1F680}-\x{1F6FF}\x{1F1E0}-\x{1F1FF}\x{2702}-\x{27B0}\x{24C2}-\x{1F251}\x{1F900}-\x{1F9FF}\x{2600}-\x{26FF}
{%- endmacro %}

{#- Pictographs: the blocks of emoji, symbols and dingbats, without letters of any script. -#}
{% macro pictographs() -%}
    \x{1F300}-\x{1F64F}\x{1F680}-\x{1F6FF}\x{1F900}-\x{1F9FF}\x{1FA70}-\x{1FAFF}\x{1F1E6}-\x{1F1FF}\x{2600}-\x{27BF}\x{2B50}\x{2B55}\x{231A}\x{231B}\x{23E9}-\x{23FA}
{%- endmacro %}

{% macro pidgin_arrows() -%}
    →←↔⇒⇐⇔➜➡⬅↑↓⬆⬇↖↗↘↙
{%- endmacro %}

{% macro pidgin_math_symbols() -%}
    ≈≡≠≤≥±×÷∞∑∏∂∇√∫∈∉∀∃∅\^+=<>*/%\-
{%- endmacro %}

{#- What Pidgin counts as special beside emoji, arrows and mathematics: the rest of its
    arrows and mathematical signs once more, box drawing and bullets. -#}
{% macro pidgin_other_symbols() -%}
    ↔⇒⇐⇔➜➡⬅⬆⬇↖↗↘↙≡±×÷∞∑∏∂∇√∫∈∉∀∃∅\^%┌┐└┘─│├┤┬┴┼═║╔╗╚╝•◦▪▫■□▲△▼▽◆◇○●★☆
{%- endmacro %}
